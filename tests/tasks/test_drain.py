"""Draining: no more tasks begin, those that run end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastcore.tasks import State, TaskQueue
from tests.tasks.queue_cases import LONG, run, until


def test_what_is_submitted_to_a_draining_queue_stays_queued(make: Callable[..., TaskQueue]) -> None:
    queue = make()

    @queue.task
    async def work(seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def scenario() -> None:
        async with queue:
            running = queue.submit(work, 0.1)
            await until(lambda: running in queue.engine.running)
            drained = asyncio.create_task(queue.drain(LONG))
            await asyncio.sleep(0)
            assert not queue.running
            waiting = queue.submit(work, 0)
            assert await drained is True
            assert queue.status(running).state is State.SUCCEEDED
            assert queue.status(waiting).state is State.QUEUED

    run(scenario)


def test_no_task_is_running_once_a_queue_is_drained(make: Callable[..., TaskQueue]) -> None:
    queue = make()

    @queue.task
    async def work() -> None:
        await asyncio.sleep(0.001)

    async def scenario() -> None:
        for attempt in range(20):
            async with queue:
                submitted = queue.submit(work)
                await asyncio.sleep(attempt * 0.0002)  # the store may have begun it, and the queue not know yet
                assert await queue.drain(LONG) is True
                assert queue.status(submitted).state in (State.QUEUED, State.SUCCEEDED)

    run(scenario)
