"""Every public class over two twins: what it documents is there, and a subclass may call each method by its name."""

from __future__ import annotations

import copy
import pickle
import queue
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import flags
from fastcore.cache import Cache, LRUCache, TLRUCache, TTLCache
from fastcore.dispatch.twins import Twin
from fastcore.framing import Fanout, Packer, RowPacker, Unpacker
from fastcore.heap import AsyncPriorityQueue, PriorityHeap, PriorityQueue

ARGUMENTS: dict[Any, tuple[Any, ...]] = {
    LRUCache: (10,),
    TTLCache: (10, 60),
    TLRUCache: (10, max),
    PriorityHeap: (),
    PriorityQueue: (),
    AsyncPriorityQueue: (),
    Packer: (),
    Unpacker: (),
    RowPacker: (("symbol", "price"),),
    Fanout: (),
}
CLASSES = list(ARGUMENTS)
NOT_CALLED = {"__new__", "__class_getitem__", "__init_subclass__", "__init__", "__getstate__", "__dir__"}


@pytest.fixture
def on(backend: str) -> Any:
    with flags.override("cache", backend), flags.override("heap", backend), flags.override("framing", backend):
        yield backend


def documented(public: Any) -> list[str]:
    names = {name for base in public.__mro__ if isinstance(base, Twin) for name in vars(base)}
    return sorted(name for name in names if name.startswith("__") or not name.startswith("_"))


def methods(public: Any) -> list[str]:
    return [name for name in documented(public) if callable(getattr(public, name)) and name not in NOT_CALLED]


@pytest.mark.parametrize("public", CLASSES)
def test_everything_that_a_twin_offers_is_on_the_public_class(public: Any, on: str) -> None:
    twin = public.twin(on)
    offered = {name for name in dir(twin) if not name.startswith("_")}
    assert offered <= set(documented(public))
    for name in ("__contains__", "__missing__", "__len__", "__iter__", "__copy__", "__getitem__"):
        assert hasattr(public, name) == hasattr(twin, name), name


@pytest.mark.parametrize("public", CLASSES)
def test_explicit_base_calls_do_not_recurse_into_the_override(public: Any, on: str) -> None:
    reached: list[str] = []

    def override(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            reached.append(name)
            assert reached.count(name) < 5, f"{name} came back to the override"
            return getattr(public, name)(self, *args, **kwargs)

        return method

    for name in methods(public):
        mine: Any = type(public)("Mine", (public,), {name: override(name), "__module__": __name__})
        made = mine(*ARGUMENTS[public])
        if hasattr(made, "shutdown") and name != "shutdown":
            made.shutdown(True)  # nothing waits
        for given in ((), (0,), (0, 0)):  # a wrong number is an error, and that is an answer too
            reached.clear()
            try:
                answer = getattr(made, name)(*given)
            except Exception:
                continue
            finally:
                assert reached.count(name) == 1, name
            if hasattr(answer, "close"):
                answer.close()


@pytest.mark.parametrize("public", CLASSES)
def test_properties_of_a_base_are_read_and_set_from_an_override(public: Any, on: str) -> None:
    made = public(*ARGUMENTS[public])
    names = [name for name in documented(public) if isinstance(getattr(public, name), property)]
    for name in names:
        described: Any = getattr(public, name)
        mine: Any = type(public)(
            "Mine",
            (public,),
            {name: property(described.fget, described.fset), "__module__": __name__},
        )
        assert type(getattr(mine(*ARGUMENTS[public]), name)) is type(getattr(made, name)), name
        if described.fset is not None:
            value = getattr(made, name)
            setattr(mine(*ARGUMENTS[public]), name, value)


@pytest.mark.parametrize("public", CLASSES)
def test_subscripts_do_not_change_the_class(public: Any, on: str) -> None:
    for arguments in ((str,), (str, int), (str, int, float)):
        assert public[arguments].__args__ == arguments
        assert type(public[arguments](*ARGUMENTS[public])) is public.twin(on)

    class Mine(public[str]):  # type: ignore[misc]
        pass

    assert isinstance(Mine(*ARGUMENTS[public]), public)


class Doubling(LRUCache[Any, Any]):
    """Written as cachetools' documentation writes subclasses."""

    def __init__(self, maxsize: int) -> None:
        LRUCache.__init__(self, maxsize)
        self.dropped: list[Any] = []

    def __setitem__(self, key: Any, value: Any) -> None:
        LRUCache.__setitem__(self, key, 2 * value)

    def popitem(self) -> tuple[Any, Any]:
        item = LRUCache.popitem(self)
        self.dropped.append(item)
        return item

    def __missing__(self, key: Any) -> Any:
        return LRUCache.__missing__(self, key) if key == "unknown" else -1


def test_a_cache_that_overrides_by_explicit_calls(on: str) -> None:
    mine: Any = type(Doubling.__name__, (LRUCache,), dict(vars_of(Doubling)))(2)
    mine[1] = 1
    mine.update({2: 2, 3: 3})
    assert dict(mine.items()) == {2: 4, 3: 6}
    assert mine.dropped == [(1, 2)]
    assert mine["other"] == -1
    with pytest.raises(KeyError, match="unknown"):
        mine["unknown"]
    assert mine.setdefault(9, 5) == 5
    assert mine.peek(9) == 10
    copied = copy.copy(mine)
    assert dict(copied.items()) == {3: 6, 9: 10}
    Cache.clear(mine)
    assert len(mine) == 0
    assert len(copied) == 2


def vars_of(kind: type) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in vars(kind).items() if key not in ("__dict__", "__weakref__")]


def test_queues_that_override_by_explicit_calls(on: str) -> None:
    class Logged(PriorityQueue[str]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            PriorityQueue.__init__(self, *args, **kwargs)
            self.log: list[str] = []

        def put(self, item: str, *args: Any, **kwargs: Any) -> int:
            self.log.append(item)
            return PriorityQueue.put(self, item, *args, **kwargs)

        def get(self, *args: Any, **kwargs: Any) -> str:
            item = PriorityQueue.get(self, *args, **kwargs)
            self.log.remove(item)
            return item

    class Heap(PriorityHeap[str]):
        def push(self, item: str, priority: Any = 0.0, **kwargs: Any) -> int:
            return PriorityHeap.push(self, item.upper(), -priority, **kwargs)

    logged = Logged(maxsize=2)
    logged.put("b")
    logged.put("a", priority="a")
    assert (logged.get(), logged.log) == ("a", ["b"])
    with pytest.raises(queue.Full):
        logged.put("c"), logged.put("d", block=False)
    heap = Heap()
    heap.push("low", 1), heap.push("high", 2)
    assert [heap.pop(), heap.pop()] == ["HIGH", "LOW"]


def test_pickles_of_subclasses_with_explicit_calls() -> None:
    mine = Doubling(3)
    mine["a"] = 1
    assert dict(pickle.loads(pickle.dumps(mine)).items()) == {"a": 2}
