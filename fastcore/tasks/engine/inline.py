"""Inline: tasks run where they are submitted, before `submit` returns. For tests."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import Any

from fastcore.concurrency.cancellation import ends_program
from fastcore.tasks.current import running
from fastcore.tasks.engine.engine import Engine
from fastcore.tasks.engine.job import Job
from fastcore.tasks.errors import TaskTimeout
from fastcore.tasks.middleware import call_through
from fastcore.tasks.ports import Want
from fastcore.tasks.records import Claim
from fastcore.tasks.task import Task

__all__ = ["Inline"]

_END_OF_TIME = 4e10  # delays and waits before a retry are over at once


class Inline:
    """Runs the tasks of the store, in order, until none is left."""

    def __init__(self, engine: Engine, tasks: Mapping[str, Task[..., Any]]) -> None:
        self._engine = engine
        self._tasks = tasks
        self._lock = threading.RLock()
        self._depth = 0

    def run(self) -> None:
        """Run all waiting tasks, including those that they submit."""
        with self._lock:
            if self._depth:
                return
            self._depth += 1
            try:
                while claims := self._claim():
                    for claim in claims:
                        self._run(claim)
                        self._engine.flush()
            finally:
                self._depth -= 1

    def _claim(self) -> list[Claim]:
        want = Want(1, dict.fromkeys(self._tasks, 1))
        return self._engine.store.claim(self._engine.owner, [want], _END_OF_TIME, _END_OF_TIME).result().claims

    def _run(self, claim: Claim) -> None:
        job = self._engine.take(claim)
        if job is None:
            return
        try:
            result = contextvars.copy_context().run(self._call, job)
        except BaseException as error:
            if ends_program(error):
                self._engine.returned(job)
                raise
            self._engine.failed(job, error)
        else:
            self._engine.done(job, result)

    def _call(self, job: Job) -> Any:
        running.set(job)
        args, kwargs = job.arguments()
        if not job.task.is_async:
            return call_through(job.task.around, job.task.fn, job, args, kwargs)
        return _on_a_loop(lambda: _awaited(job, args, kwargs))


async def _awaited(job: Job, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        async with asyncio.timeout(job.timeout) as limit:
            return await call_through(job.task.around, job.task.fn, job, args, kwargs)
    except TimeoutError:
        if not limit.expired():
            raise
        raise TaskTimeout(f"{job.kind}: expected to end within {job.timeout} s, got cut off") from None


def _on_a_loop(make: Callable[[], Any]) -> Any:
    """Run a coroutine to its end: here, or where a loop runs already on a thread with one of its own."""
    if asyncio._get_running_loop() is None:
        return asyncio.run(make())
    ended: list[Any] = []
    context = contextvars.copy_context()

    def run() -> None:
        try:
            ended[:] = [True, asyncio.run(make())]
        except BaseException as error:
            ended[:] = [False, error]

    thread = threading.Thread(target=context.run, args=(run,), name="fastcore-inline")
    thread.start()
    thread.join()
    succeeded, value = ended
    if succeeded:
        return value
    raise value
