"""Generators that are timed or watched behave as before, and count what is spent in them."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pandas as pd
import pytest

from fastcore import metrics
from fastcore.memory import decorators, memory_monitor, optimize_dataframe_memory
from fastcore.monitor import measure_execution_time

_numbers = itertools.count()


def echo(limit: int = 3) -> Generator[Any, Any, str]:
    got: list[Any] = []
    try:
        while len(got) < limit:
            try:
                got.append((yield len(got)))
            except KeyError as error:
                got.append(error)
    finally:
        got.append("closed")
    return f"{got[:limit]}"


async def echo_async(limit: int = 3) -> AsyncGenerator[Any, Any]:
    got: list[Any] = []
    while len(got) < limit:
        try:
            got.append((yield len(got)))
        except KeyError as error:
            got.append(error)
    yield f"{got}"


def measured(function: Any) -> tuple[Any, Callable[[], tuple[int, float, int]]]:
    labels = {"service": "test_generators", "operation": str(next(_numbers))}
    timed = measure_execution_time(**labels)(function)

    def counts() -> tuple[int, float, int]:
        sketch = metrics.latency("fastcore_operation_duration_seconds", **labels)
        errors = metrics.counter("fastcore_operation_errors_total", **labels)
        return sketch.count, sketch.total, errors.value

    return timed, counts


@pytest.mark.parametrize("decorate", [lambda f: measured(f)[0], memory_monitor(), lambda f: f])
def test_sending_throwing_and_returning_reach_a_generator(decorate: Any) -> None:
    function = decorate(echo)
    assert inspect.isgeneratorfunction(function)
    generator = function()
    said = [next(generator), generator.send("a"), generator.throw(KeyError("b"))]
    with pytest.raises(StopIteration) as end:
        generator.send("c")
    assert (said, end.value.value) == ([0, 1, 2], "['a', KeyError('b'), 'c']")


def test_sending_and_throwing_reach_an_async_generator() -> None:
    function, counts = measured(echo_async)
    assert inspect.isasyncgenfunction(function)

    async def run() -> list[Any]:
        generator = function()
        said = [await anext(generator), await generator.asend("a"), await generator.athrow(KeyError("b"))]
        said.append(await generator.asend("c"))
        with pytest.raises(StopAsyncIteration):
            await anext(generator)
        return said

    assert asyncio.run(run()) == [0, 1, 2, "['a', KeyError('b'), 'c']"]
    assert counts()[0] == 1


def test_time_spent_by_the_consumer_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)

    def works() -> Generator[int, None, None]:
        nonlocal now
        for i in range(3):
            now += 1.0
            yield i

    async def works_async() -> AsyncGenerator[int, None]:
        for i in works():
            yield i

    function, counts = measured(works)
    for _ in function():
        now += 100.0
    assert counts() == (1, 3.0, 0)

    async def run(function: Any) -> None:
        nonlocal now
        async for _ in function():
            now += 100.0

    function, counts = measured(works_async)
    asyncio.run(run(function))
    assert counts() == (1, 3.0, 0)


def test_a_generator_that_raises_counts_as_an_error_and_one_that_is_closed_does_not() -> None:
    def fails() -> Generator[int, None, None]:
        yield 1
        raise ZeroDivisionError

    function, counts = measured(fails)
    with pytest.raises(ZeroDivisionError):
        list(function())
    assert (counts()[0], counts()[2]) == (1, 1)
    generator = function()
    next(generator)
    generator.close()
    assert (counts()[0], counts()[2]) == (2, 1)

    async def fails_later() -> AsyncGenerator[int, None]:
        yield 1
        raise ZeroDivisionError

    function, counts = measured(fails_later)

    async def run() -> None:
        with pytest.raises(ZeroDivisionError):
            async for _ in function():
                pass
        generator = function()
        await anext(generator)
        await generator.aclose()

    asyncio.run(run())
    assert (counts()[0], counts()[2]) == (2, 1)


def test_a_generator_is_closed_within_when_it_is_closed() -> None:
    closed: list[str] = []

    def holds() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            closed.append("closed")

    generator = measured(holds)[0]()
    next(generator)
    generator.close()
    assert closed == ["closed"]


def test_frames_that_a_generator_yields_are_optimised() -> None:
    table = pd.DataFrame({"n": range(1_000)})

    @optimize_dataframe_memory(integers=True)
    def tables() -> Generator[pd.DataFrame, None, None]:
        yield table

    @optimize_dataframe_memory(integers=True)
    async def later() -> AsyncGenerator[pd.DataFrame, None]:
        yield table

    async def first() -> pd.DataFrame:
        return await anext(later())

    assert str(next(tables())["n"].dtype) == "int32"
    assert str(asyncio.run(first())["n"].dtype) == "int32"


def test_growth_while_a_generator_runs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    resident = 100 << 20
    for reading in ("resident_bytes", "peak_resident_bytes"):
        monkeypatch.setattr(decorators, reading, lambda: resident)
    told: list[Any] = []

    @memory_monitor(threshold_mb=20, on_exceeded=told.append, shrink_on_exceeded=False)
    def crawl() -> Generator[int, None, None]:
        nonlocal resident
        resident += 60 << 20
        yield 60 << 20

    assert list(crawl()) == [60 << 20]
    assert len(told) == 1
