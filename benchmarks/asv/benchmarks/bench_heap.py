"""Heaps and queues: a thousand pushes and pops on top of a thousand items."""

from __future__ import annotations

import functools
import random
from typing import Any

from benchmarks.features import cpu_timer, feature, needs

timer = cpu_timer

PriorityHeap = feature("fastcore.heap:PriorityHeap")
PriorityQueue = feature("fastcore.heap:PriorityQueue")
N = 1_000
RNG = random.Random(7)
PRIORITIES = [RNG.random() for _ in range(N)]


@functools.cache
def full() -> tuple[Any, list[Any]]:
    """A heap that keeps its items, and their handles."""
    heap = PriorityHeap()
    return heap, [heap.push(i, p) for i, p in enumerate(PRIORITIES)]


@functools.cache
def work() -> Any:
    heap = PriorityHeap()
    for i, priority in enumerate(PRIORITIES):
        heap.push(i, priority)
    return heap


@functools.cache
def queue() -> Any:
    return PriorityQueue()


@needs(PriorityHeap)
def time_push_then_pop() -> None:
    push, pop = work().push, work().pop
    for priority in PRIORITIES:
        push(None, priority)
        pop()


@needs(PriorityHeap)
def time_fill_then_drain() -> None:
    heap = PriorityHeap()
    for priority in PRIORITIES:
        heap.push(None, priority)
    heap.pop_many(N)


@needs(PriorityHeap)
def time_update() -> None:
    heap, handles = full()
    update = heap.update
    for handle, priority in zip(handles, PRIORITIES):
        update(handle, priority)


@needs(PriorityQueue)
def time_queue_put_then_get() -> None:
    put, get = queue().put, queue().get
    for priority in PRIORITIES:
        put((priority, None))
        get()
