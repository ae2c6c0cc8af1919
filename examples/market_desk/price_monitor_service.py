"""The existing price monitor: after every tick it recomputes every indicator of every symbol from its history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pandas as pd

from examples.market_desk.prices import Market

__all__ = ["Indicators", "PriceMonitorService"]

Indicators = dict[str, dict[str, float]]  # by symbol, by column


class PriceMonitorService:
    """Indicators after each day of a replay.

    Parameters
    ----------
    market : Market
    calculate : callable
        Computes a frame of indicators from a frame of prices.
    first : int
        The day at which the history starts.
    """

    def __init__(self, market: Market, calculate: Callable[[pd.DataFrame], pd.DataFrame], first: int) -> None:
        self._market = market
        self._calculate = calculate
        self._first = first

    def recompute(self, day: int) -> Indicators:
        """Return the indicators of every symbol after the close of `day`."""
        found: Indicators = {}
        for symbol in self._market.symbols:
            frame = self._calculate(self._market.frame(symbol, self._first, day + 1))
            newest = frame.iloc[-1]
            found[symbol] = {str(column): float(value) for column, value in newest.items()}
        return found

    async def on_tick(self, day: int) -> Indicators:
        """Recompute in a worker thread, so that the event loop keeps answering."""
        return await asyncio.to_thread(self.recompute, day)
