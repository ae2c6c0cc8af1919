"""The scheduler: jobs at fixed intervals on one thread, one after the other."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from examples.market_desk.data.market import HISTORY
from examples.market_desk.data.provider import Provider
from examples.market_desk.data.store import Store
from examples.market_desk.plain.analysis_service import AnalysisService
from examples.market_desk.plain.news_crawler import NewsCrawler
from examples.market_desk.plain.price_snapshot_service import PriceSnapshotService
from examples.market_desk.plain.report_service import ReportService

__all__ = ["COLLECTED", "DAILY", "EVERY", "ParallelScheduler"]

EVERY = {"snapshot": 5.0, "crawl_news": 60.0, "collect_prices": 120.0, "daily_report": 300.0}  # seconds
COLLECTED = 60  # bars that a collection asks for
DAILY = 20  # symbols of the daily report
WINDOW = 250  # bars of a batch analysis

log = logging.getLogger(__name__)


class ParallelScheduler:
    """The jobs of the service, and how far each is.

    Attributes
    ----------
    progress : dict
        State, done and total of each job that has run, by its name.
    """

    def __init__(
        self,
        analysis: AnalysisService,
        snapshots: PriceSnapshotService,
        reports: ReportService,
        crawlers: Sequence[NewsCrawler],
        provider: Provider,
        store: Store,
    ) -> None:
        self.market = analysis.market
        self._analysis, self._snapshots, self._reports = analysis, snapshots, reports
        self._crawlers, self._provider, self._store = tuple(crawlers), provider, store
        self.progress: dict[str, dict[str, Any]] = {}
        self.jobs: Mapping[str, Callable[[], Any]] = {
            "snapshot": self.snapshot,
            "crawl_news": self.crawl_news,
            "collect_prices": self.collect_prices,
            "daily_report": self.daily_report,
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, once the running job has."""
        self._stop.set()
        self._thread.join()

    def run(self, name: str) -> Any:
        """Run a job now, and clean up after it."""
        self.progress[name] = {"state": "running", "done": 0, "total": None}
        try:
            result = self.jobs[name]()
            self.progress[name]["state"] = "done"
            return result
        except Exception as error:
            self.progress[name] |= {"state": "failed", "error": str(error)}
            raise
        finally:
            self.clean_up()

    def clean_up(self) -> None:
        """Drop what is too old, and collect garbage."""
        self._store.delete("DELETE FROM snapshots WHERE bar < ?", (self.market.bar - HISTORY,))
        gc.collect()

    def snapshot(self) -> dict[str, int]:
        """Record the price of every symbol."""
        return {"symbols": len(self._snapshots.record())}

    def crawl_news(self) -> dict[str, Any]:
        """Crawl one source after the other."""
        outcomes = [crawler.crawl() for crawler in self._crawlers]
        return {"new": sum(outcome.new for outcome in outcomes), "failed": [outcome.failed for outcome in outcomes]}

    def collect_prices(self) -> dict[str, int]:
        """Ask the provider for the newest bars of every symbol, one after the other, and store them."""
        new = 0
        for done, symbol in enumerate(self.market.symbols, 1):
            new += self.store_bars(self._provider.fetch(symbol, COLLECTED))
            self.note("collect_prices", done, len(self.market.symbols))
        return {"symbols": len(self.market.symbols), "bars": new}

    def store_bars(self, df: pd.DataFrame) -> int:
        """Store the bars of a symbol, and return how many were new."""
        first = df.attrs["bar"] - len(df) + 1
        rows = [
            (row.symbol, first + place, row.time, row.open, row.high, row.low, row.close, row.volume)
            for place, row in enumerate(df.itertuples())
        ]
        return self._store.insert("bars", rows)

    def daily_report(self) -> dict[str, Any]:
        """Make the report of the first symbols."""
        report = self._reports.generate(
            self.market.symbols[:DAILY], lambda done, total: self.note("daily_report", done, total)
        )
        return {"bar": report["bar"], "symbols": report["symbols"]}

    def batch_analysis(self, priorities: Mapping[str, float]) -> list[dict[str, Any]]:
        """Return the analyses of many symbols, those of the lowest number first."""
        ordered = sorted(priorities, key=lambda symbol: priorities[symbol])
        found = []
        for done, symbol in enumerate(ordered, 1):
            found.append(self._analysis.analyse(symbol, WINDOW))
            self.note("batch_analysis", done, len(ordered))
        return found

    def note(self, job: str, done: int, total: int) -> None:
        """Note how far a job is."""
        state = "running" if done < total else "done"
        self.progress[job] = {"state": state, "done": done, "total": total}

    def _loop(self) -> None:
        due = {name: time.monotonic() + seconds for name, seconds in EVERY.items()}
        while not self._stop.wait(0.2):
            for name, moment in due.items():
                if time.monotonic() >= moment:
                    due[name] = time.monotonic() + EVERY[name]
                    try:
                        self.run(name)
                    except Exception:
                        log.exception("job %s failed", name)
