"""PriorityHeap and the queues against heapq, queue.PriorityQueue and asyncio.PriorityQueue.

The hold model: a structure of n items takes a push and a pop in turn, and the priorities move on with time, as those of
a scheduler do, so that it stays as mixed as it began. Every contender runs the same loop over the same floats; nothing
is subtracted for the loop and the calls.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import queue
import random
import statistics
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from harness import Ratio, Report, interleave, versions

from fastcore.dispatch import backends

BATCH = 1000
SHARE = 20_000  # items a thread: enough that starting the threads does not count
SIZES = (1_000, 100_000)


class Hold:
    """Priorities of the hold model, in batches: the time of the push, and up to two mean waits beyond it.

    They are made beforehand. After `rounds` batches they start over, and the structure is filled again: that costs
    every contender the same, and under one percent of the total.
    """

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(n)
        rounds = max(200, 20 * n // BATCH)
        times = np.arange(rounds * BATCH) / n
        self.first: list[float] = (2 * rng.random(n)).tolist()
        self.batches: list[list[float]] = (times + 2 * rng.random(len(times))).reshape(rounds, BATCH).tolist()

    def stream(self, fill: Callable[[list[float]], None]) -> Iterator[list[float]]:
        while True:
            fill(self.first)
            yield from self.batches


def hold_heap(heap: Any, hold: Hold) -> Callable[[], None]:
    def fill(first: list[float]) -> None:
        heap.clear()
        heap.push_many(range(len(first)), first)

    stream = hold.stream(fill)

    def run() -> None:
        push, pop = heap.push, heap.pop
        for priority in next(stream):
            push(None, priority)
            pop()

    return run


def hold_heapq(hold: Hold) -> Callable[[], None]:
    entries: list[Any] = []
    count = itertools.count()

    def fill(first: list[float]) -> None:
        entries[:] = [(priority, next(count), None) for priority in first]
        heapq.heapify(entries)

    stream = hold.stream(fill)

    def run() -> None:
        push, pop = heapq.heappush, heapq.heappop
        for priority in next(stream):
            push(entries, (priority, next(count), None))
            pop(entries)

    return run


def refill(q: Any, own: bool) -> Callable[[list[float]], None]:
    """`own`: a separate priority for every item; else tuples, compared as the standard library does."""

    def fill(first: list[float]) -> None:
        while not q.empty():
            q.get_nowait()
        for i, priority in enumerate(first):
            if own:
                q.put_nowait(i, priority=priority)
            else:
                q.put_nowait((priority, i))

    return fill


def hold_queue(q: Any, hold: Hold, own: bool) -> Callable[[], None]:
    count, stream = itertools.count(), hold.stream(refill(q, own))

    def run_own() -> None:
        put, get = q.put, q.get
        for priority in next(stream):
            put(None, priority=priority)
            get()

    def run_tuples() -> None:
        put, get = q.put, q.get
        for priority in next(stream):
            put((priority, next(count)))
            get()

    return run_own if own else run_tuples


def four_threads(make: Callable[[], Any], own: bool) -> Callable[[], None]:
    """Two threads put, two get; a call ends when all is handed over."""
    rng = random.Random(1)
    priorities = [rng.random() for _ in range(SHARE)]

    def run() -> None:
        q = make()

        def produce() -> None:
            for i, priority in enumerate(priorities):
                if own:
                    q.put(i, priority=priority)
                else:
                    q.put((priority, i))

        def consume() -> None:
            for _ in range(SHARE):
                q.get()

        threads = [threading.Thread(target=work) for work in (produce, consume, produce, consume)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


def hold_async(q: Any, hold: Hold, own: bool, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    count, stream = itertools.count(), hold.stream(refill(q, own))

    async def run_own() -> None:
        for priority in next(stream):
            await q.put(None, priority=priority)
            await q.get()

    async def run_tuples() -> None:
        for priority in next(stream):
            await q.put((priority, next(count)))
            await q.get()

    run = run_own if own else run_tuples
    return lambda: loop.run_until_complete(run())


def handoff(make: Callable[[], Any], own: bool, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """A producer and a consumer task over a queue of 100."""

    async def produce(q: Any) -> None:
        for i in range(BATCH):
            if own:
                await q.put(i, priority=i)
            else:
                await q.put((i, i))

    async def consume(q: Any) -> None:
        for _ in range(BATCH):
            await q.get()

    async def run() -> None:
        q = make()
        await asyncio.gather(produce(q), consume(q))

    return lambda: loop.run_until_complete(run())


def handles(heap: Any, n: int, operation: str) -> Callable[[], None]:
    rng = random.Random(n)
    live = heap.push_many(range(n), Hold(n).first)
    changes = [(rng.randrange(n), rng.random() * 2) for _ in range(BATCH)]

    def update() -> None:
        change = heap.update
        for at, priority in changes:
            change(live[at], priority)

    def remove() -> None:
        take, push = heap.remove, heap.push
        for at, priority in changes:
            take(live[at])
            live[at] = push(at, priority)

    return update if operation == "update" else remove


def slope(costs: dict[int, float]) -> float:
    """The exponent that fits best: 1 is linear; a logarithm from 1,000 to 1,000,000 is 0.1 and the caches add to it."""
    x, y = [math.log(n) for n in costs], [math.log(cost) for cost in costs.values()]
    return statistics.linear_regression(x, y).slope


def main() -> None:
    twin = backends.twin("heap", "compiled")
    report = Report(
        "heap", "Priority heap and queues: a push and a pop, or a put and a get", versions("fastcore-native")
    )
    report.notes.append(str(__doc__))
    for n, goal in zip(SIZES, (5, 8)):
        hold = Hold(n)
        timings = interleave(
            {"fastcore": hold_heap(twin.PriorityHeap(), hold), "heapq": hold_heapq(hold)}, per_call=BATCH, rounds=21
        )
        ratio = timings["heapq"].median / timings["fastcore"].median
        report.add(f"PriorityHeap, {n:,} items", timings, {"heapq tuples / fastcore": Ratio(ratio, goal)})
    hold = Hold(SIZES[0])
    for own, goal in ((True, 15), (False, 3)):
        timings = interleave(
            {
                "fastcore": hold_queue(twin.PriorityQueue(), hold, own),
                "queue.PriorityQueue": hold_queue(queue.PriorityQueue(), hold, False),
            },
            per_call=BATCH,
        )
        ratio = timings["queue.PriorityQueue"].median / timings["fastcore"].median
        case = "PriorityQueue, priority=" if own else "PriorityQueue, tuples"
        report.add(f"{case}, 1 thread", timings, {"queue.PriorityQueue / fastcore": Ratio(ratio, goal)})
    for own in (True, False):
        timings = interleave(
            {
                "fastcore": four_threads(twin.PriorityQueue, own),
                "queue.PriorityQueue": four_threads(queue.PriorityQueue, False),
            },
            per_call=2 * SHARE,
        )
        ratio = timings["queue.PriorityQueue"].median / timings["fastcore"].median
        case = "PriorityQueue, priority=" if own else "PriorityQueue, tuples"
        report.add(f"{case}, 4 threads", timings, {"queue.PriorityQueue / fastcore": Ratio(ratio, 3)})
    running = asyncio.new_event_loop()
    for own, goal in ((True, 5), (False, 3)):
        timings = interleave(
            {
                "fastcore": hold_async(twin.AsyncPriorityQueue(), hold, own, running),
                "asyncio.PriorityQueue": hold_async(asyncio.PriorityQueue(), hold, False, running),
            },
            per_call=BATCH,
        )
        ratio = timings["asyncio.PriorityQueue"].median / timings["fastcore"].median
        case = "AsyncPriorityQueue, priority=" if own else "AsyncPriorityQueue, tuples"
        report.add(case, timings, {"asyncio.PriorityQueue / fastcore": Ratio(ratio, goal)})
    timings = interleave(
        {
            "fastcore": handoff(lambda: twin.AsyncPriorityQueue(100), True, running),
            "asyncio.PriorityQueue": handoff(lambda: asyncio.PriorityQueue(100), False, running),
        },
        per_call=BATCH,
    )
    report.add("AsyncPriorityQueue, two tasks", timings)
    running.close()
    for operation in ("update", "remove"):
        costs = {}
        for n in (1_000, 10_000, 100_000, 1_000_000):
            timings = interleave({"fastcore": handles(twin.PriorityHeap(), n, operation)}, per_call=BATCH, rounds=9)
            costs[n] = timings["fastcore"].median
            report.add(f"{operation} by handle, {n:,} items", timings)
        report.conclude(f"{operation}: exponent of n", Ratio(slope(costs), 0.35, at_least=False))
    report.write()


if __name__ == "__main__":
    main()
