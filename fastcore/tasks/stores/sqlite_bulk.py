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
_SHARED: Final = "kind, priority, attempts, timeout, result_ttl, state, rank, run_at, submitted_at"
_INSERT: Final = (
    f"INSERT INTO task (id, payload, {_SHARED}, idx, version) "
    "SELECT {}, ?3, ?4, ?5, ?6, ?7, ?8, {}, 0, 1 FROM json_each(?1)"
)
_PIECE: Final = f"substr(?2, ({{0}} >> {_LENGTH}) + 1, {{0}} & {(1 << _LENGTH) - 1})"
_INSERT_SAME: Final = _INSERT.format("value, ?2", "?9, ?10, ?11")
_INSERT_EACH: Final = _INSERT.format("key, " + _PIECE.format("value"), "?9, ?10, ?11")
# A float as text may come out another: as the ratio of two integers it cannot, the lower one being a power of two.
_INSERT_APART: Final = _INSERT.format(
    "key, " + _PIECE.format("json_extract(value, '$[0]')"),
    ", ".join(f"CAST(json_extract(value, '$[{i}]') AS REAL) / json_extract(value, '$[{i + 1}]')" for i in (1, 3, 5)),
)
_MOST_INTEGER: Final = (1 << 63) - 1
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
        or not 0 < len(spec.payload) < 1 << _LENGTH  # of an empty whole, substr() makes NULL
    ):
        return None
    state = DELAYED if spec.run_at > spec.submitted_at else READY
    return spec.kind, spec.priority, spec.attempts, spec.timeout, spec.result_ttl, state


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
    times = first.rank, first.run_at, first.submitted_at
    at_once = all((spec.rank, spec.run_at, spec.submitted_at) == times for spec in specs)
    if at_once and all(spec.payload is first.payload for spec in specs):
        ids = [spec.id for spec in specs]
        connection.execute(_INSERT_SAME, (json.dumps(ids), first.payload, *shape, *times))
        return
    found: dict[str, Any] = {}
    at = 0
    try:
        for spec in specs:
            size = len(spec.payload)
            place = at << _LENGTH | size
            found[spec.id] = place if at_once else (place, *_ratios(spec))
            at += size
    except (OverflowError, ValueError):  # a time that is no ratio of such integers
        connection.executemany(INSERT, map(row_of, specs))
        return
    if len(found) < len(specs):
        raise sqlite3.IntegrityError("an id was given twice")
    pieces: list[Any] = [spec.payload for spec in specs]
    text, data = json.dumps(found), b"".join(pieces)
    if at_once:
        connection.execute(_INSERT_EACH, (text, data, *shape, *times))
    else:
        connection.execute(_INSERT_APART, (text, data, *shape))


def _ratios(spec: TaskSpec) -> tuple[int, ...]:
    found = (
        *float(spec.rank).as_integer_ratio(),
        *float(spec.run_at).as_integer_ratio(),
        *float(spec.submitted_at).as_integer_ratio(),
    )
    if max(found) > _MOST_INTEGER or min(found) < -_MOST_INTEGER:
        raise OverflowError
    return found


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
