"""Hostile items in queues and threads, one case a process, as in `hostile.py`, whose folder is on the path."""

from __future__ import annotations

import gc
import queue
import random
import sys
import threading
import time
from typing import Any

import hostile
from hostile import Key, case, heap


@case
def queues_under_hostile_items() -> None:
    q = hostile.heap_module.PriorityQueue(5)

    class Item:
        def __init__(self, value: int) -> None:
            self.value = value

        def __lt__(self, other: Item) -> bool:
            try:
                q.put_nowait(Item(0))
            except (RuntimeError, queue.Full):
                pass
            assert q.qsize() <= 5
            if rng.random() < 0.2:
                raise OSError("comparison")
            return self.value < other.value

        def __del__(self) -> None:
            q.qsize()

    rng = random.Random(3)
    put = got = 0
    for _ in range(3000):
        try:
            if rng.random() < 0.5:
                q.put_nowait(Item(rng.randrange(100)))
                put += 1
            else:
                q.get_nowait()
                got += 1
        except (OSError, queue.Full, queue.Empty):
            pass
        assert q.qsize() == put - got <= 5
    q._check()


@case
def maxsize_holds_while_comparisons_yield() -> None:
    """Comparisons let other threads in; still no more than maxsize items are ever held."""
    q = hostile.heap_module.PriorityQueue(3)
    sys.setswitchinterval(1e-5)
    most = [0]

    class Slow:
        def __init__(self, value: float) -> None:
            self.value = value

        def __lt__(self, other: Slow) -> bool:
            for _ in range(20):
                pass
            most[0] = max(most[0], q.qsize())
            return self.value < other.value

    def produce(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(400):
            q.put(Slow(rng.random()))

    def consume() -> None:
        for _ in range(400):
            q.get()
            q.task_done()

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(4)]
    threads += [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    q.join()
    assert most[0] <= 3
    q._check()


@case
def a_million_operations_by_eight_threads() -> None:
    h = heap()
    sys.setswitchinterval(1e-5)
    pushed: list[int] = [0] * 8
    taken: list[int] = [0] * 8
    share = 125_000 if sys.argv[1] == "compiled" else 1_000

    def work(n: int) -> None:
        rng = random.Random(n)
        mine: list[int] = []
        for i in range(share):
            choice = rng.random()
            try:
                if choice < 0.45 or not mine:
                    mine.append(h.push((n, i), choice))
                    pushed[n] += 1
                elif choice < 0.7:
                    h.pop()
                    taken[n] += 1
                elif choice < 0.85:
                    h.remove(mine.pop(rng.randrange(len(mine))))
                    taken[n] += 1
                else:
                    h.update(mine[-1], choice)
            except (KeyError, IndexError):
                pass  # another thread was first
            if len(mine) > 200:
                del mine[:100]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        h._check()
        time.sleep(0.005)  # a check holds the lock: without a pause it would starve the eight on a busy machine
    for thread in threads:
        thread.join()
    h._check()
    assert len(h) == sum(pushed) - sum(taken)
    assert len(set(h.pop_many(10**9))) == sum(pushed) - sum(taken)


@case
def threads_compare_at_once() -> None:
    h = heap(priorities="any")
    sys.setswitchinterval(1e-5)

    def spin() -> None:
        for _ in range(10):
            pass

    def work(n: int) -> None:
        rng = random.Random(n)
        for i in range(600):
            if rng.random() < 0.6:
                h.push((n, i), Key(rng.random(), spin))
            else:
                try:
                    out.append(h.pop())
                except IndexError:
                    pass

    out: list[Any] = []
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    h._check()
    rest = h.pop_many(10**6)
    assert len(set(out + rest)) == len(out) + len(rest)


@case
def leaks() -> None:
    """What goes in comes out with the references it came with."""

    class Item:
        pass

    def use() -> None:
        item, key = Item(), Key(3)
        h = heap(priorities="any", clock=lambda: 0.0)
        handle = h.push(item, key)
        h.push(item, Key(70))
        h.push(item, key, due=5.0)
        h.update(handle, Key(-1))
        h.update(handle, key)
        h.entries()
        h._from_state(h._state(False, False)).pop()
        try:
            h.push(item, "not comparable")
        except (TypeError, AttributeError):
            pass
        h.remove(handle)
        q = hostile.heap_module.PriorityQueue()
        q.put(item, priority=1)
        q.put(item, priority=2)
        q.get()
        q.shutdown(immediate=True)
        h.clear()
        assert sys.getrefcount(item) == 2, sys.getrefcount(item)
        assert sys.getrefcount(key) == 2, sys.getrefcount(key)

    for _ in range(20):
        use()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        use()
    gc.collect()
    assert len(gc.get_objects()) - before < 50


if __name__ == "__main__":
    hostile.main()
