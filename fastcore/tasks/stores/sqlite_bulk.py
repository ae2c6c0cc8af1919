"""Many tasks in one statement: SQLite goes through them without the interpreter's lock, and finds its place once."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from fastcore.tasks.records import TaskSpec
from fastcore.tasks.stores.sqlite_rows import DELAYED, INSERT, READY, row_of

__all__ = ["Success", "end", "insert"]

_FEW: Final = 3  # below this a statement for each is as quick
_MOST: Final = 10_000  # tasks in one statement
_MOST_BYTES: Final = 32 << 20  # of payloads or results in one statement
_LENGTH: Final = 27  # bits for the length of a piece; the rest is for its place
_SHARED: Final = "kind, priority, rank, run_at, submitted_at, attempts, timeout, result_ttl"
_INSERT: Final = (
    f"INSERT INTO task (id, payload, {_SHARED}, state, idx, version) "
    "SELECT {}, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 1 FROM json_each(?1)"
)
_INSERT_SAME: Final = _INSERT.format("value, ?2")
_INSERT_EACH: Final = _INSERT.format(f"key, substr(?2, (value >> {_LENGTH}) + 1, value & {(1 << _LENGTH) - 1})")
_END: Final = (
    "UPDATE task SET state = 3, version = version + 1, error = NULL, owner = NULL, lease = NULL, payload = NULL, "
)
_END_SAME: Final = _END + (
    "result = ?2, started_at = ?3, finished_at = e.value, prune_at = e.value + result_ttl FROM json_each(?1) AS e "
    "WHERE seq = CAST(e.key AS INTEGER) AND token = ?4 AND state = 2"
)
_END_EACH: Final = _END + (
    "result = substr(?2, e.at + 1, e.size), started_at = e.began, finished_at = e.done, prune_at = e.done + result_ttl "
    "FROM (SELECT json_extract(value, '$[0]') AS it, json_extract(value, '$[1]') AS fence, "
    "json_extract(value, '$[2]') AS began, json_extract(value, '$[3]') AS done, json_extract(value, '$[4]') AS at, "
    "json_extract(value, '$[5]') AS size FROM json_each(?1)) AS e "
    "WHERE seq = e.it AND token = e.fence AND state = 2"
)


def insert(connection: sqlite3.Connection, specs: Sequence[TaskSpec]) -> None:
    """Store tasks, in this order."""
    rest: list[tuple[Any, ...]] = []  # not yet written, and of no shape that others share
    for shape, same in groupby(specs, _shape):
        run = list(same)
        if shape is None or len(run) < _FEW:
            rest += map(row_of, run)
            continue
        if rest:
            connection.executemany(INSERT, rest)
            rest = []
        for part in _parts(run):
            _insert_alike(connection, part, shape)
    if rest:
        connection.executemany(INSERT, rest)


def _shape(spec: TaskSpec) -> tuple[Any, ...] | None:
    """What a task must share with its neighbours; None if it has keys or a group of its own."""
    if (
        spec.unique_key is not None
        or spec.idempotency_key is not None
        or spec.fingerprint is not None
        or spec.group is not None
        or spec.collects is not None
        or spec.index
        or len(spec.payload) >> _LENGTH
    ):
        return None
    return (
        spec.kind,
        spec.priority,
        spec.rank,
        spec.run_at,
        spec.submitted_at,
        spec.attempts,
        spec.timeout,
        spec.result_ttl,
    )


def _parts(specs: list[TaskSpec]) -> list[list[TaskSpec]]:
    first = specs[0].payload
    if len(specs) <= _MOST and all(spec.payload is first for spec in specs):
        return [specs]
    parts: list[list[TaskSpec]] = [[]]
    size = 0
    for spec in specs:
        size += len(spec.payload)
        if parts[-1] and (size > _MOST_BYTES or len(parts[-1]) == _MOST):
            parts.append([])
            size = len(spec.payload)
        parts[-1].append(spec)
    return parts


def _insert_alike(connection: sqlite3.Connection, specs: list[TaskSpec], shape: tuple[Any, ...]) -> None:
    first = specs[0]
    state = DELAYED if first.run_at > first.submitted_at else READY
    if all(spec.payload is first.payload for spec in specs):
        connection.execute(_INSERT_SAME, (json.dumps([spec.id for spec in specs]), first.payload, *shape, state))
        return
    places: dict[str, int] = {}
    at = 0
    for spec in specs:
        size = len(spec.payload)
        places[spec.id] = at << _LENGTH | size
        at += size
    if len(places) < len(specs):
        raise sqlite3.IntegrityError("an id was given twice")
    pieces: list[Any] = [spec.payload for spec in specs]
    connection.execute(_INSERT_EACH, (json.dumps(places), b"".join(pieces), *shape, state))


class Success(NamedTuple):
    """How an attempt ended well."""

    seq: int
    token: int
    result: bytes | None
    started_at: float
    finished_at: float


def end(connection: sqlite3.Connection, ends: Sequence[Success]) -> int:
    """Record successes of which no progress was said; returns how many held their tokens.

    Times go through text here, and may differ in their last bit.
    """
    first = ends[0].result
    if all(one.result == first for one in ends):
        alike: defaultdict[tuple[float, int], dict[int, float]] = defaultdict(dict)
        for one in ends:
            alike[one.started_at, one.token][one.seq] = one.finished_at
        return sum(
            connection.execute(_END_SAME, (json.dumps(done), first, began, token)).rowcount
            for (began, token), done in alike.items()
        )
    taken = 0
    rows: list[tuple[Any, ...]] = []
    results: list[bytes] = []
    at = 0
    for one in ends:
        if one.result is None:  # it would be recorded as an empty one
            return -1
        size = len(one.result)
        if rows and at + size > _MOST_BYTES:
            taken += connection.execute(_END_EACH, (json.dumps(rows), b"".join(results))).rowcount
            rows, results, at = [], [], 0
        rows.append((one.seq, one.token, one.started_at, one.finished_at, at, size))
        results.append(one.result)
        at += size
    return taken + connection.execute(_END_EACH, (json.dumps(rows), b"".join(results))).rowcount
