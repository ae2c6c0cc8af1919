"""Which calls of a decorated function share a key, and what is cached of a call."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import itertools
import math
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastcore import flags
from fastcore.cache import CacheEntry, CacheInfo, cached, invalidate_tag
from fastcore.cache.spelling import spellings
from tests.cache.conftest import Clock

pytestmark = pytest.mark.usefixtures("on_backend")


# ---- one call, however it is written ----


def plain(a: Any, b: Any = 2) -> Any: ...
def by_name(a: Any, *, b: Any = 2, c: Any = 3) -> Any: ...
def only(a: Any, b: Any = 2, /, c: Any = 3) -> Any: ...
def more(a: Any, *args: Any, b: Any = 2) -> Any: ...
def unsorted(a: Any, *args: Any, d: Any = 2, b: Any = 3) -> Any: ...
def anything(*args: Any, **kwargs: Any) -> Any: ...
def mixed(a: Any, b: Any = 2, *args: Any, c: Any = 3, **kwargs: Any) -> Any: ...
def hidden(a: Any, /, **kwargs: Any) -> Any: ...
def none() -> Any: ...


FUNCTIONS = (plain, by_name, only, more, unsorted, anything, mixed, hidden, none)
VALUES = st.sampled_from([1, 2, 3, "a", "x", None, True, 1.0, 2.0, (1, 2), float("inf"), [1], {"k": [2]}])
CALLS = st.tuples(
    st.lists(VALUES, max_size=4), st.dictionaries(st.sampled_from(["a", "b", "c", "d", "args"]), VALUES, max_size=4)
)


def meaning(function: Callable[..., Any], args: Any, kwargs: Any, defaults: bool) -> Any:
    """What `inspect` says that the arguments of a call are; None for a call that is wrong."""
    try:
        function(*args, **kwargs)  # 3.13.0 binds a positional-only parameter by its name where there are **kwargs
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return None
    if defaults:
        bound.apply_defaults()
    named = dict(bound.arguments)
    named["kwargs"] = dict(sorted(named.get("kwargs", {}).items()))
    return named


def same(one: Any, other: Any) -> bool:
    """Whether two calls have equal arguments, those of other types too, as a dict's keys are equal."""
    return bool(one == other)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(function=st.sampled_from(FUNCTIONS), first=CALLS, second=CALLS, normalize=st.booleans(), typed=st.booleans())
def test_calls_with_equal_arguments_share_a_result(
    backend: str, function: Any, first: Any, second: Any, normalize: bool, typed: bool
) -> None:
    with flags.override("cache", backend):
        call = cached(normalize=normalize, typed=typed)(function)
        meanings = [meaning(function, *each, normalize) for each in (first, second)]
        if None in meanings:
            return
        call(*first[0], **first[1])
        (kept,) = call.cache
        assert kept == call.key(*first[0], **first[1])  # the call object and Python make the same key
        call(*second[0], **second[1])
        one_call = call.cache_info().misses == 1
        kinds = [types(each) for each in meanings]
        if same(*meanings) and kinds[0] == kinds[1]:
            assert one_call
        elif not same(*meanings) or typed:
            assert not one_call


def types(value: Any) -> Any:
    """The types of arguments, and in lists and dicts, in the order of their names."""
    if isinstance(value, dict):
        return {name: types(each) for name, each in value.items()}
    return [types(each) for each in value] if isinstance(value, (list, tuple)) else type(value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(function=st.sampled_from(FUNCTIONS), call=CALLS, written=st.data())
def test_every_way_to_write_a_call_finds_its_result(backend: str, function: Any, call: Any, written: Any) -> None:
    if meaning(function, *call, True) is None:
        return
    ways = list(spellings(function, *call))
    assert all(meaning(function, *way, True) == meaning(function, *call, True) for way in ways)
    args, kwargs = written.draw(st.sampled_from(ways))
    with flags.override("cache", backend):
        memo = cached(function)
        memo(*args, **kwargs)
        assert memo.contains(*call[0], **call[1])
        assert memo.get_entry(*call[0], **call[1]) is not None
        assert memo.invalidate(*call[0], **call[1]) is True
        assert not memo.contains(*args, **kwargs)


def test_names_and_positions_are_one_call() -> None:
    @cached
    def price(symbol: str, days: int = 5, *, adjusted: bool = True) -> tuple[str, int, bool]:
        return symbol, days, adjusted

    price("A"), price(symbol="A"), price("A", 5), price("A", days=5), price(days=5, symbol="A")
    assert price.cache_info()[:2] == (3, 2)  # whether a default is given makes a difference
    price("A", adjusted=False), price(adjusted=False, symbol="A"), price(**{"sym" + "bol": "A", "adjus" + "ted": False})
    assert price.cache_info()[:2] == (5, 3)
    assert price.key("A") == price.key(symbol="A") == "A"
    assert price.invalidate(symbol="A", days=5, adjusted=True) is True  # but for these methods it makes none
    assert price.cache_info().currsize == 1


def test_defaults_are_normalised_on_request() -> None:
    @cached(normalize=True)
    def price(symbol: str, days: int = 5, *, adjusted: bool = True) -> str:
        return symbol

    for args, kwargs in itertools.product([("A",), ("A", 5)], [{}, {"adjusted": True}]):
        price(*args, **kwargs)
    price(days=5, symbol="A", adjusted=True)
    assert price.cache_info()[:2] == (4, 1)
    price("A", 6), price("A", adjusted=False)
    assert price.cache_info().misses == 3


def test_keyword_only_arguments_after_many_others() -> None:
    @cached
    def collect(*args: int, last: int = 0, first: int = 0) -> tuple[int, ...]:
        return (*args, last, first)

    collect(1, 2, 3, last=4, first=5), collect(1, 2, 3, first=5, last=4)
    assert collect.cache_info()[:2] == (1, 1)
    assert list(collect.cache) == [collect.key(1, 2, 3, last=4, first=5)]
    assert collect.invalidate(1, 2, 3, first=5, last=4) is True


def test_names_that_are_no_constants_and_many_of_them() -> None:
    @cached
    def collect(**kwargs: int) -> dict[str, int]:
        return kwargs

    names = {f"name{n}".upper().lower(): n for n in range(60)}
    for count in (1, 2, 23, 24, 25, 60):
        some = dict(list(names.items())[:count])
        assert collect(**some) == collect(**dict(reversed(some.items()))) == some
    assert collect.cache_info()[:2] == (6, 6)


def test_an_argument_given_twice_is_the_functions_error() -> None:
    @cached(normalize=True)
    def price(symbol: str, days: int = 5) -> str:
        return symbol

    with pytest.raises(TypeError, match="multiple values for argument 'symbol'"):
        price("A", symbol="B")  # type: ignore[misc]
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        price("A", day=5)  # type: ignore[call-arg]
    assert price.invalidate("A", symbol="B") is False
    assert price.cache_info().currsize == 0


def test_a_decorator_for_two_functions_makes_two_caches() -> None:
    decorate = cached(ttl=60, tags="two")
    one, two = decorate(lambda n: n + 1), decorate(lambda n: n + 2)
    assert [one(1), two(1), one(1), two(1)] == [2, 3, 2, 3]
    one.cache_clear()
    assert [one.cache_info().currsize, two.cache_info().currsize] == [0, 1]


RECURSIVE: dict[str, dict[str, Any]] = {
    "no options": {},
    "stale": {"ttl": 60, "stale": 60},
    "negative": {"negative_ttl": 5},
    "tags": {"tags": lambda *args: "deep"},
    "key": {"key": lambda *args: args},
    "copy": {"copy": True, "early": True, "ttl": 60},
    "instance": {"per_instance": True, "normalize": True},
}


@pytest.mark.parametrize("options", RECURSIVE.values(), ids=RECURSIVE)
def test_recursion_goes_half_as_deep_as_with_lru_cache_or_deeper(backend: str, options: dict[str, Any]) -> None:
    def depths(decorate: Callable[..., Any]) -> tuple[int, int]:
        reached = [0, 0]

        @decorate
        def down(n: int) -> Any:
            reached[0] = n
            return down(n + 1)

        class Method:
            @decorate
            def down(self, n: int) -> Any:
                reached[1] = n
                return self.down(n + 1)

        for function in (down, Method().down):
            with pytest.raises(RecursionError):
                function(0)
        return reached[0], reached[1]

    with flags.override("cache", backend):
        ours = depths(cached(**options))
    # Since 3.12 only Python's own frames count: one a call with lru_cache, two with a cache, and those of a lookup.
    for mine, theirs in zip(ours, depths(functools.lru_cache(None))):
        assert 2 * mine >= theirs - (12 if sys.version_info >= (3, 12) else 0)


# ---- what is kept, and for how long ----


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
