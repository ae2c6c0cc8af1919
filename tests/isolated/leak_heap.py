"""Heaps and queues filled, changed, drained and dropped; items in cycles; comparisons that raise."""

from __future__ import annotations

import queue

from leaks import check, fails

from fastcore.heap import PriorityHeap, PriorityQueue


class Incomparable:
    def __lt__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


def churn() -> None:
    heap = PriorityHeap()
    handles = [heap.push([i], float(i % 7)) for i in range(300)]
    for handle in handles[::3]:
        heap.update(handle, 99.0)
    for handle in handles[1::3]:
        heap.remove(handle)
    heap.peek()
    heap.pop_many(50)
    while heap:
        heap.pop()
    for handle in handles[:20]:
        fails(heap.remove, handle)
    fails(heap.pop)
    fails(heap.peek)
    fails(heap.push)
    fails(heap.push, 1, "high")


def dropped_full() -> None:
    heap = PriorityHeap()
    for i in range(300):
        heap.push([i], i)


def cycles() -> None:
    for _ in range(20):
        heap = PriorityHeap()
        heap.push(heap)


def queues() -> None:
    work: PriorityQueue = PriorityQueue(maxsize=400)
    for i in range(300):
        work.put((i % 5, i, [i]))
    for _ in range(300):
        work.get()
        work.task_done()
    for _ in range(20):
        try:
            work.get_nowait()
        except queue.Empty:
            pass
    fails(work.task_done)


def errors() -> None:
    work: PriorityQueue = PriorityQueue()
    work.put(Incomparable())
    for _ in range(50):
        fails(work.put, Incomparable())


for work in (churn, dropped_full, cycles, queues, errors):
    check(work, work.__name__)
