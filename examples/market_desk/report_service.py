"""The existing report: every symbol, year by year."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from examples.market_desk.prices import Market

__all__ = ["ReportService"]

TRADING_DAYS = 252


class ReportService:
    """Yearly sections of returns, risk and indicators, and how the symbols moved together.

    Parameters
    ----------
    market : Market
    calculate : callable
        Computes a frame of indicators from a frame of prices.
    """

    def __init__(self, market: Market, calculate: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        self._market = market
        self._calculate = calculate

    def generate(self, symbols: Sequence[str]) -> dict[str, Any]:
        """Return the report over the whole history of `symbols`."""
        frames = {symbol: self._market.frame(symbol) for symbol in symbols}
        returns = pd.DataFrame({symbol: frame["close"].pct_change() for symbol, frame in frames.items()})
        together = returns.corr()
        return {
            "symbols": list(symbols),
            "sections": {symbol: self._sections(frame) for symbol, frame in frames.items()},
            "correlation": {a: {b: number(together.loc[a, b]) for b in symbols} for a in symbols},
        }

    def _sections(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        years = frame.index.str.slice(0, 4)
        return [self._section(str(year), part) for year, part in frame.groupby(years)]

    def _section(self, year: str, frame: pd.DataFrame) -> dict[str, Any]:
        close = frame["close"]
        indicators = self._calculate(frame)
        daily = close.pct_change()
        return {
            "year": year,
            "days": len(frame),
            "return": number(close.iloc[-1] / close.iloc[0] - 1),
            "volatility": number(daily.std() * np.sqrt(TRADING_DAYS)),
            "drawdown": number((close / close.cummax() - 1).min()),
            "overbought_days": int((indicators["rsi"] > 70).sum()),
            "oversold_days": int((indicators["rsi"] < 30).sum()),
            "days_above_average": int((close > indicators["sma"]).sum()),
            "mean_true_range": number(indicators["atr"].mean()),
        }


def number(value: float) -> float | None:
    """Return `value` as JSON can carry it: None for a missing one."""
    return float(value) if np.isfinite(value) else None
