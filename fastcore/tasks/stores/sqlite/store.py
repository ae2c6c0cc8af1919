"""SqliteStore: tasks in a file that survives its process, and, at `full` durability, a power cut."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from fastcore._text import storable
from fastcore.concurrency.checks import count, number, one_of
from fastcore.tasks.errors import QueueClosed, StoreError
from fastcore.tasks.ports import Done, Want
from fastcore.tasks.records import (
    Batch,
    Cancelled,
    Claim,
    Fired,
    Group,
    Hold,
    Outcome,
    Progress,
    Rescued,
    ScheduleView,
    State,
    TaskSpec,
    TaskView,
)
from fastcore.tasks.stores.sqlite import reader
from fastcore.tasks.stores.sqlite.claim import Asked, Claims, Renewal
from fastcore.tasks.stores.sqlite.commit_reply import CommitReply
from fastcore.tasks.stores.sqlite.direct_claim import DirectClaim
from fastcore.tasks.stores.sqlite.errors import told
from fastcore.tasks.stores.sqlite.leases import LeaseKeeper
from fastcore.tasks.stores.sqlite.location import Presence, checked_path
from fastcore.tasks.stores.sqlite.maintenance import Maintenance, Pause, Pruned, Retry, ScheduleRow
from fastcore.tasks.stores.sqlite.owner_lock import OwnerLock, is_alive, is_inherited, remove_dead
from fastcore.tasks.stores.sqlite.progress import LatestProgress
from fastcore.tasks.stores.sqlite.reader import Read
from fastcore.tasks.stores.sqlite.rows import Claimed
from fastcore.tasks.stores.sqlite.schema import connect
from fastcore.tasks.stores.sqlite.submit import Firing, Submission, Submit
from fastcore.tasks.stores.sqlite.writer import Writer

__all__ = ["DURABILITIES", "SqliteStore"]

DURABILITIES: Final = ("full", "ends-soft", "normal")
_BUSY_TIMEOUT: Final = 5.0


class _Opened(NamedTuple):
    """What a store holds of the operating system."""

    lock: OwnerLock
    writer: Writer
    readers: reader.Readers


class SqliteStore:
    """Tasks in one SQLite file, for one process or several of one machine.

    The file is opened by the first call that needs it, or by :meth:`open`.

    Parameters
    ----------
    path : str or path
        The file, created if it is missing; next to it are its log (``-wal``, ``-shm``) and one small ``.owner`` file
        for each process that has it open.
    durability : {"full", "ends-soft", "normal"}
        "full": a reply comes after the disk has what it promises; a power cut loses nothing acknowledged. "ends-soft":
        the same, except that a finished task may run again after a power cut. "normal": after the operating system has
        it; the death of the process loses nothing, a power cut may lose the last
        moments. That a task was begun, and how far it is, never waits for the disk: after a power cut it runs again.
    max_queued : int, optional
        How many tasks may wait, delayed ones counted; further ones raise QueueFull.
    dead_ttl : float, default 7 days
        Seconds for which a dead letter, and a task that failed, is kept.
    tombstone_ttl : float, default 24 hours
        Seconds for which it is still known that a task was there, after its result has gone.
    busy_timeout : float, default 5
        Seconds to wait for another process that writes.
    clock : callable
        Seconds since the epoch.

    Notes
    -----
    One thread writes at a time. What is asked for while a transaction reaches the disk goes into the next one, so the
    cost of a sync is shared by all who wait for it. Reads have separate connections.

    While a process has the file open it holds a lock that the operating system drops the moment the process is dead:
    `rescue` then takes back its running tasks at once, without waiting for their leases to pass.

    A child that is forked before the file is opened opens it for itself. One that is forked later is refused: SQLite's
    locks belong to the parent, and the child would write without any.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue
    >>> from fastcore.tasks.stores import SqliteStore
    >>> queue = TaskQueue(SqliteStore("tasks.db", durability="normal"))    # opened by the first call that needs it
    """

    encodes = True
    # What others write is noticed in a quarter of a second, and `wake` called; this is the safety net.
    poll: float | None = 5.0

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: str = "full",
        max_queued: int | None = None,
        dead_ttl: float = 7 * 86400.0,
        tombstone_ttl: float = 86400.0,
        busy_timeout: float = _BUSY_TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.durability = one_of("durability", durability, DURABILITIES)
        if max_queued is not None:
            count("max_queued", max_queued)
        number("dead_ttl", dead_ttl, zero=True)
        number("tombstone_ttl", tombstone_ttl, zero=True)
        number("busy_timeout", busy_timeout)
        self.path: Path = Path(os.path.realpath(os.fspath(path)))
        self._busy_timeout = busy_timeout
        self._max_queued = max_queued
        self._dead_ttl = dead_ttl
        self._upkeep = Maintenance(dead_ttl, tombstone_ttl, clock, self._is_dead)
        self._wake: Callable[[], None] = _nobody
        self._opening = Lock()
        self._begin()

    def _begin(self) -> None:
        """Hold nothing of a file that was open before."""
        held: dict[str, Claimed] = {}  # of the claims that are made here
        self._express = DirectClaim(held)
        self._intake = Submit(self._max_queued, self._express)
        self._leases = LeaseKeeper()
        self._progress = LatestProgress()
        self._work = Claims(self._dead_ttl, self._progress, held, self._express)
        self._seen: int | None = None  # the file's data_version: others have written when it changes
        self._opened: _Opened | None = None
        self._closed = False

    def open(self) -> SqliteStore:
        """Open the file now, so that what is wrong with it is raised here; returns the store.

        Raises
        ------
        ValueError
            If the file lies on a network file system.
        StoreError
            If it cannot be opened, is damaged, another program's, or a later release's.
        """
        self._file()
        return self

    def _file(self) -> _Opened:
        opened = self._opened
        if opened is None:
            with self._opening:
                if self._closed:
                    raise QueueClosed(f"{self.path}: expected an open store, got one that was closed")
                opened = self._opened = self._opened or self._open()
        return opened

    def _open(self) -> _Opened:
        path = self.path = checked_path(self.path)
        if is_inherited(path):
            raise StoreError(
                f"{path}: expected a file that no parent process had open when this one was forked, got one whose "
                "locks belong to the parent; use the queue for the first time after the fork"
            )
        try:
            lock = OwnerLock(path)
        except OSError as error:
            raise told(error, str(path)) from error
        try:
            writer = Writer(
                lambda: connect(path, self.durability, self._busy_timeout),
                str(path),
                full=self.durability != "normal",
                present=lambda: Presence(path).check,
                wake=lambda: self._wake(),
                tick=self._tick,
            )
        except BaseException:
            lock.release()
            raise
        remove_dead(path)
        return _Opened(lock, writer, reader.Readers(path))

    @property
    def _writer(self) -> Writer:
        return self._file().writer

    @property
    def _readers(self) -> reader.Readers:
        return self._file().readers

    def attach(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._file()

    def push_to(self, owner: str, loop: asyncio.AbstractEventLoop, take: Callable[[list[Claim]], object]) -> None:
        self._leases.attach(self._named(owner), loop)
        self._express.push_to(self._named(owner), loop, take)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.writer.check_process()
        with self._opening:
            if self._closed:
                return
            self._closed = True
            self._wake = _nobody
            if self._opened is not None:
                self._opened.readers.close()
                self._opened.writer.close()  # last, so that it is its close that puts the log back into the file
                self._opened.lock.release()

    def reopen(self) -> None:
        with self._opening:
            if self._closed:
                self._begin()

    def __repr__(self) -> str:
        return f"SqliteStore({str(self.path)!r}, durability={self.durability!r})"

    # ---- tasks ----

    def submit(self, specs: Sequence[TaskSpec], group: Group | None = None) -> CommitReply[list[str]]:
        return self._writer.ask(self._intake.submit, Submission(specs, group))

    def submit_now(self, specs: Sequence[TaskSpec], group: Group | None = None) -> list[str]:
        """Store tasks, and wait until that is as durable as promised."""
        return self._writer.run(self._intake.submit, Submission(specs, group))

    def submit_each(self, specs: Sequence[TaskSpec]) -> CommitReply[list[str | BaseException]]:
        """Store tasks, each by itself; returns for each its id, or the error that is its alone."""
        return self._writer.ask_each(self._intake.submit_each, specs)

    def claim(self, owner: str, wants: Sequence[Want], lease: float, now: float) -> CommitReply[Batch]:
        self._leases.claimed(lease, now)
        asked = Asked(self._named(owner), wants, lease, now, self._express.seen)
        return self._writer.ask(self._work.claim, asked, soft=True)

    def renew(self, claims: Sequence[Claim], lease: float, now: float) -> CommitReply[list[Hold]]:
        self._leases.renewed(lease, now)
        return self._writer.ask(self._work.renew, Renewal(claims, now + lease), soft=True)

    def settle(self, outcomes: Sequence[Outcome]) -> CommitReply[list[bool]]:
        return self._writer.ask(self._work.settle, outcomes, soft=self.durability == "ends-soft", patient=True)

    def report(self, updates: Sequence[Progress]) -> Done[None]:
        self._writer.check()
        self._progress.report(updates, self._work.token_of)
        return Done(None)

    def request_cancel(self, id: str) -> CommitReply[Cancelled]:
        return self._writer.ask(self._upkeep.cancel, storable(id))

    def purge(self, kind: str) -> CommitReply[list[Cancelled]]:
        return self._writer.ask(self._upkeep.purge, storable(kind))

    def pause(self, kind: str, paused: bool) -> CommitReply[bool]:
        return self._writer.ask(self._upkeep.pause, Pause(storable(kind), paused))

    def rescue(self, now: float) -> CommitReply[list[Rescued]]:
        self._write_progress()  # before an attempt is taken away
        return self._writer.ask(self._upkeep.rescue, now)

    def prune(self, now: float) -> CommitReply[int]:
        reply: CommitReply[int] = CommitReply()
        self._prune_on(now, reply, 0)
        return reply

    def retry_dead(self, ids: Sequence[str] | None, kind: str | None, now: float) -> CommitReply[list[str]]:
        return self._writer.ask(self._upkeep.retry, Retry(ids, kind, now))

    # ---- reading ----

    def get(self, id: str) -> Read[TaskView]:
        self._writer.check()
        return self._readers.ask(self._get, storable(id))

    def find(
        self,
        *,
        states: Iterable[State] | None = None,
        kind: str | None = None,
        group: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> Read[Sequence[TaskView]]:
        self._writer.check()
        wanted = reader.Wanted(None if states is None else list(states), kind, group, limit, before)
        return self._readers.ask(self._find, wanted)

    def counts(self) -> Read[dict[str, dict[State, int]]]:
        self._writer.check()
        return self._readers.ask(reader.counts)

    def paused(self) -> Read[list[str]]:
        self._writer.check()
        return self._readers.ask(reader.paused)

    def ready(self) -> Read[dict[str, int]]:
        self._writer.check()
        return self._readers.ask(reader.ready)

    def members(self, group: str) -> Read[Sequence[TaskView]]:
        self._writer.check()
        return self._readers.ask(self._members, storable(group))

    # ---- schedules ----

    def schedule(self, name: str, definition: str, next_at: float) -> CommitReply[float]:
        return self._writer.ask(self._upkeep.schedule, ScheduleRow(name, definition, next_at))

    def fire(
        self, name: str, slot: float, next_at: float, spec: TaskSpec | None, definition: str | None = None
    ) -> CommitReply[Fired]:
        return self._writer.ask(self._intake.fire, Firing(name, slot, next_at, spec, definition))

    def unschedule(self, name: str) -> CommitReply[bool]:
        return self._writer.ask(self._upkeep.unschedule, storable(name))

    def schedules(self) -> Read[Sequence[ScheduleView]]:
        self._writer.check()
        return self._readers.ask(reader.schedules)

    # ---- owners ----

    def _named(self, owner: str) -> str:
        return f"{self._file().lock.name}:{owner}"

    def _is_dead(self, owner: str) -> bool:
        return not is_alive(self.path, owner.partition(":")[0])

    # ---- in the writing thread ----

    def _tick(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version != self._seen:  # the first time too: others may have written since the claim before
            self._wake()
        self._seen = version
        self._write_progress()
        if self._work.holds() and (extension := self._leases.look(str(self.path))) is not None:
            self._writer.ask(self._work.extend, extension, soft=True)

    def _write_progress(self) -> None:
        if late := self._progress.late():
            self._writer.ask(self._work.report, late, soft=True)

    def _prune_on(self, now: float, reply: CommitReply[int], before: int) -> None:
        def step(done: CommitReply[Pruned]) -> None:
            try:
                expired, more = done.result()
                if more:
                    self._prune_on(now, reply, before + expired)
                else:
                    reply.set_result(before + expired)
            except BaseException as error:
                reply.set_exception(error)

        self._writer.ask(self._upkeep.prune, now).add_done_callback(step)

    # ---- in the reading threads ----

    def _get(self, connection: sqlite3.Connection, id: str) -> TaskView:
        return self._progress.shown(*reader.get(connection, id))

    def _find(self, connection: sqlite3.Connection, wanted: reader.Wanted) -> list[TaskView]:
        return [self._progress.shown(*found) for found in reader.find(connection, wanted)]

    def _members(self, connection: sqlite3.Connection, group: str) -> list[TaskView]:
        return [self._progress.shown(*found) for found in reader.members(connection, group)]


def _nobody() -> None:
    """Default wakeup: does nothing."""
