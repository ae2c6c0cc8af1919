"""The provider of historical bars that the collection asks: one request for each symbol, answered after a moment."""

from __future__ import annotations

import asyncio
import time

import pandas as pd

from examples.market_desk.data.market import Market

__all__ = ["LATENCY", "Provider"]

LATENCY = 0.005  # seconds of one request, simulated: the machine has no network


class Provider:
    """Answers as a remote service would, `latency` seconds after it was asked."""

    def __init__(self, market: Market, latency: float = LATENCY) -> None:
        self._market = market
        self._latency = latency

    def fetch(self, symbol: str, bars: int) -> pd.DataFrame:
        """Return the last bars of a symbol; blocks."""
        time.sleep(self._latency)
        return self._market.frame(symbol, bars)

    async def afetch(self, symbol: str, bars: int) -> pd.DataFrame:
        """Return the last bars of a symbol."""
        await asyncio.sleep(self._latency)
        return self._market.frame(symbol, bars)
