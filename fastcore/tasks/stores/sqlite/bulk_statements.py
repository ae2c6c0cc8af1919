"""Many tasks in one statement: SQLite goes through them without the interpreter's lock, and finds its place once."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple, TypeVar

from fastcore.tasks.records import TaskSpec
from fastcore.tasks.stores.sqlite.rows import RUNNING, SPEC_COLUMNS, SPEC_FIELDS, row_of

__all__ = ["Begun", "Success", "end", "insert"]

T = TypeVar("T")

_MOST: Final = 64  # rows of one statement; there is one for each power of two up to it, and SQLite prepares it once
_MOST_BYTES: Final = 32 << 20  # of payloads or results in one statement
_COLUMNS: Final = len(SPEC_FIELDS) + 2  # with payload and state
_ATTEMPT: Final = "attempt, token, owner, lease, started_at, version"


# ---- what comes in ----


class Begun(NamedTuple):
    """The first attempt of tasks that never wait."""

    owner: str
    until: float
    at: float


_WAITING: Final = (0, None, None, None)


def insert(connection: sqlite3.Connection, specs: Sequence[TaskSpec], begun: Begun | None = None) -> list[int]:
    """Store tasks, in this order: as waiting, or as claimed. Returns row numbers."""
    attempt = _WAITING if begun is None else (1, *begun)
    seqs: list[int] = []
    for part in _parts(specs, _payload_length):
        n = len(part)
        rows = map(row_of, part) if begun is None else ((*row_of(spec)[:-1], RUNNING) for spec in part)
        last = connection.execute(_insert(n), [*attempt, *chain.from_iterable(rows)]).lastrowid
        assert last is not None
        seqs += range(last - n + 1, last + 1)
    return seqs


def _payload_length(spec: TaskSpec) -> int:
    return len(spec.payload)


@functools.cache
def _insert(n: int) -> str:
    # ?1 to ?4 are the attempt, then a row for each.
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


def end(connection: sqlite3.Connection, ends: Sequence[Success]) -> set[int]:
    """Record successes of which no progress was said; returns the rows for which that was all."""
    taken: set[int] = set()
    for part in _parts(ends, _result_length):
        rows = connection.execute(_end(len(part)), list(chain.from_iterable(part))).fetchall()
        taken.update(chain.from_iterable(rows))
    return taken


def _result_length(one: Success) -> int:
    return 0 if one.result is None else len(one.result)


@functools.cache
def _end(n: int) -> str:
    rows = ", ".join(f"({_numbers(1 + 5 * i, 5)})" for i in range(n))
    return (
        "UPDATE task SET state = 3, version = version + 1, error = NULL, owner = NULL, lease = NULL, payload = NULL, "
        "result = e.result, started_at = e.began, finished_at = e.done, prune_at = e.done + result_ttl "
        "FROM (SELECT column1 AS it, column2 AS fence, column3 AS began, column4 AS done, column5 AS result "
        f"FROM (VALUES {rows})) AS e WHERE seq = e.it AND token = e.fence AND state = 2 AND NOT joined RETURNING seq"
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
