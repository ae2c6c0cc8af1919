"""Subclasses of caches, and caches of both twins together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import _ext
from fastcore.cache import LRUCache, TTLCache, migrate

Make = Callable[..., Any]


def test_missing_of_a_subclass(make: Make, twin: Callable[[str], Any]) -> None:
    class Squares(twin("cache").LRUCache):  # type: ignore[misc]
        def __missing__(self, key: int) -> int:
            self[key] = key * key
            return key * key

    cache = Squares(2)
    assert [cache[n] for n in (1, 2, 3, 3)] == [1, 4, 9, 9]
    assert list(cache) == [2, 3]
    assert cache.get(7) is None
    cache.note = "subclasses take attributes"
    restored = copy.copy(cache)
    assert restored.note == cache.note
    assert type(restored) is Squares


def test_popitem_and_getsizeof_of_a_subclass(twin: Callable[[str], Any]) -> None:
    evicted = []

    class Loud(twin("cache").LRUCache):  # type: ignore[misc]
        def popitem(self) -> tuple[Any, Any]:
            key, value = super().popitem()
            evicted.append(key)
            return key, value

        @staticmethod
        def getsizeof(value: int) -> int:
            return value

    cache = Loud(5)
    cache.update(a=3, b=2, c=4)
    cache._check()
    assert evicted == ["a", "b"]
    assert cache.currsize == 4
    assert cache.stats().evictions["size"] == 2
    cache.resize(2)
    assert evicted == ["a", "b", "c"]


def test_a_subclass_with_its_own_access(twin: Callable[[str], Any]) -> None:
    class Lower(twin("cache").TTLCache):  # type: ignore[misc]
        def __getitem__(self, key: str) -> Any:
            return super().__getitem__(key.lower())

        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key.lower(), value)

        def __contains__(self, key: object) -> bool:
            return super().__contains__(str(key).lower())

    cache = Lower(10, 60)
    cache.update(ABC=1)
    assert cache.get("aBc") == 1
    assert cache.setdefault("abC", 5) == 1
    assert list(cache) == ["abc"]


def test_isinstance_accepts_both_twins(make: Make) -> None:
    cache = make("TTLCache", 3, 60)
    assert isinstance(cache, TTLCache)
    assert not isinstance(cache, LRUCache)
    cache["a"] = 1
    assert TTLCache.get(cache, "a") == 1


@pytest.mark.parametrize("target", ["compiled", "python"])
def test_migration_keeps_contents_lifetimes_and_statistics(make: Make, clock: Any, backend: str, target: str) -> None:
    if target == "compiled" and _ext.probe("cache").module is None:
        pytest.skip("the pure suite")
    cache = make("TTLCache", 10, 5, timer=clock, on_evict=print)
    cache.update(a=1, b=2)
    cache.set("c", 3, ttl=50, weight=2)
    cache.get("a")
    before = cache.stats()
    moved = migrate(cache, target)
    moved._check()
    assert list(moved.items()) == [("b", 2), ("c", 3), ("a", 1)]
    assert [moved.ttl_remaining(key) for key in "bca"] == [5, 50, 5]
    assert moved.stats() == before
    assert moved.on_evict is print
    assert (moved is cache) is (backend == target)
    if moved is not cache:
        assert len(cache) == 0
        assert type(moved).__module__ != type(cache).__module__
