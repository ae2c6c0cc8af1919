"""Tasks: two thousand no-ops, queued and run, in memory and in SQLite; the parts of a submission over HTTP."""

from __future__ import annotations

import asyncio
import tempfile

from benchmarks.backend import compiled
from fastcore.tasks import TaskQueue
from fastcore.tasks.http.arguments import Signature
from fastcore.tasks.http.estimate import Estimator

N = 2_000


def judged(symbols: list[str], period: int = 14) -> None:
    pass


SIGNATURE = Signature(judged)
PAST = Estimator()
PAST.observe("judged", 1.0)


def submit_then_drain(store: str) -> None:
    queue = TaskQueue(store=store, workers={"async": 16})

    @queue.task(name="noop", on="async")
    async def noop() -> None:
        pass

    async def run() -> None:
        async with queue:
            await queue.join()

    queue.submit_many([(noop, ())] * N)
    asyncio.run(run())


def time_memory() -> None:
    submit_then_drain("memory")


def time_sqlite() -> None:
    with tempfile.TemporaryDirectory() as folder:
        submit_then_drain(f"sqlite:///{folder}/tasks.db")


def time_judge_arguments() -> None:
    SIGNATURE.bind((["AAPL", "MSFT"],), {"period": 20})


def time_estimate() -> None:
    PAST.estimate("judged", {"judged": 100}, 4)


def track_backend() -> int:
    return compiled("heap")


track_backend.unit = "1 = compiled"
