"""Heaps and queues: a thousand pushes and pops on top of a thousand items."""

from __future__ import annotations

import random

from fastcore.heap import PriorityHeap, PriorityQueue

N = 1_000
RNG = random.Random(7)
PRIORITIES = [RNG.random() for _ in range(N)]
FULL = PriorityHeap()
HANDLES = [FULL.push(i, p) for i, p in enumerate(PRIORITIES)]
WORK = PriorityHeap()
QUEUE = PriorityQueue()
for _i, _p in enumerate(PRIORITIES):
    WORK.push(_i, _p)


def time_push_then_pop() -> None:
    push, pop = WORK.push, WORK.pop
    for priority in PRIORITIES:
        push(None, priority)
        pop()


def time_fill_then_drain() -> None:
    heap = PriorityHeap()
    for priority in PRIORITIES:
        heap.push(None, priority)
    heap.pop_many(N)


def time_update() -> None:
    update = FULL.update
    for handle, priority in zip(HANDLES, PRIORITIES):
        update(handle, priority)


def time_queue_put_then_get() -> None:
    put, get = QUEUE.put, QUEUE.get
    for priority in PRIORITIES:
        put((priority, None))
        get()
