"""PriorityHeap: order, ties, handles, ageing, delays, and what it refuses."""

from __future__ import annotations

import collections
import enum
import heapq
import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest


def drain(heap: Any) -> list[Any]:
    return [heap.pop() for _ in range(heap.ready())]


def test_pops_smallest_first_and_equals_in_order_of_push(make):
    heap = make("PriorityHeap")
    for item, priority in [("c", 2), ("a", 1), ("d", 2.0), ("b", True), ("z", -0.0), ("y", 0)]:
        heap.push(item, priority)
    assert drain(heap) == ["z", "y", "a", "b", "c", "d"]


def test_max_order_still_keeps_equals_in_order_of_push(make):
    heap = make("PriorityHeap", order="max")
    for item, priority in [("c", 1), ("a", 2), ("d", 1), ("b", 2)]:
        heap.push(item, priority)
    assert drain(heap) == ["a", "b", "c", "d"]


def test_random_floats_pop_in_the_order_of_heapq(make):
    rng = random.Random(7)
    priorities = [rng.choice([rng.gauss(0, 1e6), rng.random(), 1e308 * rng.choice([1, -1])]) for _ in range(3000)]
    priorities += [math.inf, -math.inf, 5e-324, -5e-324]
    heap = make("PriorityHeap")
    for priority in priorities:
        heap.push(priority, priority)
    expected = list(priorities)
    heapq.heapify(expected)
    assert drain(heap) == [heapq.heappop(expected) for _ in range(len(priorities))]


def test_ints_beyond_floats_are_compared_exactly(make):
    big = 2**53
    values = [big + 1, big, float(big), big + 2, 10**400, math.inf, -(10**400), big + 0.5, 2**63, 2**64 + 1, 2**64]
    heap = make("PriorityHeap")
    for value in values:
        heap.push(value, value)
    assert drain(heap) == sorted(values)


def test_exact_comparison_begins_while_plain_priorities_wait(make):
    heap = make("PriorityHeap", order="max")
    handles = [heap.push(i, i % 7) for i in range(50)]
    huge = heap.push("huge", 2**53 + 1)
    heap.push("float", float(2**53))
    heap.update(handles[3], 2**53 + 3)
    assert [heap.pop(), heap.pop(), heap.pop()] == [3, "huge", "float"]
    assert huge not in heap
    assert drain(heap) == sorted((i for i in range(50) if i != 3), key=lambda i: -(i % 7))


def test_priority_is_reported_as_the_float_that_equals_it(make):
    heap = make("PriorityHeap")
    for given, kept in [(3, 3.0), (2**53 + 1, 2**53 + 1), (2**60, float(2**60)), (Fraction(1, 2), 0.5), (-0.0, 0.0)]:
        got = heap.priority(heap.push("x", given))
        assert (type(got), got, math.copysign(1, got)) == (type(kept), kept, math.copysign(1, kept))


def test_an_int_enum_is_a_priority(make):
    class Level(enum.IntEnum):
        HIGH = 0
        LOW = 9

    heap = make("PriorityHeap")
    heap.push("later", Level.LOW)
    heap.push("now", Level.HIGH)
    assert drain(heap) == ["now", "later"]


def test_remove_and_update_by_handle(make):
    heap = make("PriorityHeap")
    handles = {name: heap.push(name, i) for i, name in enumerate("abcdefgh")}
    assert heap.remove(handles["d"]) == "d"
    heap.update(handles["h"], -1)
    heap.update(handles["a"], 4)
    assert handles["d"] not in heap
    assert handles["a"] in heap
    assert heap.priority(handles["a"]) == 4
    assert drain(heap) == ["h", "b", "c", "a", "e", "f", "g"]


def test_an_updated_item_keeps_its_arrival(make):
    heap = make("PriorityHeap")
    first, _ = heap.push("first", 5), heap.push("second", 1)
    heap.update(first, 1)
    assert drain(heap) == ["first", "second"]


def test_stale_handles_never_fit_another_item(make):
    heap = make("PriorityHeap")
    old = [heap.push(i) for i in range(2000)]
    drain(heap)
    new = [heap.push(i) for i in range(2000)]
    assert not set(old) & set(new)
    heap.clear()
    newest = [heap.push(i) for i in range(10)]
    assert not set(newest) & {*old, *new}
    for handle in (old[0], new[-1], 0, -1, 2**200):
        assert handle not in heap
        for use in (heap.remove, heap.priority, lambda h: heap.update(h, 1)):
            with pytest.raises(KeyError, match=f"handle: expected that of an item in this heap, got {handle}"):
                use(handle)


def test_entries(make):
    heap = make("PriorityHeap")
    handle = heap.push("x", 2)
    assert heap.peek_entry() == ("x", 2.0, handle)
    assert heap.peek() == "x"
    entry = heap.pop_entry()
    assert (entry.item, entry.priority, entry.handle) == ("x", 2.0, handle)
    assert len(heap) == 0


def test_any_priorities_order_by_less_than_alone(make):
    class Reversed:
        def __init__(self, value: int) -> None:
            self.value = value

        def __lt__(self, other: Reversed) -> bool:
            return self.value > other.value

    heap = make("PriorityHeap", priorities="any")
    for i, value in enumerate([1, 3, 2, 3, 1]):
        heap.push(i, Reversed(value))
    assert drain(heap) == [1, 3, 2, 0, 4]


@pytest.mark.parametrize("order", ["min", "max"])
def test_tuples_order_as_tuples(make, order):
    rng = random.Random(3)
    firsts = [1, 1.0, 2**53 + 1, float(2**53), -0.0, 0, math.inf, 10**400, -(10**400), 3]
    tuples = [(rng.choice(firsts), rng.randrange(3), i) for i in range(300)]
    heap = make("PriorityHeap", priorities="any", order=order)
    for each in tuples:
        heap.push(each)
    assert drain(heap) == sorted(tuples, reverse=order == "max")


def test_a_tuple_subclass_with_its_own_lt_is_honoured(make):
    class Last(tuple):
        def __lt__(self, other: tuple) -> bool:  # type: ignore[override]
            return self[-1] < other[-1]

    heap = make("PriorityHeap", priorities="any")
    items = [Last((i, -i)) for i in range(20)]
    for item in items:
        heap.push(item)
    assert drain(heap) == items[::-1]


def test_mixed_tuples_and_strings_are_compared_in_python(make):
    heap = make("PriorityHeap", priorities="any")
    heap.push((1, "a"))
    heap.push((0, "b"))
    with pytest.raises(TypeError, match="not supported between instances of"):
        heap.push("text")
    with pytest.raises(TypeError, match="not supported between instances of"):
        heap.push(("text",))
    assert drain(heap) == [(0, "b"), (1, "a")]


def test_nothing_ready(make, clock):
    heap = make("PriorityHeap", clock=clock)
    for method in ("pop", "peek", "pop_entry", "peek_entry"):
        with pytest.raises(IndexError, match=f"^{method}: expected an item, got an empty heap$"):
            getattr(heap, method)()
    heap.push("x", due=200.0)
    for method in ("pop", "peek", "pop_entry", "peek_entry"):
        with pytest.raises(IndexError, match=f"^{method}: expected a ready item, got none: 1 delayed$"):
            getattr(heap, method)()


def test_delayed_items_are_not_popped_before_they_are_due(make, clock):
    heap = make("PriorityHeap", clock=clock)
    heap.push("now", 5)
    heap.push("soon", 1, due=110.0)
    handle = heap.push("late", 0, due=120.0)
    heap.push("past", 2, due=50.0)
    assert (len(heap), heap.ready(), heap.next_due()) == (4, 2, 110.0)
    assert heap.pop() == "past"
    clock.now = 110.0
    assert (heap.ready(), heap.next_due()) == (2, 120.0)
    assert heap.pop() == "soon"
    heap.update(handle, 9)
    clock.now = 500.0
    assert drain(heap) == ["now", "late"]
    assert heap.next_due() is None


def test_a_delayed_item_can_be_removed(make, clock):
    heap = make("PriorityHeap", clock=clock)
    handles = [heap.push(i, due=200.0 + i) for i in range(5)]
    assert heap.remove(handles[0]) == 0
    assert heap.priority(handles[1]) == 0.0
    assert heap.next_due() == 201.0
    clock.now = 1000.0
    assert drain(heap) == [1, 2, 3, 4]


@pytest.mark.parametrize(("order", "sign"), [("min", 1), ("max", -1)])
def test_aging_prevents_starvation(make, clock, order, sign):
    heap = make("PriorityHeap", order=order, aging=1.0, clock=clock)
    heap.push("old", 10 * sign)
    clock.now += 9
    heap.push("urgent", 0)
    clock.now += 2
    heap.push("newer", 0)  # "old" has waited 11 s for 10 points
    assert drain(heap) == ["urgent", "old", "newer"]


def test_the_age_of_a_delayed_item_begins_when_it_is_due(make, clock):
    heap = make("PriorityHeap", aging=1.0, clock=clock)
    heap.push("delayed", 10, due=120.0)
    heap.push("ready", 15)
    clock.now = 130.0
    assert drain(heap) == ["ready", "delayed"]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ("5", TypeError, "priority: expected a number, got str"),
        (None, TypeError, "priority: expected a number, got NoneType"),
        (1j, TypeError, "priority: expected a number, got complex"),
        (math.nan, ValueError, "priority: expected a number, got nan"),
    ],
)
def test_a_refused_priority_leaves_the_heap_unchanged(make, given, error, text):
    heap = make("PriorityHeap")
    handle = heap.push("kept", 1)
    for use in (lambda: heap.push("x", given), lambda: heap.update(handle, given)):
        with pytest.raises(error, match=f"^{text}$"):
            use()
    assert drain(heap) == ["kept"]


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"order": "up"}, ValueError, "order: expected 'min' or 'max', got 'up'"),
        ({"order": None}, TypeError, "order: expected 'min' or 'max', got NoneType"),
        ({"priorities": "all"}, ValueError, "priorities: expected 'number' or 'any', got 'all'"),
        ({"aging": -1}, ValueError, "aging: expected a finite rate of 0 or more a second, got -1"),
        ({"aging": math.inf}, ValueError, "aging: expected a finite rate of 0 or more a second, got inf"),
        ({"aging": "x"}, TypeError, "aging: expected a number, got str"),
        ({"clock": 5}, TypeError, "clock: expected a callable or None, got int"),
        ({"aging": 1, "clock": lambda: math.inf}, ValueError, "clock: expected a finite number, got inf"),
        ({"aging": 1, "clock": lambda: "x"}, TypeError, "clock: expected a number, got str"),
    ],
)
def test_refused_options(make, kwargs, error, text):
    with pytest.raises(error, match=f"^{text}$"):
        make("PriorityHeap", **kwargs)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda h: h.push(), r"PriorityHeap.push\(\) missing 1 required positional argument: 'item'"),
        (lambda h: h.push(1, 2, 3), r"PriorityHeap.push\(\) takes from 2 to 3 positional arguments but 4 were given"),
        (
            lambda h: h.push(1, 2, 3, due=4),
            r"PriorityHeap.push\(\) takes from 2 to 3 positional arguments but 4 positional arguments "
            r"\(and 1 keyword-only argument\) were given",
        ),
        (lambda h: h.push(1, 2, 3, prio=4), r"PriorityHeap.push\(\) got an unexpected keyword argument 'prio'"),
        (lambda h: h.pop(5), r"PriorityHeap.pop\(\) takes 1 positional argument but 2 were given"),
        (lambda h: h.push(1, item=2), r"PriorityHeap.push\(\) got multiple values for argument 'item'"),
        (lambda h: h.push(1, prio=2), r"PriorityHeap.push\(\) got an unexpected keyword argument 'prio'"),
        (
            lambda h: h.update(),
            r"\w+.update\(\) missing 2 required positional arguments: 'handle' and 'priority'",
        ),
        (lambda h: h.remove("x"), "handle: expected an int, got str"),
        (lambda h: "x" in h, "handle: expected an int, got str"),
        (lambda h: h.push(1, due="x"), "due: expected a number, got str"),
        (lambda h: h.push(1, np.zeros(2)), "priority: expected a number, got ndarray"),
        (lambda h: h.push(1, np.datetime64("2026")), "priority: expected a number, got datetime64"),
        (lambda h: h.push_many("ab", np.zeros((2, 1))), "priority: expected a number, got ndarray"),
        (lambda h: h.push(1, 2, delay=np.zeros(2)), "delay: expected a number, got ndarray"),
        (lambda h: h.push(1, due=collections.deque()), "due: expected a number, got deque"),
    ],
)
def test_wrong_calls_are_refused(make, call, text):
    with pytest.raises(TypeError, match=f"^{text}$"):
        call(make("PriorityHeap"))


def test_handles_and_counts_can_be_given_by_name(make):
    heap = make("PriorityHeap")
    first, _, _ = heap.push_many(items="abc", priorities=[1, 2, 3], due=None)
    assert heap.priority(handle=first) == 1
    assert heap.update(handle=first, priority=5) is None
    assert heap.remove(handle=first) == "a"
    assert heap.pop_many(n=2) == ["b", "c"]


@pytest.mark.parametrize("name", ["PriorityQueue", "AsyncPriorityQueue"])
def test_handles_of_queues_can_be_given_by_name(make, name):
    queue = make(name)
    handle = queue.put_nowait("a", priority=1)
    assert queue.priority(handle=handle) == 1
    assert queue.remove(handle=handle) == "a"
    with pytest.raises(
        TypeError,
        match=rf"^{name}.put_nowait\(\) takes 2 positional arguments but 3 positional arguments "
        r"\(and 2 keyword-only arguments\) were given$",
    ):
        queue.put_nowait("a", 1, due=1.0, priority=2)


def test_clear_releases_items_after_the_operation(make):
    heap = make("PriorityHeap")
    seen = []

    class Item:
        def __del__(self) -> None:
            seen.append(len(heap))
            if len(seen) == 1:
                heap.push("from a destructor")

    for _ in range(3):
        heap.push(Item())
    heap.clear()
    assert seen == [0, 1, 1]
    assert drain(heap) == ["from a destructor"]
