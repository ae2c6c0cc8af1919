"""The analysis of a symbol: indicators of its last bars, and the signal that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from examples.market_desk.data.market import Market
from examples.market_desk.plain.signal_generator_service import SignalGeneratorService
from examples.market_desk.plain.technical_indicator_service import TechnicalIndicatorService

__all__ = ["AnalysisService", "number"]


class AnalysisService:
    """Analyses of the newest bar, computed at every request."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.indicators = TechnicalIndicatorService()
        self.signals = SignalGeneratorService()

    def calculate_indicators(self, df: pd.DataFrame) -> pd.DataFrame:
        """Return the indicators of a table of bars."""
        return self.indicators.calculate_indicators(df)

    def analyse(self, symbol: str, bars: int) -> dict[str, Any]:
        """Return the analysis of a symbol over its last bars."""
        df = self.market.frame(symbol, bars)
        indicators = self.calculate_indicators(df)
        newest = indicators.iloc[-1]
        return {
            "symbol": symbol,
            "origin": df.attrs["origin"],
            "bar": df.attrs["bar"],
            "at": df.attrs["at"],
            "time": str(df["time"].iloc[-1]),
            "bars": len(df),
            "close": float(df["close"].iloc[-1]),
            "indicators": {str(name): number(value) for name, value in newest.items()},
            "signal": self.signals.generate_signal(df, indicators),
        }

    def analyse_many(self, symbols: Sequence[str], bars: int) -> list[dict[str, Any]]:
        """Return the analyses of several symbols, one after the other."""
        return [self.analyse(symbol, bars) for symbol in symbols]


def number(value: float) -> float | None:
    """Return a number as JSON can carry it: None for a missing one."""
    return float(value) if np.isfinite(value) else None
