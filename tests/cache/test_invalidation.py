"""Changes during a computation win: the older value is not stored, and callers after the change do not wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import flags
from fastcore.cache import cached, invalidate_tag

Make = Callable[..., Any]


def delete(cache: Any) -> None:
    with pytest.raises(KeyError):
        del cache["k"]


CHANGES: dict[str, tuple[Callable[[Any], object], Any]] = {
    "setitem": (lambda cache: cache.__setitem__("k", "new"), "new"),
    "set": (lambda cache: cache.set("k", "new", ttl=5), "new"),
    "set_many": (lambda cache: cache.set_many({"k": "new"}), "new"),
    "update": (lambda cache: cache.update({"k": "new"}), "new"),
    "setdefault": (lambda cache: cache.setdefault("k", "new"), "new"),
    "pop": (lambda cache: cache.pop("k", None), None),
    "delete": (lambda cache: delete(cache), None),
    "clear": (lambda cache: cache.clear(), None),
    "set and pop": (lambda cache: (cache.set("k", "new"), cache.pop("k")), None),
    "set and popitem": (lambda cache: (cache.set("k", "new"), cache.popitem()), None),
    "set and delete": (lambda cache: (cache.set("k", "new"), cache.__delitem__("k")), None),
    "configured again": (lambda cache: type(cache).__init__(cache, 10, 60), None),
}
# What does not speak of the key leaves its computation alone.
UNRELATED: dict[str, Callable[[Any], object]] = {
    "another key": lambda cache: (cache.set("other", 1), cache.pop("other"), cache.pop("none", None)),
    "expire": lambda cache: cache.expire(),
    "resize": lambda cache: cache.resize(5),
    "touch": lambda cache: cache.touch("k"),
    "reading": lambda cache: (cache.get("k"), "k" in cache, len(cache), list(cache.items())),
}


class Computing:
    """A thread or a task that computes "old" for the key "k" until it is told to end."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.begun, self.go = threading.Event(), threading.Event()
        self.answers: list[Any] = []
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        self.answers.append(self.cache.get_or_compute("k", self.compute))

    def compute(self) -> str:
        self.begun.set()
        assert self.go.wait(20)
        return "old"

    def __enter__(self) -> Computing:
        self.thread.start()
        assert self.begun.wait(20)
        return self

    def __exit__(self, *exc: object) -> None:
        self.go.set()
        self.thread.join(20)


class ComputingTask(Computing):
    def run(self) -> None:
        async def compute() -> str:
            self.begun.set()
            await asyncio.to_thread(self.go.wait, 20)
            return "old"

        self.answers.append(asyncio.run(self.cache.aget_or_compute("k", compute)))


@pytest.mark.parametrize("computing", [Computing, ComputingTask])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_key_wins_over_a_running_computation(
    make: Make, change: str, computing: type[Computing]
) -> None:
    cache = make("TTLCache", 10, 60)
    act, expected = CHANGES[change]
    with computing(cache) as running:
        act(cache)
        assert cache.peek("k") == expected
        if expected is None:
            assert cache.get_or_compute("k", lambda: "by a later caller") == "by a later caller"
            expected = "by a later caller"
    assert running.answers == ["old"]  # asked before the change
    assert cache.peek("k") == expected
    assert len(cache._flights) == 0


@pytest.mark.parametrize("computing", [Computing, ComputingTask])
@pytest.mark.parametrize("act", UNRELATED)
def test_other_operations_do_not_affect_a_running_computation(make: Make, act: str, computing: type[Computing]) -> None:
    cache = make("TTLCache", 10, 60)
    with computing(cache) as running:
        UNRELATED[act](cache)
        assert len(cache._flights) == 1
    assert running.answers == ["old"]
    assert cache.peek("k") == "old"


def test_a_computation_that_sets_its_own_key_keeps_what_it_set(make: Make) -> None:
    cache = make("LRUCache", 10)
    assert cache.get_or_compute("k", lambda: (cache.set("k", "set"), "returned")[1]) == "returned"
    assert cache.peek("k") == "set"
    assert cache.get_or_compute("all", lambda: (cache.update({"b": 2, "c": 3}), 1)[1]) == 1
    assert dict(cache.items()) == {"k": "set", "b": 2, "c": 3, "all": 1}


def test_a_change_made_while_the_result_is_weighed_wins(make: Make) -> None:
    armed: list[bool] = []

    def weigh(value: Any) -> int:
        if armed and value == "old":
            armed.clear()
            cache["k"] = "new"
        return 1

    cache = make("LRUCache", 10, getsizeof=weigh)
    armed.append(True)
    assert cache.get_or_compute("k", lambda: "old") == "old"
    assert cache.peek("k") == "new"


def test_a_change_made_by_a_comparison_while_the_result_is_stored_wins(make: Make) -> None:
    cache = make("LRUCache", 10)
    armed: list[bool] = []

    class Key:
        def __init__(self, name: str) -> None:
            self.name = name

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            if armed:
                armed.clear()
                cache.pop("k", None)
                cache.clear()
            return isinstance(other, Key) and self.name == other.name

    cache[Key("one")] = 1

    def compute() -> str:
        armed.append(True)
        return "old"

    assert cache.get_or_compute(Key("two"), compute) == "old"
    assert len(cache) == 0


@pytest.mark.parametrize("change", ["setitem", "pop"])
def test_a_computation_that_began_within_the_change_is_not_stored(make: Make, change: str) -> None:
    """`on_evict` runs after the entry left and before the change is over: a computation that began there is older."""
    stack: list[Any] = []

    def begin(*entry: object) -> None:
        if "k" not in cache and not stack:
            stack.append(Computing(cache))
            stack[0].__enter__()

    cache = make("TTLCache", 10, 60)
    cache["k"] = "before"
    cache.on_evict = begin
    CHANGES[change][0](cache)
    for running in stack:
        running.__exit__()
    assert cache.peek("k") == ("new" if change == "setitem" else None)


def test_subclasses_that_override_set_store_through_it(make: Make, twin: Callable[[str], Any]) -> None:
    class Logged(twin("cache").LRUCache):  # type: ignore[misc]
        def set(self, key: Any, value: Any, **options: Any) -> None:
            seen.append(key)
            super().set(key, value, **options)

    seen: list[Any] = []
    cache = Logged(10)
    assert cache.get_or_compute("k", lambda: 5) == 5
    assert asyncio.run(cache.aget_or_compute("a", lambda: 6)) == 6
    assert (seen, dict(cache.items())) == (["k", "a"], {"k": 5, "a": 6})


@pytest.mark.parametrize(
    "act", [lambda f: f.cache_clear(), lambda f: f.invalidate("A"), lambda f: invalidate_tag("price of A")]
)
@pytest.mark.parametrize("options", [{}, {"stale": 60}, {"negative_ttl": 60}, {"early": True}])
def test_decorated_functions(backend: str, act: Callable[[Any], object], options: dict[str, Any]) -> None:
    begun, go = threading.Event(), threading.Event()
    price = ["old"]

    with flags.override("cache", backend):

        @cached(ttl=60, tags=lambda symbol: [f"price of {symbol}"], **options)
        def quote(symbol: str) -> str:
            found = price[0]
            if found == "old":
                begun.set()
                assert go.wait(20)
            return found

        @cached(ttl=60, tags=lambda symbol: [f"price of {symbol}"], **options)
        async def aquote(symbol: str) -> str:
            found = price[0]
            await asyncio.sleep(0)
            if found == "old":
                act(aquote)
                price[0] = "new"
                assert await aquote(symbol) == "new"
            return found

    thread = threading.Thread(target=quote, args=("A",))
    thread.start()
    assert begun.wait(20)
    price[0] = "new"
    act(quote)
    assert quote("A") == "new"
    go.set()
    thread.join(20)
    assert quote("A") == "new"
    price[0] = "old"

    async def main() -> None:
        first = asyncio.create_task(aquote("A"))
        while price[0] == "old":
            await asyncio.sleep(0)
        assert await aquote("A") == "new"
        assert await first == "old"
        assert await aquote("A") == "new"

    asyncio.run(asyncio.wait_for(main(), 20))
