"""Background tasks compared with other queues, each in its own durability class.

Run ``python benchmarks/peers/tasks.py``, or with names of sections after it. A no-op is queued and run: in memory, in
SQLite with a sync before every answer. `enqueue` ends when the last `submit` has returned, `drain` when the last task
has ended; Huey's drain is its worker's loop without a thread between, litequeue's runs nothing. `fastcore` queues
through the public `TaskQueue` and stores results and states, which the others do not.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tasks_memory
import tasks_mission
import tasks_opponents as theirs
import tasks_ours as ours
from harness import Ratio, Report, Timing, interleave_phases, versions
from tasks_opponents import BOTH, DRAIN, ENQUEUE, P50, P99

from fastcore import indicators as ta
from fastcore.concurrency import map_async

PACKAGES = ("fastcore-native", "huey", "litequeue", "distributed", "fastapi", "uvicorn")
FINISHED = 1_000_000


def per_second(timing: Timing) -> float:
    return 1 / timing.median


def in_memory(report: Report) -> None:
    found = interleave_phases(
        {
            "fastcore": lambda: ours.memory(50_000),
            "MemoryHuey": lambda: theirs.memory_huey(5_000),
            "ThreadPoolExecutor": lambda: theirs.thread_pool(10_000),
        },
        rounds=7,
    )
    late = interleave_phases(
        {
            "fastcore": lambda: ours.latencies("memory", 300),
            "MemoryHuey": lambda: theirs.huey_latencies(200, fsync=False),
            "ThreadPoolExecutor": lambda: theirs.thread_pool_latencies(300),
        },
        rounds=3,
    )
    dask = theirs.Dask()  # by itself: its processes and its loop are at work even when it has nothing to do
    try:
        for phase, timings in interleave_phases({"Dask LocalCluster": lambda: dask.run(300)}, rounds=5).items():
            found.setdefault(phase, {}).update(timings)
        for phase, timings in interleave_phases({"Dask LocalCluster": lambda: dask.latencies(50)}, rounds=3).items():
            late.setdefault(phase, {}).update(timings)
    finally:
        dask.close()
    for phase in (ENQUEUE, DRAIN):
        report.add(f"memory, {phase}", found[phase])
    both = found[BOTH]
    report.add(
        f"memory, {BOTH}",
        both,
        {
            "no-op tasks a second": Ratio(per_second(both["fastcore"]), 150_000),
            "MemoryHuey / fastcore": Ratio(both["MemoryHuey"].median / both["fastcore"].median, 3),
        },
    )
    for phase in (P50, P99):
        report.add(f"memory, {phase}", late[phase])


def in_sqlite(report: Report) -> None:
    found = interleave_phases(
        {
            "fastcore, submit_many": lambda: ours.sqlite_many(10_000),
            "fastcore, 64 submitters": lambda: ours.sqlite_coroutines(9_600, 64),
            "fastcore, 64 threads": lambda: ours.sqlite_submitters(6_400, 64),
            "bare SQLite, a commit each": lambda: theirs.bare(300),
            "bare SQLite, a commit for 64": lambda: theirs.bare(6_400, 64),
            "SqliteHuey": lambda: theirs.sqlite_huey(300),
            "SqliteHuey, 64 threads": lambda: theirs.sqlite_huey_submitters(640, 64),
            "litequeue": lambda: theirs.litequeue_full(300),
        },
        rounds=7,
    )
    report.add("SQLite, full, enqueue", found[ENQUEUE])
    report.add("SQLite, full, drain", found[DRAIN])
    both = found[BOTH]
    huey, crowd = both["SqliteHuey"].median, both["SqliteHuey, 64 threads"].median
    many = both["fastcore, submit_many"].median
    bare, grouped = both["bare SQLite, a commit each"].median, both["bare SQLite, a commit for 64"].median
    report.add(
        "SQLite, full, end to end",
        both,
        {
            "SqliteHuey / fastcore, submit_many": Ratio(huey / many),
            "SqliteHuey / fastcore, each with 64 submitters": Ratio(crowd / both["fastcore, 64 submitters"].median),
            "SqliteHuey / fastcore, each with 64 threads": Ratio(crowd / both["fastcore, 64 threads"].median),
            "bare SQLite with a commit for 64 / fastcore, submit_many": Ratio(grouped / many),
            "bare SQLite with a commit for 64 / fastcore, 64 submitters": Ratio(
                grouped / both["fastcore, 64 submitters"].median
            ),
            "bare SQLite with a commit for 64 / fastcore, 64 threads": Ratio(
                grouped / both["fastcore, 64 threads"].median
            ),
            "bare SQLite / fastcore, 64 submitters": Ratio(bare / both["fastcore, 64 submitters"].median, 3),
            "bare SQLite / fastcore, 64 threads": Ratio(bare / both["fastcore, 64 threads"].median, 3),
        },
    )
    late = interleave_phases(
        {"fastcore": lambda: ours.sqlite_latencies(100), "SqliteHuey": lambda: theirs.huey_latencies(100, fsync=True)},
        rounds=3,
    )
    for phase in (P50, P99):
        report.add(f"SQLite, full, {phase}", late[phase])


def lone_submitter(report: Report) -> None:
    found = interleave_phases(
        {
            "fastcore, full": lambda: ours.sqlite_submitters(150, 1),
            "fastcore, ends-soft": lambda: ours.sqlite_submitters(150, 1, "ends-soft"),
            "fastcore, normal": lambda: ours.sqlite_submitters(150, 1, "normal"),
            "SqliteHuey": lambda: theirs.sqlite_huey(150),
            "bare SQLite, two commits": lambda: theirs.bare(150),
            "write 4 KiB and fdatasync": lambda: {BOTH: theirs.syncs(100)},
            "SQLite's own commit": lambda: {BOTH: theirs.commits(100)},
        },
        rounds=15,
    )[BOTH]
    ratio = found["fastcore, full"].median / found["SqliteHuey"].median
    report.add("lone submitter, end to end", found, {"fastcore, full / SqliteHuey": Ratio(ratio, 1, at_least=False)})


def in_bytes(report: Report) -> None:
    for name in tasks_memory.CONTENDERS:
        each = [tasks_memory.bytes_each(name) for _ in range(3 if name == "fastcore" else 1)]
        if name == "fastcore":
            report.conclude("bytes for a queued task, memory store", Ratio(max(each), 3072, at_least=False))
        else:
            note(report, f"{name}: {statistics.median(each):.0f} bytes for a queued task of one argument")


def with_history(report: Report) -> None:
    with theirs.scratch("full.db") as full, theirs.scratch("empty.db") as empty:
        for path in (full, empty):
            ours.sqlite_many(1_000, path)
        began = time.perf_counter()
        ours.grow(full, FINISHED)
        note(report, f"made {FINISHED:,} finished rows in {time.perf_counter() - began:.0f} s, {size(full)}")
        found = interleave_phases(
            {
                "empty": lambda: ours.sqlite_many(5_000, empty),
                f"{FINISHED:,} finished": lambda: ours.sqlite_many(5_000, full),
            },
            rounds=5,
        )
    for phase in (ENQUEUE, DRAIN):
        report.add(f"SQLite with history, {phase}", found[phase])
    both = list(found[BOTH].values())
    report.add(
        "SQLite with history, end to end",
        found[BOTH],
        {"throughput, full / empty": Ratio(both[0].median / both[1].median, 0.8)},
    )


def size(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.0f} MiB"


def on_processes(report: Report, n: int = 10_000, seconds: float = 0.001) -> None:
    ideal = n * seconds / 2
    ours_ = [ours.processes(n, seconds) for _ in range(3)]
    best = min(ours_, key=lambda found: found.seconds)  # whatever else the machine does only adds to it
    took = {"fastcore": best.seconds, "ProcessPoolExecutor": theirs.process_pool(ours.spin, n, seconds)}
    report.add(
        f"{n:,} x 1 ms of CPU on 2 processes",
        {name: Timing(value / n, value / n, value / n, 1) for name, value in took.items()},
        {"efficiency of ideal, best of 3": Ratio(ideal / best.seconds, 0.85)},
    )
    each = ", ".join(f"{ideal / found.seconds:.2f}" for found in ours_)
    note(report, f"fastcore: efficiency {each} of ideal; the parent's CPU {best.parent * 1e6:.0f} us a task")
    note(report, f"ProcessPoolExecutor: efficiency {ideal / took['ProcessPoolExecutor']:.2f} of ideal")


def on_input(report: Report) -> None:
    async def bare() -> None:
        gate = asyncio.Semaphore(200)

        async def one() -> None:
            async with gate:
                await asyncio.sleep(0.1)

        await asyncio.gather(*(one() for _ in range(1000)))

    async def mapped() -> None:
        await map_async(lambda _: asyncio.sleep(0.1), range(1000), limit=200, on="async")

    found = interleave_phases(
        {
            "fastcore": lambda: {"all": ours.waiting(1000, 0.1, 200)},
            "fastcore, map_async": lambda: {"all": ours.timed(mapped)},
            "asyncio.Semaphore": lambda: {"all": ours.timed(bare)},
        },
        rounds=3,
    )["all"]
    report.add(
        "1,000 x 100 ms of waiting, limit 200",
        found,
        {
            "seconds": Ratio(found["fastcore"].median, 0.7, at_least=False),
            "seconds, map_async": Ratio(found["fastcore, map_async"].median, 0.7, at_least=False),
        },
    )


def on_threads(report: Report) -> None:
    rng = np.random.default_rng(3)
    symbols = [100 * np.exp(rng.normal(0, 0.01, 200_000).cumsum()) for _ in range(32)]

    def analyse(close: Any) -> float:
        bands = ta.bbands(close, 20)
        return float(ta.rsi(close, 14)[-1] + ta.macd(close).hist[-1] + ta.ema(close, 50)[-1] + bands[0][-1])

    def with_threads(limit: int) -> float:
        return ours.timed(lambda: map_async(analyse, symbols, limit=limit, on="thread"))

    with_threads(2)
    faults = tasks_memory.page_faults()
    with_threads(2)
    faults = tasks_memory.page_faults() - faults
    found = interleave_phases(
        {f"{n} threads": (lambda n=n: {"all": with_threads(n) / len(symbols)}) for n in (1, 2)}, rounds=9
    )["all"]
    gain = found["1 threads"].median / found["2 threads"].median
    report.add("map_async, indicators of a symbol", found, {"1 thread / 2 threads": Ratio(gain, 1.8)})
    note(report, f"page faults of {len(symbols)} symbols on 2 threads: {faults}")


def of_the_mission(report: Report) -> None:
    found = tasks_mission.run()
    report.conclude("mission: tasks a minute", Ratio(found.minute, 100))
    report.conclude("mission: share of failures", Ratio(found.failed, 0.01, at_least=False))
    report.conclude("mission: seconds to complete, on average", Ratio(found.average, 30, at_least=False))
    report.conclude("mission: ms of a POST, p95, 50 a second", Ratio(found.paced.p95() * 1e3, 10, at_least=False))
    flood = found.flood
    note(
        report,
        f"8 connections without a pause: {len(flood.times) / 3:.0f} POST a second, p50 "
        f"{statistics.median(flood.times) * 1e3:.1f} ms, p95 {flood.p95() * 1e3:.1f} ms",
    )


def note(report: Report, text: str) -> None:
    report.notes.append(text)
    print(text, flush=True)


SECTIONS: dict[str, Callable[[Report], None]] = {
    "memory": in_memory,
    "sqlite": in_sqlite,
    "lone": lone_submitter,
    "bytes": in_bytes,
    "history": with_history,
    "processes": on_processes,
    "input": on_input,
    "threads": on_threads,
    "mission": of_the_mission,
}


def main() -> None:
    chosen = sys.argv[1:] or list(SECTIONS)
    if unknown := sorted(set(chosen) - set(SECTIONS)):
        sys.exit(f"tasks.py: expected names of {', '.join(SECTIONS)}, got {', '.join(unknown)}")
    report = Report("tasks", "Background tasks: queued, run, settled", versions(*PACKAGES))
    report.notes.append(str(__doc__))
    gc.collect()
    gc.freeze()  # for all contenders: what the others' packages hold is not theirs to be looked through
    for name in chosen:
        began = time.perf_counter()
        SECTIONS[name](report)
        print(f"-- {name}: {time.perf_counter() - began:.0f} s", flush=True)
    if chosen == list(SECTIONS):
        report.write()


if __name__ == "__main__":
    main()
