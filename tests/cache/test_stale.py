"""Results past their lifetime: served while one refresh runs, and refreshed before they expire."""

from __future__ import annotations

import asyncio
import threading

import pytest

from fastcore.cache import cached
from tests.cache.conftest import Clock
from tests.cache.counting import counted
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("on_backend")


def test_a_stale_result_is_served_while_one_refresh_runs() -> None:
    clock, gate = Clock(), threading.Event()
    running = 0

    def compute(x: int) -> float:
        nonlocal running
        if clock.time:
            running += 1
            gate.wait(10)
        return clock.time

    function, counter = counted(compute, ttl=10, stale=20, timer=clock)
    assert function(1) == 0
    clock.time = 15
    assert [function(1) for _ in range(5)] == [0] * 5
    until(lambda: running == 1)
    assert function(1) == 0
    gate.set()
    until(lambda: function(1) == 15)
    assert counter.calls == 2
    clock.time = 60
    assert function(1) == 60  # beyond stale: the caller waits


def test_a_failed_refresh_keeps_the_stale_result_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()

    def compute(x: int) -> str:
        if clock.time:
            raise OSError("no line")
        return "old"

    function, counter = counted(compute, ttl=10, stale=20, timer=clock)
    function(1)
    clock.time = 15
    assert function(1) == "old"
    until(lambda: "refreshing" in caplog.text and "no line" in caplog.text)
    until(lambda: function(1) == "old" and counter.calls >= 3)
    clock.time = 30
    with pytest.raises(OSError, match="no line"):
        function(1)


def test_stale_results_of_coroutine_functions_are_served() -> None:
    clock = Clock()
    calls = 0

    @cached(ttl=10, stale=20, timer=clock)
    async def fetch() -> float:
        nonlocal calls
        calls += 1
        now = clock.time
        await asyncio.sleep(0.005)
        return now

    async def main() -> None:
        assert await fetch() == 0
        clock.time = 15
        assert await asyncio.gather(fetch(), fetch(), fetch()) == [0, 0, 0]
        await asyncio.sleep(0.05)
        assert await fetch() == 15
        assert calls == 2

    asyncio.run(main())


def test_early_refresh_comes_before_expiry(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    function, counter = counted(lambda x: clock.time, ttl=100, early=True, timer=clock)
    function(1)
    record = function.cache._cache.peek(1)
    record.took = 5.0
    monkeypatch.setattr("random.random", lambda: 0.5)  # -5 * ln(0.5) = 3.47 s ahead
    clock.time = 96
    assert function(1) == 0
    clock.time = 97
    assert function(1) == 0
    until(lambda: function(1) == 97)
    assert counter.calls == 2
