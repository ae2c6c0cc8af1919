"""All services of one process: the plain ones, wrapped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from examples.market_desk.data.market import Market
from examples.market_desk.fast.analysis import AsyncTechnicalIndicatorService, OptimizedTechnicalAnalysisService
from examples.market_desk.fast.answers import QuickAnswers
from examples.market_desk.fast.jobs import OptimizedScheduler
from examples.market_desk.fast.news import OptimizedNews
from examples.market_desk.fast.prices import OptimizedPriceMonitor, OptimizedPriceSnapshots
from examples.market_desk.plain.report_service import ReportService
from examples.market_desk.plain.services import WATCHED, Services
from fastcore.streaming import Hub
from fastcore.tasks import TaskQueue

__all__ = ["OptimizedServices"]

WORKERS = {"thread": 2, "async": 64}


class OptimizedServices(Services):
    """The plain services over one market, each wrapped by its optimised version.

    Parameters
    ----------
    market, path, feeds
        As of `Services`.
    store : str
        The task queue's.
    max_queued : int
        Tasks that may wait; one more is answered 503.
    clock : callable
        Seconds since 1970, of the tasks and the price feed.
    """

    analysis: OptimizedTechnicalAnalysisService

    def __init__(
        self,
        market: Market,
        path: str | Path = ":memory:",
        feeds: list[str] | None = None,
        store: str = "memory",
        max_queued: int = 20_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(market, path, feeds)
        self.queue = TaskQueue(store, workers=WORKERS, max_queued=max_queued, clock=clock)
        self.clock = clock
        self.hub = Hub(policy="conflate", history=10)
        self.analysis = OptimizedTechnicalAnalysisService(self.analysis)
        self.answers = QuickAnswers(self.analysis)
        self.many = AsyncTechnicalIndicatorService(self.analysis)
        self.monitor = OptimizedPriceMonitor(market, self.analysis.calculate_indicators, market.symbols[:WATCHED])
        self.snapshots = OptimizedPriceSnapshots(market, self.store)
        self.reports = ReportService(market, self.store, self.analysis.calculate_indicators)
        self.news = OptimizedNews((self.yahoo, self.investing))
        self.jobs = OptimizedScheduler(
            self.analysis, self.snapshots, self.reports, self.news, self.provider, self.store, self.queue
        )
        self.scheduler = self.jobs
