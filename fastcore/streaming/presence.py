"""Presence and disconnection: the part of a Hub that knows users."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastcore._text import storable
from fastcore.framing import Fanout, packb, unpackb
from fastcore.streaming import messages
from fastcore.streaming.backplanes.backplane import Backplane
from fastcore.streaming.hooks import Hook, HookKind
from fastcore.streaming.member import Member, PresenceStats
from fastcore.streaming.session import Session
from python_fallback.shared.framing.topics import check_pattern, is_pattern

if TYPE_CHECKING:
    import asyncio

    from fastcore.streaming.limits import Limits
    from fastcore.streaming.sessions import Sessions

__all__ = ["CONTROL", "Presence"]

CONTROL: Final = "$hub.control"  # the topic by which the hubs on a backplane tell each other
STALE: Final = 60.0  # seconds after which what they said counts no more

F = TypeVar("F", bound=Hook)


class Presence:
    """The users of a Hub's clients."""

    clients: Sessions
    limits: Limits
    backplane: Backplane | None
    _fan: Fanout
    _loop: asyncio.AbstractEventLoop | None
    _thread: int

    def __init__(self) -> None:
        self._token = secrets.token_hex(8)

    @property
    def _name(self) -> str:
        """The name of this hub among those on a backplane; a forked worker gets another one."""
        return f"{self._token}.{os.getpid()}"

    # -- who --------------------------------------------------------------------------------------------------------

    def presence(self, topic: str | None = None) -> list[Member]:
        """Return the clients of this process that a message to `topic` would reach; all of them without one.

        Of a pattern: those who have subscribed by exactly this pattern. In the hub's event loop.
        """
        if topic is None:
            there: Iterable[Any] = self.clients.all()
        elif is_pattern(check_pattern(topic, self.limits.topic_length)):
            there = [one for one in self.clients.all() if one in self._fan and topic in self._fan.subscriptions(one)]
        else:
            there = self._fan.reached(topic)
        return [one.member() for one in there if isinstance(one, Session) and one.welcomed and not one.closed]

    def presence_stats(self, topic: str | None = None) -> PresenceStats:
        """Return how many clients, and how many users, :meth:`presence` has."""
        members = self.presence(topic)
        users: list[Any] = []
        known: set[Any] = set()
        for member in members:
            try:
                known.add(member.user)
            except TypeError:  # it cannot be hashed
                if member.user not in users:
                    users.append(member.user)
        return PresenceStats(len(members), len(known) + len(users))

    # -- hooks ------------------------------------------------------------------------------------------------------

    def on_connect(self, fn: F) -> F:
        """Call ``fn(member)`` for each client with a valid token, before it is welcomed: False refuses it.

        All four hooks are plain functions, which run on threads, or coroutine functions; those of one client are called
        in order. One that raises, or takes longer than ``Limits.hook``, is logged; here its client is also closed with
        the code to retry later. They can be used as decorators.

        Examples
        --------
        >>> from fastcore.streaming import Hub
        >>> hub = Hub()
        >>> @hub.on_connect
        ... async def check(member):
        ...     return member.user not in {"mallory"}
        """
        return self._on("connect", fn)

    def on_disconnect(self, fn: F) -> F:
        """Call ``fn(member, code, reason)`` for each welcomed client that has ended."""
        return self._on("disconnect", fn)

    def on_subscribe(self, fn: F) -> F:
        """Call ``fn(member, topics)`` when a client has subscribed to further topics or patterns."""
        return self._on("subscribe", fn)

    def on_unsubscribe(self, fn: F) -> F:
        """Call ``fn(member, topics)`` when a client has lost subscriptions, also as it ends."""
        return self._on("unsubscribe", fn)

    def _on(self, kind: HookKind, fn: F) -> F:
        self.clients.hooks.add(kind, fn)
        return fn

    # -- away -------------------------------------------------------------------------------------------------------

    def disconnect(
        self, user: Any, *, code: int = messages.CLOSE_BY_SERVER, reason: str = "disconnected by the server"
    ) -> int:
        """Close all clients of a user, or the one of a :class:`Member`; from any thread.

        With a backplane, on all workers. Codes of 3000-3499 and 4000-4499 ask a client to reconnect, the default does
        not: one that ignores it can reconnect while its token is valid.

        Parameters
        ----------
        user : object
            What ``Grant.user`` is equal to; with a backplane a str, int or bytes. Or a Member.
        code : int, default 3503
            1000, or one of 3000 to 4999.
        reason : str
            At most 123 bytes of it are sent.

        Returns
        -------
        int
            The number of affected clients of this process.
        """
        if type(code) is not int or not (code == 1000 or 3000 <= code <= 4999):
            raise ValueError(f"code: expected 1000 or one of 3000 to 4999, got {code!r:.40}")
        if not isinstance(reason, str):
            raise TypeError(f"reason: expected a str, got {type(reason).__name__}")
        return self._tell_all("disconnect", user, [code, storable(reason)])

    def unsubscribe(self, user: Any, topics: str | Iterable[str]) -> int:
        """Remove subscriptions from all clients of a user, or the one of a :class:`Member`; from any thread.

        Of a pattern, every subscription to nothing beyond it: ``prices.>`` takes ``prices.AAPL`` and ``prices.*``. A
        subscription that means more stays: what a user may have at all is for ``authorize``. Clients do not ask for
        it again. Returns the number of affected clients of this process.
        """
        names = [topics] if isinstance(topics, str) else list(topics)
        for name in names:
            check_pattern(name, self.limits.topic_length)
        return self._tell_all("unsubscribe", user, names)

    def _tell_all(self, what: str, user: Any, options: list[Any]) -> int:
        if user is None:
            raise TypeError("user: expected the user of a Grant, or a Member, got None")
        by_session = isinstance(user, Member)
        who = user.session if isinstance(user, Member) else user
        if self.backplane is not None:
            if type(who) not in (str, int, bytes):
                raise TypeError(
                    "user: expected a str, int or bytes, which a backplane can carry, or a Member, "
                    f"got {type(user).__name__}"
                )
            self._publish(CONTROL, packb([self._name, time.time(), what, by_session, who, options]), None)
        found = self._of(by_session, who)
        if found:
            self._in_loop(lambda: self._act(what, found, options))
        return len(found)

    def _of(self, by_session: bool, who: Any) -> list[Session]:
        if by_session:
            return [one for one in self.clients.all() if one.id == who]
        return [one for one in self.clients.all() if one.grant is not None and _same(one.grant.user, who)]

    def _act(self, what: str, found: list[Session], options: list[Any]) -> None:
        for session in found:
            if session.closed:
                continue
            if what == "disconnect":
                session.close(*options)
            elif session in self._fan:
                self.clients.take_away(session, options)

    def _heard(self, body: bytes) -> None:
        """Apply a command from another hub on the backplane."""
        name, when, what, by_session, who, options = unpackb(body)
        if name != self._name and time.time() - when < STALE:
            self._act(what, self._of(by_session, who), options)

    def _in_loop(self, fn: Callable[[], None]) -> None:
        loop = self._loop
        if self._thread == threading.get_ident():
            fn()
        elif loop is not None:
            try:
                loop.call_soon_threadsafe(fn)
            except RuntimeError:  # it was closed, and the clients with it
                pass

    def _publish(self, topic: str, body: bytes, key: Any) -> None:
        raise NotImplementedError


def _same(user: Any, who: Any) -> bool:
    try:
        return bool(user == who)
    except Exception:  # of the application's types
        return False
