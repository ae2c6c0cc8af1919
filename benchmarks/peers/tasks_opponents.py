"""What a user would pick instead: each contender is one whole run, and returns seconds a task by phase.

Every one gets its best case. Huey's drain is its consumer's own loop (`dequeue`, `execute`) without threads, polling or
logging between; litequeue is put, pop and done, and runs nothing; Dask's workers are threads of this process.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huey import MemoryHuey, SqliteHuey
from litequeue import LiteQueue

Phases = dict[str, float]
ENQUEUE, DRAIN, BOTH = "enqueue", "drain", "end to end"
P50, P99 = "latency p50", "latency p99"
PAYLOAD = "x" * 180


@contextmanager
def scratch(name: str = "tasks.db") -> Iterator[Path]:
    """A place on the disk, not in memory: `fsync` must cost what it costs."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("FASTCORE_BENCH_DIR", "/tmp")) as folder:
        yield Path(folder) / name


def phases(n: int, began: float, queued: float, done: float) -> Phases:
    return {ENQUEUE: (queued - began) / n, DRAIN: (done - queued) / n, BOTH: (done - began) / n}


def quantiles(latencies: list[float]) -> Phases:
    cuts = statistics.quantiles(latencies, n=100)
    return {P50: cuts[49], P99: cuts[98]}


def drain_huey(huey: Any) -> int:
    done = 0
    while (task := huey.dequeue()) is not None:
        huey.execute(task)
        done += 1
    return done


def run_huey(huey: Any, n: int, *args: Any) -> Phases:
    ran = 0

    def noop(*_: Any) -> None:
        nonlocal ran
        ran += 1

    call = huey.task()(noop)
    began = time.perf_counter()
    for _ in range(n):
        call(*args)
    queued = time.perf_counter()
    drain_huey(huey)
    done = time.perf_counter()
    assert ran == n, (ran, n)
    return phases(n, began, queued, done)


def memory_huey(n: int) -> Phases:
    return run_huey(MemoryHuey("bench"), n)


def sqlite_huey(n: int) -> Phases:
    with scratch() as path:
        huey = SqliteHuey("bench", filename=str(path), fsync=True)
        found = run_huey(huey, n, PAYLOAD)
        huey.storage.close()
    return found


def sqlite_huey_submitters(n: int, submitters: int) -> Phases:
    """Several threads, each of which waits for its commit before it submits again, and a worker."""
    ran = 0

    def noop(*_: Any) -> None:
        nonlocal ran
        ran += 1

    with scratch() as path:
        huey = SqliteHuey("bench", filename=str(path), fsync=True)
        call = huey.task()(noop)

        def submit() -> None:
            for _ in range(n // submitters):
                call(PAYLOAD)

        threads = [threading.Thread(target=submit) for _ in range(submitters)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        while ran < n:
            if not drain_huey(huey):
                time.sleep(0.001)
        done = time.perf_counter()
        for thread in threads:
            thread.join()
        huey.storage.close()
    return {BOTH: (done - began) / n}


def litequeue_full(n: int) -> Phases:
    with scratch() as path:
        queue = LiteQueue(str(path))
        queue.conn.execute("PRAGMA synchronous = FULL")  # it sets NORMAL, which is another durability class
        data = json.dumps({"task": "noop", "args": [PAYLOAD]})
        began = time.perf_counter()
        for _ in range(n):
            queue.put(data)
        queued = time.perf_counter()
        ran = 0
        while (message := queue.pop()) is not None:
            json.loads(message.data)
            queue.done(message.message_id)
            ran += 1
        done = time.perf_counter()
        queue.close()
    assert ran == n, (ran, n)
    return phases(n, began, queued, done)


def thread_pool(n: int) -> Phases:
    def noop() -> None:
        pass

    with ThreadPoolExecutor(8) as pool:
        began = time.perf_counter()
        futures = [pool.submit(noop) for _ in range(n)]
        for future in futures:
            future.result()
        return {BOTH: (time.perf_counter() - began) / n}


class Dask:
    """A cluster in this process, started when first asked for: its start is not what is measured."""

    def __init__(self) -> None:
        self._client: Any = None

    def run(self, n: int) -> Phases:
        client = self._started()
        began = time.perf_counter()
        client.gather(client.map(_identity, range(n), pure=False))
        return {BOTH: (time.perf_counter() - began) / n}

    def latencies(self, n: int) -> Phases:
        client = self._started()
        found = []
        for _ in range(n):
            began = time.perf_counter()
            found.append(client.submit(_moment, pure=False).result() - began)
        return quantiles(found)

    def _started(self) -> Any:
        if self._client is None:
            from distributed import Client, LocalCluster

            cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
            self._client = Client(cluster)
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.cluster.close()
            self._client.close()


def _identity(value: int) -> int:
    return value


def _moment() -> float:
    return time.perf_counter()


def thread_pool_latencies(n: int) -> Phases:
    found = []
    with ThreadPoolExecutor(8) as pool:
        for _ in range(n):
            began = time.perf_counter()
            found.append(pool.submit(time.perf_counter).result() - began)
    return quantiles(found)


def huey_latencies(n: int, fsync: bool) -> Phases:
    """One at a time, from the call to the moment the function runs; a worker of Huey's own, polling every 1 ms."""
    from huey.consumer import Worker

    with scratch() as path:
        huey: Any = SqliteHuey("bench", filename=str(path), fsync=True) if fsync else MemoryHuey("bench")
        ran = threading.Event()
        at = 0.0

        def moment() -> None:
            nonlocal at
            at = time.perf_counter()
            ran.set()

        call = huey.task()(moment)
        stop = threading.Event()
        worker = Worker(huey=huey, stop_flag=stop, default_delay=0.001, max_delay=0.001, backoff=1)
        thread = threading.Thread(target=lambda: [worker.loop() for _ in iter(stop.is_set, True)])
        thread.start()
        found = []
        try:
            for _ in range(n):
                ran.clear()
                began = time.perf_counter()
                call()
                assert ran.wait(30)
                found.append(at - began)
        finally:
            stop.set()
            thread.join()
            if fsync:
                huey.storage.close()
    return quantiles(found)


def bare(n: int, together: int = 1) -> Phases:
    """The least that keeps a task: a row, and its end, so many of either in a commit with a sync."""
    with scratch() as path:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE task (id INTEGER PRIMARY KEY, payload TEXT, done INTEGER)")
        ids = range(1, n + 1)
        lots = [ids[at : at + together] for at in range(0, n, together)]
        began = time.perf_counter()
        for lot in lots:
            db.execute("BEGIN IMMEDIATE")
            for _ in lot:
                db.execute("INSERT INTO task (payload) VALUES (?)", (PAYLOAD,))
            db.execute("COMMIT")
        queued = time.perf_counter()
        for lot in lots:
            db.execute("BEGIN IMMEDIATE")
            for id in lot:
                db.execute("UPDATE task SET done = 1 WHERE id = ?", (id,))
            db.execute("COMMIT")
        done = time.perf_counter()
        db.close()
    return phases(n, began, queued, done)


def syncs(n: int = 200) -> float:
    """Seconds of one write of 4 KiB and its fdatasync: what nothing durable can be quicker than, one at a time."""
    with scratch("file") as path:
        with path.open("wb", buffering=0) as file:
            began = time.perf_counter()
            for _ in range(n):
                file.write(b"x" * 4096)
                (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(file.fileno())
            return (time.perf_counter() - began) / n


def commits(n: int = 100) -> float:
    """Seconds of one insert with a commit of its own, in SQLite with WAL and `synchronous=FULL`."""
    with scratch() as path:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)")
        began = time.perf_counter()
        for _ in range(n):
            db.execute("INSERT INTO t (data) VALUES (?)", (b"x" * 200,))
        took = (time.perf_counter() - began) / n
        db.close()
    return took


def process_pool(fn: Callable[[float], object], n: int, seconds: float) -> float:
    """Seconds that `n` calls take in the standard library's pool of two processes, one call a message."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(fn, [0.0] * 8))
        began = time.perf_counter()
        list(pool.map(fn, [seconds] * n))
        return time.perf_counter() - began
