"""AsyncExecutor: coroutine functions on the engine's event loop, by a fixed number of workers."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from typing import Any

from fastcore.concurrency.cancellation import ends_program
from fastcore.concurrency.checks import count, number
from fastcore.concurrency.context import begin, in_context
from fastcore.concurrency.waiting import happened
from fastcore.tasks.current import running
from fastcore.tasks.engine.job import Job
from fastcore.tasks.errors import TaskTimeout
from fastcore.tasks.middleware import call_through
from fastcore.tasks.ports import Cap, Sink, Stop

__all__ = ["AsyncExecutor"]

_STREAK = 64  # jobs that end without ever waiting, before a worker lets the loop see to others
_MOST_AHEAD = 128  # jobs taken in advance, however short they are: more would have the garbage collector look at them
_SHORT = 1e-4  # seconds: jobs above this are not taken in advance
_SHORTEST = 1e-7  # seconds: what is shorter was not measured well
_STALE = 0.05  # seconds for which a job taken in advance may wait
_PATIENCE = 1.0  # seconds for which a job that was cancelled may clean up, at the end

_log = logging.getLogger("fastcore.tasks")
_Worker = asyncio.Task[None]


class AsyncExecutor:
    """Workers that take jobs in turn: no asyncio.Task is made for a job.

    Parameters
    ----------
    size : int, default 64
        Jobs at once. Workers are made as they are needed, and stay.
    lookahead : float, default 0.001
        Seconds of work that may be taken from the store before a worker is free, while jobs are so short that they end
        at once: asking the store for each of them would take longer than they do. A job that comes meanwhile, however
        urgent, begins that much later at most; where jobs turn out to be long after all, those taken in advance go back
        to the store within 50 ms. 0 takes nothing in advance.

    Notes
    -----
    A worker that takes a job wakes another if there are more, and that one the next: jobs that never wait are
    run by one worker without a switch, jobs that wait are spread over all workers.

    Every job runs in its own empty context: no other job sees its context variables. A worker that
    was asked to end, by the queue or by the job itself, is replaced after that job.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue
    >>> from fastcore.tasks.executors import AsyncExecutor
    >>> queue = TaskQueue(executors={"async": AsyncExecutor(200)})
    """

    name = "async"
    capabilities = Cap.TIMEOUT | Cap.CANCEL_RUNNING | Cap.PROGRESS | Cap.ASYNC

    def __init__(self, size: int = 64, *, lookahead: float = 0.001) -> None:
        self.size = count("size", size)
        self.lookahead = number("lookahead", lookahead, zero=True)
        self._mean = math.inf  # seconds a job takes, the latest counting most
        self._todo: deque[Job] = deque()
        self._doing: dict[_Worker, Job | None] = {}
        self._busy = 0  # jobs handed over and not ended
        self._idle: list[asyncio.Future[None]] = []
        self._waking = False
        self._reasons: dict[Job, str] = {}  # why a job is being stopped
        self._looking: asyncio.TimerHandle | None = None
        self._quiet: asyncio.Event | None = None
        self._stopped = True

    async def start(self, sink: Sink) -> None:
        self._loop = asyncio.get_running_loop()
        self._sink = sink
        self._idle.clear()  # what an earlier run left belongs to its event loop
        self._looking = None
        self._stopped = self._waking = False

    def free(self) -> int:
        if self._stopped:
            return 0
        ahead = 0 if self._mean > _SHORT else min(_MOST_AHEAD, int(self.lookahead / max(self._mean, _SHORTEST)))
        return max(0, self.size + ahead - self._busy)

    def run(self, jobs: Sequence[Job]) -> None:
        self._busy += len(jobs)
        if self._busy > self.size:
            now = time.monotonic()
            for job in jobs:
                job.slot = now
            if self._looking is None:
                self._looking = self._loop.call_later(_STALE, self._give_back_stale)
        self._todo.extend(jobs)
        if not self._waking:
            self._rouse()

    def cancel(self, job: Job) -> Stop:
        if self._worker_of(job) is not None:
            self._interrupt(job, "cancel")
        elif job in self._todo:
            job.stop_requested = True
            self._todo.remove(job)
            self._end()
            self._sink.cancelled(job)
        else:
            return Stop.UNKNOWN
        return Stop.STOPPING

    async def stop(self, timeout: float) -> None:
        self._stopped = True
        await self._until_quiet(timeout)
        if self._looking is not None:
            self._looking.cancel()
        self._give_back()
        for job in self._running():
            self._interrupt(job, "stop")
        await self._until_quiet(_PATIENCE)
        for job in self._running():
            _log.error("%s continued after it was cancelled; it is left running", job)
            self._doing[job.slot] = None
            self._end()
            self._sink.returned(job)
        workers = list(self._doing)
        self._doing.clear()
        for worker in workers:
            worker.cancel()

    # ---- workers ----

    def _running(self) -> list[Job]:
        return [job for job in self._doing.values() if job is not None]

    def _worker_of(self, job: Job) -> _Worker | None:
        worker = job.slot
        return worker if isinstance(worker, asyncio.Task) and self._doing.get(worker) is job else None

    def _rouse(self) -> None:
        """Wake one more idle worker, if there is one."""
        while self._idle:
            idle = self._idle.pop()
            if not idle.done():
                self._waking = True
                idle.set_result(None)
                return
        if len(self._doing) < self.size:
            self._waking = True
            worker = self._loop.create_task(self._work(), name=f"fastcore-task-{len(self._doing)}")
            self._doing.setdefault(worker, None)
            worker.add_done_callback(self._bury)

    def _bury(self, worker: _Worker) -> None:
        """A worker ended, which it does only where something asked it to; another takes its place."""
        if worker in self._doing:
            del self._doing[worker]
            self._waking = False
            if not worker.cancelled() and (error := worker.exception()) is not None:
                _log.error("a worker ended", exc_info=error)
            if self._todo and not self._stopped:
                self._rouse()

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me is not None
        loop, todo, doing, reasons, sink = self._loop, self._todo, self._doing, self._reasons, self._sink
        clock = time.perf_counter  # a loop's own may be coarse: uvloop's counts milliseconds
        doing[me] = None
        while True:
            self._waking = False
            streak = 0
            began = clock()
            while todo:
                job = todo.popleft()
                if todo and not self._waking:
                    self._rouse()
                job.slot = me
                doing[me] = job
                timer: asyncio.TimerHandle | None = None
                try:
                    payload = job.payload
                    args, kwargs = payload if type(payload) is tuple else job.arguments()
                    if job.claim.spec.timeout is not None:
                        timer = loop.call_later(job.claim.spec.timeout, self._interrupt, job, "timeout")
                    context = Context().run
                    try:
                        begun = context(begin, _started, job, args, kwargs)
                    except StopIteration as stop:  # it never waited
                        result = stop.value
                    else:
                        result = await in_context(context, *begun)
                except BaseException as error:
                    if timer is not None:
                        timer.cancel()
                    self._ended_badly(job, me, error)
                    if issubclass(type(error), GeneratorExit):  # perhaps it is this worker that is closed
                        return
                else:
                    if timer is not None:
                        timer.cancel()
                    if reasons:
                        reasons.pop(job, None)  # asked to stop, it succeeded nevertheless
                    if doing.get(me) is job:
                        doing[me] = None
                        self._busy -= 1
                        if self._quiet is not None and not self._busy:
                            self._quiet.set()
                        sink.done(job, result)
                if me.cancelling():  # what is left of a request to end is not the next job's
                    return
                streak += 1
                if streak >= _STREAK:
                    self._learn((clock() - began) / streak)
                    await asyncio.sleep(0)
                    streak = 0
                    began = clock()
            if streak:
                self._learn((clock() - began) / streak)
            job = result = payload = args = kwargs = context = begun = None  # type: ignore[assignment]  # let go of the last job
            idle = loop.create_future()
            self._idle.append(idle)
            await idle

    def _ended_badly(self, job: Job, me: _Worker, error: BaseException) -> None:
        reason = self._reasons.pop(job, None)
        if self._doing.get(me) is not job:  # it was left behind
            return
        self._doing[me] = None
        self._end()
        if ends_program(error):
            self._sink.returned(job)
            raise error
        if reason == "stop":
            self._sink.returned(job)
        elif reason == "cancel":
            self._sink.cancelled(job)
        elif reason == "timeout" and issubclass(type(error), asyncio.CancelledError):
            self._sink.failed(job, TaskTimeout(f"{job.kind}: expected to end within {job.timeout} s, got cut off"))
        else:
            self._sink.failed(job, error)

    def _interrupt(self, job: Job, reason: str) -> None:
        worker = self._worker_of(job)
        if worker is not None and job not in self._reasons:
            job.stop_requested = reason != "timeout"
            self._reasons[job] = reason
            worker.cancel()

    def _end(self) -> None:
        self._busy -= 1
        if self._quiet is not None and not self._busy:
            self._quiet.set()

    async def _until_quiet(self, timeout: float) -> None:
        if self._busy and timeout > 0:
            self._quiet = asyncio.Event()
            await happened(self._quiet, timeout)

    # ---- jobs taken in advance ----

    def _learn(self, seconds: float) -> None:
        self._mean = seconds if self._mean == math.inf else (self._mean + seconds) / 2

    def _give_back_stale(self) -> None:
        """Return jobs to the store that have waited too long for a worker here."""
        self._looking = None
        if not self._todo:
            return
        oldest = self._todo[0].slot
        if oldest is not None and time.monotonic() - oldest >= _STALE:
            self._mean = math.inf
            self._give_back()
        else:
            self._looking = self._loop.call_later(_STALE, self._give_back_stale)

    def _give_back(self) -> None:
        while self._todo:
            job = self._todo.popleft()
            self._end()
            self._sink.returned(job)


def _started(job: Job, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    running.set(job)
    task = job.task
    return call_through(task.around, task.fn, job, args, kwargs) if task.around else task.fn(*args, **kwargs)
