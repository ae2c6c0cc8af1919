"""The attribute `cache` of a decorated function: a mapping of results with any options."""

from __future__ import annotations

import asyncio
import copy
import inspect
import itertools
import pickle
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastcore import flags
from fastcore.cache import cached, invalidate_tag, migrate, named_caches, restore, save
from tests.cache.conftest import Clock
from tests.conftest import PURE_ONLY

OTHER = {"compiled": "python", "python": "compiled"}

OPTIONS: dict[str, dict[str, Any]] = {
    "stale": {"stale": 50},
    "early": {"early": True},
    "negative": {"negative_ttl": 50},
    "tags": {"tags": "mapping"},
    "copy": {"copy": True},
    "keep_if": {"keep_if": lambda value: value != "refused"},
    "jitter": {"jitter": 0.1},
    "ttl of a result": {"ttl": lambda value: 100},
    "key": {"key": lambda x: ("own", x)},
    "max_bytes": {"max_bytes": 1e6},
}
PAIRS = [(), *((name,) for name in OPTIONS), *itertools.combinations(OPTIONS, 2), tuple(OPTIONS)]


@pytest.fixture
def decorate(backend: str, clock: Clock) -> Callable[..., Any]:
    def make(function: Any, *names: str, **more: Any) -> Any:
        given: dict[str, Any] = {"ttl": 100, "timer": clock}
        for name in names:
            given.update(OPTIONS[name])
        with flags.override("cache", backend):
            return cached(**given, **more)(function)

    return make


async def later(x: Any) -> Any:
    return [x]


@pytest.mark.parametrize(
    "function", [lambda x: [x], later, lambda x: later(x)], ids=["def", "async def", "returns one"]
)
def test_a_result_is_found_by_its_key_with_any_options(decorate: Callable[..., Any], function: Any) -> None:
    for names in PAIRS:
        f = decorate(function, *names)
        value = f("A")
        if inspect.isawaitable(value):
            asyncio.run(_awaited(value))
        key = f.key("A")
        assert f.cache.get(key) == f.cache[key] == f.cache.peek(key) == ["A"], names
        assert list(f.cache.items()) == [(key, ["A"])], names
        assert (list(f.cache), list(f.cache.values()), len(f.cache)) == ([key], [["A"]], 1), names
        assert key in f.cache
        assert f.cache == {key: ["A"]}
        assert f.cache.get(f.key("B")) is None
        assert f.cache.pop(key) == ["A"]
        assert (f.cache.pop(key, "none"), len(f.cache)) == ("none", 0)


async def _awaited(value: Any) -> Any:
    return await value


def test_a_value_that_is_set_is_served_like_a_result(decorate: Callable[..., Any], clock: Clock) -> None:
    for names in PAIRS:
        clock.time = 0
        f = decorate(lambda x: ["computed"], *names)
        f.cache[f.key("A")] = ["set"]
        assert f.cache.setdefault(f.key("A"), ["other"]) == f("A") == ["set"], names
        assert f.cache.setdefault(f.key("B"), ["other"]) == f("B") == ["other"], names
        f.cache.set(f.key("C"), ["short"], ttl=10)
        assert f.get_entry("C").fresh_for == 10
        assert f.get_entry("C").kept_for == (60 if "stale" in names else 10)
        assert 90 <= f.get_entry("A").fresh_for <= 100
        assert f.get_entry("A").kept_for - f.get_entry("A").fresh_for == pytest.approx(50 if "stale" in names else 0)
        clock.time = 5
        assert f.cache.touch(f.key("C"), ttl=20)
        assert f.get_entry("C").fresh_for == 20
        assert f.cache.touch(f.key("A"))
        assert 90 <= f.get_entry("A").fresh_for <= 100
        assert not f.cache.touch(f.key("D"))


def test_tags_that_are_the_same_for_all_calls_go_for_values_that_are_set(decorate: Callable[..., Any]) -> None:
    f = decorate(lambda x: "computed", "tags")
    f.cache["A"] = "set"
    assert f("A") == "set"
    invalidate_tag("mapping")
    assert f.cache.get("A") is None
    assert "A" not in f.cache
    assert f("A") == "computed"


def test_stale_results_are_there_errors_and_invalidated_ones_are_not(
    decorate: Callable[..., Any], clock: Clock
) -> None:
    def fail(x: Any) -> Any:
        if x == "bad":
            raise LookupError(x)
        return x

    f = decorate(fail, "stale", "negative", "tags")
    f("A")
    with pytest.raises(LookupError):
        f("bad")
    assert (list(f.cache), len(f.cache), "bad" in f.cache, f.cache.get("bad")) == (["A"], 1, False, None)
    with pytest.raises(KeyError):
        f.cache["bad"]
    with pytest.raises(KeyError):
        f.cache.pop("bad")
    f("A")
    clock.time = 120
    assert f.cache.get("A") == "A"
    assert f.cache.ttl_remaining("A") == 30
    invalidate_tag("mapping")
    assert (list(f.cache), len(f.cache), f.cache.get("A"), f.cache.ttl_remaining("A")) == ([], 0, None, None)
    with pytest.raises(KeyError):
        f.cache.popitem()
    f("A")
    clock.time = 300
    assert f.cache.expire() == [("A", "A")]


def test_cached_errors_are_not_counted_as_results(decorate: Callable[..., Any]) -> None:
    f = decorate(lambda x: 1 // x, "negative")
    with pytest.raises(ZeroDivisionError):
        f(0)
    f(1)
    assert (len(f.cache), list(f.cache), f.cache.currsize) == (1, [1], 2)


def test_a_cached_error_keeps_nothing_of_what_its_first_caller_handled(decorate: Callable[..., Any]) -> None:
    f = decorate(lambda x: 1 // x, "negative")
    outer = RuntimeError("of the caller")
    try:
        raise outer
    except RuntimeError:
        with pytest.raises(ZeroDivisionError):
            f(0)
    with pytest.raises(ZeroDivisionError) as caught:
        f(0)
    assert caught.value.__context__ is None
    assert f.get_entry(0).error.__context__ is None
    found = f.cache._cache.peek(f.key(0)).error
    assert (found.__context__, found.__traceback__) == (None, None)


def test_a_result_that_is_refused_leaves_no_computation_behind(decorate: Callable[..., Any]) -> None:
    f = decorate(lambda x: iter([x]), "stale")
    for _ in range(2):
        with pytest.raises(TypeError, match="used more than once"):
            f(1)
        assert len(f.cache._cache._flights) == 0


@pytest.mark.parametrize("how", ["on-write", True])
def test_editing_a_looked_up_result_does_not_affect_the_cache(decorate: Callable[..., Any], how: Any) -> None:
    f = decorate(lambda x: pd.DataFrame({"a": [1.0, 2.0]}), "stale", copy=how)
    f(1)
    looks: list[Callable[[], Any]] = [
        lambda: f.cache.get(1),
        lambda: f.cache.peek(1),
        lambda: f.cache[1],
        lambda: next(iter(f.cache.values())),
    ]
    for look in looks:
        mine = look()
        mine.loc[0, "a"] = 99.0
        assert f(1)["a"].tolist() == [1.0, 2.0]
    given = np.zeros(3)
    f.cache[2] = given
    given[0] = 99.0
    assert f(2).tolist() == [0.0, 0.0, 0.0]


def test_lookups_are_counted_and_mark_use_as_in_other_caches(decorate: Callable[..., Any]) -> None:
    f = decorate(lambda x: x, "stale", "tags", maxsize=2)
    f(1), f(2)
    f.cache.get(1), f.cache.get(3), f.cache.peek(2), list(f.cache.items()), 2 in f.cache
    assert f.cache_info()[:2] == (1, 3)
    assert f.cache.stats() == f.stats()
    f(4)
    assert list(f.cache) == [1, 4]
    assert f.cache.popitem() == (1, 1)
    f.cache.resize(5)
    assert (f.cache.maxsize, f.cache.max_bytes, f.cache.currsize) == (5, None, 1)
    f.cache.clear()
    assert len(f.cache) == 0


def test_the_mapping_refuses_values_and_keys_it_cannot_keep(decorate: Callable[..., Any]) -> None:
    f = decorate(lambda x: x, "max_bytes", "stale")
    with pytest.raises(ValueError, match="value too large"):
        f.cache["A"] = bytearray(2_000_000)
    with pytest.raises(TypeError, match="unhashable type"):
        f.cache[[]] = 1
    with pytest.raises(TypeError, match="expected a result that can be used more than once, got a generator"):
        f.cache["A"] = (n for n in range(3))
    with pytest.raises(TypeError):
        f.cache.pop(1, 2, 3)
    assert isinstance(f.cache, MutableMapping)


def test_bound_methods_and_named_caches_show_results(backend: str) -> None:
    with flags.override("cache", backend):

        class Desk:
            @cached(ttl=60, stale=5, name="test_function_cache")
            def price(self, symbol: str) -> str:
                return f"price of {symbol}"

            @cached(ttl=60, stale=5, per_instance=True)
            def own(self, symbol: str) -> str:
                return f"own of {symbol}"

        desk = Desk()
        for method in (desk.price, desk.own):
            assert method.cache.get(method.key("A")) is None
            assert method("A") == method.cache.get(method.key("A"))
        assert named_caches()["test_function_cache"].get(desk.price.key("A")) == "price of A"


def test_copies_pickles_and_migrated_caches_are_apart_from_the_function(
    decorate: Callable[..., Any], backend: str, tmp_path: Path
) -> None:
    other = backend if PURE_ONLY else OTHER[backend]
    f = decorate(later_than, "stale", "tags", "copy")
    f(1), f(2)
    for apart in (copy.copy(f.cache), migrate(copy.copy(f.cache), other)):
        assert dict(apart) == {1: [1], 2: [2]}
        apart[1] = "edited"
        assert f(1) == [1]
    g = cached(ttl=60, stale=5, tags="mapping")(later_than)
    g(1)
    assert dict(pickle.loads(pickle.dumps(g.cache))) == {1: [1]}
    assert dict(migrate(g.cache, other)) == {1: [1]}
    assert len(g.cache) == 0
    save(f.cache, tmp_path / "file")
    assert restore(g.cache, tmp_path / "file").entries == 2
    assert g.get_entry(1).tags == ("mapping",)
    with pytest.raises(TypeError, match="a cache of fastcore, or `function"):
        save(f, tmp_path / "file")


def later_than(x: Any) -> list[Any]:
    return [x]
