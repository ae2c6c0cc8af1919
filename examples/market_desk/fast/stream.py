"""What the Hub's clients get: every price of every bar, and the analyses of the watched symbols."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from examples.market_desk.fast.services import OptimizedServices
from fastcore import Switch
from fastcore.memory import memory_monitor
from fastcore.monitor import measure_execution_time
from fastcore.streaming import broadcast_analysis_results, topic_word

__all__ = ["Streaming"]


class Streaming:
    """Follows the market; its flag is ``realtime_streaming``.

    Attributes
    ----------
    publish_prices, publish_analyses : Switch
        Do nothing, or publish to ``prices.SYMBOL`` and ``analysis.SYMBOL``.
    """

    def __init__(self, services: OptimizedServices) -> None:
        self._services = services
        self._topics = {symbol: f"prices.{topic_word(symbol)}" for symbol in services.market.symbols}
        flag = "realtime_streaming"
        self.publish_prices = Switch("stream.prices", control=lambda: 0, candidate=self.send_prices, flag=flag)
        self.publish_analyses = Switch(
            "stream.analyses", control=self.send_nothing, candidate=self.send_analyses, flag=flag
        )

    async def on_bar(self) -> None:
        """Publish the prices first, then compute what follows from them."""
        self.publish_prices()
        await asyncio.to_thread(self.run_realtime_analysis_job)
        await self.publish_analyses(self._services.monitor.latest)

    @measure_execution_time(service="stream")
    @memory_monitor(threshold_mb=150.0)
    def run_realtime_analysis_job(self) -> None:
        """Compute the watched symbols, and what is asked for often."""
        self._services.analysis.warm()
        self._services.monitor.on_bar()

    def send_prices(self) -> int:
        """Publish the newest price of every symbol."""
        quotes = self._services.market.quotes()
        for quote in quotes:
            self._services.hub.publish(self._topics[quote.symbol], quote._asdict(), key=quote.symbol)
        return len(quotes)

    async def send_nothing(self, latest: Mapping[str, Mapping[str, float]]) -> int:
        """Publish nothing."""
        return 0

    async def send_analyses(self, latest: Mapping[str, Mapping[str, float]]) -> int:
        """Publish the indicators of the watched symbols."""
        bar, origin = self._services.market.bar, self._services.market.origin
        results: dict[str, dict[str, Any]] = {
            symbol: {"symbol": symbol, "origin": origin[symbol], "bar": bar, "indicators": dict(values)}
            for symbol, values in latest.items()
        }
        return await broadcast_analysis_results(results)
