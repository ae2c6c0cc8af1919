"""The identity of a client, for the application."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Member", "PresenceStats"]


class Member(NamedTuple):
    """An admitted client.

    `session` is the name of its connection, `user` that of its :class:`Grant`, `since` when it came, in seconds of
    `time.time`.

    Examples
    --------
    >>> from fastcore.streaming import Member
    >>> Member(session="a1", user="ann", address="127.0.0.1", since=1772443800.0).user
    'ann'
    """

    session: str
    user: Any
    address: str | None
    since: float


class PresenceStats(NamedTuple):
    """The number of connections, and of their users.

    Examples
    --------
    >>> from fastcore.streaming import PresenceStats
    >>> PresenceStats(clients=3, users=2).users
    2
    """

    clients: int
    users: int
