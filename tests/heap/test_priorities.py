"""What may be a priority: its place in the order is exact, or it is refused wherever it enters."""

from __future__ import annotations

import asyncio
import datetime
import math
import random
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

KINDS = ["PriorityHeap", "PriorityQueue", "AsyncPriorityQueue"]
NANS = [
    math.nan,
    np.float64("nan"),
    np.float32("nan"),
    Decimal("NaN"),
    np.datetime64("NaT", "s"),
    np.timedelta64("NaT", "s"),
    pd.NaT,
    type("Price", (float,), {})("nan"),
]


def ways(held: Any, item: Any) -> dict[str, Any]:
    """Every way by which a priority enters, the item's own and a given one."""
    handle = held.push("x", 0) if hasattr(held, "push") else held.put_nowait("x", priority=0)
    out = {"update": lambda: held.update(handle, item)}
    if hasattr(held, "push"):
        out |= {
            "push": lambda: held.push(item),
            "push with priority": lambda: held.push("x", item),
            "push_many": lambda: held.push_many([item]),
            "push_many with priorities": lambda: held.push_many("ab", [item, item]),
            "push of a delayed item": lambda: held.push("x", item, delay=9),
        }
        return out
    if asyncio.iscoroutinefunction(type(held).put) or "Async" in type(held).__name__:
        out |= {
            "put": lambda: asyncio.run(awaited(held, item)),
            "put with priority": lambda: asyncio.run(awaited(held, "x", priority=item)),
        }
    else:
        out |= {"put": lambda: held.put(item), "put with priority": lambda: held.put("x", priority=item)}
    return out | {
        "put_nowait": lambda: held.put_nowait(item),
        "put_nowait with priority": lambda: held.put_nowait("x", priority=item),
    }


async def awaited(held: Any, *args: Any, **kwargs: Any) -> Any:
    return await held.put(*args, **kwargs)


def make_any(make: Any, kind: str) -> Any:
    return make(kind, priorities="any") if kind == "PriorityHeap" else make(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nan", NANS, ids=lambda nan: type(nan).__name__)
def test_nan_is_refused_alone_and_as_first_element(make, kind, nan):
    named = [(nan, ""), ((nan, 1), " first in the tuple"), (((nan, 1), 2), " first in the tuple")]
    for given, where in [*named, ([nan, 1], " first in the list")]:
        held = make_any(make, kind)
        for way, call in ways(held, given).items():
            with pytest.raises(ValueError, match=rf"^priority: expected a number{where}, got nan$"):
                call()
            assert len(held.entries()) == 1, way


@pytest.mark.parametrize("kind", KINDS)
def test_nan_after_the_first_element_is_accepted(make, kind):
    held = make_any(make, kind)
    for way, call in ways(held, (1, math.nan)).items():
        call()
        assert len(held.entries()) >= 1, way


@pytest.mark.parametrize("bad", [math.nan, (math.nan, 1), Decimal("nan")])
def test_nan_is_refused_in_a_state(make, bad):
    for kind in KINDS:
        held, other = make_any(make, kind), make_any(make, kind)
        ways(held, 1)
        state = held._state(False, False)
        state["rows"] = [("x", bad, *row[2:]) for row in state["rows"]]
        with pytest.raises(ValueError, match="got nan"):
            other.__setstate__(state)


def test_a_list_that_contains_itself_does_not_recurse(make):
    endless: list[Any] = []
    endless.append(endless)
    heap = make("PriorityHeap", priorities="any")
    heap.push("x", endless)
    assert heap.pop() == "x"


@pytest.mark.parametrize(
    "given",
    [
        Decimal("0.1"),
        Decimal("1e400"),
        Decimal(2**53) + Decimal("0.5"),
        Fraction(1, 3),
        np.longdouble("0.1"),
        np.datetime64(2**60 + 1, "ns"),
    ],
    ids=repr,
)
def test_numbers_that_would_be_rounded_are_refused(make, given):
    heap = make("PriorityHeap")
    if isinstance(given, np.longdouble) and given == float(given):
        pytest.skip("long doubles are doubles here")
    handle = heap.push("x", 1)
    for call in (
        lambda: heap.push("x", given),
        lambda: heap.push_many("x", [given]),
        lambda: heap.update(handle, given),
    ):
        with pytest.raises(ValueError, match="priority: expected a number that equals an int or a float, got "):
            call()
    assert len(heap) == 1


def test_numbers_that_equal_a_float_are_kept(make):
    heap = make("PriorityHeap")
    given = [Decimal("0.5"), Fraction(1, 4), np.float32(0.1), np.int64(2**62), np.float64(0.75), Decimal(3), True]
    heap.push_many(range(len(given)), given)
    assert heap.pop_many(9) == sorted(range(len(given)), key=lambda at: float(given[at]))


class Float:
    """Its float is all that is known of it."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


def test_a_number_without_eq_is_compared_as_float(make):
    heap = make("PriorityHeap")
    heap.push_many("ba", [Float(0.2), Float(0.1)])
    assert heap.pop_many(2) == ["a", "b"]


DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
EXACT: dict[str, list[Any]] = {
    "Decimal": [Decimal("0.1") + Decimal(n).scaleb(-40) for n in range(20)],
    "Fraction": [Fraction(10**20 + n, 3 * 10**20) for n in range(20)],
    "int": [10**30 + n for n in range(20)],
    "int64": [np.int64(2**62 + n) for n in range(20)],
    "datetime64": [np.datetime64(2**60 + n, "ns") for n in range(20)],
    "Timestamp": [pd.Timestamp(2**60 + n) for n in range(20)],
    "datetime": [DAY + datetime.timedelta(microseconds=n) for n in range(20)],
    "longdouble": [np.nextafter(np.longdouble(1), np.longdouble(2)) * (n + 1) for n in range(20)],
    "Decimal and float": [Decimal("0.1") if n % 2 else 0.1 + n for n in range(20)],
    "str": [f"{n:03}" for n in range(20)],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", list(EXACT))
@pytest.mark.parametrize("order", ["min", "max"])
@pytest.mark.parametrize(
    "wrap", [lambda priority: priority, lambda priority: (priority, "x")], ids=["alone", "in a tuple"]
)
def test_integers_and_floats_are_compared_exactly(make, kind, name, order, wrap):
    given = [wrap(priority) for priority in EXACT[name]]
    held = make(kind, order=order, **({"priorities": "any"} if kind == "PriorityHeap" else {}))
    places = list(range(20))
    random.Random(1).shuffle(places)
    for at in places:
        held.push(at, given[at]) if kind == "PriorityHeap" else held.put_nowait(at, priority=given[at])
    got = [held.pop() if kind == "PriorityHeap" else held.get_nowait() for _ in range(20)]
    assert [given[at] for at in got] == sorted(given, reverse=order == "max")
    if len(set(given)) == len(given):
        assert got == sorted(range(20), reverse=order == "max")


@pytest.mark.parametrize("kind", KINDS)
def test_delay_counts_from_now(make, kind, clock):
    held = make(kind, clock=clock)
    puts = {
        "PriorityHeap": lambda item, **when: held.push(item, **when),
        "PriorityQueue": lambda item, **when: held.put(item, **when),
        "AsyncPriorityQueue": lambda item, **when: asyncio.run(awaited(held, item, **when)),
    }
    put = puts[kind]
    put(1.0, delay=10)
    put(2.0, delay=0)
    put(3.0, due=105.0, delay=None)
    if kind == "PriorityHeap":
        held.push_many([4.0, 5.0], delay=7)
    else:
        held.put_nowait(4.0, delay=7)
    assert (held.ready(), held.next_due()) == (1, 105.0)
    due = sorted(row[5] for row in held._rows() if row[5] is not None)
    assert due == [105.0, 107.0, *([107.0] if kind == "PriorityHeap" else []), 110.0]
    for when, error in (
        ({"delay": -1}, r"^delay: expected 0 to 315360000 seconds, got -1\.0$"),
        ({"delay": 1e12}, r"^delay: expected 0 to 315360000 seconds, got 1000000000000\.0$"),
        ({"delay": math.nan}, "^delay: expected a number, got nan$"),
        ({"delay": 1, "due": 101.0}, r"^delay: expected either due= or delay=, got both$"),
    ):
        size = len(held.entries())
        with pytest.raises(ValueError, match=error):
            put(6.0, **when)
        assert len(held.entries()) == size
    with pytest.raises(TypeError, match=r"^delay: expected a number, got timedelta$"):
        put(6.0, delay=datetime.timedelta(seconds=1))


def test_delay_counts_from_the_call_where_put_waits_for_room(make, clock):
    async def main() -> None:
        held = make("AsyncPriorityQueue", 1, clock=clock)
        held.put_nowait("first", priority=1)
        waiting = asyncio.ensure_future(held.put("second", priority=1, delay=5))
        await asyncio.sleep(0)
        clock.now += 3
        assert held.get_nowait() == "first"
        await waiting
        assert held.next_due() == 105.0

    asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_a_due_time_of_another_clock_is_refused(make, kind, clock):
    message = r"^due: expected a time within ten years on the heap's clock, {}, which shows [0-9.]+, got {}$"
    held = make(kind)
    calls: list[Any] = [lambda due: held.push(1, due=due), lambda due: held.push_many([1], due=due)]
    if kind != "PriorityHeap":
        calls = [lambda due: held.put_nowait(1, due=due)]
    for call in calls:
        for due in (time.time(), math.inf, 1e300):
            with pytest.raises(ValueError, match=message.format("time.monotonic", ".*")):
                call(due)
        call(time.monotonic() + 9 * 365 * 86400)
    other = make(kind, clock=clock)
    with pytest.raises(ValueError, match=message.format("<.*Clock object at .*>", "1e\\+300")):
        other.push(1, due=1e300) if kind == "PriorityHeap" else other.put_nowait(1, due=1e300)
    assert not other.entries()


def test_a_damaged_state_allocates_no_more_than_its_size(make):
    held = make("PriorityHeap")
    held.push("x", 1)
    state = held._state(False, False)
    state["serial"] = 2**35
    for slot in (5000, 2**27):
        state["rows"] = [("x", 1.0, 7 << 28 | slot, 0, 0.0, None)]
        with pytest.raises(ValueError, match=r"^state: expected handles and sequence numbers in their range$"):
            make("PriorityHeap").__setstate__(state)
    state["room"] = range(2**27)
    with pytest.raises(ValueError, match=r"^state: expected bytes for its room, got range$"):
        make("PriorityHeap").__setstate__(state)


def test_a_heap_that_was_large_is_copied_with_its_handles(make):
    held = make("PriorityHeap")
    handles = held.push_many(range(20_000))
    held.pop_many(19_999) if held.priorities == "any" else None
    for handle in handles[:-1]:
        if handle in held:
            held.remove(handle)
    copied = held.__copy__()
    assert copied.remove(handles[-1]) == 19_999
