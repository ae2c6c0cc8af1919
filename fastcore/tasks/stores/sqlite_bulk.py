"""Many tasks in one statement: SQLite goes through them without the interpreter's lock, and finds its place once."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby, repeat
from operator import attrgetter, lshift, or_
from typing import Any, Final, NamedTuple

from fastcore.tasks.records import TaskSpec
from fastcore.tasks.stores.sqlite_rows import DELAYED, INSERT, READY, RUNNING, SPEC_COLUMNS, row_of

__all__ = ["Begun", "Success", "end", "end_alike", "insert", "insert_begun", "shape_of_all"]

_FEW: Final = 3  # below this a statement for each is as quick
_MOST: Final = 10_000  # tasks in one statement
_MOST_BYTES: Final = 32 << 20  # of payloads or results in one statement
_LENGTH: Final = 27  # bits for the length of a piece; the rest is for its place
_SHARED: Final = "kind, priority, attempts, timeout, result_ttl, state, rank, run_at, submitted_at"
_INSERT: Final = (
    f"INSERT INTO task (id, payload, {_SHARED}, attempt, token, owner, lease, started_at, idx, version) "
    "SELECT {}, ?3, ?4, ?5, ?6, ?7, ?8, {}, ?12, ?12, ?13, ?14, ?15, 0, 1 FROM json_each(?1)"
)
_PIECE: Final = f"substr(?2, ({{0}} >> {_LENGTH}) + 1, {{0}} & {(1 << _LENGTH) - 1})"
_INSERT_SAME: Final = _INSERT.format("value, ?2", "?9, ?10, ?11")
_INSERT_EACH: Final = _INSERT.format("key, " + _PIECE.format("value"), "?9, ?10, ?11")
# A float as text may come out another: as the ratio of two integers it cannot, the lower one being a power of two.
_INSERT_APART: Final = _INSERT.format(
    "key, " + _PIECE.format("json_extract(value, '$[0]')"),
    ", ".join(f"CAST(json_extract(value, '$[{i}]') AS REAL) / json_extract(value, '$[{i + 1}]')" for i in (1, 3, 5)),
)
_ID, _PAYLOAD = attrgetter("id"), attrgetter("payload")
_TIMES: Final = attrgetter("rank", "run_at", "submitted_at")
_ALL_BUT_CALL: Final = attrgetter(
    "kind",
    "priority",
    "attempts",
    "timeout",
    "result_ttl",
    "rank",
    "run_at",
    "submitted_at",
    "unique_key",
    "idempotency_key",
    "fingerprint",
    "group",
    "index",
    "collects",
)
_INSERT_BEGUN: Final = (
    f"INSERT INTO task ({SPEC_COLUMNS}, state, attempt, token, owner, lease, started_at, version) "
    f"VALUES ({', '.join('?' * 16)}, {RUNNING}, 1, 1, ?, ?, ?, 1)"
)
_WAITING: Final = (0, None, None, None)
_MOST_INTEGER: Final = (1 << 63) - 1
_END: Final = (
    "UPDATE task SET state = 3, version = version + 1, error = NULL, owner = NULL, lease = NULL, payload = NULL, "
)
_END_SAME: Final = _END + (
    "result = ?2, started_at = ?3, finished_at = e.value, prune_at = e.value + result_ttl FROM json_each(?1) AS e "
    "WHERE seq = CAST(e.key AS INTEGER) AND token = ?4 AND state = 2"
)
_END_NEIGHBOURS: Final = _END + (
    "result = ?2, started_at = ?3, finished_at = json_extract(?1, '$[' || (seq - ?5) || ']'), "
    "prune_at = json_extract(?1, '$[' || (seq - ?5) || ']') + result_ttl "
    "WHERE seq BETWEEN ?5 AND ?5 + ?6 - 1 AND token = ?4 AND state = 2"
)
_MOST_NEIGHBOURS: Final = 256  # SQLite goes through a list from its beginning for each of its items
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
    for shape, run in _runs(specs):
        if shape is None or len(run) < _FEW:
            rest += map(row_of, run)
            continue
        if rest:
            connection.executemany(INSERT, rest)
            rest = []
        for part in _parts(run):
            if _insert_alike(connection, part, shape, _WAITING) is None:
                connection.executemany(INSERT, map(row_of, part))
    if rest:
        connection.executemany(INSERT, rest)


class Begun(NamedTuple):
    """The first attempt of tasks that never wait."""

    owner: str
    until: float
    at: float


def insert_begun(connection: sqlite3.Connection, specs: Sequence[TaskSpec], begun: Begun) -> list[int]:
    """Store tasks, in this order, as claimed; returns their row numbers."""
    seqs: list[int] = []
    for shape, run in _runs(specs):
        for part in [run] if shape is None or len(run) < _FEW else _parts(run):
            last: int | None = None
            if shape is not None and len(part) >= _FEW:
                last = _insert_alike(connection, part, (*shape[:-1], RUNNING), (1, *begun))
            if last is not None:
                seqs += range(last - len(part) + 1, last + 1)
                continue
            for spec in part:
                seqs.append(connection.execute(_INSERT_BEGUN, (*row_of(spec)[:-1], *begun)).lastrowid or 0)
    return seqs


def shape_of_all(specs: Sequence[TaskSpec]) -> tuple[Any, ...] | None:
    """Return what many tasks have in common, if that is all but their ids and payloads, and they have no keys."""
    if len(specs) < _FEW or len(set(map(_ALL_BUT_CALL, specs))) > 1:
        return None
    return _shape(specs[0])


def _runs(specs: Sequence[TaskSpec]) -> Iterator[tuple[tuple[Any, ...] | None, list[TaskSpec]]]:
    """Return neighbours of one shape, and the shape; None for those that have none."""
    shape = shape_of_all(specs)
    if shape is not None:  # most
        yield shape, list(specs)
        return
    for shape, same in groupby(specs, _shape):
        yield shape, list(same)


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
    payloads = list(map(_PAYLOAD, specs))
    if len(specs) <= _MOST and (sum(map(len, payloads)) <= _MOST_BYTES or len(set(map(id, payloads))) == 1):
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


def _insert_alike(
    connection: sqlite3.Connection, specs: list[TaskSpec], shape: tuple[Any, ...], attempt: tuple[Any, ...]
) -> int | None:
    """Store tasks of one shape; returns the number of the last row, or None if they must be stored one by one."""
    # Loops of the interpreter would take longer than SQLite does: whatever can be is mapped.
    ids = list(map(_ID, specs))
    times = _TIMES(specs[0])
    at_once = len(set(map(_TIMES, specs))) == 1
    payloads: list[Any] = list(map(_PAYLOAD, specs))
    if at_once and len(set(map(id, payloads))) == 1:
        return connection.execute(_INSERT_SAME, (json.dumps(ids), payloads[0], *shape, *times, *attempt)).lastrowid
    sizes = list(map(len, payloads))
    if not 0 < min(sizes) <= max(sizes) < 1 << _LENGTH:
        return None
    places = map(or_, map(lshift, accumulate(sizes, initial=0), repeat(_LENGTH)), sizes)
    try:
        found: dict[str, Any] = dict(zip(ids, places if at_once else zip(places, *_ratios(specs))))
    except (OverflowError, ValueError):  # a time that is no ratio of such integers
        return None
    if len(found) < len(specs):
        raise sqlite3.IntegrityError("an id was given twice")
    text, data = json.dumps(found), b"".join(payloads)
    if at_once:
        return connection.execute(_INSERT_EACH, (text, data, *shape, *times, *attempt)).lastrowid
    return connection.execute(_INSERT_APART, (text, data, *shape, None, None, None, *attempt)).lastrowid


def _ratios(specs: list[TaskSpec]) -> list[tuple[int, ...]]:
    """Return numerators and denominators of ranks, times to run at, times of submission."""
    found: list[tuple[int, ...]] = []
    for column in zip(*map(_TIMES, specs)):
        over, under = zip(*map(float.as_integer_ratio, map(float, column)))
        if max(over) > _MOST_INTEGER or min(over) < -_MOST_INTEGER or max(under) > _MOST_INTEGER:
            raise OverflowError
        found += [over, under]
    return found


class Success(NamedTuple):
    """How an attempt ended well."""

    seq: int
    token: int
    result: bytes | None
    started_at: float
    finished_at: float


def end_alike(
    connection: sqlite3.Connection, done: Mapping[int, float], result: bytes | None, began: float, token: int
) -> int:
    """Record successes that differ in rows and times of their ends alone; returns how many held the token.

    Times go through text here, and may differ in their last bit.
    """
    first, n = min(done), len(done)
    if n <= _MOST_NEIGHBOURS and max(done) - first == n - 1:  # as those of one batch are
        times = list(map(done.__getitem__, range(first, first + n)))
        return connection.execute(_END_NEIGHBOURS, (json.dumps(times), result, began, token, first, n)).rowcount
    return connection.execute(_END_SAME, (json.dumps(done), result, began, token)).rowcount


def end(connection: sqlite3.Connection, ends: Sequence[Success]) -> int:
    """Record successes of which no progress was said; returns how many held their tokens.

    Times go through text here, and may differ in their last bit.
    """
    first = ends[0].result
    if all(one.result == first for one in ends):
        alike: defaultdict[tuple[float, int], dict[int, float]] = defaultdict(dict)
        for one in ends:
            alike[one.started_at, one.token][one.seq] = one.finished_at
        return sum(end_alike(connection, done, first, began, token) for (began, token), done in alike.items())
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
