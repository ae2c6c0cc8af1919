"""What is read: on connections of their own, which neither wait for the writer nor hinder it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from fastcore.tasks.records import ScheduleView, State, TaskView
from fastcore.tasks.stores.sqlite_errors import told
from fastcore.tasks.stores.sqlite_rows import (
    CANCELLED,
    DEAD,
    EXPIRED,
    FAILED,
    LIST_COLUMNS,
    RUNNING,
    VIEW_COLUMNS,
    codes_of,
    state_of,
    view_of,
)
from fastcore.tasks.stores.sqlite_schema import connect_reader
from fastcore.tasks.stores.sqlite_upkeep import unknown

__all__ = ["Readers", "Wanted", "counts", "find", "get", "members", "schedules"]

P = ParamSpec("P")
T = TypeVar("T")

_FAILURES = {FAILED, CANCELLED, DEAD}


class Wanted(NamedTuple):
    """The arguments of a `find`."""

    states: Iterable[State] | None = None
    kind: str | None = None
    group: str | None = None
    limit: int = 100
    before: str | None = None


class Readers:
    """A few threads with a connection each."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        self._path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fastcore-tasks-read")

    def ask(
        self, read: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Have something read."""
        return self._pool.submit(self._run, read, *args, **kwargs)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
        while self._all:
            self._all.pop().close()

    def _run(self, read: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = connect_reader(self._path, same_thread=False)
                self._all.append(connection)
            return read(connection, *args, **kwargs)
        except sqlite3.Error as error:
            raise told(error, str(self._path)) from error


def get(connection: sqlite3.Connection, id: str) -> tuple[TaskView, int]:
    """Return a task and its token."""
    row = connection.execute(f"SELECT {VIEW_COLUMNS} FROM task WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise unknown(id)
    return view_of(row), row[19]


def find(connection: sqlite3.Connection, wanted: Wanted) -> list[tuple[TaskView, int]]:
    """Return tasks, the latest first, and their tokens."""
    codes = list(range(EXPIRED)) if wanted.states is None else codes_of(wanted.states)
    # By ids, the latest first, except where the wanted are few among all that has ended: they have an index each.
    few = " INDEXED BY task_running" if codes == [RUNNING] else ""
    conditions = ["state = 2" if few else f"state IN ({', '.join(map(str, codes))})"]
    if codes and set(codes) <= _FAILURES:
        conditions.append("state IN (4, 5, 6)")  # the very words of the index
    values: list[Any] = []
    for test, value in (("kind = ?", wanted.kind), ("grp = ?", wanted.group), ("id < ?", wanted.before)):
        if value is not None:
            conditions.append(test)
            values.append(value)
    rows = connection.execute(
        f"SELECT {LIST_COLUMNS} FROM task{few} WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?",
        (*values, wanted.limit),
    )
    return [(view_of(row), row[19]) for row in rows]


def counts(connection: sqlite3.Connection) -> dict[str, dict[State, int]]:
    """Return how many tasks of each kind are in each state."""
    found: dict[str, dict[State, int]] = {}
    for kind, code, n in connection.execute("SELECT kind, state, n FROM tally WHERE n > 0 AND state < 7 ORDER BY kind"):
        its = found.setdefault(kind, {})
        state = state_of(code)
        its[state] = its.get(state, 0) + n
    return found


def members(connection: sqlite3.Connection, group: str) -> list[tuple[TaskView, int]]:
    """Return a group's tasks with their results, in order, and their tokens."""
    rows = connection.execute(f"SELECT {VIEW_COLUMNS} FROM task WHERE grp = ? AND state < 7 ORDER BY idx", (group,))
    return [(view_of(row), row[19]) for row in rows]


def schedules(connection: sqlite3.Connection) -> Sequence[ScheduleView]:
    """Return all schedules by name."""
    return [ScheduleView(*row) for row in connection.execute("SELECT * FROM schedule ORDER BY name")]
