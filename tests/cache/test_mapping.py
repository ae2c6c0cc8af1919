"""What every cache does as a mapping, on both twins."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import sys
import weakref
from collections.abc import Callable, MutableMapping
from decimal import Decimal
from typing import Any

import pytest

from fastcore.cache import Cache

Make = Callable[..., Any]


def in_a_hundred(key: Any, value: Any, now: float) -> float:
    return now + 100


KINDS = {
    "LRUCache": lambda make, maxsize, **kwargs: make("LRUCache", maxsize, **kwargs),
    "TTLCache": lambda make, maxsize, **kwargs: make("TTLCache", maxsize, 100, **kwargs),
    "TLRUCache": lambda make, maxsize, **kwargs: make("TLRUCache", maxsize, in_a_hundred, **kwargs),
}


@pytest.fixture(params=KINDS)
def build(request: pytest.FixtureRequest, make: Make) -> Make:
    """A cache of each kind, whose entries outlive the test."""
    return lambda maxsize, **kwargs: KINDS[request.param](make, maxsize, **kwargs)


def test_the_least_recently_used_makes_room(build: Make) -> None:
    cache = build(2)
    cache["a"] = 1
    cache["b"] = 2
    assert cache["a"] == 1
    cache["c"] = 3
    assert list(cache) == ["a", "c"]
    assert "b" not in cache
    assert len(cache) == 2


def test_an_update_counts_as_use_and_keeps_the_key(build: Make) -> None:
    cache = build(2)
    key = 1.0
    cache[key] = "x"
    cache["b"] = 2
    cache[1] = "y"
    cache["c"] = 3
    assert dict(cache.items()) == {1.0: "y", "c": 3}
    assert [type(key) for key in cache] == [float, str]


@pytest.mark.parametrize("look", [lambda c: c.peek("a"), lambda c: "a" in c, lambda c: dict(c.items()), repr, len])
def test_lookups_by_peek_and_contains_are_not_use(build: Make, look: Callable[[Any], object]) -> None:
    cache = build(2)
    cache.update(a=1, b=2)
    look(cache)
    cache["c"] = 3
    assert "a" not in cache


def test_get_pop_and_setdefault(build: Make) -> None:
    cache = build(3)
    assert cache.get("a") is None
    assert cache.get("a", 5) == 5
    assert cache.get("a", default=6) == 6
    assert cache.setdefault("a", 1) == 1
    assert cache.setdefault("a", 2) == 1
    assert cache.setdefault("n") is None
    assert cache.pop("a") == 1
    assert cache.pop("a", 7) == 7
    assert cache.pop("a", default=None) is None
    with pytest.raises(KeyError) as caught:
        cache.pop(("a", "tuple"))
    assert caught.value.args == (("a", "tuple"),)


def test_missing_keys(build: Make) -> None:
    cache = build(3)
    for operation in (lambda: cache["x"], lambda: cache.__delitem__("x")):
        with pytest.raises(KeyError, match="x"):
            operation()
    with pytest.raises(KeyError, match=f"{type(cache).__name__} is empty") as caught:
        cache.popitem()
    assert caught.value.__suppress_context__


def test_popitem_takes_the_least_recently_used(build: Make) -> None:
    cache = build(3)
    cache.update(a=1, b=2, c=3)
    cache.get("a")
    assert cache.popitem() == ("b", 2)


def test_it_is_a_mutable_mapping(build: Make) -> None:
    cache = build(3)
    cache.update({"a": 1}, b=2)
    assert isinstance(cache, MutableMapping)
    assert isinstance(cache, Cache)
    assert cache == {"a": 1, "b": 2}
    assert cache != {"a": 1}
    assert cache.__eq__(3) is NotImplemented
    assert list(cache.keys()) == ["a", "b"]
    assert list(cache.values()) == [1, 2]
    assert ("a", 1) in cache.items()
    assert ("a", 2) not in cache.items()
    assert 2 in cache.values()
    with pytest.raises(TypeError, match="unhashable"):
        hash(cache)


def test_repr_names_the_class_and_survives_a_cycle(build: Make) -> None:
    cache = build(3)
    cache["a"] = 1
    assert repr(cache) == f"{type(cache).__name__}({{'a': 1}}, maxsize=3, currsize=1)"
    cache["self"] = cache
    assert "..." in repr(cache)


@pytest.mark.parametrize("maxsize", [0, 0.5])
def test_with_maxsize_zero_nothing_is_stored(build: Make, maxsize: float) -> None:
    cache = build(maxsize)
    with pytest.raises(ValueError, match=r"^value too large$"):
        cache["a"] = 1
    assert len(cache) == 0


def test_infinite_room(build: Make) -> None:
    cache = build(math.inf)
    cache.update((n, n) for n in range(5000))
    assert len(cache) == 5000
    assert cache.maxsize == math.inf


@pytest.mark.parametrize(
    ("maxsize", "error", "text"),
    [
        (-1, ValueError, "maxsize must be non-negative"),
        ("3", TypeError, "maxsize: expected a number, got str"),
        (math.nan, ValueError, "maxsize must be non-negative"),
        (None, TypeError, "maxsize: expected a number, got NoneType"),
    ],
)
def test_wrong_bounds_are_refused(build: Make, maxsize: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        build(maxsize)


def test_weights(build: Make) -> None:
    cache = build(3, getsizeof=lambda value: value)
    cache.update({1: 1, 2: 2})
    assert cache.currsize == 3
    cache[1] = 2
    assert dict(cache.items()) == {1: 2}
    assert cache.currsize == 2
    cache[3] = 3
    assert dict(cache.items()) == {3: 3}
    with pytest.raises(ValueError, match="value too large"):
        cache[3] = 4
    with pytest.raises(ValueError, match="value size must be non-negative"):
        cache[3] = -1
    assert cache[3] == 3
    assert cache.getsizeof(2) == 2


def test_an_explicit_weight(build: Make) -> None:
    cache = build(10)
    cache.set("a", 1, weight=7)
    cache.set("b", 2)
    assert cache.currsize == 8
    cache.set("c", 3, weight=3)
    assert dict(cache.items()) == {"b": 2, "c": 3}
    with pytest.raises(ValueError, match="value too large"):
        cache.set("d", 4, weight=math.inf)
    with pytest.raises(ValueError, match="non-negative"):
        cache.set("d", 4, weight=math.nan)
    cache.set("z", 0, weight=0)
    assert cache.stats().weight == 4


def test_bytes_as_well_as_entries(build: Make) -> None:
    numpy = pytest.importorskip("numpy")
    cache = build(10, max_bytes=10_000)
    cache["a"] = numpy.zeros(1000)  # 8,000 bytes and an array's head
    cache["b"] = numpy.zeros(100)
    assert cache.currsize == 2
    assert 8_800 < cache.stats().weight < 9_500
    cache["c"] = numpy.zeros(1000)
    assert list(cache) == ["b", "c"]
    with pytest.raises(ValueError, match="value too large"):
        cache["d"] = numpy.zeros(2000)
    cache.update((n, None) for n in range(20))
    assert len(cache) == 10


def test_resize(build: Make) -> None:
    cache = build(100)
    cache.update((n, n) for n in range(100))
    cache.resize(10)
    assert list(cache) == list(range(90, 100))
    assert cache.stats().evictions["size"] == 90
    cache.resize(1000)
    cache.update((n, n) for n in range(500))
    assert len(cache) == 500
    with pytest.raises(ValueError, match="maxsize must be non-negative"):
        cache.resize(-1)
    with pytest.raises(ValueError, match="max_bytes: expected None"):
        cache.resize(10, max_bytes=5)


def test_many_at_once(build: Make) -> None:
    cache = build(10)
    cache.set_many({"a": 1, "b": 2})
    cache.set_many([("c", 3)])
    assert cache.get_many(["a", "c", "x"]) == {"a": 1, "c": 3}
    assert list(cache) == ["b", "a", "c"]
    with pytest.raises(TypeError):
        cache.get_many(None)


def test_stats_count_lookups_and_causes(build: Make) -> None:
    cache = build(2)
    cache.update(a=1, b=2, c=3)
    cache["c"] = 4
    cache.get("c"), cache.get("x"), cache.peek("c"), "c" in cache
    del cache["b"]
    cache.clear()
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.hit_ratio) == (1, 1, 0.5)
    assert stats.evictions == {"expired": 0, "size": 1, "replaced": 1, "explicit": 2}
    assert (stats.size, stats.weight) == (0, 0)


def test_eviction_is_reported_with_its_cause(build: Make) -> None:
    heard: list[tuple[Any, Any, str]] = []
    cache = build(2, on_evict=lambda *entry: heard.append(entry))
    cache.update(a=1, b=2, c=3)
    cache["c"] = 4
    del cache["b"]
    cache.pop("c")
    cache["d"] = 5
    cache.popitem()
    cache["e"] = 6
    cache.clear()
    assert heard == [
        ("a", 1, "size"),
        ("c", 3, "replaced"),
        ("b", 2, "explicit"),
        ("c", 4, "explicit"),
        ("d", 5, "explicit"),
        ("e", 6, "explicit"),
    ]


def test_errors_of_on_evict_are_raised_after_the_operation(build: Make) -> None:
    def refuse(key: Any, value: Any, cause: str) -> None:
        raise LookupError(key)

    cache = build(2, on_evict=refuse)
    cache["a"] = 1
    cache["b"] = 2
    with pytest.raises(LookupError, match="a"):
        cache["c"] = 3
    assert list(cache) == ["b", "c"]
    with pytest.raises(BaseExceptionGroup) as caught:
        cache.clear()
    assert [error.args for error in caught.value.exceptions] == [("b",), ("c",)]
    assert len(cache) == 0
    cache.on_evict = None
    cache["a"] = 1
    with pytest.raises(TypeError, match="on_evict: expected a callable or None, got int"):
        cache.on_evict = 3


def test_pickles_and_copies(build: Make) -> None:
    cache = build(3)
    cache.update(a=1, b=2, c=3)
    cache.get("a")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        restored = pickle.loads(pickle.dumps(cache, protocol))
        restored._check()
        assert restored == cache
        assert list(restored) == ["b", "c", "a"]
        assert restored.maxsize == 3
        restored["d"] = 4
        assert "b" not in restored
    copied = copy.copy(cache)
    assert type(copied) is type(cache)
    copied["d"] = 4
    assert list(cache) == ["b", "c", "a"]
    deep = copy.deepcopy(cache)
    assert deep == cache


def test_large_caches_pickle_without_recursion(build: Make) -> None:
    n = sys.getrecursionlimit() * 2
    cache = build(n)
    cache.update((i, i) for i in range(n))
    assert pickle.loads(pickle.dumps(cache)) == cache


def test_cycles_are_collected(build: Make) -> None:
    class Node:
        pass

    cache = build(3)
    node = Node()
    node.cache = cache  # type: ignore[attr-defined]
    cache["node"] = node
    alive = weakref.ref(node)
    other = build(3)  # the fixture keeps `cache`: the cycle that must go is made of copies
    other.update(cache)
    inner = copy.copy(other)
    loop = Node()
    loop.cache = inner  # type: ignore[attr-defined]
    inner["loop"] = loop
    gone = weakref.ref(loop)
    del loop, inner
    gc.collect()
    assert gone() is None
    assert alive() is node


def test_many_operations_keep_the_order_of_a_model(build: Make) -> None:
    import random
    from collections import OrderedDict

    rng = random.Random(5)
    cache, model = build(50), OrderedDict[int, int]()
    for step in range(20_000):
        key = rng.choice((rng.randrange(80), rng.randrange(80) << 40, rng.randrange(40) * 64))
        action = rng.random()
        if action < 0.5:
            assert cache.get(key) == model.get(key)
            if key in model:
                model.move_to_end(key)
        elif action < 0.9:
            cache[key] = step
            model[key] = step
            model.move_to_end(key)
            if len(model) > 50:
                model.popitem(last=False)
        else:
            assert cache.pop(key, None) == model.pop(key, None)
    assert list(cache.items()) == list(model.items())


def test_init_again_starts_over(make: Make) -> None:
    cache = make("LRUCache", 3)
    cache.update(a=1)
    cache.__init__(5)
    assert (len(cache), cache.maxsize, cache.stats().hits) == (0, 5, 0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c: c.get(), "Cache.get() missing 1 required positional argument: 'key'"),
        (lambda c: c.get(1, 2, 3), "Cache.get() takes from 2 to 3 positional arguments but 4 were given"),
        (lambda c: c.peek(1, key=2), "Cache.peek() got multiple values for argument 'key'"),
        (lambda c: c.set(), "Cache.set() missing 2 required positional arguments: 'key' and 'value'"),
        (lambda c: c.set(1, 2, 3), "Cache.set() takes 3 positional arguments but 4 were given"),
        (
            lambda c: c.set(1, 2, 3, ttl=4),
            "Cache.set() takes 3 positional arguments but 4 positional arguments "
            "(and 1 keyword-only argument) were given",
        ),
        (lambda c: c.set(1, 2, 3, colour=4), "Cache.set() got an unexpected keyword argument 'colour'"),
        (lambda c: c.setdefault(default=1), "Cache.setdefault() missing 1 required positional argument: 'key'"),
        (lambda c: c.pop(), "Cache.pop() missing 1 required positional argument: 'key'"),
        (lambda c: c.touch(1, 2, 3), "Cache.touch() takes from 2 to 3 positional arguments but 4 were given"),
        (lambda c: c.expire(1, 2), "Cache.expire() takes from 1 to 2 positional arguments but 3 were given"),
        (
            lambda c: c.get_or_compute("there"),
            "Cache.get_or_compute() missing 1 required positional argument: 'compute'",
        ),
        (
            lambda c: c.get_or_compute("there", int, colour=1),
            "Cache.get_or_compute() got an unexpected keyword argument 'colour'",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_the_words_of_python(build: Make, call: Callable[[Any], Any], text: str) -> None:
    cache = build(2)
    cache["there"] = 1
    with pytest.raises(TypeError) as caught:
        call(cache)
    assert str(caught.value) == text


@pytest.mark.parametrize("option", ["getsizeof", "on_evict"])
def test_an_error_names_the_class_without_its_module(build: Make, option: str) -> None:
    with pytest.raises(TypeError, match=f"^{option}: expected a callable or None, got Decimal$"):
        build(2, **{option: Decimal(1)})


def test_arguments_are_taken_by_name(build: Make) -> None:
    cache = build(2)
    cache.set(key="a", value=1)
    cache.set(value=2, key="b", ttl=50)
    assert cache.get(default=0, key="a") == 1
    assert cache.peek(key="c", default=3) == 3
    assert cache.get_or_compute(compute=lambda: 4, key="b") == 2
    assert cache.pop(key="a", default=None) == 1
