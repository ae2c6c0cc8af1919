"""Callers that do their worst, one a process: ``python hostile.py <backend> <case>`` prints "survived" at the end.

What a caller's code may see is an exception of its own or a clear RuntimeError; what may never come is a crash, a hang,
a lost or repeated item, a broken invariant, or more than maxsize entries.
"""

from __future__ import annotations

import functools
import gc
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from fastcore.dispatch import backends

heap_module: Any = None
CASES: dict[str, Callable[[], None]] = {}


def case(function: Callable[[], None]) -> Callable[[], None]:
    CASES[function.__name__] = function
    return function


class Key:
    """A priority whose comparison runs `action` first."""

    def __init__(self, value: float, action: Callable[[], object] = lambda: None) -> None:
        self.value, self.action = value, action

    def __lt__(self, other: Key) -> bool:
        self.action()
        return self.value < other.value


def heap(**options: Any) -> Any:
    return heap_module.PriorityHeap(**options)


def compiled() -> bool:
    name: str = heap_module.__name__
    return name.startswith("fastcore")


def filled_any(n: int = 20) -> Any:
    h = heap(priorities="any")
    for i in range(n):
        h.push(i, Key(i))
    return h


def expect(error: type[BaseException], text: str, function: Callable[..., object], *args: Any) -> None:
    with pytest.raises(error, match=text or None):
        function(*args)


@case
def destructors_push_while_a_state_is_loaded() -> None:
    class Pusher:
        left = 6

        def __del__(self) -> None:
            if Pusher.left:
                Pusher.left -= 1
                h.push(Pusher(), 1.0)

    h, other = heap(), heap()
    other.push("x", 2.0)
    h.push(Pusher(), 1.0)
    h.__setstate__(other._state(False, True))
    h._check()
    assert "x" in h.pop_many(len(h))


@case
def heaps_within_heaps() -> None:
    h: Any = None
    for _ in range(300_000 if compiled() else 30_000):
        outer = heap()
        outer.push(h, 1.0)
        h = outer
    del outer
    h = None


@case
def puts_within_puts() -> None:
    q = heap_module.AsyncPriorityQueue()
    awaitable: Any = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # none of them is awaited
        for _ in range(300_000 if compiled() else 300):
            awaitable = q.put(awaitable)
        awaitable = None
        gc.collect()
    with pytest.warns(RuntimeWarning, match="put' was never awaited"):
        q.put(1)


@case
def clock_replaces_itself() -> None:
    def now() -> float:
        h.__init__()
        return 1.0

    h = heap(clock=functools.lru_cache(maxsize=4)(now))
    h.push(1, 1.0, due=0.5)
    assert h.pop() == 1


@case
def clock_steps_the_get_that_asks_it() -> None:
    import asyncio

    async def main(step: str) -> None:
        steps: list[Any] = []
        time = [1.0]

        def now() -> float:
            if steps:
                one = steps.pop()
                expect(
                    ValueError, "coroutine already executing", getattr(one, step), *([None] if step == "send" else [])
                )
            return time[0]

        q = heap_module.AsyncPriorityQueue(clock=now)
        q.put_nowait("a", priority=1, due=100.0)
        got = q.get()
        got.send(None)
        time[0] = 200.0
        q._wake_getter()
        await asyncio.sleep(0)
        steps.append(got)
        with pytest.raises(StopIteration) as stopped:
            got.send(None)
        assert stopped.value.value == "a"

    for step in ("send", "close"):
        asyncio.run(main(step))


@case
def comparison_uses_the_heap() -> None:
    uses = {
        "push": lambda h, _: h.push("x", Key(0)),
        "pop": lambda h, _: h.pop(),
        "peek": lambda h, _: h.peek(),
        "pop_many": lambda h, _: h.pop_many(5),
        "push_many": lambda h, _: h.push_many([1], [Key(0)]),
        "clear": lambda h, _: h.clear(),
        "remove": lambda h, handle: h.remove(handle),
        "update": lambda h, handle: h.update(handle, Key(-1)),
        "entries": lambda h, _: h.entries(),
        "iterate": lambda h, _: list(h),
        "init": lambda h, _: h.__init__(),
        "state": lambda h, _: h._take_state(),
        "load": lambda h, _: h._load([], 1, 0.0, 0.0),
        "priority": lambda h, handle: h.priority(handle),
    }
    for name, use in uses.items():
        h = filled_any()
        handle = h.push("victim", Key(50))
        if name == "init" and type(h).__module__.startswith("python_fallback"):
            continue  # a new __init__ of the readable twin makes a new heap; the comparison goes on over the old one
        meddler = Key(-1, functools.partial(use, h, handle))
        expect(RuntimeError, "a comparison may not use the heap that it orders", h.push, "bad", meddler)
        assert len(h) == 21, name
        assert h.pop_many(30) == [*range(20), "victim"], name


@case
def comparison_swallows_the_error() -> None:
    def try_it() -> None:
        try:
            h.push("nested", Key(0))
        except RuntimeError:
            pass

    h = filled_any()
    h.push("outer", Key(-1, try_it))
    assert len(h) == 21
    h._check()
    assert h.pop() == "outer"


@case
def comparison_raises_at_any_step() -> None:
    rng = random.Random(1)
    countdown = [10**9]

    def tick() -> None:
        countdown[0] -= 1
        if countdown[0] == 0:
            raise KeyError("comparison")

    h = heap(priorities="any")
    live: dict[int, int] = {}
    serial = 0
    for step in range(6000):
        countdown[0] = rng.choice([1, 2, 3, 5, 8, 10**9])
        before = len(h)
        operation = rng.choice(["push", "push", "pop", "remove", "update", "pop_many", "push_many"])
        some = rng.choice(list(live)) if live else None
        try:
            if operation == "push":
                serial += 1
                live[h.push(serial, Key(rng.randrange(30), tick))] = serial
            elif operation == "push_many":
                items = [serial + 1, serial + 2, serial + 3]
                handles = h.push_many(items, [Key(rng.randrange(30), tick) for _ in items])
                live.update(zip(handles, items))
                serial += 3
            elif operation == "pop" and live:
                entry = h.pop_entry()
                assert live.pop(entry.handle) == entry.item
            elif operation == "pop_many":
                gone = set(h.pop_many(rng.randrange(4)))
                live = {handle: item for handle, item in live.items() if item not in gone}
            elif operation == "remove" and some is not None:
                assert h.remove(some) == live[some]
                del live[some]
            elif operation == "update" and some is not None:
                h.update(some, Key(rng.randrange(30), tick))
        except KeyError as error:
            if error.args != ("comparison",):
                raise
            assert len(h) == before, operation
        countdown[0] = 10**9
        assert len(h) == len(live)
        assert all(handle in h for handle in live)
        if step % 50 == 0:
            h._check()
    assert sorted(h.pop_many(10**6)) == sorted(live.values())


@case
def comparison_recurses() -> None:
    class Deep:
        def __lt__(self, other: object) -> bool:
            return self < other  # type: ignore[operator]

    h = heap(priorities="any")
    h.push(1, Deep())
    expect(RecursionError, "", h.push, 2, Deep())
    assert h.pop_many(5) == [1]


@case
def comparison_answers_nonsense() -> None:
    class Odd:
        def __lt__(self, other: object) -> Any:
            return rng.choice([True, False, 0, "yes", None, []])

    class Worse:
        def __bool__(self) -> bool:
            raise ZeroDivisionError("truth")

    rng = random.Random(5)
    h = heap(priorities="any")
    handles = h.push_many(range(500), [Odd() for _ in range(500)])
    for handle in handles[::3]:
        h.update(handle, Odd())
    for handle in handles[::5]:
        h.remove(handle)
    assert sorted(h.pop_many(1000)) == [i for i in range(500) if i % 5]
    bad = type("Bad", (), {"__lt__": lambda self, other: Worse()})
    h.push(1, bad())
    expect(ZeroDivisionError, "truth", h.push, 2, bad())
    assert h.pop() == 1


@case
def destructors_use_the_heap() -> None:
    class Item:
        def __del__(self) -> None:
            if len(log) < 500:
                log.append(len(h))
                h.push("from a destructor", 5.0)
                h.clear()
                h.push(Item())
                h.pop_many(1)

    log: list[int] = []
    h = heap()
    for _ in range(20):
        h.push(Item())
    h.pop()
    h.clear()
    h.push_many([Item() for _ in range(5)])
    h.pop_many(2)
    h.__init__(order="max")
    h._check()
    assert log


@case
def destructors_of_priorities_use_the_heap() -> None:
    class Mortal(Key):
        def __del__(self) -> None:
            deaths.append(len(h))
            h.push("late", Key(1000))
            h._check()

    deaths: list[int] = []
    h = heap(priorities="any")
    handles = [h.push(i, Mortal(i)) for i in range(30)]
    h.update(handles[5], Key(0.5))
    h.remove(handles[6])
    assert h.pop() == 0
    assert h.pop_many(3) == [5, 1, 2]
    h.clear()
    gc.collect()
    assert len(deaths) == 30
    h._check()


@case
def numbers_use_the_heap() -> None:
    class Number:
        def __float__(self) -> float:
            h.clear()
            h.push("nested", 1.0)
            return 2.0

    class Index:
        def __index__(self) -> int:
            h.pop_many(100)
            raise OSError("index")

    h = heap()
    h.push_many(range(100))
    h.push("outer", Number())
    assert h.pop_many(5) == ["nested", "outer"]
    expect(OSError, "index", h.push, "x", Index())
    expect(OSError, "index", h.pop_many, Index())
    handle = h.push("x", 1)
    expect(KeyError, "handle", h.update, handle, Number())
    expect(OSError, "index", h.push_many, [1, 2, 3], [1, 2, Index()])
    assert len(h) == 0


@case
def clocks_use_the_heap() -> None:
    def clock() -> float:
        now[0] += 1
        if now[0] % 3 == 0:
            raise OSError("clock")
        if now[0] % 7 == 0:
            h.clear()
        if len(h) < 50:
            h.push_many(["nested"] * 2, [0.0, 1.0])
        return now[0]

    now = [0.0]
    h = heap(clock=clock)
    rng = random.Random(2)
    for _ in range(2000):
        try:
            operation = rng.choice(["push", "pop", "peek", "ready", "next_due", "pop_many"])
            if operation == "push":
                h.push("x", rng.random(), due=now[0] + rng.randrange(5))
            elif operation == "pop_many":
                h.pop_many(3)
            else:
                getattr(h, operation)()
        except (OSError, IndexError):
            pass
        h._check()


@case
def iterables_use_the_heap() -> None:
    def items() -> Any:
        for i in range(10):
            h.clear()
            h.push("nested", 9)
            yield i

    h = heap()
    h.push_many(items(), (float(i) for i in items()))
    assert h.pop_many(20) == [*range(9), "nested", 9]
    expect(TypeError, "", h.push_many, 5)
    expect(TypeError, "", h.push_many, [1], 5)


@case
def the_collector_runs_in_between() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            deaths[0] += 1
            if deaths[0] > 3000:
                return  # each death makes more cycles than it ends: it would go on forever
            try:
                h.push("collected", Key(0.5))
                h.pop()
            except (RuntimeError, IndexError):
                pass

    h = heap(priorities="any")
    deaths = [0]
    gc.set_threshold(1, 1, 1)
    for i in range(300):
        Cycle()
        h.push(i, Key(i % 10, Cycle))
        if i % 3 == 0:
            h.entries()
            h.pop_many(1)
    gc.set_threshold(700, 10, 10)
    h._check()
    assert deaths[0] > 300


def main() -> None:
    """Run the case that the command line names."""
    global heap_module
    heap_module = backends.twin("heap", sys.argv[1])
    CASES[sys.argv[2]]()
    print("survived")


if __name__ == "__main__":
    main()
