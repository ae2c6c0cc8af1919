"""The twins side by side, driven by Hypothesis: results, handles and the text of errors alike."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore import _env
from fastcore.dispatch import backends

pytestmark = pytest.mark.skipif(_env.boolean("FASTCORE_NO_EXTENSIONS"), reason="needs both twins")

numbers = st.one_of(
    st.integers(-3, 3),
    st.floats(allow_nan=True, width=16),
    st.sampled_from([2**53, 2**53 + 1, float(2**53), 2**64 + 1, 10**400, -(10**400), math.inf, -math.inf, True, "x"]),
)
anything = st.one_of(numbers, st.tuples(st.integers(-2, 2), st.integers(0, 3)), st.text("ab", max_size=2))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(0, 5), anything, st.sampled_from([None, None, 1.0, 5.0, 9.0, "x"])),
        st.tuples(st.just("pop_entry")),
        st.tuples(st.just("peek_entry")),
        st.tuples(st.just("remove"), st.integers(0, 40)),
        st.tuples(st.just("update"), st.integers(0, 40), anything),
        st.tuples(st.just("priority"), st.integers(0, 40)),
        st.tuples(st.just("ready")),
        st.tuples(st.just("next_due")),
        st.tuples(st.just("tick"), st.integers(0, 3)),
        st.tuples(st.just("clear")),
    ),
    max_size=60,
)


class Side:
    """One twin, its clock and the handles it gave out."""

    def __init__(self, backend: str, **options: Any) -> None:
        self.now = 0.0
        self.handles: list[int] = [0]
        self.heap = backends.twin("heap", backend).PriorityHeap(clock=lambda: self.now, **options)

    def apply(self, name: str, *args: Any) -> Any:
        try:
            if name == "tick":
                self.now += args[0]
                return None
            if name == "push":
                item, priority, due = args
                self.handles.append(self.heap.push(item, priority, due=due))
                return self.handles[-1]
            if name in ("remove", "update", "priority"):
                args = (self.handles[args[0] % len(self.handles)], *args[1:])
            return getattr(self.heap, name)(*args)
        except (TypeError, ValueError, LookupError) as error:
            return type(error), str(error)


@settings(max_examples=300, deadline=None)
@given(
    operations,
    st.sampled_from(["min", "max"]),
    st.sampled_from(["number", "any"]),
    st.sampled_from([0.0, 0.0, 0.5]),
)
def test_the_twins_agree(steps, order, priorities, aging):
    sides = [Side(backend, order=order, priorities=priorities, aging=aging) for backend in backends.BACKENDS]
    for step in steps:
        compiled, python = (side.apply(*step) for side in sides)
        assert repr(compiled) == repr(python), step
        assert len(sides[0].heap) == len(sides[1].heap)
        for side in sides:
            side.heap._check()
