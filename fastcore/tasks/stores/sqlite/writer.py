"""The writer: one thread at a time writes, and requests of the others go into the next transaction."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import groupby
from operator import attrgetter
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

from fastcore import metrics
from fastcore.tasks.errors import QueueClosed, StoreError
from fastcore.tasks.stores.sqlite.commit_reply import CommitReply, give
from fastcore.tasks.stores.sqlite.errors import told
from fastcore.tasks.stores.sqlite.transaction import Transaction

__all__ = ["Handler", "Writer"]

A = TypeVar("A")
R = TypeVar("R")
# What one transaction does with all that was asked of one kind: for each an answer, or the error that is its alone.
Handler = Callable[[Transaction, Sequence[A]], Sequence[R | BaseException]]

_MOST_IN_A_BATCH: Final = 512  # requests; each may bring thousands of rows
_PATIENCE: Final = 0.5  # of the last sync's time: how long patient requests wait for others
_MOST_PATIENCE: Final = 2e-3

_log = logging.getLogger("fastcore.tasks")

_pid = os.getpid()  # kept here, as asking for it is a system call


def _after_fork() -> None:
    global _pid
    _pid = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Request(Generic[A, R]):
    __slots__ = ("answer", "argument", "each", "handler", "patient", "soft")

    def __init__(
        self, handler: Handler[A, R], argument: A, *, soft: bool = False, patient: bool = False, each: bool = False
    ) -> None:
        self.handler = handler
        self.argument = argument
        self.soft = soft
        self.patient = patient
        self.each = each
        self.answer: CommitReply[R] = CommitReply()


class Writer:
    """Runs requests in transactions on a connection of its own.

    A request is answered after the commit that holds it. While one transaction reaches the disk the next requests
    gather, so that a batch is as large as the disk is slow. A request never waits for others, unless it is patient: an
    end that came while a submission was written waits for the next one, half a sync's time at most, so that the ends of
    a lone submitter's tasks share the syncs of its further submissions.

    Parameters
    ----------
    connect : callable
        Opens the connection, which any thread may use, one at a time.
    path : str
        Named in errors.
    full : bool
        Whether a commit waits until the disk has it.
    present : callable
        Called when the connection is open; returns what raises a StoreError once the files are no longer those that
        were opened. Then every request is refused.
    wake : callable
        Called after a commit that may have brought something to claim, or to cancel.
    tick : callable
        Called with the connection about every `pause` seconds, however much there is to write.

    Notes
    -----
    The thread that has the turn writes all waiting requests. That is the writer's own thread, or a thread in `run`,
    which saves a lone submitter two switches of threads. A request that is made while another thread has the turn is
    left to that thread: it looks for further requests when it releases the turn, and rings.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        path: str,
        *,
        full: bool,
        present: Callable[[], Callable[[], None]],
        wake: Callable[[], object],
        tick: Callable[[sqlite3.Connection], object],
        pause: float = 0.25,
    ) -> None:
        self._connect = connect
        self._path = path
        self._full = full
        self._waits = full  # for the disk, as the connection is set at this moment
        self._present = present
        self._check_files: Callable[[], None] = _nothing
        self._lost: StoreError | None = None
        self._wake = wake
        self._tick = tick
        self._pause = pause
        self._took = 0.0  # seconds of the last commit that waited for the disk
        self._submitted = False  # whether the last batch, but for claims, had a request that is not patient
        self._shared = False  # and one that is
        self._crowd = False  # or several that are not
        self._behind = False  # whether requests came while the last batch was written
        self._late: float | None = None  # when requests that are patient have waited enough
        self._pid = _pid
        self._requests: deque[_Request[Any, Any]] = deque()
        self._turn = threading.Lock()
        self._holder = 0  # the thread that has the turn, while it writes
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = False
        self._closing = threading.RLock()  # re-entrant: a signal handler or a destructor may submit in between
        self._closed = False
        self._commit = metrics.latency("fastcore_tasks_sqlite_commit_seconds")
        # A signal handler in the main thread may submit too, and would wait for the transaction that it interrupts.
        self._main = threading.main_thread().ident
        opened: Future[None] = Future()
        # A daemon, so that a program that forgets to close ends: what was answered is on disk.
        self._thread = threading.Thread(target=self._run, args=(opened,), name="fastcore-tasks-sqlite", daemon=True)
        self._thread.start()
        try:
            opened.result()
        except BaseException:
            self._thread.join()
            raise

    def ask(self, handler: Handler[A, R], argument: A, *, soft: bool = False, patient: bool = False) -> CommitReply[R]:
        """Queue a request; from any thread, without waiting.

        A `soft` one may be undone by a power cut, though not by the death of the process: if a transaction holds
        nothing else it does not wait for the disk. A `patient` one may wait a moment for one that is not, to share its
        sync.
        """
        return self._leave(_Request(handler, argument, soft=soft, patient=patient))

    def ask_each(
        self, handler: Handler[Sequence[A], list[R | BaseException]], arguments: Sequence[A]
    ) -> CommitReply[list[R | BaseException]]:
        """Queue many as one request, in which each succeeds or fails by itself."""
        return self._leave(_Request(handler, arguments, each=True))

    def run(self, handler: Handler[A, R], argument: A) -> R:
        """Write a request and wait for it: a lone thread writes it itself, with the other waiting requests."""
        request: _Request[A, R] = _Request(handler, argument)
        if self._crowd or threading.get_ident() == self._main:
            return self._leave(request).result()
        self._enter(request)
        if self._turn.acquire(blocking=False):
            try:
                self._write_waiting()
            finally:
                self._turn.release()
            if self._requests:
                self._ring()
        return request.answer.result()

    def _leave(self, request: _Request[A, R]) -> CommitReply[R]:
        self._enter(request)
        if not self._turn.locked():
            self._ring()
        return request.answer

    def _enter(self, request: _Request[Any, Any]) -> None:
        self.check()
        if threading.get_ident() in (self._holder, self._thread.ident):
            request.answer.forbid_waiting(self._path)
        with self._closing:
            if self._closed:
                raise QueueClosed(f"{self._path}: expected an open store, got one that was closed")
            self._requests.append(request)

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def check(self) -> None:
        """Raise in a forked process, and if the files are no longer in place.

        Raises
        ------
        StoreError
        """
        self.check_process()
        if self._lost is not None:
            raise StoreError(str(self._lost))

    def check_process(self) -> None:
        """Raise in a forked process: the connection and the thread belong to its parent."""
        if _pid != self._pid:
            raise StoreError(
                f"{self._path}: expected to be used in process {self._pid}, which opened it, got its forked child "
                f"{_pid}; use the queue for the first time after the fork"
            )

    def close(self) -> None:
        """Write what was asked for so far, and end the thread."""
        self.check_process()
        with self._closing:
            self._closed = True
        self._ring()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # ---- in the thread ----

    def _run(self, opened: Future[None]) -> None:
        try:
            self._connection = self._connect()
            self._check_files = self._present()
        except BaseException as error:
            opened.set_exception(told(error, self._path))
            return
        opened.set_result(None)
        del opened
        clock = time.monotonic
        ticked = clock()
        try:
            while self._requests or not self._closed:
                left = self._until_turn(ticked + self._pause)
                if left > 0.0:
                    self._sleep(left)
                    continue
                with self._turn:
                    self._write_waiting()
                    if clock() - ticked >= self._pause:
                        self._run_tick()
                        ticked = clock()
        finally:
            with self._turn:
                self._connection.close()

    def _until_turn(self, tick: float) -> float:
        """Return the seconds until the next work."""
        requests = list(self._requests)
        now = time.monotonic()
        if not requests:
            return tick - now
        # Where the last batch was shared, whichever of the two comes first; else what came during the other's commit.
        if not (self._full and self._submitted and (self._shared or self._behind)) or self._closed:
            return 0.0
        if not _may_wait(requests):
            return 0.0
        if self._late is None:
            self._late = now + min(self._took * _PATIENCE, _MOST_PATIENCE)
        return self._late - now

    def _sleep(self, seconds: float) -> None:
        try:
            self._bell.get(timeout=seconds)
        except Empty:
            return
        self._rung = False

    # ---- in the thread that has the turn ----

    def _write_waiting(self) -> None:
        self._holder = threading.get_ident()
        requests = self._requests
        try:
            if batch := [requests.popleft() for _ in range(min(len(requests), _MOST_IN_A_BATCH))]:
                self._note(batch)
                self._write(batch)
        finally:
            self._behind = bool(requests)
            self._late = None
            self._holder = 0

    def _note(self, batch: list[_Request[Any, Any]]) -> None:
        patient = [request.patient for request in batch if request.patient or not request.soft]
        if patient:
            self._submitted = not all(patient)
            self._shared = self._submitted and any(patient)
            self._crowd = patient.count(False) > 1

    def _write(self, batch: list[_Request[Any, Any]]) -> None:
        try:
            transaction, answers = self._transaction(batch)
        except BaseException as error:
            if len(batch) > 1 and not _is_locked(error):  # one may be at fault: the others shall not fail with it
                for request in batch:
                    self._write([request])
                return
            if batch[0].each and len(batch[0].argument) > 1 and not _is_locked(error):
                self._write_parts(batch[0])
                return
            give((request.answer, told(error, self._path)) for request in batch)
            return
        # It is on disk: whatever goes wrong from here on must not have it done once more.
        self._follow(transaction)
        give(zip([request.answer for request in batch], answers), transaction.bells)

    def _write_parts(self, whole: _Request[Any, Any]) -> None:
        """Write each part of a request that failed in a separate transaction."""
        answers: list[Any] = []
        bells: list[Any] = []
        for part in whole.argument:
            try:
                transaction, [[answer]] = self._transaction([_Request(whole.handler, [part], soft=whole.soft)])
            except BaseException as error:
                answers.append(told(error, self._path))
                continue
            self._follow(transaction)
            answers.append(answer)
            bells += transaction.bells
        give([(whole.answer, answers)], bells)

    def _follow(self, transaction: Transaction) -> None:
        for follow in transaction.after:
            follow()
        if transaction.wake:
            self._call_wake()

    def _transaction(self, batch: list[_Request[Any, Any]]) -> tuple[Transaction, list[Any]]:
        connection = self._connection
        transaction = Transaction(connection)
        answers: list[Any] = []
        try:
            self._wait_for_disk(self._full and not all(request.soft for request in batch))
            connection.execute("BEGIN IMMEDIATE")
            for handler, requests in groupby(batch, key=attrgetter("handler")):
                answers.extend(handler(transaction, [request.argument for request in requests]))
            if len(answers) != len(batch):
                raise RuntimeError(f"writer: expected {len(batch)} answers, got {len(answers)}")
            transaction.finish()
            self._look()
            began = time.perf_counter()
            connection.execute("COMMIT")
            took = time.perf_counter() - began
            self._commit.observe(took)
            if self._waits or not self._full:
                self._took = took
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return transaction, answers

    def _wait_for_disk(self, wait: bool) -> None:
        if wait != self._waits:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if wait else 'NORMAL'}")
            self._waits = wait

    def _call_wake(self) -> None:
        try:
            self._wake()
        except Exception:
            _log.exception("%s: the wake-up call failed", self._path)

    def _look(self) -> None:
        """Raise if the database files are no longer in place."""
        try:
            self._check_files()
        except StoreError as error:
            if self._lost is None:
                self._lost = error
                _log.critical("%s", error)
            raise

    def _run_tick(self) -> None:
        try:
            if self._lost is None:
                self._look()
                self._tick(self._connection)
        except StoreError:  # said already
            self._call_wake()
        except Exception:
            _log.exception("%s: what is done every %s s failed", self._path, self._pause)


def _nothing() -> None:
    """Nothing is looked at before the files are open."""


def _may_wait(requests: list[_Request[Any, Any]]) -> bool:
    """Whether all requests that wait for the disk are patient, and there is a patient one."""
    patient = [request.patient for request in requests if request.patient or not request.soft]
    return bool(patient) and all(patient)


def _is_locked(error: BaseException) -> bool:
    # Trying each request alone would wait for the lock once more for each of them.
    return isinstance(error, sqlite3.OperationalError) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (5, 6)
