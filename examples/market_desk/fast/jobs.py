"""The jobs: tasks of a TaskQueue with priorities, progress and schedules, each cleaned up after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import chain, repeat
from typing import Any

import pandas as pd

from examples.market_desk.data.provider import Provider
from examples.market_desk.data.store import Store
from examples.market_desk.fast.analysis import OptimizedTechnicalAnalysisService
from examples.market_desk.fast.news import OptimizedNews
from examples.market_desk.plain.parallel_scheduler import COLLECTED, EVERY, ParallelScheduler
from examples.market_desk.plain.price_snapshot_service import PriceSnapshotService
from examples.market_desk.plain.report_service import ReportService
from fastcore import Switch
from fastcore.concurrency import map_async
from fastcore.memory import memory_monitor, scheduler_cleanup
from fastcore.monitor import measure_execution_time
from fastcore.tasks import State, Task, TaskEvent, TaskQueue, progress

__all__ = ["OptimizedScheduler"]

AT_ONCE = 32  # requests to the provider


class OptimizedScheduler(ParallelScheduler):
    """Wraps the plain jobs; its flags: ``background_tasks``, ``async_processing``.

    Attributes
    ----------
    run_job : Switch
        ``await run_job(name, *arguments)``: on a thread of the caller's, or as a task of the queue.
    collect : Switch
        Asks the provider for all symbols: one after the other, or many at once.
    tasks : dict of str to Task
        The tasks, by name.
    """

    def __init__(
        self,
        analysis: OptimizedTechnicalAnalysisService,
        snapshots: PriceSnapshotService,
        reports: ReportService,
        news: OptimizedNews,
        provider: Provider,
        store: Store,
        queue: TaskQueue,
    ) -> None:
        super().__init__(analysis, snapshots, reports, (), provider, store)
        self._news, self.queue = news, queue
        self._seconds: dict[str, float] = {}
        self.collect = Switch(
            "jobs.collect_prices", control=self.collect_in_turn, candidate=self.collect_async, flag="async_processing"
        )
        self.jobs = {
            "snapshot": self.snapshot,
            "crawl_news": self.crawl,
            "collect_prices": lambda: self.collect(),
            "daily_report": self.daily_report,
        }
        functions: dict[str, Callable[..., Any]] = {
            **self.jobs,
            "collect_prices": self.collect_async,
            "generate_report": self.generate_report,
            "batch_analysis": self.batch_analysis,
            "analyse_symbol": self.analyse_symbol,
        }
        self.plain = {**functions, **self.jobs}
        self.tasks: dict[str, Task[..., Any]] = {name: self._task(name, work) for name, work in functions.items()}
        self.run_job = Switch("jobs.run", control=self.run_now, candidate=self.run_task, flag="background_tasks")
        queue.on("success", self._took)

    def _task(self, name: str, work: Callable[..., Any]) -> Task[..., Any]:
        """Register a job; of one that is scheduled, there is one task at a time, whoever asks for it."""
        scheduled = name in self.jobs  # what clients order is too frequent to collect all garbage after each
        if name != "analyse_symbol":
            work = scheduler_cleanup(collect=scheduled)(memory_monitor(threshold_mb=150.0)(work))
        measured = measure_execution_time(service="jobs", operation=name)(work)
        return self.queue.task(measured, name=name, retries=4, unique=scheduled)  # for some seconds of a full disk

    def schedule(self) -> None:
        """Have the queue run the jobs at their intervals, the snapshots first."""
        for name, seconds in EVERY.items():
            task = self.tasks[name].configure(priority=1 if name == "snapshot" else 7)
            self.queue.schedule(task, every=timedelta(seconds=seconds), name=name)

    async def run_now(self, name: str, *arguments: Any, priority: float = 5) -> Any:
        """Run a job as the plain service does, while the caller waits."""
        work = self.plain[name]
        if asyncio.iscoroutinefunction(work):
            return await work(*arguments)
        found = await asyncio.to_thread(work, *arguments)
        return await found if asyncio.iscoroutine(found) else found

    async def run_task(self, name: str, *arguments: Any, priority: float = 5) -> Any:
        """Run a job as a task, and wait for its result."""
        return await self.queue.aresult(await self.submit(name, *arguments, priority=priority))

    async def submit(self, name: str, *arguments: Any, priority: float = 5) -> str:
        """Queue a job, and return the id of its task."""
        return await self.queue.asubmit(self.tasks[name].configure(priority=priority), *arguments)

    async def estimate(self, name: str) -> str:
        """Return how long a task that is queued now takes, by what earlier ones took, in words."""
        if name not in self._seconds:
            return "unknown"
        counts = (await asyncio.to_thread(self.queue.counts)).get(name, {})
        ahead = counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0)
        return f"{self._seconds[name] * max(1, ahead):.2g} seconds"

    def _took(self, event: TaskEvent) -> None:
        if event.seconds is not None:
            before = self._seconds.get(event.task, event.seconds)
            self._seconds[event.task] = before + 0.2 * (event.seconds - before)

    def note(self, job: str, done: int, total: int) -> None:
        """Note how far a job is; the queue is told as well, where one of its tasks does the work."""
        super().note(job, done, total)
        progress(done / total, f"{done} of {total}")  # nothing outside a task

    def generate_report(self, symbols: Sequence[str]) -> dict[str, Any]:
        """Make a report."""
        return self._reports.generate(symbols, lambda done, total: self.note("generate_report", done, total))

    def analyse_symbol(self, symbol: str, bars: int) -> dict[str, Any]:
        """Analyse one symbol."""
        return self._analysis.analyse(symbol, bars)

    async def crawl(self) -> dict[str, Any]:
        """Crawl every source."""
        outcomes = await self._news.crawl()
        return {"new": sum(outcome.new for outcome in outcomes), "failed": [outcome.failed for outcome in outcomes]}

    async def collect_in_turn(self) -> dict[str, int]:
        """Collect as the plain service does."""
        return await asyncio.to_thread(super().collect_prices)

    async def collect_async(self) -> dict[str, int]:
        """Ask the provider for the newest bars of every symbol, many at once, and store those together."""
        symbols, new = self.market.symbols, 0

        async def one(symbol: str) -> pd.DataFrame:
            return await self._provider.afetch(symbol, COLLECTED)

        for start in range(0, len(symbols), AT_ONCE):  # the tables of all symbols would take 5 MiB

            def note(done: int, total: int | None, start: int = start) -> None:
                self.note("collect_prices", start + done, len(symbols))

            frames = await map_async(one, symbols[start : start + AT_ONCE], progress=note)
            new += await asyncio.to_thread(self._store_all, frames)
        return {"symbols": len(symbols), "bars": new}

    def _store_all(self, frames: Sequence[pd.DataFrame]) -> int:
        return self._store.insert("bars", chain.from_iterable(map(rows_of, frames)))


def rows_of(df: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the bars of a symbol as rows of the table; made while they are stored."""
    first = df.attrs["bar"] - len(df) + 1
    fields = (df[name].tolist() for name in ("time", "open", "high", "low", "close", "volume"))
    return zip(repeat(df.attrs["symbol"]), range(first, first + len(df)), *fields)
