"""Two options of a decorator at once, of plain functions, coroutine functions and methods."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcore.cache import cached, invalidate_tag, refresh, restore, save
from tests.cache.conftest import Clock

pytestmark = pytest.mark.usefixtures("on_backend")


class Desk:
    """A decorated function, coroutine function or method, its clock and what it answers."""

    def __init__(self, kind: str, **options: Any) -> None:
        self.clock = Clock()
        self.calls = 0
        self.answer: Callable[..., Any] = lambda *args: self.calls
        self.loop = asyncio.new_event_loop()
        options = {"timer": self.clock, **options}

        def compute(*args: Any) -> Any:
            self.calls += 1
            return self.answer(*args)

        if kind == "function":

            @cached(**options)
            def function(*args: Any) -> Any:
                return compute(*args)

        elif kind == "coroutine":

            @cached(**options)
            async def function(*args: Any) -> Any:
                return compute(*args)

        else:

            class Holder:
                @cached(**options)
                def method(self, *args: Any) -> Any:
                    return compute(*args)

            self.holder = Holder()
            function = self.holder.method  # type: ignore[assignment]
        self.function: Any = function

    def __call__(self, *args: Any) -> Any:
        answer = self.function(*args)
        return self.loop.run_until_complete(answer) if asyncio.iscoroutine(answer) else answer

    def settle(self, condition: Callable[[], bool]) -> None:
        """Wait for a refresh."""
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "it did not happen within 10 s"
            self.loop.run_until_complete(asyncio.sleep(0.001))


@pytest.fixture(params=["function", "coroutine", "method"])
def desk(request: pytest.FixtureRequest) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def build(**options: Any) -> Desk:
        made.append(Desk(request.param, **options))
        return made[-1]

    yield build
    for each in made:
        each.loop.close()


def fail(*args: Any) -> None:
    raise LookupError("down")


def test_negative_and_stale(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Clock()
    monkeypatch.setattr(refresh, "_monotonic", waits)
    it = desk(ttl=10, stale=10, negative_ttl=3)
    assert it() == 1
    it.clock.time, it.answer = 15, fail
    assert it() == 1  # an error in the background takes no place of a result
    it.settle(lambda: it.calls == 2 and refreshing(it) is None)
    assert it() == 1
    it.clock.time = 20
    for _ in range(3):
        with pytest.raises(LookupError):
            it()
    assert it.calls == 3
    it.answer = lambda: "back"
    it.clock.time = 22
    with pytest.raises(LookupError):
        it()
    it.clock.time = 23
    assert it() == "back"


def refreshing(it: Desk) -> Any:
    return it.function.cache._cache.peek(it.function.key()).attempts._running


def test_negative_and_tags(desk: Callable[..., Desk]) -> None:
    it = desk(negative_ttl=100, tags="pairs")
    it.answer = fail
    for _ in range(2):
        with pytest.raises(LookupError):
            it()
    assert it.calls == 1
    it.answer = lambda: None
    invalidate_tag("pairs")
    assert [it(), it()] == [None, None]
    assert it.calls == 2
    invalidate_tag("pairs")
    it()
    assert it.calls == 3


def test_negative_and_keep_if(desk: Callable[..., Desk]) -> None:
    it = desk(negative_ttl=100, keep_if=lambda value: value is not None)
    it.answer = lambda: None
    it(), it()
    assert it.calls == 2
    it.answer = fail  # which is asked of results only
    for _ in range(2):
        with pytest.raises(LookupError):
            it()
    assert it.calls == 3


def test_negative_and_a_lifetime_by_result(desk: Callable[..., Desk]) -> None:
    it = desk(negative_ttl=5, ttl=lambda value: value)
    it.answer = lambda n: n or None
    assert [it(0), it(50), it(0)] == [None, 50, None]
    assert [it.function.get_entry(n).kept_for for n in (0, 50)] == [5, 50]


def test_tags_and_refresh(desk: Callable[..., Desk]) -> None:
    it = desk(ttl=10, stale=10, tags="pairs")
    it()
    it.clock.time = 15
    assert it() == 1
    it.settle(lambda: it.function.peek() == 2)
    invalidate_tag("pairs")
    assert it.function.contains() is False
    assert it() == 3
    answer = it.function.refresh()
    assert (it.loop.run_until_complete(answer) if asyncio.iscoroutine(answer) else answer) == 4
    assert it.function.get_entry().tags == ("pairs",)


def test_a_tag_that_is_invalidated_during_a_refresh() -> None:
    clock, started, gate = Clock(), threading.Event(), threading.Event()
    calls = 0

    @cached(ttl=10, stale=10, tags="pairs", timer=clock)
    def number() -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            started.set()
            assert gate.wait(10)
        return calls

    number()
    clock.time = 15
    assert number() == 1
    assert started.wait(10)
    invalidate_tag("pairs")
    gate.set()
    assert number() == 3
    assert number() == 3


def test_instances_and_stale() -> None:
    clock = Clock()

    class Holder:
        def __init__(self, n: int) -> None:
            self.n = n

        @cached(per_instance=True, ttl=10, stale=10, timer=clock)
        def value(self) -> tuple[int, float]:
            return self.n, clock.time

    one, two = Holder(1), Holder(2)
    assert [one.value(), two.value()] == [(1, 0), (2, 0)]
    clock.time = 15
    assert [one.value(), two.value()] == [(1, 0), (2, 0)]
    deadline = time.monotonic() + 10
    while [one.value.peek(), two.value.peek()] != [(1, 15), (2, 15)]:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    ended = weakref.ref(one)
    del one
    deadline = time.monotonic() + 10
    while ended() is not None:  # until the refresh lets go of it
        assert time.monotonic() < deadline
        time.sleep(0.001)
        gc.collect()


def test_instances_with_errors_and_tags() -> None:
    class Holder:
        calls = 0

        @cached(per_instance=True, negative_ttl=60, tags=lambda n: f"pairs {n}")
        def value(self, n: int) -> float:
            Holder.calls += 1
            return 1 / n

    one, two = Holder(), Holder()
    for holder in (one, two, one, two):
        with pytest.raises(ZeroDivisionError):
            holder.value(0)
        holder.value(1)
    assert Holder.calls == 4
    invalidate_tag("pairs 0")
    assert [holder.value.contains(n) for holder in (one, two) for n in (0, 1)] == [False, True] * 2


def test_jitter_and_stale(desk: Callable[..., Desk]) -> None:
    it = desk(ttl=100, jitter=0.5, stale=1000)
    for n in range(50):
        it(n)
    entries = [it.function.get_entry(n) for n in range(50)]
    assert all(
        50 < entry.fresh_for <= 100 and entry.kept_for == pytest.approx(entry.fresh_for + 1000) for entry in entries
    )
    assert len({entry.fresh_for for entry in entries}) > 40


def test_early_refresh_counts_from_the_jittered_lifetime(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.5)
    it = desk(ttl=100, jitter=0.5, early=True)
    it()
    assert it.function.get_entry().fresh_for == 75
    record = it.function.cache._cache.peek(it.function.key())
    record.took, record.look = 10.0, 368.0
    it.clock.time = 68  # the draw says 10 * -ln(0.5) = 6.93 s ahead of 75
    assert it() == 1
    it.clock.time = 69
    assert it() == 1
    it.settle(lambda: it.function.peek() == 2)


def test_a_lifetime_by_result_and_stale(desk: Callable[..., Desk]) -> None:
    it = desk(ttl=lambda value: 10 * value, stale=5)
    it()
    it.clock.time = 12
    assert it() == 1
    it.settle(lambda: it.function.peek() == 2)
    entry = it.function.get_entry()
    assert (entry.fresh_for, entry.kept_for) == (20, 25)


def test_copies_and_stale(desk: Callable[..., Desk]) -> None:
    np = pytest.importorskip("numpy")
    it = desk(ttl=10, stale=10, copy=True)
    it.answer = lambda: {"values": np.full(3, it.calls), "list": [it.calls]}
    for expected in (1, 1):
        given = it()
        assert given["values"].tolist() == [expected] * 3
        given["values"][:] = 99
        given["list"].append(99)
    it.clock.time = 15
    assert it()["list"] == [1]
    it.settle(lambda: it.function.peek()["list"] == [2])
    it.function.peek()["list"].append(99)
    it.function.get_entry().value["list"].append(99)
    assert it()["list"] == [2]
    mine = {"list": [5]}
    it.function.put(mine)
    mine["list"].append(99)
    assert it()["list"] == [5]


def test_types_defaults_and_keys() -> None:
    calls: list[Any] = []

    @cached(typed=True, normalize=True)
    def number(a: Any, b: Any = 2) -> None:
        calls.append((a, b))

    number(1), number(1, 2), number(a=1, b=2), number(1, 2.0), number(1.0), number(True)
    assert calls == [(1, 2), (1, 2.0), (1.0, 2), (True, 2)]

    @cached(key=lambda request: request["id"], typed=True, normalize=True, stale=5, ttl=5)
    def by_id(request: Any) -> Any:
        calls.append(request)
        return request

    calls.clear()
    assert by_id({"id": 1}) == by_id(request={"id": 1, "trace": 2}) == {"id": 1}
    assert by_id.invalidate({"id": 1}) is True
    assert len(calls) == 1


def test_entries_are_weighed_by_their_results(desk: Callable[..., Desk]) -> None:
    left: list[str] = []
    it = desk(ttl=10, stale=10, tags="pairs", max_bytes=1000, on_evict=lambda key, value, cause: left.append(cause))
    it.answer = lambda n: b"x" * n
    it(400), it(450), it(300)
    assert left == ["size"]
    assert it.function.contains(400) is False
    it(5000)
    assert it.function.contains(5000) is False
    assert it.function.cache.currsize == 2


def test_on_evict_is_called_for_results_and_errors(desk: Callable[..., Desk]) -> None:
    left: list[tuple[Any, str]] = []
    it = desk(
        ttl=10,
        stale=10,
        tags="pairs",
        negative_ttl=30,
        maxsize=2,
        on_evict=lambda _, value, why: left.append((value, why)),
    )
    answers = {1: ["one"], 2: np.arange(2.0), 3: "three"}
    it.answer = lambda n: answers[n]
    it(1), it(2), it(3)
    assert left == [(["one"], "size")]
    it.function.put("four", 2)
    assert left[1][1] == "replaced"
    np.testing.assert_array_equal(left[1][0], [0.0, 1.0])
    with pytest.raises(KeyError):
        it(5)
    it.function.cache_clear()
    assert left[2] == ("three", "size")
    assert [(type(value), str(value), why) for value, why in left[3:]] == [
        (str, "four", "explicit"),
        (KeyError, "5", "explicit"),
    ]


def test_contents_of_a_saved_cache(desk: Callable[..., Desk], tmp_path: Path) -> None:
    options = {"ttl": 10, "stale": 10, "negative_ttl": 30, "tags": lambda n: f"pairs {n}", "copy": True}
    one, two = desk(**options), desk(**options)
    one.answer = two.answer = lambda n: [n] if n else fail()
    one(1), one(2)
    with pytest.raises(LookupError):
        one(0)
    save(one.function.cache, tmp_path / "pairs")
    invalidate_tag("pairs 2")
    restore(two.function.cache, tmp_path / "pairs")
    assert [two.function.contains(n) for n in range(3)] == [True, True, False]
    with pytest.raises(LookupError):
        two(0)
    two(1).append(9)
    assert two(1) == [1]
    assert two.calls == 0
    two.clock.time = 15
    assert two(1) == [1]
    two.settle(lambda: two.calls == 1)


@pytest.mark.parametrize("first", ["stale", "early", "tags", "negative_ttl", "typed", "normalize", "jitter", "copy"])
@pytest.mark.parametrize("second", ["ttl by result", "keep_if", "maxsize", "max_bytes", "key", "name", "on_evict"])
def test_each_pair_of_options_returns_the_computed_result(desk: Callable[..., Desk], first: str, second: str) -> None:
    options: dict[str, Any] = {
        "ttl": 10,
        **{
            "stale": {"stale": 5},
            "early": {"early": True},
            "tags": {"tags": lambda *args, **kwargs: ["pairs"]},
            "negative_ttl": {"negative_ttl": 5},
            "typed": {"typed": True},
            "normalize": {"normalize": True},
            "jitter": {"jitter": 0.1},
            "copy": {"copy": True},
        }[first],
        **{
            "ttl by result": {"ttl": lambda result: 10},
            "keep_if": {"keep_if": lambda result: True},
            "maxsize": {"maxsize": 100},
            "max_bytes": {"max_bytes": 100_000},
            "key": {"key": lambda *args: ("key", *args)},
            "name": {"name": "test_pairs"},
            "on_evict": {"on_evict": lambda key, value, cause: None},
        }[second],
    }
    it = desk(**options)
    it.answer = lambda *args: list(args)
    for _ in range(3):
        assert [it(1), it(1, "a"), it()] == [[1], [1, "a"], []]
    assert it.calls == 3
    assert it.function.cache_info()[:2] == (6, 3)
    assert it.function.invalidate(1, "a") is True
    assert it(1, "a") == [1, "a"]
    it.clock.time = 16
    assert it(1) == [1]
    it.settle(lambda: it.calls >= 5)
    assert set(it.function.cache_parameters()) > {"ttl", "tags", "typed"}
