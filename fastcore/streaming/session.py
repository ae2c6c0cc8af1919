"""One client: what it may do, what it is told, and whether it is still there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fastcore.streaming import messages
from fastcore.streaming.caller import Caller
from fastcore.streaming.limits import Bucket
from fastcore.streaming.messages import BadMessage, Connect, Pong, Subscribe, Token, Unsubscribe, framed
from fastcore.streaming.security import Grant

if TYPE_CHECKING:
    from fastcore.streaming.clients import Clients

__all__ = ["Handshake", "Link", "Session"]

PING_DUE, PONG_DUE, TOKEN_DUE, EXPIRY_DUE = range(4)
WAITING = 16  # requests of a client whose token is being checked


class Link(Protocol):
    """The way to a client; `write` takes whole WebSocket frames."""

    deflate: int | None
    fd: int | None  # of a socket that frames may be sent to past this link, as long as the session is not blocked

    @property
    def write(self) -> Callable[[bytes], Any]: ...

    @property
    def writelines(self) -> Callable[[Iterable[bytes]], Any]: ...

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; nothing is written after it."""

    def buffered(self) -> int:
        """Bytes that were written and are still in this process."""


class Handshake(NamedTuple):
    """What a client said when it connected."""

    token: str | None = None
    topics: Subscribe | None = None


class Session:
    """The server's side of the wire protocol for one client, over any link.

    The hub's Fanout knows the client by this object, from its welcome to its end.
    """

    __slots__ = (
        "__weakref__",
        "_alive",
        "_bad",
        "_bucket",
        "_hub",
        "_waiting",
        "blocked",
        "caller",
        "closed",
        "grant",
        "link",
        "notices",
        "patterns",
        "seat",
        "welcomed",
        "write",
        "writelines",
    )

    def __init__(self, hub: Clients, link: Link, seat: str | None) -> None:
        self._hub = hub
        self.link = link
        self.write = link.write
        self.writelines = link.writelines
        self.seat = seat
        self.caller: Caller | None = None  # where `authenticate` looks at it
        self.grant: Grant | None = None
        self.notices: list[bytes] | None = None  # to be written before what the Fanout has
        self.patterns: set[str] | None = None
        self.welcomed = False
        self.closed = False
        self.blocked = False
        self._alive = True
        self._bad = 0
        self._bucket: Bucket | None = None
        self._waiting: list[Any] | None = None  # not None: a token is being checked

    # -- beginning --------------------------------------------------------------------------------------------------

    def open(self, grant: Grant | None, topics: Subscribe | None) -> None:
        """Begin; `grant` is None where a token is still to come."""
        hub = self._hub
        if grant is not None:
            self._welcome(grant)
            if topics is not None:
                self._subscribe(topics)
            return
        if topics is not None:
            self._waiting = [topics]  # kept until there is a token
        hub.wheel.add(hub.now() + hub.limits.token, (self, TOKEN_DUE))

    def _welcome(self, grant: Grant) -> None:
        hub = self._hub
        self.grant = grant
        self.welcomed = True
        hub.enter(self)
        self.tell(
            messages.CONNECT,
            {
                "v": messages.VERSION,
                "epoch": hub.epoch,
                "ping": hub.ping,
                "pong": hub.pong,
                "ttl": hub.time_left(grant),
                "session": secrets.token_hex(8),
            },
        )
        hub.watch_expiry(self, grant)
        hub.wheel.add(hub.now() + hub.ping * hub.random.uniform(0.5, 1.0), (self, PING_DUE))

    # -- what the client says ---------------------------------------------------------------------------------------

    def receive(self, payload: bytes, parse: Callable[[bytes], Iterable[messages.Request]] = messages.parse) -> None:
        """Take a message."""
        if self.closed or not self.counted():
            return
        self._alive = True
        try:
            for request in parse(payload):
                if self.closed:
                    return
                self._handle(request)
        except BadMessage as error:
            self._complain(error.ref, messages.BAD_MESSAGE, str(error))

    def counted(self) -> bool:
        """Count one message or ping of the client against its rate; False if that closed it."""
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

    def _handle(self, request: messages.Request) -> None:
        if isinstance(request, Pong):
            return
        if isinstance(request, Connect):
            self._connect(request)
        elif self._waiting is not None and (not self.welcomed or isinstance(request, Token)):
            self._keep(request)
        elif not self.welcomed:
            raise BadMessage("message: expected connect with a token first, got another", getattr(request, "ref", 0))
        elif isinstance(request, Subscribe):
            self._subscribe(request)
        elif isinstance(request, Unsubscribe):
            self._hub.leave_topics(self, request.names)
            self.tell(messages.UNSUBSCRIBE, request.ref)
        elif isinstance(request, Token):
            self._check(request.token, request.ref)

    def _keep(self, request: Any) -> None:
        assert self._waiting is not None
        if len(self._waiting) >= WAITING:
            self.close(messages.CLOSE_BAD_MESSAGES, "too many messages before the token was checked")
        else:
            self._waiting.append(request)

    def _connect(self, request: Connect) -> None:
        if self.welcomed:
            if request.topics is not None:
                self._subscribe(request.topics)
            return
        if request.token is None:
            raise BadMessage("connect: expected a token, got none")
        if self._waiting is not None and request.topics is None and not self._waiting:
            raise BadMessage("connect: expected one, got two")
        if request.topics is not None:
            self._waiting = [*(self._waiting or ()), request.topics]
        self._check(request.token, None)

    def _check(self, token: str, ref: int | None) -> None:
        """Have a token checked; `ref` is None for the first one."""
        if self._waiting is None:
            self._waiting = []
        self._hub.check(self, token, ref)

    def checked(self, grant: Grant | None, ref: int | None) -> None:
        """Take the answer to a token."""
        if self.closed:
            return
        waiting, self._waiting = self._waiting or [], None
        if ref is None:
            if grant is None:
                self.close(messages.CLOSE_REFUSED, "token: refused")
                return
            if not self.welcomed:
                self._welcome(grant)
        elif grant is None:
            self.complain(ref, messages.REFUSED, "token: refused")
        else:
            self.grant = grant
            self._hub.watch_expiry(self, grant)
            self.tell(messages.TOKEN, ref, self._hub.time_left(grant))
        for request in waiting:
            if not self.closed:
                self._handle(request)

    def _subscribe(self, wish: Subscribe) -> None:
        assert self.grant is not None
        hub = self._hub
        try:
            for name in wish.names:
                hub.check_name(name)
        except ValueError as error:
            self.complain(wish.ref, messages.BAD_TOPIC, str(error))
            return
        for name in wish.names:
            if not hub.allows(self.grant, name):
                self.complain(wish.ref, messages.FORBIDDEN, f"topic: not allowed: {name}")
                return
        try:
            entries = hub.join_topics(self, wish)
        except ValueError as error:
            self.complain(wish.ref, messages.TOO_MANY, str(error))
            return
        self.tell(messages.SUBSCRIBE, wish.ref, entries)

    def _complain(self, ref: int, code: int, text: str) -> None:
        self._bad += 1
        if self._bad > self._hub.limits.bad_messages:
            self.close(messages.CLOSE_BAD_MESSAGES, "too many messages that are not understood")
        else:
            self.complain(ref, code, text)

    # -- what it is told --------------------------------------------------------------------------------------------

    def complain(self, ref: int, code: int, text: str) -> None:
        """Send an error."""
        self.tell(messages.ERROR, ref, code, text[:500])

    def tell(self, *message: Any) -> None:
        """Send a message of its own with the next flush, before data."""
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

    def write_notices(self) -> None:
        """Write what :meth:`tell` was given."""
        if self.notices is not None:
            data, self.notices = b"".join(self.notices), None
            self.write(data)
            if self.link.buffered() > self._hub.limits.backlog:  # it asks and does not read the answers
                self.close(messages.CLOSE_SLOW, f"slow: more than {self._hub.limits.backlog} bytes were waiting")

    # -- how it is --------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """The link takes no more for now."""
        if not self.blocked and not self.closed:
            self.blocked = True
            self._hub.blocked(self)

    def resume(self) -> None:
        """The link takes more again."""
        if self.blocked:
            self.blocked = False
            self._hub.unblocked(self)

    def due(self, what: int) -> None:
        """Do what the wheel says."""
        if self.closed:
            return
        hub = self._hub
        if what == PING_DUE:
            self._alive = False
            self.write(messages.PING_FRAME)
            hub.wheel.add(hub.now() + hub.pong, (self, PONG_DUE))
        elif what == PONG_DUE:
            if self._alive:
                hub.wheel.add(hub.now() + hub.ping - hub.pong, (self, PING_DUE))
            elif self.blocked:  # then it cannot have read the ping
                self.close(messages.CLOSE_SLOW, "slow: no pong, and nothing is taken")
            else:
                self.close(messages.CLOSE_NO_PONG, f"no pong within {hub.pong:g} s")
        elif what == TOKEN_DUE:
            if not self.welcomed:
                self.close(messages.CLOSE_NO_TOKEN, f"no token within {hub.limits.token:g} s")
        elif what == EXPIRY_DUE and self.grant is not None and hub.expired(self.grant):
            self.close(messages.CLOSE_EXPIRED, "the token expired")

    def drain(self, delay: float) -> None:
        """Ask the client to go and come back."""
        self.tell(messages.DRAIN, round(delay, 3))

    def close(self, code: int, reason: str) -> None:
        """Close the connection, saying why."""
        if not self.closed:
            last, self.notices = self.notices, None
            self.lost(code)
            if last:
                self.write(b"".join(last))
            self.link.close(code, reason)

    def lost(self, code: int = 1006) -> None:
        """Forget the client: its connection is gone, or about to be."""
        if not self.closed:
            self.closed = True
            self._waiting = None
            self._hub.leave(self, code)
