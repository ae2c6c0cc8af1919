"""Memory of a waiting task: resident bytes, each contender in a separate process."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

N = 100_000


def ours(n: int) -> Any:
    from tasks_ours import MANY, noop

    from fastcore.tasks import TaskQueue

    queue = TaskQueue(store="memory", workers={"async": 64}, max_queued=None)
    task = queue.task(name="noop", on="async")(noop)
    for first in range(0, n, MANY):
        queue.submit_many([(task, (i,)) for i in range(first, first + MANY)])
    return queue


def memory_huey(n: int) -> Any:
    from huey import MemoryHuey

    huey = MemoryHuey("bench")
    call = huey.task()(_nothing)
    for i in range(n):
        call(i)
    return huey


def thread_pool(n: int) -> Any:
    import threading

    pool = ThreadPoolExecutor(1)
    gate = threading.Event()
    pool.submit(gate.wait)
    futures = [pool.submit(_nothing, i) for i in range(n)]
    return pool, gate, futures


def _nothing(_: int) -> None:
    pass


CONTENDERS: dict[str, Callable[[int], Any]] = {
    "fastcore": ours,
    "MemoryHuey": memory_huey,
    "ThreadPoolExecutor": thread_pool,
}


def page_faults() -> int:
    """Return how many pages the system has given this process so far; 0 where it does not say."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def bytes_each(name: str) -> float:
    """Return the growth of the resident set for one task of one argument."""
    context = multiprocessing.get_context("spawn")
    theirs, mine = context.Pipe()
    child = context.Process(target=_measure, args=(name, theirs))
    child.start()
    theirs.close()
    try:
        return float(mine.recv())
    finally:
        child.kill()  # the pool's thread waits forever
        child.join()


def _measure(name: str, pipe: Any) -> None:
    fill = CONTENDERS[name]
    held = [fill(1000)]  # imports and pools
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    held.append(fill(N))
    gc.collect()
    pipe.send((process.memory_info().rss - before) / N)
    del held
