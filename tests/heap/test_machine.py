"""State machines: both twins and a model of a few lines, side by side, on a clock that moves when told."""

from __future__ import annotations

import copy
import pickle
import queue
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from fastcore import _env
from fastcore.dispatch import backends
from fastcore.dispatch.twins import migrate

pytestmark = pytest.mark.skipif(_env.boolean("FASTCORE_NO_EXTENSIONS"), reason="needs both twins")

numbers = st.one_of(st.integers(-4, 4), st.sampled_from([0.5, -0.0, 2**53 + 1, float(2**53), 2**70, 10**400, 1e308]))
tuples = st.tuples(st.one_of(st.integers(-2, 2), st.just(2**70)), st.integers(0, 2))


class Model:
    """The definition: a list of [priority, arrival, item, handle, due, born], searched in full by every method."""

    def __init__(self, order: str, aging: float) -> None:
        self.rows: list[list[Any]] = []
        self.arrivals = 0
        self.order, self.aging = order, aging

    def push(self, item: Any, priority: Any, handle: int, due: float | None, now: float) -> None:
        due = None if due is None or due <= now else due
        self.rows.append([priority, self.arrivals, item, handle, due, now if due is None else due])
        self.arrivals += 1

    def ready(self, now: float) -> list[list[Any]]:
        """In order: sorting is stable, and the rows are in the order of their arrival."""
        sign = -1 if self.order == "max" else 1

        def urgency(row: list[Any]) -> Any:
            if self.aging:
                return row[0] + sign * self.aging * row[5]
            return row[0]

        rows = [row for row in self.rows if row[4] is None or row[4] <= now]
        return sorted(rows, key=urgency, reverse=self.order == "max")

    def find(self, handle: int) -> list[Any] | None:
        return next((row for row in self.rows if row[3] == handle), None)


class Heaps(RuleBasedStateMachine):
    handles: Bundle[int] = Bundle("handles")

    @initialize(
        order=st.sampled_from(["min", "max"]),
        style=st.sampled_from(["number", "any", "tuples", "aging"]),
    )
    def begin(self, order: str, style: str) -> None:
        # Binary fractions, so that no rounding decides between the twins and the model.
        aging = 0.25 if style == "aging" else 0.0
        self.now, self.serial, self.style = 64.0, 0, style
        options = {"order": order, "priorities": "any" if style in ("any", "tuples") else "number", "aging": aging}
        self.heaps = [
            backends.twin("heap", name).PriorityHeap(clock=self.clock, **options) for name in backends.BACKENDS
        ]
        self.model = Model(order, aging)

    def clock(self) -> float:
        return self.now

    def __deepcopy__(self, memo: Any) -> Heaps:
        return self  # the clock of a copied heap is this one

    def priority(self, data: st.DataObject) -> Any:
        if self.style == "aging":
            return float(data.draw(st.integers(-8, 8)))
        return data.draw(tuples if self.style == "tuples" else numbers)

    def all(self, call: Any) -> Any:
        results = []
        for heap in self.heaps:
            try:
                results.append(call(heap))
            except (LookupError, ValueError, TypeError) as error:
                results.append((type(error), str(error)))
        assert results[0] == results[1]
        return results[0]

    @rule(target=handles, data=st.data(), delay=st.sampled_from([None, None, None, 0, 1, 2, 5]))
    def push(self, data: st.DataObject, delay: int | None) -> int:
        priority, due = self.priority(data), None if delay is None else self.now + delay
        self.serial += 1
        handle: int = self.all(lambda heap: heap.push(self.serial, priority, due=due))
        self.model.push(self.serial, priority, handle, due, self.now)
        return handle

    @rule(target=handles, data=st.data(), n=st.integers(0, 12))
    def push_many(self, data: st.DataObject, n: int) -> Any:
        priorities = [self.priority(data) for _ in range(n)]
        items = [self.serial + 1 + i for i in range(n)]
        self.serial += n
        handles = self.all(lambda heap: heap.push_many(items, priorities))
        for item, priority, handle in zip(items, priorities, handles):
            self.model.push(item, priority, handle, None, self.now)
        return multiple(*handles)

    @rule(n=st.integers(0, 8))
    def pop_many(self, n: int) -> None:
        expected = self.model.ready(self.now)[:n]
        assert self.all(lambda heap: heap.pop_many(n)) == [row[2] for row in expected]
        self.model.rows = [row for row in self.model.rows if row not in expected]

    @rule()
    def pop(self) -> None:
        expected = self.model.ready(self.now)[:1]
        got = self.all(lambda heap: tuple(heap.pop_entry()))
        if expected:
            assert got == (expected[0][2], expected[0][0], expected[0][3])
            self.model.rows.remove(expected[0])
        else:
            assert got[0] is IndexError

    @rule(handle=handles)
    def remove(self, handle: int) -> None:
        row = self.model.find(handle)
        got = self.all(lambda heap: heap.remove(handle))
        if row:
            assert got == row[2]
            self.model.rows.remove(row)
        else:
            assert got[0] is KeyError

    @rule(handle=handles, data=st.data())
    def update(self, handle: int, data: st.DataObject) -> None:
        row, priority = self.model.find(handle), self.priority(data)
        got = self.all(lambda heap: heap.update(handle, priority))
        if row:
            assert got is None
            row[0] = priority
        else:
            assert got[0] is KeyError

    @rule(seconds=st.integers(0, 4))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def clear(self) -> None:
        self.all(lambda heap: heap.clear())
        self.model.rows.clear()

    @rule()
    def change_twins(self) -> None:
        self.heaps = [migrate(heap, name) for heap, name in zip(self.heaps, reversed(backends.BACKENDS))]
        self.heaps.reverse()

    @rule()
    def copy(self) -> None:
        self.heaps = [copy.copy(heap) for heap in self.heaps]

    @rule()
    def entries(self) -> None:
        ready = self.model.ready(self.now)
        later = sorted((row for row in self.model.rows if row not in ready), key=lambda row: row[4])
        self.all(lambda heap: heap.ready())
        expected = [(row[2], row[0], row[3]) for row in ready + later]
        assert [tuple(entry) for entry in self.all(lambda heap: heap.entries())] == expected

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "heaps"):
            return
        for heap in self.heaps:
            heap._check()
            assert len(heap) == len(self.model.rows)
        assert self.all(lambda heap: heap.ready()) == len(self.model.ready(self.now))


class Queues(RuleBasedStateMachine):
    """Calls that do not block, on both twins and the standard library's own queue."""

    @initialize(maxsize=st.sampled_from([0, 1, 3]))
    def begin(self, maxsize: int) -> None:
        self.queues = [backends.twin("heap", name).PriorityQueue(maxsize) for name in backends.BACKENDS]
        self.queues.append(queue.PriorityQueue(maxsize))
        self.arrival = 0

    def all(self, call: Any) -> Any:
        results = []
        for each in self.queues:
            try:
                results.append(call(each))
            except (queue.Empty, queue.Full, ValueError) as error:
                results.append(type(error))
        assert results[0] == results[1] == results[2]
        return results[0]

    @rule(priority=st.integers(-3, 3), nowait=st.booleans())
    def put(self, priority: int, nowait: bool) -> None:
        self.arrival += 1
        item = (priority, self.arrival)

        def call(each: Any) -> None:
            each.put_nowait(item) if nowait else each.put(item, timeout=0.0)

        self.all(call)

    @rule(nowait=st.booleans())
    def get(self, nowait: bool) -> None:
        self.all(lambda each: each.get_nowait() if nowait else each.get(True, 0.0))

    @rule()
    def task_done(self) -> None:
        self.all(lambda each: each.task_done())

    @rule(maxsize=st.sampled_from([0, 1, 3]))
    def resize(self, maxsize: int) -> None:
        for each in self.queues:
            each.maxsize = maxsize

    @rule()
    def pickle(self) -> None:
        self.queues[:2] = [pickle.loads(pickle.dumps(each)) for each in self.queues[:2]]

    @rule()
    def change_twins(self) -> None:
        self.queues[:2] = [migrate(each, name) for each, name in zip(self.queues[:2], reversed(backends.BACKENDS))]

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "queues"):
            self.all(lambda each: (each.qsize(), each.empty(), each.full(), each.unfinished_tasks))
            for each in self.queues[:2]:
                each._check()


TestHeaps = Heaps.TestCase
TestHeaps.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
