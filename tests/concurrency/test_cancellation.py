"""Cancellation: a function may cancel and be cancelled; only the map's caller ends the map."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from fastcore.concurrency import Retry, map_async
from fastcore.concurrency.cancellation import absolve
from tests.loops import STANDARD_LOOPS, factory_of

LONG = 30.0


@pytest.fixture(params=STANDARD_LOOPS)
def loop(request: pytest.FixtureRequest) -> Callable[[Awaitable[Any]], Any]:
    """``loop(coroutine)`` runs a coroutine, for not too long, and requires that it leaves no task."""

    def run(main: Awaitable[Any]) -> Any:
        async def whole() -> Any:
            result = await asyncio.wait_for(main, LONG)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        with asyncio.Runner(loop_factory=factory_of(request.param)) as runner:
            return runner.run(whole())

    return run


async def fail(seconds: float = 0.0) -> None:
    await asyncio.sleep(seconds)
    raise ConnectionError("no route")


async def failed_group() -> None:
    """A group whose child fails while the parent waits: CPython before 3.13 leaves ``cancelling()`` at 1."""
    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        group.create_task(asyncio.sleep(LONG))


async def by_group(n: int) -> int:
    with pytest.raises(ExceptionGroup):
        await failed_group()
    return n


async def by_groups_in_groups(n: int) -> int:
    async def inner() -> None:
        await by_group(n)
        await failed_group()

    async def outer() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(inner())
            group.create_task(asyncio.sleep(LONG))

    with pytest.raises(ExceptionGroup):
        await outer()
    return n


async def by_map(n: int) -> int:
    with pytest.raises(ConnectionError):
        await map_async(fail, [0.0, 0.0])
    return n


async def by_timeout(n: int) -> int:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(LONG)
    return n


async def by_wait_for(n: int) -> int:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(LONG), 0.001)
    return n


async def by_scope(n: int) -> int:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anyio.sleep(LONG)
    with anyio.move_on_after(0.001):
        await anyio.sleep(LONG)
    return n


async def by_scope_group(n: int) -> int:
    async def inner() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(fail)
            await anyio.sleep(LONG)

    with pytest.raises(ExceptionGroup):
        await inner()
    return n


async def by_swallowing(n: int) -> int:
    me = asyncio.current_task()
    assert me is not None
    me.cancel()
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        pass
    return n


async def by_request_at_the_end(n: int) -> int:
    """Asks for its task's end and returns before that is delivered."""
    me = asyncio.current_task()
    assert me is not None
    me.cancel()
    return n


HANDLED = [
    by_group,
    by_groups_in_groups,
    by_map,
    by_timeout,
    by_wait_for,
    by_scope,
    by_scope_group,
    by_swallowing,
    by_request_at_the_end,
]
"""Coroutine functions that cancel something, handle it, and return what they were given."""


@pytest.mark.parametrize("fn", HANDLED)
@pytest.mark.parametrize("limit", [1, 4])
@pytest.mark.parametrize("keep", [False, True])
def test_cancellation_handled_by_a_function_loses_no_item(loop: Any, fn: Any, limit: int, keep: bool) -> None:
    assert loop(map_async(fn, range(9), limit=limit, return_exceptions=keep)) == list(range(9))


@pytest.mark.parametrize("fn", HANDLED)
def test_a_retry_begins_with_a_clean_task(loop: Any, fn: Any) -> None:
    calls = 0

    async def flaky(n: int) -> int:
        nonlocal calls
        calls += 1
        me = asyncio.current_task()
        assert me is not None
        assert not me.cancelling()
        await fn(n)
        if calls % 3:
            raise OSError("again")
        return n

    assert loop(map_async(flaky, range(3), limit=1, retry=Retry(3, base=0.0))) == [0, 1, 2]
    assert calls == 9


async def cancels_itself(n: int) -> None:
    me = asyncio.current_task()
    assert me is not None
    me.cancel()
    await asyncio.sleep(0)


async def awaits_what_was_cancelled(n: int) -> None:
    other = asyncio.create_task(asyncio.sleep(LONG))
    other.cancel()
    await other


async def cancels_itself_after_a_group(n: int) -> None:
    await by_group(n)
    await cancels_itself(n)


async def closes_itself(n: int) -> None:
    raise GeneratorExit


@pytest.mark.parametrize("fn", [cancels_itself, awaits_what_was_cancelled, cancels_itself_after_a_group])
@pytest.mark.parametrize("limit", [1, 4])
def test_a_cancellation_of_the_function_s_own_is_its_error(loop: Any, fn: Any, limit: int) -> None:
    async def call(n: int) -> int:
        if n % 2:
            await fn(n)
        return n

    results = loop(map_async(call, range(6), limit=limit, return_exceptions=True))
    assert results[::2] == [0, 2, 4]
    assert [type(result) for result in results[1::2]] == [asyncio.CancelledError] * 3

    async def whole() -> None:
        with pytest.raises(asyncio.CancelledError):
            await map_async(call, range(6), limit=limit)
        me = asyncio.current_task()
        assert me is not None
        assert not me.cancelling()  # the error is the map's: the caller was not cancelled

    loop(whole())


def test_a_generator_exit_is_raised_unchanged(loop: Any) -> None:
    async def whole() -> None:
        with pytest.raises(GeneratorExit):
            await map_async(closes_itself, range(3), return_exceptions=True)

    loop(whole())


def test_a_failed_map_leaves_no_cancellation_request_in_its_caller(loop: Any) -> None:
    async def whole() -> None:
        me = asyncio.current_task()
        assert me is not None
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await map_async(fail, [0.0, LONG])
            assert not me.cancelling()
        async with asyncio.timeout(LONG):  # what counts requests goes on working
            await asyncio.sleep(0)

    loop(whole())


@pytest.mark.parametrize("fn", [fn for fn in HANDLED if fn is not by_request_at_the_end])
def test_the_caller_s_cancellation_always_ends_the_map(loop: Any, fn: Any) -> None:
    async def whole() -> None:
        begun = 0

        async def call(n: int) -> None:
            nonlocal begun
            await fn(n)
            begun += 1
            if begun > 6:
                await asyncio.sleep(LONG)

        task = asyncio.create_task(map_async(call, iter(int, 1), limit=2, return_exceptions=True))
        while begun < 8:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert begun == 8

    loop(whole())


@pytest.mark.parametrize("retry", [None, Retry(5, base=0.0)])
def test_a_converted_cancellation_is_not_retried(loop: Any, retry: Retry | None) -> None:
    async def whole() -> None:
        begun = 0

        async def call(n: int) -> None:
            nonlocal begun
            begun += 1
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                raise OSError("interrupted") from None

        task = asyncio.create_task(map_async(call, range(9), limit=3, retry=retry))
        while begun < 3:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert begun == 3

    loop(whole())


def test_a_timeout_around_a_map_is_a_timeout(loop: Any) -> None:
    async def whole() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await map_async(by_group, iter(int, 1), return_exceptions=True)
        with anyio.move_on_after(0.01) as scope:
            await map_async(by_map, iter(int, 1), return_exceptions=True)
        assert scope.cancelled_caught

    loop(whole())


def test_calls_do_not_see_each_other_s_context_variables(loop: Any) -> None:
    tenant = contextvars.ContextVar("tenant", default="none")
    tenant.set("caller")

    async def call(n: int) -> str:
        before = tenant.get()
        tenant.set(f"call {n}")
        if n % 2:
            await asyncio.sleep(0)
        assert tenant.get() == f"call {n}"
        return before

    assert loop(map_async(call, range(8), limit=2)) == ["caller"] * 8


def test_absolve_keeps_other_cancellation_requests(loop: Any) -> None:
    async def whole() -> None:
        me = asyncio.current_task()
        assert me is not None
        await absolve(me)
        for _ in range(3):
            me.cancel()
        await absolve(me)
        assert not me.cancelling()
        await asyncio.sleep(0)  # nothing is left to be delivered

    loop(whole())
