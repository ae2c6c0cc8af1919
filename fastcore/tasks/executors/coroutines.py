"""AsyncExecutor: coroutine functions on the engine's event loop, by a fixed number of workers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from fastcore.concurrency.checks import count
from fastcore.tasks.current import running
from fastcore.tasks.errors import TaskTimeout
from fastcore.tasks.job import Job
from fastcore.tasks.ports import Cap, Sink, Stop

__all__ = ["AsyncExecutor"]

_TURN = 64  # jobs that end without ever waiting, before a worker lets the loop see to others
_PATIENCE = 1.0  # seconds for which a job that was cancelled may clean up, at the end

_log = logging.getLogger("fastcore.tasks")


class AsyncExecutor:
    """Workers that take jobs in turn: no asyncio.Task is made for a job.

    Parameters
    ----------
    size : int, default 64
        Jobs at once. Workers are made as they are needed, and stay.

    Notes
    -----
    A worker that takes a job wakes another if there is more to do, and that one the next: jobs that never wait are
    done by one worker without a switch, jobs that wait spread over as many as there are.

    What a job leaves in context variables is seen by later jobs of the same worker.
    """

    name = "async"
    capabilities = Cap.TIMEOUT | Cap.CANCEL_RUNNING | Cap.PROGRESS | Cap.ASYNC

    def __init__(self, size: int = 64) -> None:
        self.size = count("size", size)
        self._todo: deque[Job] = deque()
        self._jobs: dict[Job, asyncio.Task[None]] = {}  # those that a worker has begun
        self._busy = 0  # jobs handed over and not ended
        self._idle: list[asyncio.Future[None]] = []
        self._waking = False
        self._workers: set[asyncio.Task[None]] = set()
        self._reasons: dict[Job, str] = {}  # why a job is being stopped
        self._quiet: asyncio.Event | None = None
        self._stopped = True

    async def start(self, sink: Sink) -> None:
        self._loop = asyncio.get_running_loop()
        self._sink = sink
        self._stopped = False

    def free(self) -> int:
        return 0 if self._stopped else self.size - self._busy

    def run(self, jobs: Sequence[Job]) -> None:
        self._busy += len(jobs)
        self._todo.extend(jobs)
        if not self._waking:
            self._rouse()

    def cancel(self, job: Job) -> Stop:
        worker = self._jobs.get(job)
        if worker is not None:
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
        while self._todo:
            job = self._todo.popleft()
            self._end()
            self._sink.returned(job)
        for job in list(self._jobs):
            self._interrupt(job, "stop")
        await self._until_quiet(_PATIENCE)
        for job in list(self._jobs):
            _log.error("%s went on after it was cancelled; it is left behind", job)
            del self._jobs[job]
            self._end()
            self._sink.returned(job)
        for worker in self._workers:
            worker.cancel()
        self._workers.clear()

    # ---- workers ----

    def _rouse(self) -> None:
        """Have one more worker look for work, if there is one to be had."""
        while self._idle:
            idle = self._idle.pop()
            if not idle.done():
                self._waking = True
                idle.set_result(None)
                return
        if len(self._workers) < self.size:
            self._waking = True
            worker = self._loop.create_task(self._work(), name=f"fastcore-task-{len(self._workers)}")
            self._workers.add(worker)
            worker.add_done_callback(self._bury)

    def _bury(self, worker: asyncio.Task[None]) -> None:
        """A worker ended, which it does only where something cancelled it; another takes its place."""
        if worker in self._workers:
            self._workers.discard(worker)
            self._waking = False
            if not worker.cancelled() and (error := worker.exception()) is not None:
                _log.error("a worker ended", exc_info=error)
            if self._todo and not self._stopped:
                self._rouse()

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me is not None
        loop, todo, jobs, sink = self._loop, self._todo, self._jobs, self._sink
        while True:
            self._waking = False
            streak = 0
            while todo:
                job = todo.popleft()
                if todo and not self._waking:
                    self._rouse()
                jobs[job] = me
                running.set(job)
                timer: asyncio.TimerHandle | None = None
                try:
                    payload = job.payload
                    args, kwargs = payload if type(payload) is tuple else job.arguments()
                    if job.claim.spec.timeout is not None:
                        timer = loop.call_later(job.claim.spec.timeout, self._interrupt, job, "timeout")
                    result = await job.task.fn(*args, **kwargs)
                except BaseException as error:
                    if timer is not None:
                        timer.cancel()
                    self._ended_badly(job, me, error)
                else:
                    if timer is not None:
                        timer.cancel()
                    if job in self._reasons:  # it was told to stop, and ended well nevertheless
                        self._reasons.pop(job)
                        _absolve(me)
                    if jobs.pop(job, None) is not None:
                        self._end()
                        sink.done(job, result)
                streak += 1
                if streak >= _TURN:
                    streak = 0
                    await asyncio.sleep(0)
            running.set(None)
            job = result = payload = args = kwargs = None  # type: ignore[assignment]  # let go of the last job
            idle = loop.create_future()
            self._idle.append(idle)
            await idle

    def _ended_badly(self, job: Job, me: asyncio.Task[None], error: BaseException) -> None:
        reason = self._reasons.pop(job, None)
        if reason is not None:
            _absolve(me)
        if self._jobs.pop(job, None) is None:  # it was left behind
            return
        self._end()
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)) or (reason is None and me.cancelling()):
            self._sink.returned(job)
            raise error
        if reason == "stop":
            self._sink.returned(job)
        elif reason == "cancel":
            self._sink.cancelled(job)
        elif reason == "timeout" and isinstance(error, asyncio.CancelledError):
            self._sink.failed(job, TaskTimeout(f"{job.kind}: expected to end within {job.timeout} s, got cut off"))
        else:
            self._sink.failed(job, error)

    def _interrupt(self, job: Job, reason: str) -> None:
        worker = self._jobs.get(job)
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
            try:
                await asyncio.wait_for(self._quiet.wait(), timeout)
            except TimeoutError:
                pass


def _absolve(worker: asyncio.Task[None]) -> None:
    """Take back the requests to cancel that were meant for the job, so that the next job knows nothing of them."""
    while worker.cancelling():
        worker.uncancel()
