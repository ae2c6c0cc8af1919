"""However a task ends, hooks and counters are told, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import metrics
from fastcore.tasks import State, TaskEvent, TaskLost, TaskQueue
from fastcore.tasks.ports import Want
from tests.tasks.queue_cases import LONG, SOON, run, until


def ended(task: str, state: State) -> float:
    return float(metrics.counter("fastcore_tasks_ended_total", task=task, state=state.value).value)


class Told:
    """What the hooks of a queue were told, and what its counters have grown by."""

    def __init__(self, queue: TaskQueue, task: str) -> None:
        self.events: list[TaskEvent] = []
        self._task = task
        self._before = {state: ended(task, state) for state in State}
        for event in ("success", "retry", "failure", "dead", "cancel"):
            queue.on(event, self.events.append)

    @property
    def names(self) -> list[str]:
        return [event.event for event in self.events]

    def counted(self, state: State) -> float:
        return ended(self._task, state) - self._before[state]


def abandoned(queue: TaskQueue, n: int, attempts: int) -> list[str]:
    """Claim tasks as a process does that dies then, until they have used up so many attempts."""
    ids: list[str] = []
    for _ in range(attempts):
        batch = queue.store.claim("gone", [Want(n, {"work": n})], 0.0, time.time() - 100).result(LONG)
        ids = [claim.spec.id for claim in batch.claims]
        if _ < attempts - 1:
            queue.store.rescue(time.time()).result(LONG)
    return ids


@pytest.mark.parametrize(
    ("attempts", "cancelled", "names", "state"),
    [
        (1, False, ["retry", "success"], State.SUCCEEDED),
        (2, False, ["failure", "dead"], State.DEAD),
        (1, True, ["cancel"], State.CANCELLED),
    ],
)
def test_a_task_of_a_dead_process(
    make: Callable[..., TaskQueue], attempts: int, cancelled: bool, names: list[str], state: State
) -> None:
    queue = make()

    @queue.task(retries=1)
    async def work() -> None: ...

    told = Told(queue, "work")

    async def scenario() -> None:
        id = queue.submit(work)
        assert abandoned(queue, 1, attempts) == [id]
        if cancelled:
            assert queue.cancel(id) is State.RUNNING
        async with queue:
            await until(lambda: len(told.names) == len(names))
            assert (await queue.wait(id, LONG)).state is state
        assert told.names == names
        assert told.counted(state) == 1
        first = told.events[0]
        assert (first.id, first.task, first.attempt) == (id, "work", attempts)
        if not cancelled:
            assert isinstance(first.error, TaskLost)
            assert "gone" in str(first.error)

    run(scenario)


def test_an_abandoned_task_unknown_to_this_process_is_ended_and_counted(
    make: Callable[..., TaskQueue], url: str
) -> None:
    queue = make()
    queue.submit(queue.task(asyncio.sleep, name="work", retries=0), 0)
    abandoned(queue, 1, 1)
    other = TaskQueue(queue.store)
    told = Told(other, "work")

    async def scenario() -> None:
        async with other:
            await until(lambda: told.names == ["failure", "dead"])
        assert told.counted(State.DEAD) == 1

    run(scenario)


@pytest.mark.parametrize("how", ["ready", "delayed", "between attempts", "purged"])
def test_a_task_that_is_cancelled_while_it_waits(make: Callable[..., TaskQueue], how: str) -> None:
    queue = make(workers={"async": 1})
    failed = asyncio.Event()

    @queue.task(retries=5)
    async def work() -> None:
        failed.set()
        raise ConnectionError

    told = Told(queue, "work")

    async def scenario() -> None:
        if how in ("ready", "purged"):
            id = queue.submit(work)
            await end(id)
            return
        async with queue:
            id = queue.submit(work.configure(delay=LONG) if how == "delayed" else work)
            if how != "delayed":
                await until(lambda: told.names == ["retry"])
            await end(id)

    async def end(id: str) -> None:
        if how == "purged":
            assert queue.purge(work) == 1
            assert queue.purge(work) == 0
        else:
            assert await queue.acancel(id) is State.CANCELLED
        assert await queue.acancel(id) is State.CANCELLED  # told once
        assert [event.id for event in told.events if event.event == "cancel"] == [id]
        assert told.events[-1].attempt == (how == "between attempts")
        assert told.counted(State.CANCELLED) == 1

    run(scenario)


def _times_out() -> Any:
    async def work() -> None:
        await asyncio.sleep(LONG)

    return work


def _fails() -> Any:
    async def work() -> None:
        raise ConnectionError

    return work


@pytest.mark.parametrize(
    ("fn", "options", "names", "state"),
    [
        (_times_out, {"timeout": 0.02, "retries": 0}, ["failure"], State.FAILED),
        (_times_out, {"timeout": 0.02, "retries": SOON}, ["retry", "retry", "failure", "dead"], State.DEAD),
        (_fails, {"retries": SOON}, ["retry", "retry", "failure", "dead"], State.DEAD),
        (_fails, {"retries": 0}, ["failure"], State.FAILED),
    ],
)
def test_a_task_that_fails_while_it_runs(
    make: Callable[..., TaskQueue], fn: Any, options: dict[str, Any], names: list[str], state: State
) -> None:
    queue = make()
    task = queue.task(fn(), name="work", **options)
    told = Told(queue, "work")

    async def scenario() -> None:
        async with queue:
            id = queue.submit(task)
            assert (await queue.wait(id, LONG)).state is state
            await until(lambda: told.names == names)
        assert told.counted(state) == 1

    run(scenario)


def test_a_running_task_that_is_cancelled(make: Callable[..., TaskQueue]) -> None:
    queue = make()
    begun: list[int] = []

    @queue.task
    async def work() -> None:
        begun.append(1)
        await asyncio.sleep(LONG)

    told = Told(queue, "work")

    async def scenario() -> None:
        async with queue:
            id = queue.submit(work)
            await until(lambda: begun)
            assert await queue.acancel(id) is State.RUNNING
            await queue.wait(id, LONG)
            await until(lambda: told.names == ["cancel"])
        assert told.counted(State.CANCELLED) == 1

    run(scenario)
