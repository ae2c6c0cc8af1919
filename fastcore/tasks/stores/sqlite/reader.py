"""Reading, on separate connections, which neither wait for the writer nor delay it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar

from fastcore._text import storable
from fastcore.tasks.errors import QueueClosed
from fastcore.tasks.records import ScheduleView, State, TaskView
from fastcore.tasks.stores.sqlite.commit_reply import CommitReply
from fastcore.tasks.stores.sqlite.errors import told
from fastcore.tasks.stores.sqlite.groups import group_of, members_of
from fastcore.tasks.stores.sqlite.rows import (
    BLOCKED,
    CANCELLED,
    DEAD,
    EXPIRED,
    FAILED,
    LIST_COLUMNS,
    READY,
    RUNNING,
    VIEW_COLUMNS,
    codes_of,
    state_of,
    view_of,
)
from fastcore.tasks.stores.sqlite.schema import connect_reader

__all__ = ["Read", "Readers", "Wanted", "counts", "find", "get", "members", "paused", "ready", "schedules"]

P = ParamSpec("P")
T = TypeVar("T")

_MOST_IDLE: Final = 4  # connections that are kept open
_FAILURES = {FAILED, CANCELLED, DEAD}


class Wanted(NamedTuple):
    """The arguments of a `find`."""

    states: Iterable[State] | None = None
    kind: str | None = None
    group: str | None = None
    limit: int = 100
    before: str | None = None


class Readers:
    """Connections for reading, and a few threads for callers that must not block; others read in their own thread."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        self._path = path
        self._threads = threads
        self._started = 0
        self._lock = threading.RLock()  # re-entrant, for signal handlers
        self._ended = threading.Condition(self._lock)
        self._reading: list[int] = []  # threads, once for each query
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._reads: SimpleQueue[Read[Any] | None] = SimpleQueue()

    def ask(
        self, read: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Read[T]:
        """Return a query that runs when its result is asked for."""
        return Read(self, lambda connection: read(connection, *args, **kwargs))

    def run(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query in this thread."""
        thread = threading.get_ident()
        with self._lock:
            if self._closed:
                raise _closed(self._path)
            self._reading.append(thread)
        try:
            connection = self._take()
            try:
                return read(connection)
            finally:
                self._give_back(connection)
        except sqlite3.Error as error:
            raise told(error, str(self._path)) from error
        finally:
            with self._lock:
                self._reading.remove(thread)
                self._ended.notify_all()

    def begin(self, read: Read[Any]) -> None:
        """Run a query in one of the threads."""
        with self._lock:
            if self._closed:
                raise _closed(self._path)
            self._reads.put(read)
            if self._started < self._threads:
                self._started += 1
                threading.Thread(target=self._serve, name="fastcore-tasks-read", daemon=True).start()

    def close(self) -> None:
        """Wait for the queries of other threads, close all connections, and end the threads.

        A read-only connection that is closed after the writer's cannot delete the log files.
        """
        thread = threading.get_ident()  # its own query is one that a signal handler interrupted
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for _ in range(self._started):
                self._reads.put(None)
            self._ended.wait_for(lambda: all(other == thread for other in self._reading))
        for connection in idle:
            connection.close()

    def _serve(self) -> None:
        while (read := self._reads.get()) is not None:
            read.run()
            del read  # else its answer would live until the next

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return connect_reader(self._path, same_thread=False)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()


class Read(CommitReply[T]):
    """What a reader answers. Who waits for it reads by itself; who must not wait has it read by a thread."""

    __slots__ = ("_begun", "_read", "_readers")

    def __init__(self, readers: Readers, read: Callable[[sqlite3.Connection], T]) -> None:
        super().__init__()
        self._readers = readers
        self._read = read
        self._begun = False

    def run(self) -> None:
        """Run the query in this thread."""
        try:
            self.set_result(self._readers.run(self._read))
        except BaseException as error:
            self.set_exception(error)
        finally:
            del self  # else the traceback of its error would keep what it is part of

    def result(self, timeout: float | None = None) -> T:
        if not self._begun:
            self._begun = True
            self.run()
        try:
            return super().result(timeout)
        finally:
            del self

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
        super().add_done_callback(fn)
        self._begin()

    def call_on(self, loop: asyncio.AbstractEventLoop, fn: Callable[[], object], /) -> None:
        super().call_on(loop, fn)
        self._begin()

    async def arrive(self) -> None:
        self._begin()
        await super().arrive()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._readers.begin(self)


def _closed(path: Path) -> QueueClosed:
    return QueueClosed(f"{path}: expected an open store, got one that was closed")


def get(connection: sqlite3.Connection, id: str) -> tuple[TaskView, int]:
    """Return a task and its token, or a group."""
    row = connection.execute(f"SELECT {VIEW_COLUMNS} FROM task WHERE id = ?", (id,)).fetchone()
    if row is not None:
        return view_of(row), row[19]
    with _snapshot(connection):
        return group_of(connection, id), 0


def find(connection: sqlite3.Connection, wanted: Wanted) -> list[tuple[TaskView, int]]:
    """Return tasks, the latest first, and their tokens."""
    codes = list(range(BLOCKED, EXPIRED)) if wanted.states is None else codes_of(wanted.states)
    # By ids, the latest first, except where the wanted are few among all that has ended: they have an index each.
    few = " INDEXED BY task_running" if codes == [RUNNING] else ""
    conditions = ["state = 2" if few else f"state IN ({', '.join(map(str, codes))})"]
    if codes and set(codes) <= _FAILURES:
        conditions.append("state IN (4, 5, 6)")  # the very words of the index
    values: list[Any] = []
    for test, value in (("kind = ?", wanted.kind), ("grp = ?", wanted.group), ("id < ?", wanted.before)):
        if value is not None:
            conditions.append(test)
            values.append(storable(value))
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


def paused(connection: sqlite3.Connection) -> list[str]:
    """Return the kinds that are paused."""
    return [kind for (kind,) in connection.execute("SELECT kind FROM paused ORDER BY kind")]


def ready(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many tasks of each kind may begin, but for kinds that are paused."""
    rows = connection.execute(
        "SELECT kind, n FROM tally WHERE state = ? AND n > 0 AND kind NOT IN (SELECT kind FROM paused)", (READY,)
    )
    return dict(rows.fetchall())


def members(connection: sqlite3.Connection, group: str) -> list[tuple[TaskView, int]]:
    """Return a group's tasks with their results, in order, and their tokens."""
    with _snapshot(connection):
        return members_of(connection, group)


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Have several statements read one state of the file."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def schedules(connection: sqlite3.Connection) -> Sequence[ScheduleView]:
    """Return all schedules by name."""
    return [ScheduleView(*row) for row in connection.execute("SELECT * FROM schedule ORDER BY name")]
