"""One client: its rights, its messages, and its liveness."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from fastcore.streaming import messages
from fastcore.streaming.answers import entries_of
from fastcore.streaming.caller import Caller
from fastcore.streaming.limits import Bucket
from fastcore.streaming.link import Link
from fastcore.streaming.member import Member
from fastcore.streaming.messages import (
    BadMessage,
    Connect,
    Pong,
    Positions,
    Subscribe,
    Token,
    Unsubscribe,
    framed,
)
from fastcore.streaming.positions import Where
from fastcore.streaming.security import UNAVAILABLE, Grant, Rights
from fastcore.streaming.turns import SLICE
from python_fallback.shared.framing.topics import is_pattern

if TYPE_CHECKING:
    from fastcore.streaming.sessions import Sessions

__all__ = ["Session"]

Parse: TypeAlias = Callable[[bytes], Iterable[messages.Request]]

PING_DUE, PONG_DUE, TOKEN_DUE, EXPIRY_DUE = range(4)
WAITING = 16  # requests of a client whose token is being checked
QUEUED = 4 << 20  # bytes of a client's messages that wait for those before them
NAMES = 64  # topics that are subscribed to at once; a pattern counts for all of them


class Session:
    """The server's side of the wire protocol for one client, over any link.

    The hub's Fanout knows the client by this object, from its welcome to its end.
    """

    __slots__ = (
        "__weakref__",
        "_alive",
        "_bad",
        "_bucket",
        "_checking",
        "_held",
        "_hub",
        "_positions",
        "_queue",
        "_queued",
        "_steps",
        "_waiting",
        "blocked",
        "caller",
        "closed",
        "grant",
        "id",
        "link",
        "notices",
        "rights",
        "seat",
        "since",
        "welcomed",
        "write",
        "writelines",
    )

    def __init__(self, hub: Sessions, link: Link, seat: str | None) -> None:
        self._hub = hub
        self.link = link
        self.write = link.write
        self.writelines = link.writelines
        self.seat = seat
        self.id = secrets.token_hex(8)
        self.since = time.time()
        self.caller: Caller | None = None  # where `authenticate` looks at it
        self.grant: Grant | None = None
        self.rights: Rights | None = None
        self.notices: list[bytes] | None = None  # to be written before what the Fanout has
        self.welcomed = False
        self.closed = False
        self.blocked = False
        self._alive = True
        self._bad = 0
        self._checking = False  # its first token
        self._held = 0  # bytes of notices that wait for the link
        self._bucket: Bucket | None = None
        self._waiting: list[Any] | None = None  # not None: a token is being checked
        self._queue: deque[Any] | None = None  # messages and requests that wait for those before them
        self._queued = 0  # bytes of them
        self._steps: Iterator[None] | None = None  # what is under way
        self._positions: Where | None = None  # for the next subscribe

    # -- beginning --------------------------------------------------------------------------------------------------

    def open(self, grant: Grant | None, topics: Subscribe | None) -> None:
        """Begin the session; `grant` is None until the client has sent a token."""
        hub = self._hub
        if grant is UNAVAILABLE:
            self.close(messages.CLOSE_LATER, "token: it cannot be checked for now")
            return
        if grant is not None and hub.hooks.has("connect"):
            self.grant = grant
            self._waiting = [] if topics is None else [topics]
            hub.admit(self, grant)
            return
        if grant is not None:
            self._welcome(grant)
            if topics is not None:
                self._add(topics)
            return
        if topics is not None:
            self._waiting = [topics]  # kept until there is a token
        hub.wheel.add(hub.now() + hub.limits.token, (self, TOKEN_DUE))

    def _welcome(self, grant: Grant) -> None:
        hub = self._hub
        self._granted(grant)
        self.welcomed = True
        hub.enter(self)
        welcome = {
            "v": messages.VERSION,
            "epoch": hub.epoch,
            "ping": hub.ping,
            "pong": hub.pong,
            "ttl": hub.time_left(grant),
            "session": self.id,
        }
        if hub.limits.message_size != messages.SIZE:
            welcome["size"] = hub.limits.message_size
        self.tell(messages.CONNECT, welcome)
        hub.watch_expiry(self, grant)
        hub.wheel.add(hub.now() + hub.ping * hub.random.uniform(0.5, 1.0), (self, PING_DUE))

    def _granted(self, grant: Grant) -> None:
        self.grant = grant
        self.rights = self._hub.rights(grant)

    # -- what the client says ---------------------------------------------------------------------------------------

    def receive(self, payload: bytes, parse: Parse = messages.parse) -> None:
        """Handle a message from the client."""
        if self.closed or not self.counted():
            return
        self._alive = True
        if payload != messages.PONG_BYTES:
            self._add((parse, payload))

    def _add(self, what: Any) -> None:
        """Queue a message or a request; they are answered in order."""
        if self._queue is None:
            self._queue = deque()
        self._queued += _size(what)
        if self._queued > max(QUEUED, 16 * self._hub.limits.message_size):
            code, kind = (messages.CLOSE_SLOW, "slow") if self.blocked else (messages.CLOSE_RATE, "rate")
            self.close(code, f"{kind}: {self._queued} bytes of requests were waiting")
            return
        self._queue.append(what)
        self._hub.work.add(self)

    @property
    def has_work(self) -> bool:
        """Whether a request waits for an answer and the link accepts one."""
        if self.closed or not (self._steps is not None or self._queue):
            return False
        return self not in self._hub.hooks.untold and not self._full()

    def _full(self) -> bool:
        return self.blocked and self.link.buffered() > self._hub.limits.backlog

    def step(self) -> bool:
        """Do one step of the waiting requests; return whether more remains."""
        if not self.has_work:
            return False
        if self._steps is None:
            assert self._queue
            what = self._queue.popleft()
            self._queued -= _size(what)
            self._steps = self._read(*what) if type(what) is tuple else iter(self._handle(what))
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None
        except BadMessage as error:
            self._steps = None
            self._complain(error.ref, messages.BAD_MESSAGE, str(error))
        return self.has_work

    def _read(self, parse: Parse, payload: bytes) -> Iterator[None]:
        """Answer the requests of a message; each counts towards the rate."""
        known = self._hub.positions.part(payload) if parse is messages.parse else None
        for count, request in enumerate(parse(payload) if known is None else (known,)):
            if self.closed or (count and not self.counted()):
                return
            if count:
                yield
            yield from self._handle(request)

    def counted(self) -> bool:
        """Count one message or ping of the client towards its rate; False if that closed it."""
        hub = self._hub
        rate = hub.limits.message_rate
        if rate is None:
            return True
        bucket = self._bucket
        now = hub.now()
        if bucket is None:
            bucket = self._bucket = Bucket(hub.limits.message_burst, now)
        if bucket.take(rate, hub.limits.message_burst, now):
            return True
        self.close(messages.CLOSE_RATE, f"rate: expected at most {rate:g} messages a second, got more")
        return False

    def _handle(self, request: messages.Request) -> Iterable[None]:
        """Answer a request; return the rest of a long one, to be done step by step."""
        if isinstance(request, Pong):
            return ()
        if isinstance(request, Connect):
            return self._connect(request)
        if self._waiting is not None and (not self.welcomed or isinstance(request, Token)):
            self._keep(request)
        elif not self.welcomed:
            raise BadMessage("message: expected connect with a token first, got another", getattr(request, "ref", 0))
        elif isinstance(request, Subscribe):
            return self._subscribe(request)
        elif isinstance(request, Positions):
            epoch = request.since[0]
            if self._positions is None or self._positions.epoch != epoch:
                self._positions = Where(epoch)
            self._positions.add(request.since)
        elif isinstance(request, Unsubscribe):
            self._hub.unsubscribe(self, request.names)
            self.tell(messages.UNSUBSCRIBE, request.ref)
        elif isinstance(request, Token):
            self._check(request.token, request.ref)
        return ()

    def _keep(self, request: Any) -> None:
        assert self._waiting is not None
        if len(self._waiting) >= WAITING:
            self.close(messages.CLOSE_BAD_MESSAGES, "too many messages before the token was checked")
        else:
            self._waiting.append(request)

    def _connect(self, request: Connect) -> Iterable[None]:
        if self.welcomed:
            return () if request.topics is None else self._subscribe(request.topics)
        if self.grant is not None:  # the application is being asked
            self._keep(request)
            return ()
        if request.token is None:
            raise BadMessage("connect: expected a token, got none")
        if self._waiting is not None and request.topics is None and not self._waiting:
            raise BadMessage("connect: expected one, got two")
        if request.topics is not None:
            self._waiting = [*(self._waiting or ()), request.topics]
        self._check(request.token, None)
        return ()

    def _check(self, token: str, ref: int | None) -> None:
        """Check a token; `ref` is None for the first one."""
        if self._waiting is None:
            self._waiting = []
        self._checking = ref is None
        self._hub.check(self, token, ref)

    def checked(self, grant: Grant | None, ref: int | None) -> None:
        """Handle the result of checking a token."""
        if self.closed:
            return
        waiting, self._waiting = self._waiting or [], None
        if ref is None:
            if grant is None or grant is UNAVAILABLE:
                code = messages.CLOSE_REFUSED if grant is None else messages.CLOSE_LATER
                self.close(code, "token: refused" if grant is None else "token: it cannot be checked for now")
                return
            if not self.welcomed:
                self._welcome(grant)
        elif grant is None:
            self.complain(ref, messages.REFUSED, "token: refused")
        elif grant is UNAVAILABLE:
            self.complain(ref, messages.UNAVAILABLE, "token: it cannot be checked for now")
        else:
            before = self.rights
            self._granted(grant)
            self._hub.watch_expiry(self, grant)
            lost = self._hub.review(self, before)
            self.tell(messages.TOKEN, ref, self._hub.time_left(grant))
            self._refuse(0, messages.FORBIDDEN, "topic: not allowed any more: ", lost)
        for request in waiting:
            if not self.closed:
                self._add(request)

    def _subscribe(self, wish: Subscribe) -> Iterator[None]:
        """Subscribe to the allowed topics of a request, and refuse the others."""
        hub = self._hub
        since = wish.since
        if since is not None:
            since = hub.positions.whole(self._positions, since)
            self._positions = None
        good: list[str] = []
        forbidden: list[str] = []
        for name in wish.names:
            try:
                hub.check_name(name)
            except ValueError as error:
                self._refuse(wish.ref, messages.BAD_TOPIC, "", [name], str(error))
                continue
            assert self.rights is not None
            (good if self.rights(name) else forbidden).append(name)
        self._refuse(wish.ref, messages.FORBIDDEN, "topic: not allowed: ", forbidden)
        room = hub.room(self, good)
        text = f"topics: expected at most {hub.limits.subscriptions} subscriptions, got {len(good) - room} more: "
        self._refuse(wish.ref, messages.TOO_MANY, text, good[room:])
        if len(good[:room]) < len(wish.names) and (room == 0 or not (wish.partial or wish.ref == 0)):
            return
        begun, entries = time.perf_counter(), list[list[object]]()
        parts = list(_parts(good[:room]))
        for i, names in enumerate(parts):
            more = i < len(parts) - 1
            if is_pattern(names[0]):
                told = hub.follow(self, names[0], wish, since)
                if len(told) > NAMES:
                    if entries:
                        self.tell(messages.SUBSCRIBE, wish.ref, entries, True)
                        entries = []
                    for frame in hub.answers.frames(told, since is not None, wish.ref, more):
                        self.notice(frame)
                    if not more:
                        return
                else:
                    entries += entries_of(told, since is not None)
            else:
                entries += hub.join_topics(self, names, wish, since)
            if more and time.perf_counter() - begun > SLICE:
                if entries:
                    self.tell(messages.SUBSCRIBE, wish.ref, entries, True)
                    entries = []
                yield
                if self.closed:
                    return
                begun = time.perf_counter()
        self.tell(messages.SUBSCRIBE, wish.ref, entries)

    def _refuse(self, ref: int, code: int, text: str, names: list[str], said: str = "") -> None:
        """Send an error that names the refused part of a request."""
        if names:
            self.tell(messages.ERROR, ref, code, (said or text + ", ".join(names[:10]))[:500], names)

    def _complain(self, ref: int, code: int, text: str) -> None:
        self._bad += 1
        if self._bad > self._hub.limits.bad_messages:
            self.close(messages.CLOSE_BAD_MESSAGES, "too many messages that are not understood")
        else:
            self.complain(ref, code, text)

    # -- what it is told --------------------------------------------------------------------------------------------

    def complain(self, ref: int, code: int, text: str) -> None:
        """Send an error message."""
        self.tell(messages.ERROR, ref, code, text[:500])

    def tell(self, *message: Any) -> None:
        """Send a message to this client with the next flush, before data."""
        self.notice(framed(*message))

    def notice(self, frame: bytes) -> None:
        """Send a frame with the next flush, before data."""
        if self.closed:
            return
        if self.notices is None:
            self.notices = [frame]
            self._hub.noticed(self)
        else:
            self.notices.append(frame)
        if self.blocked:
            self._held += len(frame)
            if self._held > self._hub.limits.backlog:
                self.close(messages.CLOSE_SLOW, f"slow: more than {self._hub.limits.backlog} bytes were waiting")

    def write_notices(self) -> None:
        """Write the messages of :meth:`tell`; a link with too much unsent data gets them when it is writable again."""
        if self.notices is not None and not self._full():
            data, self.notices, self._held = b"".join(self.notices), None, 0
            self.write(data)

    def member(self) -> Member:
        """The identity of the client, for the application."""
        return Member(self.id, None if self.grant is None else self.grant.user, self.seat, self.since)

    # -- how it is --------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop writing: the link is not writable."""
        if not self.blocked and not self.closed:
            self.blocked = True
            self._hub.blocked(self)

    def resume(self) -> None:
        """Continue writing: the link is writable again."""
        if self.blocked:
            self.blocked = False
            self._hub.unblocked(self)

    def due(self, what: int) -> None:
        """Do what is due: a ping, a timeout, or a check of the token's expiry."""
        if self.closed:
            return
        hub = self._hub
        if what == PING_DUE:
            self._alive = False
            self.write(messages.PING_FRAME)
            if self.grant is not None:
                hub.watch_expiry(self, self.grant)
            hub.wheel.add(hub.now() + hub.pong, (self, PONG_DUE))
        elif what == PONG_DUE:
            if self._alive:
                hub.wheel.add(hub.now() + hub.ping - hub.pong, (self, PING_DUE))
            elif self.blocked:  # then it cannot have read the ping
                self.close(messages.CLOSE_SLOW, "slow: no pong, and nothing is taken")
            else:
                self.close(messages.CLOSE_NO_PONG, f"no pong within {hub.pong:g} s")
        elif what == TOKEN_DUE:
            if not (self.welcomed or self._checking):  # a check has a limit of its own
                self.close(messages.CLOSE_NO_TOKEN, f"no token within {hub.limits.token:g} s")
        elif what == EXPIRY_DUE and self.grant is not None:
            if hub.expired(self.grant):
                self.close(messages.CLOSE_EXPIRED, "the token expired")
            else:  # the clock was set, or there is a new token
                hub.watch_expiry(self, self.grant)

    def drain(self, delay: float) -> None:
        """Ask the client to reconnect."""
        self.tell(messages.DRAIN, round(delay, 3))

    def close(self, code: int, reason: str) -> None:
        """Close the connection with a code and a reason."""
        if not self.closed:
            last, self.notices = self.notices, None
            self.lost(code, reason)
            if last:
                self.write(b"".join(last))
            self.link.close(code, reason)

    def lost(self, code: int = 1006, reason: str = "") -> None:
        """Release the client: its connection is closed or closing."""
        if not self.closed:
            self.closed = True
            self._waiting = self._queue = self._steps = self._positions = None
            self._hub.leave(self, code, reason)


def _size(what: Any) -> int:
    return 100 + len(what[1]) if type(what) is tuple else 100


def _parts(names: list[str]) -> Iterator[list[str]]:
    """Split names, in order, into parts of about the same work."""
    part: list[str] = []
    for name in names:
        if is_pattern(name):
            if part:
                yield part
            part = []
            yield [name]
        else:
            part.append(name)
            if len(part) == NAMES:
                yield part
                part = []
    if part:
        yield part
