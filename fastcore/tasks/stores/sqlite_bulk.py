"""Many tasks in one statement: SQLite goes through them without the interpreter's lock, and finds its place once."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeVar

from fastcore.tasks.records import TaskSpec
from fastcore.tasks.stores.sqlite_rows import RUNNING, SPEC_COLUMNS, SPEC_FIELDS, row_of, waiting_state

__all__ = ["Begun", "Success", "are_alike", "end", "end_alike", "insert"]

T = TypeVar("T")

_MOST: Final = 64  # rows of one statement; there is one for each power of two up to it, and SQLite prepares it once
_MOST_BYTES: Final = 32 << 20  # of payloads or results in one statement
_FIELDS: Final = SPEC_FIELDS[1:]  # without the id
_COMMON: Final = attrgetter(*_FIELDS)
_CALL: Final = attrgetter("id", "payload")
_COMMON_COLUMNS: Final = ", ".join({"group": "grp", "index": "idx"}.get(name, name) for name in _FIELDS)
_COLUMNS: Final = len(SPEC_FIELDS) + 2  # with payload and state
_ATTEMPT: Final = "attempt, token, owner, lease, started_at, version"
_END: Final = (
    "UPDATE task SET state = 3, version = version + 1, error = NULL, owner = NULL, lease = NULL, payload = NULL, "
)


# ---- what comes in ----


class Begun(NamedTuple):
    """The first attempt of tasks that never wait."""

    owner: str
    until: float
    at: float


_WAITING: Final = (0, None, None, None)


def are_alike(specs: Sequence[TaskSpec]) -> bool:
    """Whether tasks differ in their ids and payloads alone."""
    return len(set(map(_COMMON, specs))) == 1


def insert(
    connection: sqlite3.Connection, specs: Sequence[TaskSpec], begun: Begun | None = None, *, alike: bool = False
) -> list[int]:
    """Store tasks, in this order: as waiting, or as claimed; `alike` if they are known to be. Returns row numbers."""
    attempt = _WAITING if begun is None else (1, *begun)
    seqs: list[int] = []
    for part in _parts(specs, _payload_length):
        n = len(part)
        values: list[Any]
        if alike or (n > 1 and are_alike(part)):
            state = waiting_state(part[0]) if begun is None else RUNNING
            values = [*attempt, state, *_COMMON(part[0]), *chain.from_iterable(map(_CALL, part))]
            last = connection.execute(_insert_alike(n), values).lastrowid
        else:
            rows = map(row_of, part) if begun is None else ((*row_of(spec)[:-1], RUNNING) for spec in part)
            last = connection.execute(_insert_each(n), [*attempt, *chain.from_iterable(rows)]).lastrowid
        assert last is not None
        seqs += range(last - n + 1, last + 1)
    return seqs


def _payload_length(spec: TaskSpec) -> int:
    return len(spec.payload)


@functools.cache
def _insert_alike(n: int) -> str:
    # ?1 to ?5 are attempt and state, then the common fields, then an id and a payload for each.
    common = f"?5, {_numbers(6, len(_FIELDS))}, ?1, ?1, ?2, ?3, ?4, 1"
    first = 6 + len(_FIELDS)
    rows = ", ".join(f"({_numbers(first + 2 * i, 2)}, {common})" for i in range(n))
    return f"INSERT INTO task (id, payload, state, {_COMMON_COLUMNS}, {_ATTEMPT}) VALUES {rows}"


@functools.cache
def _insert_each(n: int) -> str:
    rows = ", ".join(f"({_numbers(5 + _COLUMNS * i, _COLUMNS)}, ?1, ?1, ?2, ?3, ?4, 1)" for i in range(n))
    return f"INSERT INTO task ({SPEC_COLUMNS}, state, {_ATTEMPT}) VALUES {rows}"


# ---- what ends well ----


class Success(NamedTuple):
    """How an attempt ended well."""

    seq: int
    token: int
    started_at: float
    finished_at: float
    result: bytes | None


def end_alike(
    connection: sqlite3.Connection, done: Mapping[int, float], result: bytes | None, began: float, token: int
) -> int:
    """Record successes that differ in rows and times of their ends alone; returns how many held the token."""
    taken = 0
    for part in _parts(list(done.items()), None):
        values = [result, began, token, *chain.from_iterable(part)]
        taken += connection.execute(_end_alike(len(part)), values).rowcount
    return taken


def end(connection: sqlite3.Connection, ends: Sequence[Success]) -> int:
    """Record successes of which no progress was said; returns how many held their tokens."""
    taken = 0
    for part in _parts(ends, _result_length):
        taken += connection.execute(_end_each(len(part)), list(chain.from_iterable(part))).rowcount
    return taken


def _result_length(one: Success) -> int:
    return 0 if one.result is None else len(one.result)


@functools.cache
def _end_alike(n: int) -> str:
    rows = ", ".join(f"({_numbers(4 + 2 * i, 2)})" for i in range(n))
    return _END + (
        "result = ?1, started_at = ?2, finished_at = e.done, prune_at = e.done + result_ttl "
        f"FROM (SELECT column1 AS it, column2 AS done FROM (VALUES {rows})) AS e "
        "WHERE seq = e.it AND token = ?3 AND state = 2 AND NOT joined"
    )


@functools.cache
def _end_each(n: int) -> str:
    rows = ", ".join(f"({_numbers(1 + 5 * i, 5)})" for i in range(n))
    return _END + (
        "result = e.result, started_at = e.began, finished_at = e.done, prune_at = e.done + result_ttl "
        "FROM (SELECT column1 AS it, column2 AS fence, column3 AS began, column4 AS done, column5 AS result "
        f"FROM (VALUES {rows})) AS e WHERE seq = e.it AND token = e.fence AND state = 2 AND NOT joined"
    )


# ---- statements ----


def _numbers(first: int, n: int) -> str:
    return ", ".join(f"?{first + i}" for i in range(n))


def _parts(items: Sequence[T], length: Callable[[T], int] | None) -> Iterator[Sequence[T]]:
    """Return items in parts of a power of two, each of so many bytes at most, or of one."""
    at = 0
    while left := len(items) - at:
        size = min(_MOST, 1 << (left.bit_length() - 1))
        part = items[at : at + size]
        while length is not None and size > 1 and sum(map(length, part)) > _MOST_BYTES:
            size //= 2
            part = part[:size]
        yield part
        at += size
