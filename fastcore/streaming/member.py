"""Who a client is, for the application."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Member", "PresenceStats"]


class Member(NamedTuple):
    """A client that has been let in.

    `session` is the name of its connection, `user` that of its :class:`Grant`, `since` when it came, in seconds of
    `time.time`.
    """

    session: str
    user: Any
    address: str | None
    since: float


class PresenceStats(NamedTuple):
    """How many connections there are, and of how many users."""

    clients: int
    users: int
