"""What the Hub's clients get: every price of every bar, and the analyses of the watched symbols.

A price is ``[bar, at, cents, moved, volume, real]`` on the topic ``prices.SYMBOL``: the bar's number, when it was due
in seconds since 1970, the close and its change in cents, the volume, and whether the symbol is a real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import numpy as np

from examples.market_desk.data.universe import BOOTSTRAPPED, REAL
from examples.market_desk.fast.services import OptimizedServices
from fastcore import Switch
from fastcore.memory import memory_monitor
from fastcore.monitor import measure_execution_time
from fastcore.streaming import broadcast_analysis_results, topic_word

__all__ = ["AT", "Streaming", "quote_of"]

AT = 1  # the place of the time in a price
CENTS = 100


def quote_of(topic: str, price: Sequence[Any]) -> dict[str, Any]:
    """Return what ``GET /prices`` gives of a symbol, from a message of the stream."""
    bar, at, cents, moved, volume, real = price
    change = float(np.round((cents / CENTS) / ((cents - moved) / CENTS) - 1, 6))
    symbol, origin = unquote(topic.partition(".")[2]), REAL if real else BOOTSTRAPPED
    told = {"symbol": symbol, "bar": bar, "at": float(at), "price": cents / CENTS}
    return told | {"change": change, "volume": float(volume), "origin": origin}


class Streaming:
    """Follows the market; its flag is ``realtime_streaming``.

    Attributes
    ----------
    publish_prices, publish_analyses : Switch
        Do nothing, or publish to ``prices.SYMBOL`` and ``analysis.SYMBOL``.
    """

    def __init__(self, services: OptimizedServices) -> None:
        self._services = services
        market = services.market
        self._topics = [f"prices.{topic_word(symbol)}" for symbol in market.symbols]
        self._real = [market.origin[symbol] == REAL for symbol in market.symbols]
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
        bar, at, panel = self._services.market.panel(2)
        cents = np.rint(panel["close"] * CENTS).astype(np.int64)
        columns = (cents[:, 1], cents[:, 1] - cents[:, 0], panel["volume"][:, 1].astype(np.int64))
        due, publish = int(at) if at.is_integer() else at, self._services.hub.publish
        for topic, real, close, moved, volume in zip(self._topics, self._real, *(c.tolist() for c in columns)):
            publish(topic, (bar, due, close, moved, volume, real))
        return len(self._topics)

    async def send_nothing(self, latest: Mapping[str, Mapping[str, float]]) -> int:
        """Publish nothing."""
        return 0

    async def send_analyses(self, latest: Mapping[str, Mapping[str, float]]) -> int:
        """Publish the indicators of the watched symbols."""
        quotes = self._services.market.quotes(tuple(latest))
        results: dict[str, dict[str, Any]] = {
            quote.symbol: {
                "symbol": quote.symbol,
                "origin": quote.origin,
                "bar": quote.bar,
                "price": quote.price,
                "indicators": dict(latest[quote.symbol]),
            }
            for quote in quotes
        }
        return await broadcast_analysis_results(results)
