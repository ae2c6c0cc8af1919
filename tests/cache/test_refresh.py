"""Refreshing in the background: failures, event loops, results that are not stored."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

import pytest

from fastcore.cache import cached, refresh
from tests.cache.conftest import Clock
from tests.cache.stale import Source, stale_function
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("on_backend")


# ---- failures ----


def test_a_failing_refresh_waits_longer_each_time(waits: Clock) -> None:
    source = Source()
    price, _ = stale_function(source)
    source.error = ConnectionError("down")
    tried = []
    for tick in range(400):  # a quarter of a second each
        waits.time = tick / 4
        before = source.calls
        for _ in range(3):
            assert price("A") == 1
        if due(tick):
            source.wait()
            until(lambda: not price.get_entry("A").error and idle(price))
            tried.append(tick / 4)
        assert source.calls - before == due(tick)
    assert tried == [0, 0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 31.75, 63.75]


def due(tick: int) -> bool:
    return tick in (0, 1, 3, 7, 15, 31, 63, 127, 255)


def idle(price: Any) -> bool:
    """Whether no refresh of its one record runs."""
    return price.cache._cache.peek(price.key("A")).attempts._running is None


def test_an_outage_is_logged_once_and_its_end_too(waits: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fastcore.cache")
    source = Source()
    price, clock = stale_function(source)
    for _ in range(2):
        source.error = ConnectionError("down")
        kept = price.peek("A")
        for _ in range(5):
            waits.time += 100
            assert price("A") == kept
            source.wait()
            until(lambda: idle(price))
        source.error = None
        waits.time += 100
        old = price("A")
        source.wait()
        until(lambda old=old: price.peek("A") != old)  # type: ignore[misc]
        until(lambda: caplog.records[-1].levelname == "INFO")
        clock.time += 20
    messages = [(record.levelname, "succeeds again" in record.message) for record in caplog.records]
    assert messages == [("WARNING", False), ("INFO", True)] * 2
    assert "down" in caplog.text
    assert "price" in caplog.text


def test_another_outage_is_logged_after_callers_have_computed(waits: Clock, caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    price, clock = stale_function(source)
    for outage in range(1, 3):
        source.error = ConnectionError("down")
        price("A")
        source.wait()
        until(lambda: idle(price))
        assert len(caplog.records) == outage
        source.error = None
        clock.time += 2000
        price("A")  # too old to be served: computed by the caller
        source.wait()
        clock.time += 20
        waits.time += 1000


def test_a_result_rejected_by_keep_if_leaves_the_old_one(waits: Clock) -> None:
    source = Source()
    price, _ = stale_function(source, keep_if=lambda value: value != 2)
    assert price("A") == 1
    source.wait()
    until(lambda: idle(price))
    assert [price("A"), source.calls] == [1, 2]
    waits.time = 1
    assert price("A") == 1
    source.wait()
    until(lambda: price("A") == 3)


def test_a_result_invalidated_during_its_refresh_is_not_cached() -> None:
    clock, started, gate = Clock(), threading.Event(), threading.Event()
    calls = 0

    @cached(ttl=10, stale=1000, timer=clock)
    def price(symbol: str) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            started.set()
            assert gate.wait(10)
        return calls

    price("A")
    clock.time = 20
    assert price("A") == 1
    assert started.wait(10)
    assert price.invalidate("A") is True
    assert price("A") == 3
    gate.set()
    until(lambda: refresh._threads._idle > 0)
    assert price("A") == 3


def test_a_refresh_started_by_a_computation_waits_for_it() -> None:
    clock, computed, refreshing = Clock(), [], threading.Event()

    @cached(ttl=10, stale=1000, timer=clock)
    def rate(currency: str) -> int:
        if not clock.time:
            return 1
        refreshing.set()
        return price("A") + 1

    @cached(ttl=10, timer=clock)
    def price(symbol: str) -> int:
        computed.append(symbol)
        stale = rate("EUR")
        assert refreshing.wait(10)
        time.sleep(0.05)
        return 100 * stale

    rate("EUR")
    clock.time = 20
    assert price("A") == 100
    until(lambda: rate("EUR") == 101)
    assert computed == ["A"]


def test_a_refresh_started_by_a_coroutine_waits_for_it() -> None:
    clock, computed = Clock(), []

    @cached(ttl=10, stale=1000, timer=clock)
    async def rate(currency: str) -> int:
        return await price("A") + 1 if clock.time else 1

    @cached(ttl=10, timer=clock)
    async def price(symbol: str) -> int:
        computed.append(symbol)
        stale = await rate("EUR")
        await asyncio.sleep(0.05)
        return 100 * stale

    async def main() -> None:
        await rate("EUR")
        clock.time = 20
        assert await price("A") == 100
        await asyncio.sleep(0.05)
        assert await rate("EUR") == 101

    asyncio.run(main())
    assert computed == ["A"]


# ---- event loops ----


def test_a_refresh_on_a_loop_that_was_closed_is_begun_again() -> None:
    clock, calls = Clock(), []

    @cached(ttl=10, stale=1000, timer=clock)
    async def price(symbol: str) -> int:
        calls.append(symbol)
        if len(calls) == 2:
            await asyncio.sleep(3600)
        return len(calls)

    async def ask() -> int:
        answer: int = await price("A")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return answer

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(ask()) == 1
    clock.time = 20
    assert loop.run_until_complete(ask()) == 1
    assert len(calls) == 2
    pending = asyncio.all_tasks(loop)
    loop.close()
    assert asyncio.run(ask()) == 1  # served, and begun again

    async def refreshed() -> None:
        while await price("A") != 3:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(refreshed(), 10))
    for task in pending:
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_failing_refresh_of_a_coroutine_function_backs_off(waits: Clock, caplog: pytest.LogCaptureFixture) -> None:
    clock, calls = Clock(), []

    @cached(ttl=10, stale=1000, timer=clock)
    async def price(symbol: str) -> int:
        calls.append(symbol)
        if 2 <= len(calls) <= 4:
            raise ConnectionError("down")
        return len(calls)

    async def ask(times: int) -> list[int]:
        answers = []
        for _ in range(times):
            answers.append(await price("A"))
            for _ in range(5):
                await asyncio.sleep(0)
        return answers

    async def main() -> None:
        assert await ask(1) == [1]
        clock.time = 20
        assert await ask(5) == [1] * 5
        assert len(calls) == 2
        waits.time = 0.25
        assert await ask(5) == [1] * 5
        assert len(calls) == 3
        waits.time = 10
        await ask(1)
        waits.time = 20
        assert await ask(3) == [1, 5, 5]

    asyncio.run(main())
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_loop_that_makes_no_task_leaves_the_stale_result(waits: Clock) -> None:
    clock, calls = Clock(), []

    @cached(ttl=10, stale=1000, timer=clock)
    async def price(symbol: str) -> int:
        calls.append(symbol)
        return len(calls)

    def refuse(loop: Any, coroutine: Any, **more: Any) -> Any:
        raise RuntimeError("no more tasks")

    async def main() -> None:
        await price("A")
        clock.time = 20
        loop = asyncio.get_running_loop()
        loop.set_task_factory(refuse)
        assert await price("A") == 1
        loop.set_task_factory(None)
        assert await price("A") == 1
        waits.time = 1
        assert await price("A") == 1
        await asyncio.sleep(0.01)
        assert await price("A") == 2

    asyncio.run(main())
