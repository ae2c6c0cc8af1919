"""Our side of the tasks' benchmark: each contender is one whole run, and returns seconds a task by phase."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from tasks_opponents import BOTH, ENQUEUE, PAYLOAD, Phases, phases, quantiles, scratch

from fastcore.tasks import TaskQueue

MANY = 1000  # tasks in one submit_many


async def noop(*_: Any) -> None:
    pass


def spin(seconds: float) -> None:
    """Use so much time of a CPU, however often the thread is made to wait."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def fill_then_drain(queue: TaskQueue, n: int, *args: Any) -> Phases:
    """Queue all, in batches, before a worker runs; then run all."""
    task = queue.task(name="noop", on="async")(noop)

    async def drain() -> float:
        async with queue:
            await queue.join()
            return time.perf_counter()

    calls = [(task, tuple(f"{arg}{i}" for arg in args)) for i in range(n)]  # no two alike, where they have arguments
    began = time.perf_counter()
    for first in range(0, n, MANY):
        queue.submit_many(calls[first : first + MANY])
    queued = time.perf_counter()
    done = asyncio.run(drain())
    return phases(n, began, queued, done)


def memory(n: int) -> Phases:
    return fill_then_drain(TaskQueue(store="memory", workers={"async": 64}, max_queued=None), n)


def sqlite_many(n: int, path: Path | None = None) -> Phases:
    if path is not None:
        return fill_then_drain(TaskQueue(store=f"sqlite:///{path}", workers={"async": 64}), n, PAYLOAD)
    with scratch() as path:
        return sqlite_many(n, path)


def sqlite_submitters(n: int, submitters: int, durability: str = "full") -> Phases:
    """Several threads, each of which waits for its commit before it submits again, and the workers."""
    with scratch() as path:
        queue = TaskQueue(store=f"sqlite:///{path}?durability={durability}", workers={"async": 64})
        task = queue.task(name="noop", on="async")(noop)

        def submit() -> None:
            for _ in range(n // submitters):
                queue.submit(task, PAYLOAD)

        async def run() -> Phases:
            async with queue:
                threads = [threading.Thread(target=submit) for _ in range(submitters)]
                began = time.perf_counter()
                for thread in threads:
                    thread.start()
                for thread in threads:
                    await asyncio.to_thread(thread.join)
                queued = time.perf_counter()
                await queue.join()
                done = time.perf_counter()
            return {ENQUEUE: (queued - began) / n, BOTH: (done - began) / n}

        return asyncio.run(run())


def sqlite_coroutines(n: int, submitters: int) -> Phases:
    """So many coroutines on the workers' loop, as requests are, each of which waits for its commit."""
    with scratch() as path:
        queue = TaskQueue(store=f"sqlite:///{path}", workers={"async": 64})
        task = queue.task(name="noop", on="async")(noop)

        async def submit() -> None:
            for _ in range(n // submitters):
                await queue.asubmit(task, PAYLOAD)

        async def run() -> Phases:
            async with queue:
                began = time.perf_counter()
                await asyncio.gather(*(submit() for _ in range(submitters)))
                queued = time.perf_counter()
                await queue.join()
                done = time.perf_counter()
            return {ENQUEUE: (queued - began) / n, BOTH: (done - began) / n}

        return asyncio.run(run())


def latencies(store: str, n: int) -> Phases:
    """One at a time, from the call of `submit` in another thread to the moment the function runs."""
    queue = TaskQueue(store=store, workers={"async": 64})
    ran = threading.Event()
    at = 0.0

    @queue.task(name="moment", on="async")
    async def moment() -> None:
        nonlocal at
        at = time.perf_counter()
        ran.set()

    found = []
    queue.start()
    try:
        for _ in range(n):
            ran.clear()
            began = time.perf_counter()
            queue.submit(moment)
            assert ran.wait(30)
            found.append(at - began)
    finally:
        queue.stop()
    return quantiles(found)


def sqlite_latencies(n: int) -> Phases:
    with scratch() as path:
        return latencies(f"sqlite:///{path}", n)


def grow(path: Path, rows: int) -> None:
    """Multiply what has ended in a database until it holds so many tasks, without going through the queue."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -500000")
    columns = [name for _, name, *_ in db.execute("PRAGMA table_info(task)") if name != "seq"]
    # An id begins with its time, which stays: those of finished tasks lie before those of new ones, as they would.
    values = ", ".join("substr(id, 1, 12) || lower(hex(randomblob(10)))" if name == "id" else name for name in columns)
    copy = f"INSERT INTO task ({', '.join(columns)}) SELECT {values} FROM task LIMIT ?"
    db.execute("BEGIN")
    have: int = db.execute("SELECT count(*) FROM task").fetchone()[0]
    while have < rows:
        have += db.execute(copy, (rows - have,)).rowcount
    db.execute("DELETE FROM tally")
    db.execute("INSERT INTO tally SELECT kind, state, count(*) FROM task GROUP BY kind, state")
    db.execute("COMMIT")
    db.close()


class OnProcesses(NamedTuple):
    """What tasks on process slots took."""

    seconds: float
    parent: float
    """Seconds of CPU a task, of the process that gives them out: it shares the machine with the slots."""


def processes(n: int, seconds: float) -> OnProcesses:
    """Run `n` tasks that each use some seconds of CPU on two process slots."""
    queue = TaskQueue(store="memory", workers={"process": 2})
    task = queue.task(name="spin", on="process")(spin)

    async def run() -> OnProcesses:
        async with queue:
            for id in [queue.submit(task, seconds) for _ in range(200)]:
                await queue.wait(id)
            began, cpu = time.perf_counter(), time.process_time()
            queue.submit_many([(task, (seconds,))] * n)
            await queue.join()
            return OnProcesses(time.perf_counter() - began, (time.process_time() - cpu) / n)

    return asyncio.run(run())


def waiting(n: int, seconds: float, limit: int) -> float:
    """Seconds that `n` tasks which wait for `seconds` take, `limit` at a time."""
    queue = TaskQueue(store="memory", workers={"async": limit})

    @queue.task(name="wait", on="async")
    async def wait() -> None:
        await asyncio.sleep(seconds)

    async def run() -> float:
        async with queue:
            began = time.perf_counter()
            queue.submit_many([(wait, ())] * n)
            await queue.join()
            return time.perf_counter() - began

    return asyncio.run(run())


def timed(work: Callable[[], Awaitable[object]]) -> float:
    async def run() -> float:
        began = time.perf_counter()
        await work()
        return time.perf_counter() - began

    return asyncio.run(run())
