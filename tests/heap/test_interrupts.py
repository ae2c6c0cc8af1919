"""Signal handlers and finalizers use the heap in the middle of operations; nothing is lost, repeated or misplaced."""

from __future__ import annotations

import asyncio
import functools
import gc
import queue
import random
import signal
import threading
import time
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import python_fallback.heap as pure
from python_fallback.heap import contents

needs_timer = pytest.mark.skipif(
    not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread(),
    reason="needs interval timers, and the main thread",
)
EMPTY = (IndexError, queue.Empty, asyncio.QueueEmpty)
PRIORITIES: dict[str, Callable[[int], Any]] = {
    "floats": float,
    "tuples": lambda n: (n, "x"),
    "strings": str,
}


class Interrupts:
    """Calls a function from a signal handler, about every 200 us, until it was called often enough.

    A handler may come into another, so the function looks at nothing twice.
    """

    def __init__(self, function: Callable[[], object], often: int) -> None:
        self.function, self.left = function, often
        self.errors: list[BaseException] = []

    def handle(self, *_: object) -> None:
        self.left -= 1
        try:
            self.function()
        except BaseException as error:
            self.errors.append(error)

    def __enter__(self) -> Interrupts:
        self.before = signal.signal(signal.SIGALRM, self.handle)
        signal.setitimer(signal.ITIMER_REAL, 2e-4, 2e-4)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0, 0)
        signal.signal(signal.SIGALRM, self.before)


def calls(held: Any) -> tuple[Callable[[Any, Any], int], Callable[[], Any]]:
    """How to put and to get without waiting."""
    if hasattr(held, "push"):
        return held.push, held.pop
    return lambda item, priority: held.put_nowait(item, priority=priority), held.get_nowait


@needs_timer
@pytest.mark.parametrize("kind", ["PriorityHeap", "PriorityQueue", "AsyncPriorityQueue"])
@pytest.mark.parametrize("style", list(PRIORITIES))
def test_signal_handlers_may_interrupt_any_operation(make, kind, style):
    options = {"priorities": "any"} if kind == "PriorityHeap" and style != "floats" else {}
    held = make(kind, **options)
    put, get = calls(held)
    priority = PRIORITIES[style]
    rng, other = random.Random(1), random.Random(2)
    there: set[int] = set()  # handles; the code that removes an item removes its handle here
    count = [0]

    def add(rng: random.Random) -> int:
        handle = put(count[0], priority(rng.randrange(9)))
        count[0] += 1
        there.add(handle)
        return handle

    removed: list[Any] = []

    def take() -> None:
        try:
            removed.append(get())
        except EMPTY:
            pass

    def change(rng: random.Random, handle: int) -> None:
        try:
            held.update(handle, priority(rng.randrange(9)))
        except KeyError:
            pass

    def remove(handle: int) -> None:
        try:
            removed.append(held.remove(handle))
        except KeyError:
            pass

    def random_one() -> int:
        handles = list(there)
        return handles[other.randrange(len(handles))]

    def meddle() -> None:
        choice = other.random()
        if choice < 0.5:
            add(other)
        elif choice < 0.7:
            take()
        elif choice < 0.8 and there:
            remove(random_one())
        elif choice < 0.9 and there:
            change(other, random_one())
        else:
            held.entries()

    with Interrupts(meddle, 400) as interrupts:
        while interrupts.left > 0:
            handles = [add(rng) for _ in range(20)]
            change(rng, handles[3])
            remove(handles[5])
            for _ in range(rng.randrange(40)):
                take()
    assert interrupts.errors == []
    held._check()
    entries = held.entries()
    assert [entry.priority for entry in entries] == sorted(entry.priority for entry in entries)
    assert len(removed) + len(entries) == count[0]
    assert len({handle for handle in there if handle in held}) == len(entries)


@needs_timer
def test_signal_handlers_push_while_priorities_change(make):
    heap = make("PriorityHeap")
    handles = heap.push_many(range(5))
    changes = 0
    with Interrupts(lambda: heap.push("pushed", 1e9), 300) as interrupts:
        while interrupts.left > 0:
            heap.update(handles[changes % 5], float(changes))
            changes += 1
    assert interrupts.errors == []
    heap._check()
    pushed = 300 - interrupts.left
    assert len(heap.pop_many(10_000)) == 5 + pushed


@needs_timer
def test_a_blocked_get_returns_an_item_put_by_a_signal_handler(make):
    held = make("PriorityQueue")
    with Interrupts(lambda: held.put("x", priority=1), 500) as interrupts:
        got = [held.get(timeout=30) for _ in range(500)]
    assert got == ["x"] * 500
    assert interrupts.errors == []


@needs_timer
def test_a_signal_handler_makes_room_for_a_blocked_put(make):
    held = make("PriorityQueue", 1)
    held.put(0)

    def take() -> None:
        try:
            held.get_nowait()
        except queue.Empty:
            pass

    with Interrupts(take, 300) as interrupts:
        for n in range(300):
            held.put(n, timeout=30)
    assert interrupts.errors == []


@needs_timer
def test_a_signal_handler_puts_while_the_loop_sleeps(make):
    held = make("AsyncPriorityQueue")

    async def main() -> list[Any]:
        return [await asyncio.wait_for(held.get(), 30) for _ in range(100)]

    with Interrupts(lambda: held.put_nowait("x", priority=1), 100):
        assert asyncio.run(main()) == ["x"] * 100


@needs_timer
@pytest.mark.parametrize("immediate", [False, True])
def test_a_signal_handler_shuts_down_a_queue_in_use(make, immediate):
    from fastcore.heap import ShutDown

    def use(held: Any) -> None:
        while True:
            held.put(1)
            held.get()

    for _ in range(30):
        held = make("PriorityQueue", 5)
        with Interrupts(functools.partial(held.shutdown, immediate), 1), pytest.raises(ShutDown):
            use(held)
        held._check()


@needs_timer
def test_a_handler_that_raises_leaves_the_heap_consistent(make):
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    held = make("PriorityQueue", 20)
    before = signal.signal(signal.SIGALRM, lambda *_: stop())
    stopped = 0
    try:
        while stopped < 200:
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-4 + stopped * 1e-6)
                while True:
                    for n in range(8):
                        held.put_nowait((n % 3, n))
                    for _ in range(8):
                        held.get_nowait()
            except (Stop, queue.Full, queue.Empty) as error:
                signal.setitimer(signal.ITIMER_REAL, 0, 0)
                stopped += isinstance(error, Stop)
                held._check()
                while held.qsize():
                    held.get_nowait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0, 0)
        signal.signal(signal.SIGALRM, before)
    thread = threading.Thread(target=held.put, args=(1,), daemon=True)
    thread.start()
    assert held.get(timeout=10) == 1  # no lock was left behind


@pytest.mark.parametrize("kind", ["PriorityHeap", "PriorityQueue", "AsyncPriorityQueue"])
def test_finalizers_may_put(make, kind):
    held = make(kind)
    put, get = calls(held)

    class Mortal:
        def __init__(self) -> None:
            self.me = self  # only the collector ends it

        def __del__(self) -> None:
            put("finalized", 9.0)

    count = 500
    thresholds = gc.get_threshold()
    gc.set_threshold(3, 2, 2)
    try:
        for n in range(count):
            Mortal()
            put(n, float(n % 5))
            if n % 3 == 0:
                get()
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    held._check()
    assert len(held.entries()) == 2 * count - len(range(0, count, 3))


def test_weak_references_report_to_the_heap_that_drops_the_item(make):
    heap = make("PriorityHeap")

    class Item:
        pass

    references = []
    for n in range(50):
        item = Item()
        references.append(weakref.ref(item, lambda _: heap.push("died", 100.0)))
        heap.push(item, n)
    del item
    while heap.peek_entry().priority < 100:
        heap.pop()
    heap._check()
    assert heap.pop_many(100) == ["died"] * 50


def test_other_threads_wait_for_a_comparison_to_end(make):
    """A put of another thread waits until the comparison is over; one from within it is refused."""
    heap = make("PriorityHeap", priorities="any")
    entered, go_on = threading.Event(), threading.Event()

    class Slow:
        def __lt__(self, other: object) -> bool:
            entered.set()
            go_on.wait(10)
            return True

    heap.push("first", Slow())
    comparing = threading.Thread(target=heap.push, args=("second", Slow()), daemon=True)
    comparing.start()
    assert entered.wait(10)
    waiting = threading.Thread(target=heap.push, args=("third", Slow()), daemon=True)
    waiting.start()
    time.sleep(0.02)  # too short a time makes the test weaker, not wrong
    assert len(heap) < 3
    go_on.set()
    comparing.join(10)
    waiting.join(10)
    assert len(heap) == 3


def test_a_put_between_checking_and_waiting_is_not_missed(monkeypatch):
    from python_fallback.heap import priority_queue

    held = priority_queue.PriorityQueue()

    class Interrupted(types.SimpleNamespace):
        def Lock(self) -> Any:
            """Where a waiter makes its lock, a signal handler puts."""
            if held.unfinished_tasks == 0:
                held.put("x", priority=1)
            return threading.Lock()

    names = {"get_ident": threading.get_ident, "TIMEOUT_MAX": threading.TIMEOUT_MAX}
    getter = threading.Thread(target=held.get, daemon=True)  # forever, unless it sees the item
    monkeypatch.setattr(priority_queue, "threading", Interrupted(**names))
    getter.start()
    getter.join(5)
    assert not getter.is_alive()


@pytest.mark.parametrize("many", [False, True])
def test_what_a_handler_inserts_within_an_insertion_has_its_own_place_in_the_order(
    monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    """In the pure twin, where a handler may come in whenever a function is called."""
    heap = pure.PriorityHeap()
    record = contents.Record
    inner = ["d", "c", "b"]

    def interrupted(*args: Any) -> Any:
        if len(inner) == 3:
            while inner:
                heap.push(inner.pop())
        return record(*args)

    monkeypatch.setattr(contents, "Record", interrupted)
    if many:
        heap.push_many(["a"])
    else:
        heap.push("a")
    heap._check()
    for item in ("e", "f"):
        heap.push(item)
    left = heap.pop_many(6)
    assert sorted(left[:4]) == ["a", "b", "c", "d"]
    assert left[4:] == ["e", "f"]
