"""Contents in bulk and as a whole: push_many, pop_many, iteration, pickles, copies, the change of twins."""

from __future__ import annotations

import copy
import gc
import pickle
import time
import weakref
from typing import Any

import numpy as np
import pytest

import fastcore.heap
from fastcore.dispatch.twins import migrate
from tests.conftest import PURE_ONLY


def other(backend: str) -> str:
    if PURE_ONLY:
        pytest.skip("changes the twin")
    return "python" if backend == "compiled" else "compiled"


def drain(heap: Any) -> list[Any]:
    return heap.pop_many(heap.ready())


def test_push_many_and_pop_many(make):
    heap = make("PriorityHeap")
    heap.push("first", -1)
    handles = heap.push_many("cab", [3, 1, 2])
    assert heap.pop_many(3) == ["first", "a", "b"]
    assert handles[0] in heap
    assert handles[1] not in heap
    assert heap.pop_many(10) == ["c"]
    assert heap.pop_many(10) == []


@pytest.mark.parametrize("size", [3, 100, 5000])
def test_bulk_operations_equal_single_operations(make, size):
    rng = np.random.default_rng(size)
    for priorities in (rng.integers(0, 20, size), rng.normal(size=size), rng.normal(size=2 * size)[::2], None):
        many, single = make("PriorityHeap"), make("PriorityHeap")
        for heap in (many, single):
            heap.push_many(range(50), range(50))
        handles = many.push_many(range(size), priorities)
        for i in range(size):
            assert single.push(i, 0.0 if priorities is None else priorities[i]) == handles[i]
        for n in (1, size // 2, size * 2):
            assert many.pop_many(n) == [single.pop() for _ in range(min(n, len(single)))]
            many._check()


def test_handles_fit_after_bulk_operations(make):
    heap = make("PriorityHeap")
    handles = heap.push_many(range(200), [float(i % 10) for i in range(200)])
    heap.update(handles[199], -5)
    assert heap.pop_many(30)[0] == 199
    heap.push_many(range(1000, 1100), [3] * 100)
    assert heap.remove(handles[9]) == 9
    assert heap.priority(handles[8]) == 8
    heap._check()


def test_push_many_adds_all_items_or_none(make):
    heap = make("PriorityHeap", priorities="any")
    heap.push((1, "kept"))
    before = heap.entries()
    for items in [[(2, "x"), "text"], [(2, "x"), (1, 5)], [(2,), 3.0, (1,)]]:
        with pytest.raises(TypeError):
            heap.push_many(items)
        assert heap.entries() == before
    handle = heap.push((0, "next"))
    assert [before[0].handle >> 28, handle >> 28] == [1, 2]  # what was refused used no serial
    assert drain(heap) == [(0, "next"), (1, "kept")]


def test_refused_bulk_arguments(make):
    heap = make("PriorityHeap")
    with pytest.raises(ValueError, match=r"^priorities: expected 2 of them, one for each item, got 3$"):
        heap.push_many("ab", [1, 2, 3])
    with pytest.raises(ValueError, match=r"^priorities: expected 2 of them, one for each item, got 3$"):
        heap.push_many("ab", np.zeros(3))
    with pytest.raises(ValueError, match=r"^priority: expected a number, got nan$"):
        heap.push_many("ab", np.array([1.0, np.nan]))
    with pytest.raises(TypeError, match=r"^priority: expected a number, got str$"):
        heap.push_many("ab", "cd")
    with pytest.raises(ValueError, match=r"^n: expected an int of 0 or more, got -1$"):
        heap.pop_many(-1)
    with pytest.raises(TypeError, match=r"^n: expected an int, got float$"):
        heap.pop_many(1.0)
    assert len(heap) == 0


def test_bulk_delays(make, clock):
    heap = make("PriorityHeap", clock=clock)
    heap.push_many("abc", [3, 2, 1], due=110.0)
    heap.push("now", 9)
    assert heap.pop_many(5) == ["now"]
    clock.now = 110.0
    assert heap.pop_many(2) == ["c", "b"]


def test_iteration_is_in_order_and_a_snapshot(make, clock):
    heap = make("PriorityHeap", order="max", clock=clock)
    heap.push_many("abc", [1, 3, 2])
    heap.push("late", 9, due=200.0)
    items = iter(heap)
    heap.clear()
    assert list(items) == ["b", "c", "a", "late"]


def full_heap(make: Any, clock: Any, **options: Any) -> tuple[Any, dict[str, int]]:
    heap = make("PriorityHeap", clock=clock, **options)
    handles = {}
    for i, name in enumerate(["b", "a", "c", "gone", "late", "later"]):
        due = {"late": 150.0, "later": 160.0}.get(name)
        handles[name] = heap.push(name, [5, 5, 1, 0, -1, -2][i], due=due)
    heap.remove(handles.pop("gone"))
    return heap, handles


OPTIONS = [{}, {"order": "max"}, {"priorities": "any"}, {"aging": 0.25}, {"order": "max", "priorities": "any"}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_migrate_moves_items_ages_delays_and_handles(backend, make, clock, options):
    heap, handles = full_heap(make, clock, **options)
    expected, serial = heap.entries(), heap.push("x", 3)
    heap.remove(serial)
    moved = migrate(heap, other(backend))
    assert type(moved) is not type(heap)
    assert (len(heap), len(moved)) == (0, 5)
    assert moved.entries() == expected
    assert (moved.order, moved.priorities, moved.aging, moved.clock) == (
        heap.order,
        heap.priorities,
        heap.aging,
        heap.clock,
    )
    moved.update(handles["later"], -7)
    clock.now = 155.0
    assert moved.remove(handles["a"]) == "a"
    assert moved.push("new", 1) not in [serial, *handles.values()]
    back = migrate(moved, backend)
    clock.now = 165.0
    back._check()
    assert sorted(drain(back)) == ["b", "c", "late", "later", "new"]
    heap.push("still useful")
    assert heap.pop() == "still useful"
    assert migrate(heap, backend) is heap


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_round_trip(make, options, protocol):
    heap = make("PriorityHeap", **options)
    handles = heap.push_many(range(10), [i % 3 for i in range(10)])
    heap.pop()
    again = pickle.loads(pickle.dumps(heap, protocol))
    assert isinstance(again, fastcore.heap.PriorityHeap)
    assert again.entries() == heap.entries()
    assert [handle in again for handle in handles] == [handle in heap for handle in handles]
    again._check()


def test_pickles_do_not_name_the_twin(backend, make):
    text = pickle.dumps([make("PriorityHeap"), make("PriorityQueue", 3)])
    assert b"_ext" not in text
    assert b"python_fallback" not in text
    heap, queue = pickle.loads(text)
    assert (len(heap), queue.maxsize) == (0, 3)


def test_due_times_on_the_monotonic_clock_move_with_a_pickle(make, monkeypatch):
    heap = make("PriorityHeap")
    now = time.monotonic()
    heap.push("x", due=now + 100)
    text = pickle.dumps(heap)
    monkeypatch.setattr(time, "monotonic", lambda: now + 5000)  # another boot, another origin
    again = pickle.loads(text)
    assert again._rows()[0][5] - (now + 5000) == pytest.approx(100, abs=1)


def test_copies_share_only_the_items(make, clock):
    heap, handles = full_heap(make, clock)
    twin = copy.copy(heap)
    assert type(twin) is type(heap)
    assert twin.remove(handles["a"]) == "a"
    assert handles["a"] in heap
    deep = copy.deepcopy(make("PriorityHeap"))
    assert len(deep) == 0


def test_queues_keep_their_counts(backend, make):
    queue = make("PriorityQueue", 5)
    for i in range(3):
        queue.put(i)
    queue.get()
    queue.shutdown()
    for again in (pickle.loads(pickle.dumps(queue)), copy.copy(queue), migrate(queue, other(backend))):
        assert (again.maxsize, again.unfinished_tasks, again.is_shutdown) == (5, 3, True)
        assert [again.get(), again.get()] == [1, 2]
    assert queue.empty()


def test_subclasses_keep_their_attributes(twin):
    class Named(twin("heap").PriorityHeap):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            super().__init__(order="max")
            self.name = name

    heap = Named("orders")
    heap.push_many([1, 2, 3], [1, 2, 3])
    again = copy.copy(heap)
    assert (type(again), again.name, list(again)) == (Named, "orders", [3, 2, 1])
    with pytest.raises(TypeError, match="subclasses stay on their twin"):
        migrate(heap, "python")


@pytest.mark.parametrize("hook", ["_init", "_qsize", "_put", "_get"])
def test_hooks_of_the_standard_library_are_refused(twin, hook):
    with pytest.raises(TypeError, match=f"^Mine: expected no {hook} in a subclass: this queue never calls it$"):
        type("Mine", (twin("heap").PriorityQueue,), {hook: lambda self: None})


@pytest.mark.parametrize(
    ("rows", "serial"),
    [
        ([("x", 1.0, 1 << 28, 0, 0.0, None)] * 2, 5),
        ([("x", 1.0, 9 << 28, 0, 0.0, None)], 5),
        ([("x", 1.0, 3, 0, 0.0, None)], 5),
    ],
)
def test_damaged_states_are_refused(make, rows, serial):
    heap = make("PriorityHeap")
    with pytest.raises(ValueError, match=r"^state: expected "):
        heap._load(rows, serial, 0.0, 0.0)


@pytest.mark.parametrize("name", ["PriorityHeap", "PriorityQueue"])
def test_cycles_through_items_and_priorities_are_collected(make, twin, name):
    class Node:
        def __lt__(self, other: object) -> bool:
            return False

    holder = getattr(twin("heap"), name)()
    node, key = Node(), Node()
    node.holder = key.holder = holder  # type: ignore[attr-defined]
    if name == "PriorityQueue":
        holder.put(node, priority=key)
    else:
        holder.push(node)
    died = weakref.ref(node)
    del holder, node, key
    gc.collect()
    assert died() is None


@pytest.mark.parametrize("options", [{}, {"priorities": "any"}, {"order": "max"}], ids=str)
def test_arrival_numbers_are_renumbered_on_overflow(make, clock, options):
    last = 2**36 - 1
    heap = make("PriorityHeap", clock=clock, **options)
    rows = [("b", 1.0, 5 << 28, last - 3, 0.0, None), ("d", 1.0, 9 << 28 | 1, last - 1, 0.0, None)]
    rows.append(("c", 1.0, 8 << 28 | 2, last - 2, 0.0, 150.0))
    heap._load(rows, last - 1, 0.0, 0.0)
    handles = [heap.push(name, 1.0) for name in "efghi"]
    assert [handle >> 28 for handle in handles] == [last - 1, last, 1, 2, 3]  # serials go round too
    more = heap.push_many("jk", [1.0, 1.0])
    heap._check()
    clock.now = 200.0
    assert heap.remove(handles[1]) == "f"
    heap.update(more[0], 1)
    assert drain(heap) == list("bcdeghijk")


def test_a_large_heap_returns_memory_and_keeps_handles_unique(make):
    heap = make("PriorityHeap")
    first = heap.push_many(range(5000), [1.0] * 5000)
    assert heap.pop_many(5000) == list(range(5000))
    heap._check()
    second = heap.push_many(range(5000), [1.0] * 5000)
    assert not set(first) & set(second)
    assert not any(handle in heap for handle in first)
    assert all(handle in heap for handle in second)


@pytest.mark.parametrize("name", ["PriorityHeap", "PriorityQueue", "AsyncPriorityQueue"])
def test_a_pickle_of_each_kind(backend, make, name):
    holder = make(name)
    add = holder.push if name == "PriorityHeap" else holder.put_nowait
    handles = [add(i, priority=-i) for i in range(5)]
    for again in (pickle.loads(pickle.dumps(holder)), copy.deepcopy(holder), migrate(holder, other(backend))):
        assert list(again) == [4, 3, 2, 1, 0]
        assert again.remove(handles[2]) == 2
        assert again.order == "min"
