"""Pools: the executors of a queue, and the tasks that run on each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastcore.tasks.engine.job import Job
from fastcore.tasks.ports import Executor, Sink, Want
from fastcore.tasks.task import Task

__all__ = ["Pool", "Pools"]

_ANY = 1 << 30


class Pool:
    """The free capacity of an executor, by kind of task."""

    __slots__ = ("_bound", "_kinds", "executor", "lot")

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.lot: list[Job] = []
        """Jobs about to be handed over."""
        self._kinds: dict[str, int] = {}
        self._bound: list[Task[..., Any]] = []  # those with a limit of their own

    def enrol(self, task: Task[..., Any]) -> None:
        """Take in a task."""
        self._kinds[task.name] = _ANY
        self._bound = [known for known in self._bound if known.name != task.name]
        if task.concurrency is not None or task.turns is not None:
            self._bound.append(task)

    def want(self, running: Iterable[Job], clock: Callable[[], float]) -> tuple[Want | None, float | None]:
        """Return the free capacity, and the seconds until a rate allows more if only the rate is in the way."""
        room = self.executor.free()
        if room <= 0 or not self._kinds:
            return None, None
        if not self._bound:
            return Want(room, self._kinds), None
        wait: float | None = None
        kinds = dict(self._kinds)
        now = clock()
        begun = Counter([job.kind for job in running])
        for task in self._bound:
            left = _ANY if task.concurrency is None else task.concurrency - begun[task.name]
            if task.turns is not None and left > 0:
                rate = task.turns.room(now) or 0
                if not rate:
                    until = task.turns.until_room(now)
                    wait = until if wait is None else min(wait, until)
                left = min(left, rate)
            if left > 0:
                kinds[task.name] = left
            else:
                del kinds[task.name]
        return (Want(room, kinds) if kinds else None), wait


class Pools:
    """The executors that were started, by name.

    Parameters
    ----------
    tasks : mapping of name to Task
        Those of the queue; it may grow at any time.
    executors : mapping of name to Executor
        The same.
    """

    def __init__(self, tasks: Mapping[str, Task[..., Any]], executors: Mapping[str, Executor]) -> None:
        self._tasks = tasks
        self._executors = executors
        self._pools: dict[str, Pool] = {}
        self._known = 0  # tasks in the pools
        self._hurried = asyncio.Event()

    def __getitem__(self, name: str) -> Pool:
        return self._pools[name]

    async def start(self, sink: Sink) -> None:
        """Start the executors that were added since."""
        for name, executor in list(self._executors.items()):
            if name not in self._pools:
                await executor.start(sink)
                self._pools[name] = Pool(executor)
        self.enrol()

    def enrol(self) -> None:
        """Let the next `wants` include tasks that were registered since; from any thread."""
        self._known = 0

    def wants(self, running: Iterable[Job]) -> tuple[list[Want], float | None]:
        """Return the free capacity, and the seconds until a rate allows more."""
        if self._known != len(self._tasks):
            self._take_in()
        wants: list[Want] = []
        soonest: float | None = None
        for pool in self._pools.values():
            want, wait = pool.want(running, time.monotonic)
            if want is not None:
                wants.append(want)
            if wait is not None:
                soonest = wait if soonest is None else min(soonest, wait)
        return wants, soonest

    def _take_in(self) -> None:
        self._known = -1
        known = list(self._tasks.values())
        for task in known:
            if task.on in self._pools:
                self._pools[task.on].enrol(task)
        self._known = len(known)

    async def stop(self, timeout: float) -> None:
        """Give running jobs so many seconds to end, unless hurried, and stop all executors."""
        executors = [pool.executor for pool in self._pools.values()]
        stopping: asyncio.Future[Any] = asyncio.gather(*(executor.stop(timeout) for executor in executors))
        stopping.add_done_callback(_retrieved)
        hurried: asyncio.Future[Any] = asyncio.ensure_future(self._hurried.wait())
        try:
            await asyncio.wait({stopping, hurried}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                await stopping
                return
            stopping.cancel()
            await asyncio.gather(*(executor.stop(0.0) for executor in executors))
        finally:
            stopping.cancel()
            hurried.cancel()

    def hurry(self) -> None:
        """End the wait of `stop` for running jobs; on its loop."""
        self._hurried.set()

    def clear(self) -> None:
        """Remove executors that were stopped."""
        self._pools.clear()
        self._hurried = asyncio.Event()  # the next run may have another event loop


def _retrieved(future: asyncio.Future[Any]) -> None:
    """Keep asyncio from logging how a future ended that was cancelled."""
    if not future.cancelled():
        future.exception()
