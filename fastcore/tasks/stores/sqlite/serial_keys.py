"""Serial keys: of the tasks with one key, one is ready or has begun, and the others are kept from all claims."""

from __future__ import annotations

from typing import Final

from fastcore.tasks.stores.sqlite.rows import BLOCKED, READY
from fastcore.tasks.stores.sqlite.transaction import Transaction

__all__ = ["HOLDER", "NEXT", "let_next_in", "wait_for_holder"]

HOLDER: Final = (
    "SELECT 1 FROM task WHERE serial_key = ? AND state <= 2 AND state >= 0 AND seq != ? "
    "AND (state != 1 OR token > 0) LIMIT 1"
)
NEXT: Final = "SELECT seq, kind FROM task WHERE serial_key = ? AND state <= 2 AND state = -1 ORDER BY rank, seq LIMIT 1"


def wait_for_holder(transaction: Transaction, seq: int, kind: str, key: str) -> None:
    """Keep a task that has become ready from claims, if another holds its key."""
    execute = transaction.connection.execute
    if execute(HOLDER, (key, seq)).fetchone() is not None:
        execute("UPDATE task SET state = -1 WHERE seq = ?", (seq,))
        transaction.moved(kind, READY, BLOCKED)


def let_next_in(transaction: Transaction, key: str) -> None:
    """Make the next task of a key ready, if no task holds it any more."""
    execute = transaction.connection.execute
    if execute(HOLDER, (key, 0)).fetchone() is not None:
        return
    row = execute(NEXT, (key,)).fetchone()
    if row is not None:
        execute("UPDATE task SET state = 0 WHERE seq = ?", row[:1])
        transaction.moved(row[1], BLOCKED, READY)
        transaction.wake = True
