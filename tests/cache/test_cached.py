"""The decorators, on both twins."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fastcore import cache as fastcache
from fastcore.cache import cached, invalidate_tag, register
from tests.cache.conftest import Clock
from tests.cache.counting import counted

pytestmark = pytest.mark.usefixtures("on_backend")


@cached
def double(x: int, by: int = 2) -> int:
    """Twice as much."""
    return x * by


def test_it_computes_once_for_each_set_of_arguments(backend: str) -> None:
    function, counter = counted()
    for _ in range(3):
        assert function(1) == ((1,), {})
        assert function("1") == (("1",), {})
        assert function(1, 2) == ((1, 2), {})
        assert function((1, 2)) == (((1, 2),), {})
        assert function(b=1, a=2) == ((), {"b": 1, "a": 2})
        assert function(a=2, b=1)[1] == {"a": 2, "b": 1}
        assert function(1, a=2) == ((1,), {"a": 2})
        assert function() == ((), {})
    assert counter.calls == 7
    info = function.cache_info()
    assert (info.hits, info.misses, info.maxsize, info.currsize) == (17, 7, 1024, 7)
    assert type(function.cache._cache).__module__.startswith(
        {"python": "python_fallback"}.get(backend, "fastcore._ext")
    )


def test_keyword_and_positional_arguments_are_not_confused() -> None:
    function, counter = counted()
    function("a", 1)
    function(a=1)
    function(("a", 1))
    assert counter.calls == 3


def test_typed_distinguishes_equal_numbers() -> None:
    function, counter = counted(typed=True)
    assert [function(x)[0] for x in (1, 1.0, True, 1)] == [(1,), (1.0,), (True,), (1,)]
    assert counter.calls == 3
    untyped, counter = counted()
    untyped(1, 1), untyped(1.0, True)
    assert counter.calls == 1


def test_unhashable_arguments_are_keyed_by_content() -> None:
    function, counter = counted()
    for _ in range(2):
        (
            function([1, 2]),
            function((1, 2)),
            function({"a": [1]}),
            function({1, 2}),
            function(bytearray(b"x")),
            function(b"x"),
        )
        function([1, [2]], x={"b": {"c": 1}})
    assert counter.calls == 7
    function({"a": [1]})
    with pytest.raises(TypeError, match=r"expected arguments that can be hashed, .* got Odd; pass key="):
        function(Odd())


class Odd:
    __hash__ = None  # type: ignore[assignment]


def test_arrays_and_frames_are_keyed_by_content() -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    function, counter = counted(lambda frame: float(frame.sum().sum()))
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    assert function(frame) == function(frame.copy()) == 3.0
    assert counter.calls == 1
    frame.loc[0, "a"] = 5.0
    assert function(frame) == 7.0
    other, counter = counted()
    other(np.arange(3)), other(np.arange(3)), other([np.arange(3)]), other(np.arange(3.0))
    assert counter.calls == 3


def test_a_key_function() -> None:
    function, counter = counted(key=lambda request, **_: request["id"])
    function({"id": 1}, trace="x")
    function({"id": 1}, trace="y")
    function({"id": 2})
    assert counter.calls == 2
    assert function.invalidate({"id": 1}) is True
    function({"id": 1})
    assert counter.calls == 3


def test_results_expire_and_the_oldest_makes_room() -> None:
    clock = Clock()
    function, counter = counted(ttl=10, maxsize=2, timer=clock)
    function(1), function(2), function(1)
    function(3)
    function(1)
    assert counter.calls == 3
    clock.time = 10
    function(1)
    assert counter.calls == 4


def test_invalidate_and_clear() -> None:
    function, counter = counted()
    function(1), function([1], x=2)
    assert function.invalidate(1) is True
    assert function.invalidate(1) is False
    assert function.invalidate([1], x=2) is True
    function(1)
    assert counter.calls == 3
    function.cache_clear()
    assert function.cache_info()[:2] == (0, 0)
    function(1)
    assert counter.calls == 4
    assert function.stats().misses == 1


def test_results_too_large_are_served_and_not_kept() -> None:
    function, counter = counted(lambda n: b"x" * n, max_bytes=1000)
    function(100), function(100)
    function(2000), function(2000)
    assert counter.calls == 3
    assert function.cache_info().currsize == 1
    nothing, counter = counted(maxsize=0)
    nothing(1), nothing(1)
    assert counter.calls == 2


def test_errors_are_not_kept() -> None:
    function, counter = counted(lambda x: 1 / x)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            function(0)
    assert counter.calls == 2
    with pytest.raises(TypeError):
        double()


def test_the_wrapper_keeps_the_function_s_attributes() -> None:
    assert double.__name__ == "double"
    assert double.__doc__ == "Twice as much."
    assert str(inspect.signature(double)) == "(x: 'int', by: 'int' = 2) -> 'int'"
    assert pickle.loads(pickle.dumps(double)) is double
    assert copy.deepcopy(double) is double
    assert double.__wrapped__(4) == 8
    assert "double" in repr(double)


class Service:
    made = 0

    def __init__(self, factor: int = 1) -> None:
        self.factor = factor

    @cached
    def price(self, symbol: str) -> tuple[str, int]:
        Service.made += 1
        return symbol, self.factor

    @cached(per_instance=True)
    def own(self, symbol: str) -> tuple[str, int]:
        return symbol, self.factor

    @cached
    async def later(self, symbol: str) -> str:
        Service.made += 1
        return symbol

    @classmethod
    @cached
    def of_class(cls, x: int) -> int:
        Service.made += 1
        return x

    @staticmethod
    @cached
    def static(x: int) -> int:
        return -x


def test_methods_leave_self_out_of_the_key_unless_asked() -> None:
    Service.price.cache_clear()
    Service.made = 0
    one, two = Service(1), Service(2)
    assert one.price("A") == two.price("A") == Service.price(one, "A") == ("A", 1)
    assert Service.made == 1
    assert one.own("A") == ("A", 1)
    assert two.own("A") == ("A", 2)
    assert Service.of_class(3) == one.of_class(3) == 3
    assert Service.static(3) == -3
    assert Service.price.invalidate(one, "A") is True
    assert asyncio.run(one.later("B")) == asyncio.run(two.later("B")) == "B"


def test_a_size_in_place_of_the_function_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected a callable, got int; write cached\(maxsize=128\)$"):
        cached(128)  # type: ignore[call-overload]


def test_generators_are_refused() -> None:
    def generate() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="expected one that returns its result, got the generator"):
        cached(generate)
    with pytest.raises(TypeError, match="expected a callable, got int"):
        cached()(3)  # type: ignore[type-var]


class Plain:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def price(self, symbol: str) -> tuple[str, int]:
        return symbol, self.factor

    async def later(self, symbol: str) -> tuple[str, int]:
        return symbol, self.factor

    @functools.wraps(price)
    def wrapped(self, *args: str) -> tuple[str, int]:
        return self.price(*args)


def test_a_bound_method_does_not_omit_its_first_argument() -> None:
    one, two = Plain(1), Plain(2)
    price, later = cached(one.price), cached(one.later)
    assert [price("A"), price("B"), cached(two.price)("A")] == [("A", 1), ("B", 1), ("A", 2)]
    assert [asyncio.run(later("A")), asyncio.run(later("B"))] == [("A", 1), ("B", 1)]


def test_a_function_that_was_a_method_has_no_instance() -> None:
    function = cached(Plain.wrapped)
    assert [function(Plain(1), "A"), function(Plain(2), "A")] == [("A", 1), ("A", 2)]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"ttl": 0}, ValueError, "ttl: expected a time longer than 0, got 0"),
        ({"stale": 5}, ValueError, "ttl: expected a time, as stale= and early= count from it, got none"),
        ({"ttl": 5, "stale": -1}, ValueError, "stale: expected a time of 0 or longer, got -1"),
        ({"negative_ttl": -1}, ValueError, "negative_ttl: expected a time of 0 or longer, got -1"),
        ({"ttl": 5, "early": -1}, ValueError, "early: expected a bool or a factor of at least 0, got -1"),
        ({"tags": [1]}, TypeError, "tags: expected str, got int"),
        ({"tags": 1}, TypeError, "tags: expected str, got int"),
        ({"on_evict": 3}, TypeError, "on_evict: expected a callable or None, got int"),
        ({"ttl": 5, "early": "x"}, TypeError, "early: expected a bool or a factor of at least 0, got str"),
        ({"jitter": 1}, ValueError, "jitter: expected a number from 0 to below 1, got 1"),
        ({"keep_if": 3}, TypeError, "keep_if: expected a callable or None, got int"),
        ({"maxsize": "10"}, TypeError, "maxsize: expected a number, got str"),
        ({"key": 3}, TypeError, "key: expected a callable or None, got int"),
        ({"name": ""}, TypeError, "name: expected a str that is not empty, got ''"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        cached(**options)(lambda: None)


def test_tags_of_a_call_are_checked() -> None:
    with pytest.raises(TypeError, match=r"^tags: expected str, got float$"):
        cached(tags=lambda price: price)(lambda price: price)(1.5)


@pytest.mark.parametrize("given", [{}, cached()(lambda: None)], ids=["dict", "function"])
def test_only_caches_are_registered(given: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^cache: expected a cache of fastcore, or `function.cache` of a decorated one"
    ):
        register("analysis", given)
    register("analysis", cached()(lambda: None).cache)


# ---- coroutine functions ----


def test_coroutine_functions() -> None:
    calls = 0

    @cached(ttl=60)
    async def fetch(symbol: str, *, depth: int = 1) -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        if symbol == "bad":
            raise LookupError(symbol)
        return symbol * depth

    async def main() -> None:
        assert inspect.iscoroutinefunction(fetch)
        answers = await asyncio.gather(*(fetch("A") for _ in range(50)))
        assert set(answers) == {"A"}
        assert calls == 1
        assert await fetch("A", depth=2) == "AA"
        errors = await asyncio.gather(*(fetch("bad") for _ in range(5)), return_exceptions=True)
        assert all(isinstance(error, LookupError) for error in errors)
        assert calls == 3
        assert fetch.invalidate("A") is True
        await fetch("A")
        assert calls == 4

    asyncio.run(main())
    assert asyncio.run(fetch("A")) == "A"
    assert calls == 4


def test_coroutines_with_unhashable_arguments() -> None:
    calls = 0

    @cached
    async def total(values: list[int]) -> int:
        nonlocal calls
        calls += 1
        return sum(values)

    async def main() -> None:
        assert await total([1, 2]) == await total([1, 2]) == 3

    asyncio.run(main())
    assert calls == 1


# ---- tags and invalidation ----


def test_invalidating_a_tag_drops_its_results() -> None:
    function, counter = counted(lambda symbol, day: day, tags=lambda symbol, day: (f"s:{symbol}", f"d:{day}"))
    plain, other = counted(tags=["all"])
    for symbol in "AB":
        for day in (1, 2):
            function(symbol, day)
    plain(1)
    invalidate_tag("s:A")
    for symbol in "AB":
        for day in (1, 2):
            function(symbol, day)
    assert counter.calls == 6
    invalidate_tag("d:1")
    for symbol in "AB":
        for day in (1, 2):
            function(symbol, day)
    assert counter.calls == 8
    plain(1)
    assert other.calls == 1
    invalidate_tag("all")
    plain(1)
    assert other.calls == 2
    with pytest.raises(TypeError, match="tag: expected a str, got int"):
        invalidate_tag(3)  # type: ignore[arg-type]


def test_a_result_invalidated_during_its_computation_is_not_cached() -> None:
    started, gate = threading.Event(), threading.Event()
    price = [1]

    def compute(x: int) -> int:
        seen = price[0]
        started.set()
        gate.wait(10)
        return seen

    function, _ = counted(compute)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(function(1)))
    thread.start()
    started.wait(10)
    price[0] = 2
    function.invalidate(1)
    gate.set()
    thread.join()
    assert answers == [1]
    assert function(1) == 2


# ---- named caches ----


def test_named_caches_are_seen_shrunk_and_forgotten() -> None:
    function, _ = counted(name="test_named")
    for n in range(100):
        function(n)
    assert fastcache.named_caches()["test_named"] is function.cache
    assert fastcache.cache_stats()["test_named"].size == 100
    assert fastcache.shrink_caches(0.25)["test_named"] == 75
    assert list(function.cache) == list(range(75, 100))
    assert function.cache_info().maxsize == 1024
    with pytest.raises(ValueError, match="fraction: expected a number from 0 to 1, got 2"):
        fastcache.shrink_caches(2)
    assert fastcache.expire_caches() >= 0
    del function
    import gc

    gc.collect()
    assert "test_named" not in fastcache.named_caches()
