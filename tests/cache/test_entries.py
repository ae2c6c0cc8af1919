"""What is kept of a call, for how long, and what replaces it."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
from datetime import timedelta
from typing import Any

import pytest

from fastcore.cache import CacheEntry, CacheInfo, cached, invalidate_tag
from tests.cache.conftest import Clock

pytestmark = pytest.mark.usefixtures("on_backend")


def test_the_result_says_how_long_it_is_kept() -> None:
    clock = Clock()
    calls: list[Any] = []

    @cached(ttl=lambda quote: quote["ttl"], timer=clock)
    def quote(ttl: Any) -> dict[str, Any]:
        calls.append(ttl)
        return {"ttl": ttl}

    for ttl in (10, timedelta(seconds=20), None, 0, -1):
        quote(ttl), quote(ttl)
    assert calls == [10, timedelta(seconds=20), None, 0, 0, -1, -1]
    assert [quote.get_entry(ttl).kept_for for ttl in (10, timedelta(seconds=20), None)] == [10, 20, math.inf]
    clock.time = 15
    calls.clear()
    for ttl in (10, timedelta(seconds=20), None):
        quote(ttl)
    assert calls == [10]
    with pytest.raises(TypeError, match="ttl: expected a number of seconds, a timedelta or None, got str"):
        quote("x")
    assert quote.contains("x") is False


def test_lifetimes_are_spread() -> None:
    clock = Clock()

    @cached(ttl=100, jitter=0.25, timer=clock, maxsize=None)
    def number(n: int) -> int:
        return n

    for n in range(2000):
        number(n)
    kept = sorted(number.get_entry(n).kept_for for n in range(2000))
    assert 75 <= kept[0] < 76
    assert 99 < kept[-1] <= 100
    assert abs(sum(kept) / 2000 - 87.5) < 1


def test_keep_if_selects_results() -> None:
    asked: list[Any] = []

    def wanted(value: Any) -> bool:
        asked.append(value)
        return value is not None and value > 0

    @cached(keep_if=wanted)
    def number(n: Any) -> Any:
        return n

    for n in (1, None, -1):
        assert [number(n), number(n)] == [n, n]
    assert asked == [1, None, None, -1, -1]
    assert number.cache_info() == CacheInfo(1, 5, 1024, 1)
    with pytest.raises(TypeError):
        number("text")


def test_without_a_bound() -> None:
    @cached(maxsize=None, ttl=60)
    def number(n: int) -> int:
        return n

    for n in range(5000):
        number(n)
    assert number.cache_info() == (0, 5000, None, 5000)
    assert number.cache_parameters()["maxsize"] is None
    assert number.cache_parameters() == {**number.cache_parameters(), "ttl": 60, "typed": False, "tags": ()}


def test_one_str_is_one_tag() -> None:
    @cached(tags="prices")
    def price(symbol: str) -> str:
        return symbol

    @cached(tags=lambda symbol: f"symbol {symbol}")
    def volume(symbol: str) -> str:
        return symbol

    price("A"), volume("A"), volume("B")
    assert price.get_entry("A").tags == ("prices",)
    assert volume.get_entry("A").tags == ("symbol A",)
    for name in "prices":
        invalidate_tag(name)
    assert price.contains("A")
    invalidate_tag("prices"), invalidate_tag("symbol A")
    assert [price.contains("A"), volume.contains("A"), volume.contains("B")] == [False, False, True]


def test_unserved_results_are_no_hits() -> None:
    clock = Clock()

    @cached(ttl=10, stale=10, tags="info", timer=clock)
    def number(n: Any) -> Any:
        return n

    number(1), number(1)
    assert number.cache_info()[:2] == (1, 1)
    invalidate_tag("info")
    number(1)
    assert number.cache_info()[:2] == (1, 2)
    clock.time = 20
    number(1)
    assert number.cache_info()[:2] == (1, 3)
    number([1]), number([1])
    invalidate_tag("info")
    number([1])
    assert number.cache_info()[:2] == (2, 5)
    number.contains(1), number.peek(1), number.get_entry([1]), number.put(5, 6), number.invalidate(1)
    assert number.cache_info()[:2] == (2, 5)


@pytest.mark.parametrize("awaited", [False, True])
def test_entries(awaited: bool) -> None:
    clock = Clock()
    calls: list[int] = []

    if awaited:

        @cached(ttl=10, stale=5, negative_ttl=3, tags="entries", timer=clock)
        async def number(n: int, by: int = 1) -> int:
            calls.append(n)
            return 10 // n * by
    else:

        @cached(ttl=10, stale=5, negative_ttl=3, tags="entries", timer=clock)
        def number(n: int, by: int = 1) -> int:
            calls.append(n)
            return 10 // n * by

    def call(answer: Any) -> Any:
        return asyncio.run(answer) if awaited else answer

    assert call(number(2)) == 5
    with pytest.raises(ZeroDivisionError):
        call(number(0))
    clock.time = 1
    assert number.get_entry(2) == number.get_entry(n=2, by=1) == CacheEntry(5, None, 9, 14, ("entries",))
    entry = number.get_entry(0)
    assert (entry.value, type(entry.error), entry.fresh_for, entry.kept_for) == (None, ZeroDivisionError, 2, 2)
    assert [number.peek(2), number.peek(0), number.peek(3)] == [5, None, None]
    assert [number.contains(2), number.contains(0), number.contains(3)] == [True, True, False]
    number.put(99, 2)
    number.put(98, 0)
    assert [call(number(2)), call(number(0)), call(number(n=2))] == [99, 98, 99]
    assert number.get_entry(2).kept_for == 15
    assert call(number.refresh(2)) == 5
    assert call(number(2)) == 5
    number.put(97, 0)
    with pytest.raises(ZeroDivisionError):
        call(number.refresh(0))
    assert call(number(0)) == 97
    clock.time = 17
    assert number.get_entry(2) is None


def test_refresh_serves_the_old_result_until_it_is_done() -> None:
    started, gate = threading.Event(), threading.Event()
    calls = 0

    @cached
    def number() -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            started.set()
            assert gate.wait(10)
        return calls

    number()
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(number.refresh()))
    thread.start()
    assert started.wait(10)
    assert number() == 1
    gate.set()
    thread.join()
    assert answers == [2]
    assert number() == 2


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_new_result_replaces_that_of_the_call_written_otherwise(asynchronous: bool) -> None:
    source = [1]

    def price(symbol: str, days: int = 5) -> int:
        return source[0]

    async def later(symbol: str, days: int = 5) -> int:
        return source[0]

    call = cached(ttl=60, stale=60)(later if asynchronous else price)

    async def ask(*args: Any, **kwargs: Any) -> int:
        return await done(call(*args, **kwargs))

    async def done(result: Any) -> int:
        return await result if asynchronous else result  # type: ignore[no-any-return]

    async def main() -> None:
        assert [await ask("A"), await ask("B", 5)] == [1, 1]
        call.put(2, "A", 5)
        call.put(2, symbol="B")
        assert [await ask("A"), await ask("A", days=5), await ask("B", 5)] == [2, 2, 2]
        source[0] = 3
        assert await done(call.refresh("A", 5)) == 3
        assert [await ask("A"), await ask("A", 5), await ask("B")] == [3, 3, 2]
        assert len(call.cache) == 4
        entries = [call.get_entry("A"), call.get_entry("A", 5)]
        assert all(entry and 50 < entry.fresh_for <= 60 and entry.kept_for > 100 for entry in entries)

    asyncio.run(main())


def test_a_put_wins_over_a_running_computation_of_the_call_written_otherwise() -> None:
    began, gate = threading.Event(), threading.Event()

    @cached
    def price(symbol: str, days: int = 5) -> int:
        began.set()
        assert gate.wait(10)
        return 1

    thread = threading.Thread(target=price, args=("A",))
    thread.start()
    assert began.wait(10)
    price.put(2, "A", 5)
    gate.set()
    thread.join()
    assert price.peek("A") == 2
    assert list(price.cache.values()) == [2]


def test_put_wins_over_a_running_computation() -> None:
    started, gate = threading.Event(), threading.Event()

    @cached
    def number() -> str:
        started.set()
        assert gate.wait(10)
        return "computed"

    thread = threading.Thread(target=number)
    thread.start()
    assert started.wait(10)
    number.put("put")
    gate.set()
    thread.join()
    assert number() == "put"


def test_a_decorated_function_can_be_collected() -> None:
    import weakref

    def build() -> weakref.ref[Any]:
        @cached(ttl=60, stale=60)
        def number(n: int) -> int:
            return n

        class Holder:
            @cached
            def shared(self) -> int:
                return 1

            @cached(per_instance=True)
            def own(self) -> int:
                return 1

            @classmethod
            @cached
            def of_class(cls) -> int:
                return 1

        number(1), Holder().shared(), Holder().own(), Holder.of_class()
        references.append(weakref.ref(Holder))
        return weakref.ref(number)

    references: list[Any] = []
    references.append(build())
    gc.collect()
    assert [reference() for reference in references] == [None, None]
