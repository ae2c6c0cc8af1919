"""All services of one process."""

from __future__ import annotations

import os
from pathlib import Path

from examples.market_desk.data.market import Market
from examples.market_desk.data.provider import Provider
from examples.market_desk.data.store import Store
from examples.market_desk.plain.analysis_service import AnalysisService
from examples.market_desk.plain.investing_news_crawler import InvestingNewsCrawler
from examples.market_desk.plain.parallel_scheduler import ParallelScheduler
from examples.market_desk.plain.price_monitor_service import PriceMonitorService
from examples.market_desk.plain.price_snapshot_service import PriceSnapshotService
from examples.market_desk.plain.report_service import ReportService
from examples.market_desk.plain.yahoo_news_crawler import YahooNewsCrawler

__all__ = ["WATCHED", "Services"]

WATCHED = 20  # symbols that the price monitor looks at
FEEDS = "MARKET_DESK_FEEDS"  # comma-separated URLs: of feeds, and of pages that end in .html


class Services:
    """The plain services over one market.

    Parameters
    ----------
    market : Market
    path : path, default ":memory:"
        Of the SQLite file.
    feeds : sequence of str, optional
        URLs of the news; by default those of ``MARKET_DESK_FEEDS``, or none.
    """

    def __init__(self, market: Market, path: str | Path = ":memory:", feeds: list[str] | None = None) -> None:
        urls = [url for url in os.environ.get(FEEDS, "").split(",") if url] if feeds is None else feeds
        pages = [url for url in urls if url.endswith(".html")]
        self.market = market
        self.store = Store(path)
        self.analysis = AnalysisService(market)
        watched = market.symbols[:WATCHED]
        self.monitor = PriceMonitorService(market, self.analysis.calculate_indicators, watched)
        self.snapshots = PriceSnapshotService(market, self.store)
        self.reports = ReportService(market, self.store, self.analysis.calculate_indicators)
        feeds = [url for url in urls if url not in pages]
        self.yahoo = YahooNewsCrawler("yahoo", feeds, self.store, market.symbols)
        self.investing = InvestingNewsCrawler("investing", pages, self.store, market.symbols)
        self.provider = Provider(market)
        self.scheduler = ParallelScheduler(
            self.analysis, self.snapshots, self.reports, (self.yahoo, self.investing), self.provider, self.store
        )
