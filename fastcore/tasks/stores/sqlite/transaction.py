"""One transaction, seen from the statements in it: what it moves, and what follows once it is on disk."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable

__all__ = ["Transaction"]


class Transaction:
    """What the handlers of a transaction share.

    Attributes
    ----------
    connection : sqlite3.Connection
    wake : bool
        Set when there may be something to claim or to cancel.
    after : list of callable
        Called once the commit is done; not at all if it fails.
    bells : list of (loop, callable)
        Called on loops after that, when the answers have come.
    begun : int
        How many tasks were stored as begun.
    """

    __slots__ = ("_moved", "after", "begun", "bells", "connection", "wake")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.wake = False
        self.after: list[Callable[[], object]] = []
        self.bells: list[tuple[asyncio.AbstractEventLoop, Callable[[], object]]] = []
        self.begun = 0
        self._moved: Counter[tuple[str, int]] = Counter()

    def moved(self, kind: str, old: int | None, new: int | None, n: int = 1) -> None:
        """Count tasks that went from one state to another; None is outside."""
        if old is not None:
            self._moved[kind, old] -= n
        if new is not None:
            self._moved[kind, new] += n

    def queued(self) -> int:
        """Return how many tasks wait, this transaction's included."""
        (stored,) = self.connection.execute("SELECT coalesce(sum(n), 0) FROM tally WHERE state <= 1").fetchone()
        return int(stored) + sum(n for (_, state), n in self._moved.items() if state <= 1)

    def finish(self) -> None:
        """Write the counts, as the last statements of the transaction."""
        rows = [(kind, state, n) for (kind, state), n in self._moved.items() if n]
        if rows:
            self.connection.executemany(
                "INSERT INTO tally (kind, state, n) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, state) DO UPDATE SET n = n + excluded.n",
                rows,
            )
            self._moved.clear()
