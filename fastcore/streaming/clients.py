"""All clients of a hub: who is there, what they subscribe to, and when something is due for one of them."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable

from fastcore.framing import Fanout
from fastcore.streaming import messages, security
from fastcore.streaming.caller import Caller, takes_caller
from fastcore.streaming.heartbeat import Wheel
from fastcore.streaming.limits import Limits, Seats
from fastcore.streaming.messages import Subscribe
from fastcore.streaming.security import Authenticate, Grant
from fastcore.streaming.session import EXPIRY_DUE, Session
from python_fallback.framing.topics import check_pattern, is_pattern, matches

__all__ = ["Authorize", "Clients"]

Authorize = Callable[[Grant, str], bool]

_log = logging.getLogger("fastcore.streaming")


class Clients:
    """What the sessions of one hub share.

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
        self.wheel: Wheel[tuple[Session, int]] = Wheel(self.now(), beat)
        self.emptied = asyncio.Event()
        self._authenticate = authenticate
        self.asks_of_callers = authenticate is not None and takes_caller(authenticate)
        self._authorize = authorize
        self._schedule = schedule
        self._all: dict[Session, None] = {}
        self._patterns: dict[str, dict[Session, None]] = {}
        self._blocked: dict[Session, float] = {}  # since when
        self._noticed: list[Session] = []
        self._checks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> list[Session]:
        """Those who are there, those without a good token included."""
        return list(self._all)

    @property
    def epoch(self) -> str:
        return self.fan.epoch

    # -- coming and going -------------------------------------------------------------------------------------------

    def add(self, session: Session) -> None:
        """Take in a session whose seat is taken."""
        self._all[session] = None
        self.emptied.clear()
        if self._timer is None:
            self._beat()

    def enter(self, session: Session) -> None:
        """A session has shown all it has to."""
        self.fan.connect(session, deflate=session.link.deflate, fd=session.link.fd)
        if session.blocked:
            self.blocked(session)

    def leave(self, session: Session, code: int) -> None:
        """A session has ended."""
        if session in self._all:
            del self._all[session]
            self.seats.leave(session.seat)
            self.closed_by[code] += 1
        self.fan.disconnect(session)
        self._blocked.pop(session, None)
        for pattern in session.patterns or ():
            self._leave_pattern(session, pattern)
        session.patterns = None
        if not self._all:
            self.emptied.set()

    def forget_all(self) -> None:
        """Their loop is gone, and they with it."""
        self._timer = None
        self._noticed.clear()
        self._checks.clear()
        self.emptied = asyncio.Event()
        for session in self.all():
            session.lost()

    # -- topics -----------------------------------------------------------------------------------------------------

    def check_name(self, name: str) -> None:
        """Raise ValueError for what is neither a topic nor a pattern."""
        check_pattern(name, self.limits.topic_length)

    def allows(self, grant: Grant, name: str) -> bool:
        """Whether a client with this grant may subscribe to a name."""
        if not grant.allows(name):
            return False
        if self._authorize is None:
            return True
        try:
            return bool(self._authorize(grant, name))
        except Exception:
            _log.exception("authorize raised; the subscription is refused")
            return False

    def join_topics(self, session: Session, wish: Subscribe) -> list[list[object]]:
        """Subscribe; what the client is told of each topic."""
        known = wish.since[1] if wish.since is not None else {}
        told = self.fan.subscribe(session, wish.names, since=wish.since, newest=wish.newest)
        self._schedule()
        for name in wish.names:
            if is_pattern(name):
                if session.patterns is None:
                    session.patterns = set()
                session.patterns.add(name)
                self._patterns.setdefault(name, {})[session] = None
        exact = {name for name in wish.names if not is_pattern(name)}
        entries: list[list[object]] = []
        for one in told:
            asked = wish.since is not None and (one.topic in known or one.topic not in exact)
            entries.append([one.topic, one.id, one.offset, 1 if one.recovered else 2 if asked else 0])
        return entries

    def leave_topics(self, session: Session, names: list[str]) -> None:
        """Unsubscribe."""
        self.fan.unsubscribe(session, names)
        for name in names:
            if session.patterns is not None and name in session.patterns:
                session.patterns.discard(name)
                self._leave_pattern(session, name)

    def _leave_pattern(self, session: Session, pattern: str) -> None:
        followers = self._patterns.get(pattern)
        if followers is not None:
            followers.pop(session, None)
            if not followers:
                del self._patterns[pattern]

    def introduce(self, topic: str, number: int) -> None:
        """Tell those whose pattern means a new topic what its number is."""
        told: dict[Session, None] = {}
        for pattern, followers in self._patterns.items():
            if matches(pattern, topic):
                told.update(followers)
        if told:
            frame = messages.framed(messages.TOPIC, number, topic)
            for session in told:
                session.notice(frame)

    # -- notices, and who takes nothing -----------------------------------------------------------------------------

    def noticed(self, session: Session) -> None:
        """A session has something to tell its client."""
        self._noticed.append(session)
        self._schedule()

    def write_notices(self) -> None:
        """Write what sessions have to tell."""
        noticed, self._noticed = self._noticed, []
        for session in noticed:
            if not session.closed:
                try:
                    session.write_notices()
                except Exception:
                    self.broken(session)

    def broken(self, session: Session) -> None:
        """A write raised: the transport is closed, and will say so in a moment."""
        _log.debug("a client could not be written to", exc_info=True)
        session.lost()

    def blocked(self, session: Session) -> None:
        """A client takes no more."""
        self._blocked[session] = self.now()
        if session in self.fan:
            self.fan.blocked(session)

    def unblocked(self, session: Session) -> None:
        """A client takes more again."""
        self._blocked.pop(session, None)
        if session in self.fan:
            self.fan.writable(session)
            self._schedule()

    # -- tokens -----------------------------------------------------------------------------------------------------

    def time_left(self, grant: Grant) -> float | None:
        """Seconds that a grant is good for; None if it does not expire."""
        return None if grant.expires is None else max(0.0, round(grant.expires - time.time(), 3))

    def expired(self, grant: Grant) -> bool:
        return grant.expires is not None and grant.expires <= time.time()

    def watch_expiry(self, session: Session, grant: Grant) -> None:
        """Have a session looked at when its grant expires."""
        left = self.time_left(grant)
        if left is not None:
            self.wheel.add(self.now() + min(left, 1e9), (session, EXPIRY_DUE))

    async def grant(self, token: str | None, caller: Caller | None = None) -> Grant | None:
        """The grant for a token: None where it is no good, or where there is none and one is needed."""
        if self._authenticate is None:
            return Grant()
        asked = (token, caller) if self.asks_of_callers else (token,)
        if token is None and not self.asks_of_callers:
            return None
        try:
            async with asyncio.timeout(self.limits.token):
                found = await security.granted(self._authenticate, *asked)
        except Exception:
            _log.exception("authenticate raised; the token is refused")
            return None
        return None if found is None or self.expired(found) else found

    @property
    def asks_for_tokens(self) -> bool:
        return self._authenticate is not None

    def check(self, session: Session, token: str, ref: int | None) -> None:
        """Have a token checked that came in a message."""
        task = asyncio.get_running_loop().create_task(self._check(session, token, ref))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _check(self, session: Session, token: str, ref: int | None) -> None:
        session.checked(await self.grant(token, session.caller), ref)

    # -- time -------------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """Do what is due; again in a moment, as long as there is anybody."""
        now = self.now()
        for session, what in self.wheel.turn(now):
            session.due(what)
        stalled = now - self.limits.stalled
        for session, since in list(self._blocked.items()):
            if since <= stalled:
                session.close(messages.CLOSE_SLOW, f"slow: took nothing for {self.limits.stalled:g} s")
        if self._all:
            self._timer = asyncio.get_running_loop().call_later(self.beat, self._beat)
        else:
            self._timer = None
            self.wheel.clear()  # all in it are of clients that are gone

    def stop(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
