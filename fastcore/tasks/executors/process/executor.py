"""ProcessExecutor: plain functions on the queue's own processes, each of which may die without affecting the others."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import os
import threading
import time
import weakref
from collections.abc import Sequence
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import Any

from fastcore.concurrency.checks import count, number
from fastcore.concurrency.cpu import cpus
from fastcore.tasks.engine.job import Job
from fastcore.tasks.executors.process.child_main import head_of
from fastcore.tasks.executors.process.child_process import TaskProcess
from fastcore.tasks.executors.process.worker import Doom, Removal, Scheduler, Worker
from fastcore.tasks.ports import Cap, Sink, Stop

__all__ = ["ProcessExecutor"]

_LOOK = 0.01  # seconds between looks at whether the last job has ended, at the end
_MOST_AHEAD = 32  # jobs taken in advance for a child, however short they are
_SECONDS_TO_END = 5.0


class ProcessExecutor(Scheduler):
    """Slots, each one child process and the thread that waits on it.

    Parameters
    ----------
    size : int, optional
        Slots; by default one for each CPU. Children are spawned when they are first needed.
    max_tasks_per_child : int, optional
        Replace a child after that many tasks, for code that leaks.
    memory_limit : int, optional
        Bytes of RAM a child may hold while it runs a task, unless the task has a limit of its own. They are looked at
        ten times a second, so a fast allocation can go further for a moment: the limit protects the machine from
        growth, the kernel's own limits from the rest.
    lookahead : float, default 0.02
        Seconds of work that may be taken from the store before children are free, while tasks are much shorter than
        that: a child then has its next task at once. A task that comes meanwhile, however urgent, begins that much
        later at most. 0 takes nothing in advance.

    Notes
    -----
    A child's death costs the task it runs, which counts as an attempt; another child takes its place. A task that
    is cancelled, or over its time or memory, is ended by killing its child; processes that it started itself are its
    own to end. Children are spawned, so they import the program's main module (whose work belongs under
    ``if __name__ == "__main__":``), and get the environment as it is then: what the libraries of a task read when they
    are imported, such as ``OMP_NUM_THREADS``, must be set before.
    """

    name = "process"
    capabilities = Cap.TIMEOUT | Cap.CANCEL_RUNNING | Cap.PROGRESS | Cap.MEMORY_LIMIT | Cap.SYNC | Cap.BY_NAME

    def __init__(
        self,
        size: int | None = None,
        *,
        max_tasks_per_child: int | None = None,
        memory_limit: int | None = None,
        lookahead: float = 0.02,
    ) -> None:
        self.size = cpus() if size is None else count("size", size)
        self.max_tasks_per_child = None
        self.memory_limit = None
        if max_tasks_per_child is not None:
            self.max_tasks_per_child = count("max_tasks_per_child", max_tasks_per_child)
        if memory_limit is not None:
            self.memory_limit = count("memory_limit", memory_limit)
        self.lookahead = number("lookahead", lookahead, zero=True)
        self._mean = math.inf  # seconds a task takes, the latest counting most
        self._heads: dict[Any, tuple[Any, bytes]] = {}  # by task, for the middleware it had
        self._stopped = True
        self._workers: list[Worker] = []
        self._jobs: dict[Job, float] = {}  # jobs not ended -> when they came
        self._closing = False

    async def start(self, sink: Sink) -> None:
        self._sink = sink
        self._lock = threading.Lock()  # held while a job goes from the backlog to a worker
        self._backlog: list[tuple[float, int, Job]] = []  # by rank; also jobs that are no longer in _jobs
        self._order = itertools.count()
        self._turns: SimpleQueue[bool] = SimpleQueue()  # one True for each job in the backlog; False ends a worker
        self._idle = 0  # workers that wait for a turn
        self._looking = threading.Event()
        self._next_look = math.inf
        self._stopped = self._closing = False

    def free(self) -> int:
        if self._stopped:
            return 0
        ahead = self._ahead()
        room = self.size + ahead - len(self._jobs)
        return room if room > ahead // 4 else 0  # taken some at a time, as each journey to the store has its price

    def _ahead(self) -> int:
        return 0 if self._mean >= self.lookahead else self.size * min(_MOST_AHEAD, int(self.lookahead / self._mean))

    def run(self, jobs: Sequence[Job]) -> None:
        now = time.monotonic()
        with self._lock:  # a worker that wakes sees all of them, and knows how many to have at hand
            for job in jobs:
                self._jobs[job] = now
                heapq.heappush(self._backlog, (job.claim.spec.rank, next(self._order), job))
            for _ in jobs:
                self._turns.put(True)
        while len(self._workers) < min(self.size, len(self._jobs)):
            self._open_worker()
        if len(self._jobs) > self.size:
            self.look_at(now + self._patience)

    def cancel(self, job: Job) -> Stop:
        with self._lock:
            worker: Worker | None = job.slot
            if worker is None and self._jobs.pop(job, None) is None:
                return Stop.UNKNOWN
        if worker is not None:
            removal = worker.kill(job, Doom.CANCEL)
            if removal is Removal.ABSENT or (removal is Removal.NEVER_BEGAN and self._jobs.pop(job, None) is None):
                return Stop.UNKNOWN
            if removal is Removal.KILLED:
                job.stop_requested = True
                return Stop.STOPPING
        job.stop_requested = True
        self._sink.cancelled(job)
        return Stop.STOPPING

    async def stop(self, timeout: float) -> None:
        self._stopped = True
        if self._closing or not self._workers:
            return
        self._give_back()
        await self._until_quiet(timeout)
        for worker in self._workers:
            self._return(worker.stop())
        await self._until_quiet(_SECONDS_TO_END)
        await asyncio.to_thread(self._close)

    async def _until_quiet(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._jobs and loop.time() < deadline:
            await asyncio.sleep(_LOOK)

    def _close(self) -> None:
        self._closing = True
        workers, self._workers = self._workers, []
        for _ in workers:
            self._turns.put(False)
        self._looking.set()
        for worker in workers:
            worker.thread.join(_SECONDS_TO_END)

    # ---- workers ----

    def _open_worker(self) -> None:
        if not self._workers:
            _watch_over(self)
            threading.Thread(target=self._look, name="fastcore-task-watch", daemon=True).start()
        worker = Worker(self._sink, self)
        self._workers.append(worker)
        worker.thread.start()

    # ---- what workers ask for, in their threads ----

    def take(self, worker: Worker, wait: bool) -> Job | None:
        while self._turn(wait):
            with self._lock:
                if not self._backlog:  # given back
                    continue
                job = heapq.heappop(self._backlog)[2]
                if job in self._jobs:
                    job.slot = worker
                    worker.assign(job)
                    return job
        return None

    def _turn(self, wait: bool) -> bool:
        try:
            turn = self._turns.get_nowait()
        except Empty:
            if not wait:
                return False
        else:
            if not turn and not wait:
                self._turns.put(False)  # for a worker that waits
            return turn
        with self._lock:
            self._idle += 1
        try:
            return self._turns.get()
        finally:
            with self._lock:
                self._idle -= 1

    def depth(self) -> int:
        if not TaskProcess.deep or self._mean >= self.lookahead or self._idle or len(self._workers) < self.size:
            return 1
        # Half of what may be taken in advance; the other half waits for the first free child.
        fair = -(-len(self._jobs) // self.size)
        return max(1, min(_MOST_AHEAD // 2, int(self.lookahead / self._mean / 2), fair))

    def seconds(self) -> float:
        return self._mean

    def head(self, job: Job) -> bytes:
        task = job.task
        found = self._heads.get(task)
        if found is None or found[0] is not task.around:
            found = self._heads[task] = task.around, head_of(task, job.kind, task.codec, task.around)
        return found[1]

    def ended(self, job: Job, ran: float | None) -> bool:
        if ran is not None:
            self._mean = ran if self._mean == math.inf else self._mean + 0.2 * (ran - self._mean)
        return self._jobs.pop(job, None) is not None

    # ---- bounds ----

    @property
    def _patience(self) -> float:
        """Seconds after which a job taken in advance goes back: the tasks before it are not short after all."""
        return max(0.05, 3 * self.lookahead)

    def _give_back(self) -> None:
        with self._lock:
            backlog = [job for *_, job in sorted(self._backlog, key=itemgetter(0, 1))]
            self._backlog.clear()
        waiting = [job for worker in self._workers for job in worker.recall()]  # before those: they were taken first
        waiting += backlog
        self._return(waiting)

    def _return(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if self._jobs.pop(job, None) is not None:
                self._sink.returned(job)

    def look_at(self, when: float) -> None:
        if when < self._next_look:
            self._next_look = when
            self._looking.set()

    def _look(self) -> None:
        """In a thread: hold jobs to their bounds."""
        while not self._closing:
            self._looking.clear()
            now = time.monotonic()
            self._next_look = math.inf
            times = [again for worker in self._workers if (again := worker.inspect(now)) is not None]
            with self._lock:
                waiting = [job for *_, job in self._backlog]
            for worker in self._workers:
                waiting += worker.waiting()
            came = [when for job in waiting if (when := self._jobs.get(job)) is not None]
            if came and len(self._workers) == self.size:
                if now - min(came) >= self._patience:
                    self._mean = max(self._mean, self.lookahead)
                    self._give_back()
                    self._sink.freed()
                else:
                    times.append(min(came) + self._patience)
            for again in times:
                self._next_look = min(self._next_look, again)
            wait = self._next_look - time.monotonic()
            self._looking.wait(None if wait == math.inf else max(0.0, wait))


# ---- the end of the program, and forks ----

_open: weakref.WeakSet[ProcessExecutor] = weakref.WeakSet()
_registered = False


def _watch_over(executor: ProcessExecutor) -> None:
    global _registered
    _open.add(executor)
    if not _registered:
        from multiprocessing import util

        _registered = True
        # Runs at exit before multiprocessing joins its children, and never after a fork.
        util.Finalize(None, _leave, exitpriority=100)


def _leave() -> None:
    for executor in list(_open):
        executor._stopped = True
        executor._jobs.clear()  # no listener is left
        for worker in executor._workers:
            worker.leave()


def _after_fork() -> None:
    for executor in list(_open):
        executor._stopped = True
        workers, executor._workers = executor._workers, []
        for worker in workers:
            worker.child.forget()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
