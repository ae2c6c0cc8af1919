"""ThreadExecutor: plain functions on threads of the queue's own."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from fastcore.concurrency.checks import count
from fastcore.tasks.current import running
from fastcore.tasks.engine.job import Job
from fastcore.tasks.errors import TaskCancelled
from fastcore.tasks.middleware import call_through
from fastcore.tasks.ports import Cap, Sink, Stop

__all__ = ["ThreadExecutor"]

_LOOK = 0.01  # seconds between looks at whether the last job has ended, at the end
_PATIENCE = 0.25  # seconds for a job that was told to stop to notice, at the end

_log = logging.getLogger("fastcore.tasks")


class ThreadExecutor:
    """Runs tasks on a fixed number of threads.

    Parameters
    ----------
    size : int, default 8
        Jobs at once. Threads are started as they are needed, and stay.

    Notes
    -----
    Nothing can stop a thread from outside: a job that was cancelled goes on until it calls `progress` or `checkpoint`,
    and an option that needs more than that, `timeout`, is refused. Every job runs in its own empty context.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue
    >>> from fastcore.tasks.executors import ThreadExecutor
    >>> queue = TaskQueue(executors={"thread": ThreadExecutor(16)})
    """

    name = "thread"
    capabilities = Cap.PROGRESS | Cap.SYNC

    def __init__(self, size: int = 8) -> None:
        self.size = count("size", size)
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._jobs: dict[Job, bool] = {}  # jobs not ended -> whether they were told to stop because the queue stops
        self._threads: list[threading.Thread] = []
        self._stopped = True

    async def start(self, sink: Sink) -> None:
        self._sink = sink
        self._queue = SimpleQueue()  # not that of a job which an earlier run left in its thread
        self._stopped = False

    def free(self) -> int:
        return 0 if self._stopped else self.size - len(self._jobs)

    def run(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._jobs[job] = False
            self._queue.put(job)
        while len(self._threads) < min(self.size, len(self._jobs)):
            name = f"fastcore-task-{len(self._threads)}"
            # A daemon, as a job that never ends must not keep the program from ending.
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def cancel(self, job: Job) -> Stop:
        if job not in self._jobs:
            return Stop.UNKNOWN
        job.stop_requested = True
        return Stop.STOPPING

    async def stop(self, timeout: float) -> None:
        self._stopped = True
        await self._until_quiet(timeout)
        while True:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is not None and self._jobs.pop(job, None) is not None:
                self._sink.returned(job)
        for job in list(self._jobs):
            if job in self._jobs:
                self._jobs[job] = job.stop_requested = True
        await self._until_quiet(_PATIENCE)
        for job in list(self._jobs):
            if self._jobs.pop(job, None) is not None:
                _log.warning("%s still runs in its thread, which cannot be stopped; it is left running", job)
                self._sink.returned(job)
        for _ in self._threads:
            self._queue.put(None)
        self._threads.clear()

    async def _until_quiet(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._jobs and loop.time() < deadline:
            await asyncio.sleep(_LOOK)

    # ---- in the threads ----

    def _work(self) -> None:
        queue = self._queue
        while (job := queue.get()) is not None:
            contextvars.Context().run(self._run, job)
            del job

    def _run(self, job: Job) -> None:
        running.set(job)
        try:
            if job.stop_requested:
                raise TaskCancelled
            args, kwargs = job.arguments()
            result = call_through(job.task.around, job.task.fn, job, args, kwargs)
        except BaseException as error:  # SystemExit as well: it ends the job, not the thread
            stopping = self._jobs.pop(job, None)
            if stopping is None:  # it was left behind
                return
            if not (job.stop_requested and issubclass(type(error), TaskCancelled)):
                self._sink.failed(job, error)
            elif stopping:
                self._sink.returned(job)
            else:
                self._sink.cancelled(job)
        else:
            if self._jobs.pop(job, None) is not None:
                self._sink.done(job, result)
