"""Middleware: around every attempt, in its context, wherever it runs."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from fastcore.tasks import State, TaskCall, TaskQueue, current
from tests.tasks import middleware_cases as cases
from tests.tasks.queue_cases import LONG, SOON, run

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="none")


@pytest.mark.parametrize("on", ["thread", "process"])
def test_plain_middleware_wraps_plain_functions(make: Callable[..., TaskQueue], on: str) -> None:
    queue = make(workers={"process": 1})
    assert queue.middleware(cases.double) is cases.double
    queue.middleware(cases.label)
    task = queue.task(cases.plain_sum, on=on)

    @queue.task
    async def untouched() -> int:
        return 1

    async def scenario() -> None:
        async with queue:
            result = await queue.aresult(queue.submit(task, 1, b=2), LONG)
            assert result == ["plain_sum", 1, [1], {"b": 2}, 3] * 2  # the first is the outermost
            assert await queue.aresult(queue.submit(untouched), LONG) == 1

    run(scenario)


def test_middleware_added_later_wraps_later_attempts(make: Callable[..., TaskQueue]) -> None:
    queue = make(workers={"process": 1})
    tasks = [queue.task(cases.plain_sum, name=on, on=on) for on in ("thread", "process")]

    async def scenario() -> None:
        async with queue:
            for task in tasks:
                assert await queue.aresult(queue.submit(task, 1), LONG) == 1
            queue.middleware(cases.double)
            for task in tasks:
                assert await queue.aresult(queue.submit(task, 1), LONG) == 2

    run(scenario)


def test_coroutine_middleware_shares_the_job_s_context(make: Callable[..., TaskQueue]) -> None:
    queue = make(workers={"async": 2})
    seen: list[tuple[str, str]] = []

    @queue.middleware
    async def enter(call: TaskCall, call_next: Callable[[], Any]) -> Any:
        found = current()
        assert found is not None
        assert (found.id, found.kind, found.attempt) == (call.id, call.task, call.attempt)
        before = tenant.get()
        tenant.set(call.args[0])
        await asyncio.sleep(0)
        try:
            return await call_next()
        finally:
            seen.append((before, tenant.get()))

    @queue.task
    async def work(name: str) -> str:
        await asyncio.sleep(0)
        return tenant.get()

    async def scenario() -> None:
        async with queue:
            ids = [queue.submit(work, f"t{n}") for n in range(6)]
            assert [await queue.aresult(id, LONG) for id in ids] == [f"t{n}" for n in range(6)]
        assert sorted(seen) == [("none", f"t{n}") for n in range(6)]

    run(scenario)


@pytest.mark.parametrize("sort", ["async", "thread"])
def test_errors_and_results_of_middleware_decide_the_attempt(make: Callable[..., TaskQueue], sort: str) -> None:
    queue = make()
    attempts: list[int] = []
    ran: list[str] = []

    def judge(call: TaskCall) -> bool:
        """Refuse the first attempt, and answer for one task."""
        attempts.append(call.attempt)
        if call.attempt == 1:
            raise ConnectionError("not yet")
        return call.args[0] == "cached"

    async def around_async(call: TaskCall, call_next: Callable[[], Any]) -> Any:
        return "from the cache" if judge(call) else await call_next()

    def around(call: TaskCall, call_next: Callable[[], Any]) -> Any:
        return "from the cache" if judge(call) else call_next()

    async def work_async(name: str) -> str:
        ran.append(name)
        return name

    def work(name: str) -> str:
        ran.append(name)
        return name

    queue.middleware(around_async if sort == "async" else around)
    task = queue.task(work_async if sort == "async" else work, name="work", retries=SOON)

    async def scenario() -> None:
        async with queue:
            assert await queue.aresult(queue.submit(task, "cached"), LONG) == "from the cache"
            view = await queue.wait(queue.submit(task, "run"), LONG)
            assert (view.state, view.attempt, view.result) == (State.SUCCEEDED, 2, "run")
        assert (attempts, ran) == ([1, 2, 1, 2], ["run"])

    run(scenario)


def test_middleware_wraps_inline_tasks() -> None:
    queue = TaskQueue(inline=True)
    queue.middleware(cases.double)

    @queue.middleware
    async def add(call: TaskCall, call_next: Callable[[], Any]) -> Any:
        return 1 + await call_next()

    @queue.task
    async def later(n: int) -> int:
        return n

    assert queue.result(queue.submit(queue.task(cases.plain_sum), 4)) == 8
    assert queue.result(queue.submit(later, 4)) == 5


def test_time_limits_and_cancellation_reach_through_it(make: Callable[..., TaskQueue]) -> None:
    queue = make()
    ended: list[str] = []

    @queue.middleware
    async def watch(call: TaskCall, call_next: Callable[[], Any]) -> Any:
        try:
            return await call_next()
        except asyncio.CancelledError:
            ended.append(call.task)
            raise

    @queue.task(timeout=0.05, retries=0)
    async def slow() -> None:
        await asyncio.sleep(LONG)

    async def scenario() -> None:
        async with queue:
            view = await queue.wait(queue.submit(slow), LONG)
            assert view.error is not None
            assert view.error.type.endswith("TaskTimeout")
        assert ended == ["slow"]

    run(scenario)


def test_it_must_be_callable() -> None:
    with pytest.raises(TypeError, match="fn: expected a callable, got int"):
        TaskQueue().middleware(5)  # type: ignore[arg-type]
