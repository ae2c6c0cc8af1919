"""With `per_instance=True` each instance has a separate cache."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

from fastcore.cache import cached, named_caches

pytestmark = pytest.mark.usefixtures("on_backend")


def test_instances_are_distinguished_by_identity(calls: list[Any]) -> None:
    class Numbered:
        def __init__(self, n: int) -> None:
            self.n = n

        @cached(per_instance=True)
        def value(self) -> int:
            calls.append(self.n)
            return self.n

        @property
        @cached(per_instance=True)
        def size(self) -> int:
            return self.n

    class Equal(Numbered):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        def __hash__(self) -> int:
            return 1

    class Unhashable(Numbered):
        __hash__ = None  # type: ignore[assignment]

    for kind in (Equal, Unhashable):
        calls.clear()
        one: Any = kind(1)
        two: Any = kind(2)
        for _ in range(2):
            assert [one.value(), two.value(), kind.value(one), one.size, two.size] == [1, 2, 1, 1, 2]  # type: ignore[attr-defined]
        assert calls == [1, 2]
        one.value.invalidate()
        assert [one.value(), two.value()] == [1, 2]
        assert calls == [1, 2, 1]


def test_results_die_with_their_instance() -> None:
    class Result:
        pass

    results: list[weakref.ref[Any]] = []

    class Holder:
        @cached(per_instance=True, ttl=60, stale=60)
        def make(self, n: int) -> Result:
            result = Result()
            results.append(weakref.ref(result))
            return result

    first, second = Holder(), Holder()
    first.make(1), second.make(1)
    alive = weakref.ref(first)
    del first
    gc.collect()
    assert alive() is None
    assert [result() is None for result in results] == [True, False]
    assert Holder.make.cache_info().currsize == 1
    for _ in range(1000):  # their addresses are used again
        holder = Holder()
        made = holder.make(1)
        assert made is results[-1]()
        del holder
    gc.collect()
    assert Holder.make.cache_info().currsize == 1


def test_bounds_and_clearing_with_instances() -> None:
    class Small:
        @cached(per_instance=True, maxsize=2)
        def square(self, n: int) -> int:
            return n * n

    one, two = Small(), Small()
    for n in range(5):
        one.square(n)
    two.square(1)
    assert one.square.cache_info() == (0, 5, 2, 2)
    assert Small.square.cache_info() == (0, 6, 2, 3)
    one.square.cache_clear()
    assert Small.square.cache_info() == (0, 1, 2, 1)
    Small.square.cache_clear()
    assert two.square.cache_info() == (0, 0, 2, 0)


def test_instances_and_monitoring() -> None:
    class Named:
        @cached(per_instance=True, name="test_instances")
        def square(self, n: int) -> int:
            return n * n

    kept = [Named() for _ in range(3)]
    for each in kept:
        each.square(2), each.square(2), each.square(3)
    caches = named_caches()["test_instances"]
    stats = caches.stats()
    assert (stats.hits, stats.misses, stats.size, len(caches), caches.currsize) == (3, 6, 6, 6, 6)
    from fastcore.cache import expire_caches, shrink_caches

    assert shrink_caches(0.5)["test_instances"] == 3
    assert expire_caches() >= 0
    caches.clear()
    assert len(caches) == 0


def test_instances_without_weak_references_are_refused() -> None:
    class Slots:
        __slots__ = ("x",)

        @cached(per_instance=True)
        def value(self) -> int:
            return 1

    class Weak(Slots):
        __slots__ = ("__weakref__",)

    with pytest.raises(TypeError, match=r"per_instance: expected instances with weak references, got Slots; add"):
        Slots().value()
    assert Weak().value() == 1


def test_class_methods_with_a_cache_for_each_class() -> None:
    class Base:
        @classmethod
        @cached(per_instance=True)
        def name(cls) -> str:
            return cls.__name__

    class Derived(Base):
        pass

    assert [Base.name(), Derived.name(), Base().name()] == ["Base", "Derived", "Base"]


def test_per_instance_changes_nothing_for_a_function(calls: list[Any]) -> None:
    class Thing:
        pass

    @cached(per_instance=True)
    def name(thing: Any) -> Any:
        calls.append(thing)
        return thing

    thing = Thing()
    assert [name(1), name(1), name("a"), name(thing), name(thing), name(thing=1)] == [1, 1, "a", thing, thing, 1]
    assert calls == [1, "a", thing]
    assert name.cache_info()[:2] == (3, 3)


def test_an_instance_may_be_used_from_many_threads() -> None:
    class Shared:
        made = 0

        @cached(per_instance=True)
        def value(self, n: int) -> int:
            Shared.made += 1
            return n

    shared = Shared()
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        for n in range(200):
            assert shared.value(n) == n

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Shared.made == 200
    assert Shared.value.cache_info().misses >= 200


def test_finalizers_may_call_the_cached_method() -> None:
    seen: list[int] = []

    class Ending:
        @cached(per_instance=True)
        def value(self) -> int:
            return 5

        def __del__(self) -> None:
            seen.append(self.value())

    Ending()
    loop: Any = Ending()
    loop.value()
    loop.itself = loop
    del loop
    gc.collect()
    assert seen == [5, 5]
    assert Ending.value.cache_info().currsize == 0
