"""Stand-ins for cachetools' classes: the same operations on both, and they agree, error texts included."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

cachetools = pytest.importorskip("cachetools")

Make = Callable[..., Any]

KEYS = st.integers(0, 6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.integers(0, 4)),
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("subscript"), KEYS),
        st.tuples(st.just("contains"), KEYS),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("pop"), KEYS),
        st.tuples(st.just("setdefault"), KEYS, st.integers(0, 4)),
        st.tuples(st.just("popitem")),
        st.tuples(st.just("length")),
        st.tuples(st.just("expire")),
        st.tuples(st.just("tick"), st.integers(1, 4)),
        st.tuples(st.just("clear")),
        st.tuples(st.just("update"), st.dictionaries(KEYS, st.integers(0, 4), max_size=3)),
    ),
    max_size=60,
)


def do(cache: Any, step: tuple[Any, ...], clock: Any) -> Any:
    """Do one step; what it gives, or the error it raises."""
    name, *args = step
    operations: dict[str, Callable[..., Any]] = {
        "set": cache.__setitem__,
        "get": cache.get,
        "subscript": cache.__getitem__,
        "contains": cache.__contains__,
        "delete": cache.__delitem__,
        "pop": cache.pop,
        "setdefault": cache.setdefault,
        "popitem": cache.popitem,
        "update": cache.update,
        "length": cache.__len__,
        "clear": cache.clear,
        "expire": lambda: sorted(cache.expire()) if hasattr(type(cache), "timer") else [],
        "tick": lambda by: None,
    }
    try:
        return operations[name](*args)
    except (KeyError, ValueError) as error:
        return type(error), str(error)


def agree(ours: Any, theirs: Any, steps: list[tuple[Any, ...]], clock: Any) -> None:
    for step in steps:
        if step[0] == "tick":
            clock.tick(step[1])
        mine, other = do(ours, step, clock), do(theirs, step, clock)
        if isinstance(other, tuple) and other[1:] and "is empty" in str(other[1]):
            assert mine[1].split("Cache")[1] == other[1].split("Cache")[1]
        else:
            assert mine == other, step
        # theirs.items() would count as use of every entry
        assert dict(iter(ours.items())) == {key: cachetools.Cache.__getitem__(theirs, key) for key in theirs}
        ours._check()


class Clock:
    def __init__(self) -> None:
        self.time = 0

    def __call__(self) -> int:
        return self.time

    def tick(self, by: int) -> None:
        self.time += by


BUILDERS: dict[str, Callable[[Any, Any, float, Callable[[Any], float] | None], Any]] = {
    "LRUCache": lambda module, clock, maxsize, size: module.LRUCache(maxsize, getsizeof=size),
    "TTLCache": lambda module, clock, maxsize, size: module.TTLCache(maxsize, 5, timer=clock, getsizeof=size),
    "TLRUCache": lambda module, clock, maxsize, size: module.TLRUCache(
        maxsize, lambda key, value, now: now + 2 * value, timer=clock, getsizeof=size
    ),
}


@pytest.mark.parametrize("kind", BUILDERS)
@pytest.mark.parametrize("weighed", [False, True])
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, maxsize=st.sampled_from([0, 1, 3, 5, math.inf]))
@example(steps=[("set", 1, 1), ("tick", 5), ("pop", 1), ("expire",)], maxsize=3)  # what had expired is reported
@example(steps=[("set", 1, 1), ("tick", 5), ("set", 2, 4), ("expire",)], maxsize=3)  # also after one too large
def test_the_same_operations_give_the_same_results(
    twin: Callable[[str], Any], kind: str, weighed: bool, steps: list[tuple[Any, ...]], maxsize: float
) -> None:
    clock = Clock()
    size = (lambda value: value) if weighed else None
    ours = BUILDERS[kind](twin("cache"), clock, maxsize, size)
    theirs = BUILDERS[kind](cachetools, clock, maxsize, size)
    agree(ours, theirs, steps, clock)
    assert ours.currsize == theirs.currsize
    assert ours.maxsize == theirs.maxsize


def test_it_serves_the_cached_decorator_of_cachetools(make: Make) -> None:
    for name, args in (("LRUCache", (10,)), ("TTLCache", (10, 60))):
        calls: list[int] = []

        @cachetools.cached(make(name, *args), info=True)
        def double(x: int, calls: list[int] = calls) -> int:
            calls.append(x)
            return 2 * x

        assert [double(3), double(3), double(4)] == [6, 6, 8]
        assert calls == [3, 4]
        assert double.cache_info().hits == 1


def test_attributes_are_those_of_cachetools(make: Make) -> None:
    for name, args in (("LRUCache", (10,)), ("TTLCache", (10, 60)), ("TLRUCache", (10, max))):
        theirs = getattr(cachetools, name)(*args)
        public = {attribute for attribute in dir(theirs) if not attribute.startswith("_")}
        assert public <= set(dir(make(name, *args)))


def test_datetimes_as_in_the_documentation_of_cachetools(make: Make) -> None:
    for module in (cachetools, None):
        arguments = {"maxsize": 10, "ttl": timedelta(hours=12), "timer": datetime.now}
        cache = module.TTLCache(**arguments) if module else make("TTLCache", **arguments)
        cache["a"] = 1
        assert cache.expire(datetime.now()) == []
        assert cache.expire(datetime.now() + timedelta(hours=12)) == [("a", 1)]

    def until(key: str, value: dict[str, int], now: datetime) -> datetime:
        return now + timedelta(hours=value["hours"])

    tlru = make("TLRUCache", maxsize=10, ttu=until, timer=datetime.now)
    tlru["a"] = {"hours": 2}
    tlru["b"] = {"hours": -1}
    assert list(tlru) == ["a"]
    assert 7199 < tlru.ttl_remaining("a") <= 7200 + 1e-6


def test_a_timer_that_moves_with_every_reading(make: Make) -> None:
    class Timer(Clock):
        def __call__(self) -> int:
            self.time += 1
            return self.time

    for build in (cachetools.TTLCache, lambda *args, **kwargs: make("TTLCache", *args, **kwargs)):
        cache = build(1, 2, timer=Timer())
        cache[1] = 1
        assert cache[1] == 1
        cache[1] = 1
        assert cache.get(1) == 1
        cache[1] = 1
        assert cache.pop(1) == 1
        cache[1] = 1
        assert cache.setdefault(1) == 1
        cache[1] = 1
        cache.clear()
        assert len(cache) == 0
