"""The identity of a client, for the application."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Member", "PresenceStats"]


class Member(NamedTuple):
    """An admitted client.

    `session` is the name of its connection, `user` that of its :class:`Grant`, `since` when it came, in seconds of
    `time.time`.
    """

    session: str
    user: Any
    address: str | None
    since: float


class PresenceStats(NamedTuple):
    """The number of connections, and of their users."""

    clients: int
    users: int
