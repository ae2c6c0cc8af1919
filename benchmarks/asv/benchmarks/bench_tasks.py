"""Tasks: no-ops queued and run, in memory and in SQLite; a thousand submissions; the parts of one over HTTP."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from typing import Any

from benchmarks.features import feature, needs

TaskQueue = feature("fastcore.tasks:TaskQueue")
Signature = feature("fastcore.tasks.http.arguments:Signature")
Estimator = feature("fastcore.tasks.http.estimate:Estimator")
N = 200
CALLS = 100


def judged(symbols: list[str], period: int = 14) -> None:
    pass


def submit_then_run(store: str, at_once: bool) -> None:
    queue = TaskQueue(store=store, workers={"async": 16})

    @queue.task(name="noop", on="async")
    async def noop() -> None:
        pass

    async def run() -> None:
        async with queue:
            await queue.join()

    if at_once:
        queue.submit_many([(noop, ())] * N)
    else:
        for _ in range(N):
            queue.submit(noop)
    asyncio.run(run())


@needs(TaskQueue)
def time_submit_many_and_run_200_in_memory() -> None:
    submit_then_run("memory", at_once=True)


@needs(TaskQueue)
def time_submit_many_and_run_200_in_sqlite() -> None:
    with tempfile.TemporaryDirectory() as folder:
        submit_then_run(f"sqlite:///{folder}/tasks.db", at_once=True)


@needs(TaskQueue)
def time_submit_each_and_run_200_in_memory() -> None:
    submit_then_run("memory", at_once=False)


@needs(TaskQueue)
def time_submit_each_and_run_200_in_sqlite() -> None:
    with tempfile.TemporaryDirectory() as folder:
        submit_then_run(f"sqlite:///{folder}/tasks.db", at_once=False)


@functools.cache
def signature() -> Any:
    return Signature(judged)


@functools.cache
def past() -> Any:
    made = Estimator()
    made.observe("judged", 1.0)
    return made


@needs(Signature)
def time_judge_100_arguments() -> None:
    bind = signature().bind
    for _ in range(CALLS):
        bind((["AAPL", "MSFT"],), {"period": 20})


@needs(Estimator)
def time_100_estimates() -> None:
    estimate = past().estimate
    for _ in range(CALLS):
        estimate("judged", {"judged": 100}, 4)
