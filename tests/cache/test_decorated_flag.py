"""Decorated functions follow the flag of the cache at run time, without losing results or running computations."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fastcore import flags
from fastcore.cache import cache_technical_analysis, cached, get_cached_analysis, invalidate_tag, named_caches
from tests.cache.conftest import Clock
from tests.conftest import PURE_ONLY

OTHER = {"compiled": "python", "python": "compiled"}


@pytest.fixture
def other(backend: str) -> str:
    """The twin that is not under test."""
    if PURE_ONLY:
        pytest.skip("the pure suite has one twin")
    return OTHER[backend]


pytestmark = pytest.mark.usefixtures("on_backend")


def twin_of(cache: Any) -> str:
    cache = getattr(cache, "_cache", cache)  # what a function's `cache` shows the results of
    return "python" if type(cache).__module__.startswith("python_fallback") else "compiled"


def test_contents_lifetimes_and_statistics_move(backend: str, other: str) -> None:
    clock, calls = Clock(), []

    @cached(ttl=10, stale=5, maxsize=3, timer=clock, tags=lambda n: f"flag:{n}", name="test_flag_moves")
    def square(n: int) -> int:
        calls.append(n)
        return n * n

    for n in range(4):
        square(n)
    square(3), square([1][0])
    clock.time = 4
    for twin in (other, backend, other):
        with flags.override("cache", twin):
            assert [square(3), square(1)] == [9, 1]
            assert calls == [0, 1, 2, 3]
            assert twin_of(square.cache) == twin
            assert named_caches()["test_flag_moves"] is square.cache
            assert square.cache_info().maxsize == 3
            entry = square.get_entry(3)
            assert entry is not None
            assert (entry.fresh_for, entry.kept_for) == (6, 11)
    with flags.override("cache", other):
        invalidate_tag("flag:3")
        assert square.contains(3) is False
        square(3)
    assert square.contains(3) is True
    info = square.cache_info()
    assert (info.hits, info.misses, info.currsize) == (8, 5, 3)


def test_methods_and_instances_move(backend: str, other: str) -> None:
    calls: list[Any] = []

    class Desk:
        @cached
        def price(self, symbol: str) -> str:
            calls.append(symbol)
            return symbol

        @cached(per_instance=True)
        def own(self, symbol: str) -> str:
            calls.append(symbol)
            return symbol

        @cached(ttl=60)
        async def later(self, symbol: str) -> str:
            calls.append(symbol)
            return symbol

    desk = Desk()
    bound = desk.price

    def ask(desk: Any, bound: Any) -> list[str]:
        return [desk.price("A"), bound("A"), Desk.price(desk, "A"), desk.own("A"), asyncio.run(desk.later("A"))]

    assert ask(desk, bound) == ["A"] * 5
    with flags.override("cache", other):
        assert ask(desk, bound) == ["A"] * 5
        assert [twin_of(method.cache) for method in (desk.price, desk.own, desk.later)] == [other] * 3
        fresh = Desk()
        assert fresh.own("A") == "A"
        desk.price.invalidate("A")
        desk.own("B")
    assert calls == ["A", "A", "A", "A", "B"]
    assert ask(desk, bound) == ["A"] * 5
    assert fresh.own("A") == desk.own("B").replace("B", "A")
    assert calls == ["A", "A", "A", "A", "B", "A"]
    ended = weakref.ref(desk)
    del desk, bound, fresh
    gc.collect()
    assert ended() is None
    assert Desk.own.cache_info().currsize == 0


def test_a_computation_under_way_ends_well(other: str) -> None:
    started, gate = threading.Event(), threading.Event()
    calls: list[int] = []

    @cached(ttl=60)
    def slow(n: int) -> int:
        calls.append(n)
        started.set()
        assert gate.wait(10)
        return n

    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(slow(1)))]
    threads[0].start()
    assert started.wait(10)
    with flags.override("cache", other):
        threads += [threading.Thread(target=lambda: answers.append(slow(1))) for _ in range(4)]
        for thread in threads[1:]:
            thread.start()
        assert slow.contains(1) is False
        gate.set()
        for thread in threads:
            thread.join(10)
        assert answers == [1] * 5
        assert slow.contains(1) is True
    assert slow(1) == 1
    assert calls == [1]


def test_a_result_invalidated_after_the_move_is_not_cached(other: str) -> None:
    started, gate = threading.Event(), threading.Event()

    @cached
    def slow(n: int) -> str:
        started.set()
        assert gate.wait(10)
        return "old"

    thread = threading.Thread(target=slow, args=(1,))
    thread.start()
    assert started.wait(10)
    with flags.override("cache", other):
        slow.invalidate(1)
        gate.set()
        thread.join(10)
        assert slow.contains(1) is False


def test_awaited_computations_end_well(other: str) -> None:
    calls: list[int] = []

    @cached
    async def slow(n: int) -> int:
        calls.append(n)
        await gate.wait()
        return n

    async def main() -> None:
        tasks = [asyncio.ensure_future(slow(1)) for _ in range(3)]
        await asyncio.sleep(0)
        with flags.override("cache", other):
            tasks += [asyncio.ensure_future(slow(1)) for _ in range(3)]
            await asyncio.sleep(0)
            gate.set()
            assert await asyncio.gather(*tasks) == [1] * 6
            assert await slow(1) == 1

    gate = asyncio.Event()
    asyncio.run(main())
    assert calls == [1]


def test_flipping_while_threads_call_loses_nothing(backend: str, other: str) -> None:
    calls: list[int] = []

    @cached(maxsize=None)
    def number(n: int) -> int:
        calls.append(n)
        return n

    stop = threading.Event()
    wrong: list[Any] = []

    def run() -> None:
        n = 0
        while not stop.is_set():
            n = (n + 1) % 50
            if number(n) != n:
                wrong.append(n)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        with flags.override("cache", other):
            for n in range(50):
                assert number(n) == n
        for n in range(50):
            assert number(n) == n
    stop.set()
    for thread in threads:
        thread.join(10)
    assert wrong == []
    assert sorted(number.cache) == list(range(50))
    assert twin_of(number.cache) == backend


@pytest.mark.parametrize("how", ["thread", "loop"])
def test_a_computation_that_ends_after_the_cache_has_moved_is_over(backend: str, other: str, how: str) -> None:
    clock, calls = Clock(), []
    began, go = threading.Event(), threading.Event()

    @cached(ttl=10, timer=clock)
    def number(n: int) -> int:
        calls.append(n)
        began.set()
        assert go.wait(60)
        return n

    @cached(ttl=10, timer=clock)
    async def awaited(n: int) -> int:
        calls.append(n)
        began.set()
        assert await asyncio.to_thread(go.wait, 60)
        return n

    def call() -> int:
        return number(1) if how == "thread" else asyncio.run(awaited(1))

    with ThreadPoolExecutor() as pool:
        first = pool.submit(call)
        assert began.wait(60)
        with flags.override("cache", other):
            moved = number if how == "thread" else awaited
            assert twin_of(moved.cache) == other
            go.set()
            assert first.result(60) == 1
            clock.tick(20)
            assert call() == 1  # it does not wait for the first
    assert calls == [1, 1]


def test_a_key_that_flips_the_flag_while_it_is_compared(other: str) -> None:
    class Flipping:
        def __hash__(self) -> int:
            return 7

        def __eq__(self, that: object) -> bool:
            flags.set("cache", other)
            held.cache_info()
            flags.clear("cache")
            held.cache_info()
            return self is that

    @cached
    def held(key: Any) -> Any:
        return key

    first, second = Flipping(), Flipping()
    assert held(first) is first
    assert held(second) is second
    assert held(first) is first


def test_analyses_move(other: str) -> None:
    @cache_technical_analysis()
    def analyse(symbol: str) -> str:
        return f"of {symbol}"

    analyse("FLAG")
    with flags.override("cache", other):
        assert asyncio.run(get_cached_analysis("FLAG")) == "of FLAG"
        analyse.invalidate("FLAG")
        assert asyncio.run(get_cached_analysis("FLAG")) is None


def test_while_the_flag_ramps_the_name_decides(backend: str) -> None:
    if PURE_ONLY:
        pytest.skip("there is one twin only")
    functions = []
    for n in range(60):

        def function(x: int) -> int:
            return x

        function.__qualname__ = f"ramped{n}"
        functions.append(cached(function))
        functions[-1](1)
    with flags.override("cache", "ramp:50"):
        twins = [twin_of(function.cache) for function in functions]
        assert 10 < twins.count("compiled") < 50
        assert twins == [twin_of(function.cache) for function in functions]
        assert all(function.contains(1) for function in functions)
    with flags.override("cache", "ramp:100"):
        assert {twin_of(function.cache) for function in functions} == {"compiled"}
    assert {twin_of(function.cache) for function in functions} == {backend}
