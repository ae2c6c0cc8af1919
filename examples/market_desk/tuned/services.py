"""The tuned services: the plain ones with their slow parts replaced."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from examples.market_desk.data.market import Market, Quote
from examples.market_desk.plain.parallel_scheduler import COLLECTED, ParallelScheduler
from examples.market_desk.plain.price_monitor_service import BARS, PriceMonitorService
from examples.market_desk.plain.price_snapshot_service import PriceSnapshotService
from examples.market_desk.plain.report_service import ReportService
from examples.market_desk.plain.services import WATCHED, Services
from examples.market_desk.tuned.analysis import TunedAnalysisService
from examples.market_desk.tuned.news import crawl_all

__all__ = ["TunedServices"]

AT_ONCE = 32  # requests to the provider


class TunedMonitor(PriceMonitorService):
    """Looks the indicators of the watched symbols up in the universe."""

    def __init__(self, analysis: TunedAnalysisService, watched: tuple[str, ...]) -> None:
        super().__init__(analysis.market, analysis.calculate_indicators, watched)
        self._analysis = analysis

    def recompute(self) -> dict[str, dict[str, float]]:
        """Return the indicators of every watched symbol at the newest bar."""
        analyses = self._analysis.analyse_many(self.watched, BARS)
        return {
            analysis["symbol"]: {
                name: np.nan if value is None else value for name, value in analysis["indicators"].items()
            }
            for analysis in analyses
        }


class TunedSnapshots(PriceSnapshotService):
    """Keeps texts as categories, and prices in fewer bytes where nothing is lost."""

    def table(self, quotes: list[Quote]) -> pd.DataFrame:  # type: ignore[override]
        """Return quotes as a table."""
        columns = dict(zip(Quote._fields, zip(*quotes)))
        symbols = pd.Categorical.from_codes(np.arange(len(quotes)), categories=list(columns["symbol"]))
        return pd.DataFrame(columns | {"symbol": symbols, "origin": pd.Categorical(columns["origin"])})


class TunedScheduler(ParallelScheduler):
    """Collects and crawls with many requests under way."""

    def collect_prices(self) -> dict[str, int]:
        """Ask the provider for the newest bars of every symbol, and store them."""
        return asyncio.run(self._collect())

    def crawl_news(self) -> dict[str, Any]:
        """Crawl every source at once."""
        outcomes = asyncio.run(crawl_all(self._crawlers))
        return {"new": sum(outcome.new for outcome in outcomes), "failed": [outcome.failed for outcome in outcomes]}

    async def _collect(self) -> dict[str, int]:
        turn = asyncio.Semaphore(AT_ONCE)
        total, done, new = len(self.market.symbols), 0, 0

        async def one(symbol: str) -> int:
            nonlocal done
            async with turn:
                df = await self._provider.afetch(symbol, COLLECTED)
            new = await asyncio.to_thread(self.store_bars, df)
            done += 1
            self.note("collect_prices", done, total)
            return new

        new = sum(await asyncio.gather(*map(one, self.market.symbols)))
        return {"symbols": total, "bars": new}

    def store_bars(self, df: pd.DataFrame) -> int:
        """Store the bars of a symbol, and return how many were new."""
        first = df.attrs["bar"] - len(df) + 1
        fields = (df[name].tolist() for name in ("time", "open", "high", "low", "close", "volume"))
        rows = zip([df.attrs["symbol"]] * len(df), range(first, first + len(df)), *fields)
        return self._store.insert("bars", rows)


class TunedServices(Services):
    """All services of one process."""

    analysis: TunedAnalysisService

    def __init__(self, market: Market, path: str | Path = ":memory:", feeds: list[str] | None = None) -> None:
        super().__init__(market, path, feeds)
        self.analysis = TunedAnalysisService(market)
        self.monitor = TunedMonitor(self.analysis, market.symbols[:WATCHED])
        self.snapshots = TunedSnapshots(market, self.store)
        self.reports = ReportService(market, self.store, self.analysis.calculate_indicators)
        self.scheduler = TunedScheduler(
            self.analysis, self.snapshots, self.reports, (self.yahoo, self.investing), self.provider, self.store
        )
