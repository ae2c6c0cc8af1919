"""All clients of a hub: their sessions, subscriptions and deadlines."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import weakref
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastcore.concurrency.waiting import answer_of
from fastcore.framing import Fanout, Subscription
from fastcore.streaming import messages, security
from fastcore.streaming.answers import Answers, entries_of
from fastcore.streaming.caller import Caller, takes_caller
from fastcore.streaming.hooks import Hooks
from fastcore.streaming.intake import Parsing
from fastcore.streaming.limits import Limits, Seats
from fastcore.streaming.positions import PositionsMemo
from fastcore.streaming.security import UNAVAILABLE, Authenticate, Authorize, Grant, Rights
from fastcore.streaming.session import EXPIRY_DUE, Session
from fastcore.streaming.timer_wheel import TimerWheel
from fastcore.streaming.work import Work
from python_fallback.shared.framing.topics import check_pattern, is_pattern

__all__ = ["Sessions"]

_log = logging.getLogger("fastcore.streaming")
_OTHER_CODES = 20  # close codes that are not the protocol's and are counted one by one: clients choose them


class Sessions:
    """The state shared by the sessions of one hub.

    Everything here belongs to the event loop's thread.
    """

    def __init__(
        self,
        fan: Fanout,
        limits: Limits,
        schedule: Callable[[], None],
        *,
        ping: float,
        pong: float,
        beat: float,
        authenticate: Authenticate | None,
        authorize: Authorize | None,
    ) -> None:
        self.fan = fan
        self.limits = limits
        self.ping = ping
        self.pong = pong
        self.beat = beat
        self.now = time.monotonic
        self.random = random.Random()
        self.seats = Seats(limits)
        self.closed_by: Counter[int] = Counter()
        self.wheel: TimerWheel[tuple[Session, int]] = TimerWheel(self.now(), beat)
        self.emptied = asyncio.Event()
        self._authenticate = authenticate
        self.asks_of_callers = authenticate is not None and takes_caller(authenticate)
        self._authorize = authorize
        self._schedule = schedule
        self._all: dict[Session, None] = {}
        self._rights: weakref.WeakValueDictionary[object, Rights] = weakref.WeakValueDictionary()
        self.work = Work()
        self.parsing = Parsing()
        self.positions = PositionsMemo(fan.known)
        self.answers = Answers()
        self.hooks = Hooks(limits.hook, self._told)
        self._blocked: dict[Session, float] = {}  # since when
        self._noticed: list[Session] = []
        self._checks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._clock = time.time() - self.now()  # how far the time of day is ahead

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> list[Session]:
        """All sessions, including those without a valid token."""
        return list(self._all)

    @property
    def epoch(self) -> str:
        return self.fan.epoch

    # -- coming and going -------------------------------------------------------------------------------------------

    def add(self, session: Session) -> None:
        """Add a session that has a seat."""
        self._all[session] = None
        self.emptied.clear()
        if self._timer is None:
            self._beat()

    def enter(self, session: Session) -> None:
        """Connect an admitted session to the Fanout."""
        self.fan.connect(session, deflate=session.link.deflate, fd=session.link.fd)
        if session.blocked:
            self.blocked(session)

    def leave(self, session: Session, code: int, reason: str) -> None:
        """Remove a session that has ended."""
        if session in self._all:
            del self._all[session]
            self.seats.leave(session.seat)
            self._count(code)
            if session.welcomed:
                self.hooks.ended(session, code, reason)
        self.fan.disconnect(session)
        self._blocked.pop(session, None)
        self.work.drop(session)
        if not self._all:
            self.emptied.set()

    def _count(self, code: int) -> None:
        """Count a close code; further ones than those of the protocol, and a few that came first, as 0."""
        known = code in messages.CLOSE_CODES or code in self.closed_by
        if not known and len(self.closed_by.keys() - messages.CLOSE_CODES) >= _OTHER_CODES:
            code = 0
        self.closed_by[code] += 1

    def forget_all(self) -> None:
        """Release all sessions: their loop is closed."""
        self._timer = None
        self._noticed.clear()
        self._checks.clear()
        self.work = Work()
        self.parsing = Parsing()
        self.hooks.forget_all()
        self.emptied = asyncio.Event()
        for session in self.all():
            session.lost()

    # -- topics -----------------------------------------------------------------------------------------------------

    def check_name(self, name: str) -> None:
        """Raise ValueError for a name that is neither a topic nor a pattern."""
        check_pattern(name, self.limits.topic_length)

    def rights(self, grant: Grant) -> Rights:
        """Return the rights of a grant: one object for equal grants, so that clients share answers."""
        key = type(grant.user), grant
        try:
            rights = self._rights.get(key)
        except TypeError:  # a user that cannot be hashed
            return Rights(grant, self._authorize)
        if rights is None:
            rights = self._rights[key] = Rights(grant, self._authorize)
        return rights

    def room(self, session: Session, names: list[str]) -> int:
        """Return how many of `names`, from the first on, a client may still subscribe to."""
        known = set(self.fan.subscriptions(session))
        left = self.limits.subscriptions - len(known)
        for count, name in enumerate(names):
            if name not in known:
                left -= 1
                if left < 0:
                    return count
        return len(names)

    def join_topics(
        self, session: Session, names: list[str], wish: messages.Subscribe, since: messages.Since | None
    ) -> list[list[object]]:
        """Subscribe to topics; return the entries for the answer."""
        told = self.fan.subscribe(session, names, since=since, newest=wish.newest, last=wish.last)
        self.hooks.joined(session, names)
        self._schedule()
        return entries_of(told, () if since is None else since[1])

    def follow(
        self, session: Session, pattern: str, wish: messages.Subscribe, since: messages.Since | None
    ) -> tuple[Subscription, ...]:
        """Subscribe to a pattern; equal requests get the same tuple."""
        assert session.rights is not None
        told = self.fan.follow(
            session, pattern, since=since, newest=wish.newest, last=wish.last, allow=session.rights.each_topic
        )
        self.hooks.joined(session, [pattern])
        self.work.spend(len(told))
        self._schedule()
        return told

    def unsubscribe(self, session: Session, names: list[str]) -> None:
        """Remove a client's subscriptions."""
        self.fan.unsubscribe(session, names)
        self.hooks.left(session, names)

    def take_away(self, session: Session, patterns: list[str]) -> None:
        """Remove a client's subscriptions to nothing beyond `patterns`, and notify it."""
        names = self.fan.subscriptions(session)
        lost = [name for name in names if any(security.covers(pattern, name) for pattern in patterns)]
        if lost:
            self.unsubscribe(session, lost)
            session.tell(messages.UNSUBSCRIBE, 0, lost)

    def review(self, session: Session, before: Rights | None) -> list[str]:
        """Check a client's subscriptions against its new rights; return the removed ones."""
        rights = session.rights
        assert rights is not None
        assert before is not None
        names = self.fan.subscriptions(session)
        lost = [name for name in names if not rights(name)]
        self.unsubscribe(session, lost)
        if rights.each_topic is not None:  # else a pattern means the same topics as before
            patterns = [name for name in names if name not in lost and is_pattern(name)]
            for topic, number, *_ in self.fan.subscribe(session, patterns, last=0, allow=rights.each_topic):
                if not before(topic):  # others have been told
                    session.tell(messages.TOPIC, number, topic)
        return lost

    def introduce(self, topic: str, number: int) -> None:
        """Send the number of a new topic to clients whose patterns match it."""
        followers = self.fan.followers(topic)
        if followers:
            frame = messages.framed(messages.TOPIC, number, topic)
            for session in followers:
                if isinstance(session, Session):
                    session.notice(frame)

    # -- notices, and who takes nothing -----------------------------------------------------------------------------

    def noticed(self, session: Session) -> None:
        """Note that a session has a message for its client."""
        self._noticed.append(session)
        self._schedule()

    def write_notices(self) -> None:
        """Write the messages that sessions have for their clients."""
        noticed, self._noticed = self._noticed, []
        for session in noticed:
            if not session.closed:
                try:
                    session.write_notices()
                except Exception:
                    self.broken(session)

    def broken(self, session: Session) -> None:
        """Handle a failed write: the transport is closed and will report it soon."""
        _log.debug("a client could not be written to", exc_info=True)
        session.lost()

    def blocked(self, session: Session) -> None:
        """Mark a client as blocked."""
        self._blocked[session] = self.now()
        if session in self.fan:
            self.fan.blocked(session)

    def unblocked(self, session: Session) -> None:
        """Mark a client as writable again."""
        self._blocked.pop(session, None)
        session.write_notices()
        if session in self.fan:
            self.fan.writable(session)
            self._schedule()
        self.work.add(session)

    # -- tokens -----------------------------------------------------------------------------------------------------

    def time_left(self, grant: Grant) -> float | None:
        """Return the seconds until a grant expires; None if it does not."""
        return None if grant.expires is None else max(0.0, round(grant.expires - time.time(), 3))

    def expired(self, grant: Grant) -> bool:
        return grant.expires is not None and grant.expires <= time.time()

    def watch_expiry(self, session: Session, grant: Grant) -> None:
        """Check a session again when its grant expires, if that is before its next ping."""
        left = self.time_left(grant)
        if left is not None and left <= self.ping + 2 * self.beat:
            self.wheel.add(self.now() + left, (session, EXPIRY_DUE))

    def _watch_clock(self, now: float) -> None:
        """Check all expiries again after the wall clock was set."""
        clock = time.time() - now
        if abs(clock - self._clock) > 0.5:
            for session in self.all():
                if session.grant is not None:
                    session.due(EXPIRY_DUE)
        self._clock = clock

    async def grant(self, token: str | None, caller: Caller | None = None) -> Grant | None:
        """Return the grant of a token; None if it is invalid, or missing where one is required.

        UNAVAILABLE where the application could not say.
        """
        if self._authenticate is None:
            return Grant()
        asked = (token, caller) if self.asks_of_callers else (token,)
        if token is None and not self.asks_of_callers:
            return None
        try:
            found = await answer_of(security.granted(self._authenticate, *asked), self.limits.token)
        except Exception:
            _log.exception("authenticate raised; the client is told to try again later")
            return UNAVAILABLE
        return None if found is None or self.expired(found) else found

    @property
    def asks_for_tokens(self) -> bool:
        return self._authenticate is not None

    def authenticate_by(self, authenticate: Authenticate) -> None:
        """Require tokens from now on."""
        self._authenticate = authenticate

    def check(self, session: Session, token: str, ref: int | None) -> None:
        """Check a token that came in a message."""
        self._later(self._check(session, token, ref))

    async def _check(self, session: Session, token: str, ref: int | None) -> None:
        grant = await self.grant(token, session.caller)
        if ref is None and grant is not None and grant is not UNAVAILABLE:
            await self._admit(session, grant)
        else:
            session.checked(grant, ref)

    def admit(self, session: Session, grant: Grant) -> None:
        """Ask the application whether to admit a client."""
        self._later(self._admit(session, grant))

    async def _admit(self, session: Session, grant: Grant) -> None:
        session.grant = grant
        if self.hooks.has("connect"):
            try:
                if not await self.hooks.admit(session.member()):
                    session.close(messages.CLOSE_REFUSED, "refused")
            except RuntimeError:
                session.close(messages.CLOSE_LATER, "the client cannot be admitted now")
        session.checked(grant, None)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    def _told(self, session: Session) -> None:
        """Continue with the session's requests: its hook calls have ended."""
        self.work.add(session)

    # -- time -------------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """Do what is due, and schedule the next beat while there are clients."""
        now = self.now()
        self._watch_clock(now)
        for session, what in self.wheel.turn(now):
            session.due(what)
        stalled = now - self.limits.stalled
        for session, since in list(self._blocked.items()):
            if since <= stalled:
                session.close(messages.CLOSE_SLOW, f"slow: took nothing for {self.limits.stalled:g} s")
        self.answers.forget()
        self.positions.beat()
        self.fan.forget_answers()
        if self._all:
            self._timer = asyncio.get_running_loop().call_later(self.beat, self._beat)
        else:
            self._timer = None
            self.wheel.clear()  # all in it are of clients that have ended

    def stop(self) -> None:
        """Stop the clock."""
        self.work.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
