"""Specs for the tests of the SQLite store, and ways to look into its file."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastcore.tasks.ports import Want
from fastcore.tasks.records import Claim, Encoded, Failure, Outcome, State, TaskSpec
from fastcore.tasks.stores.sqlite.store import SqliteStore

T0 = 1_000_000.0

_numbers = itertools.count(1)


def spec(kind: str = "noop", *, at: float = T0, delay: float = 0.0, priority: float = 5.0, **options: Any) -> TaskSpec:
    """A call submitted at `at`."""
    fields: dict[str, Any] = {"attempts": 3, "timeout": None, "result_ttl": 600.0, "rank": priority, **options}
    return TaskSpec(
        id=f"{int(at * 1000):012x}{next(_numbers):020x}",
        kind=kind,
        payload=Encoded(b"arguments"),
        priority=priority,
        run_at=at + delay,
        submitted_at=at,
        **fields,
    )


def claimed(store: SqliteStore, most: int = 100, kind: str = "noop", now: float = T0, owner: str = "me") -> list[Claim]:
    """Claim tasks of one kind."""
    return store.claim(owner, [Want(most, {kind: most})], 15.0, now).result(60).claims


def ended(
    claim: Claim, state: State = State.SUCCEEDED, result: bytes | None = b"result", now: float = T0 + 1, **options: Any
) -> Outcome:
    """How a claimed attempt ended."""
    success = state is State.SUCCEEDED
    error = None if success else Failure("ValueError", "no", "trace")
    value = Encoded(result) if success and result is not None else None
    return Outcome(claim.spec.id, claim.token, state, value, error, T0, now, **options)


def inside(path: Path, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return what a query finds in the file, from a separate connection."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def check(path: Path) -> None:
    """The file is sound, and the counts that are kept are those of the rows."""
    assert inside(path, "PRAGMA integrity_check") == [("ok",)]
    kept = inside(path, "SELECT kind, state, n FROM tally WHERE n != 0 ORDER BY kind, state")
    assert kept == inside(path, "SELECT kind, state, count(*) FROM task GROUP BY kind, state ORDER BY kind, state")


def in_writer(store: SqliteStore, fn: Callable[[sqlite3.Connection], Any]) -> Any:
    """Run something on the connection that writes."""
    return store._writer.ask(lambda change, asked: [fn(change.connection)], None).result(60)
