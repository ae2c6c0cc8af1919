"""Analyses of the newest bar: the whole universe is computed once for each bar and window, the rest is looked up."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from examples.market_desk.data.market import Market, time_of
from examples.market_desk.plain.analysis_service import AnalysisService, number
from examples.market_desk.tuned.indicators import calculate_indicators, calculate_tail

__all__ = ["TunedAnalysisService"]

TAIL = 2  # rows that a signal needs


class Universe:
    """The last two rows of every indicator, of every symbol."""

    def __init__(self, market: Market, bars: int) -> None:
        self.bar, self.at, panel = market.panel(bars)
        fields = {name: np.ascontiguousarray(matrix.T) for name, matrix in panel.items()}
        tail = calculate_tail(fields, TAIL)
        self.names = tuple(tail)
        self.rows = np.stack(list(tail.values()))  # indicators x 2 x symbols
        self.closes = fields["close"][-2:]
        self.volumes = np.stack((fields["volume"][-20:].mean(axis=0), fields["volume"][-1]))


class TunedAnalysisService(AnalysisService):
    """Gives what `AnalysisService` gives."""

    def __init__(self, market: Market) -> None:
        super().__init__(market)
        self._computing = threading.Lock()
        self.universe = lru_cache(maxsize=8)(self._universe)
        self.at_bar = lru_cache(maxsize=4096)(self._at_bar)

    def calculate_indicators(self, df: pd.DataFrame) -> pd.DataFrame:
        """Return the indicators of a table of bars."""
        return calculate_indicators(df)

    def analyse(self, symbol: str, bars: int) -> dict[str, Any]:
        """Return the analysis of a symbol over its last bars."""
        return self.at_bar(symbol, bars, self.market.bar)

    def analyse_many(self, symbols: Sequence[str], bars: int) -> list[dict[str, Any]]:
        """Return the analyses of several symbols."""
        bar = self.market.bar
        return [self.at_bar(symbol, bars, bar) for symbol in symbols]

    def warm(self, bars: int = 250) -> None:
        """Compute the universe of the newest bar before it is asked for."""
        self.universe(bars, self.market.bar)

    def _universe(self, bars: int, bar: int) -> Universe:
        return Universe(self.market, bars)

    def _at_bar(self, symbol: str, bars: int, bar: int) -> dict[str, Any]:
        place = self.market.check(symbol)
        with self._computing:  # lru_cache would let several threads compute the same
            universe = self.universe(bars, bar)
        before, last = (dict(zip(universe.names, universe.rows[:, row, place].tolist())) for row in range(TAIL))
        closes, volumes = universe.closes[:, place].tolist(), universe.volumes[:, place].tolist()
        return {
            "symbol": symbol,
            "origin": self.market.origin[symbol],
            "bar": universe.bar,
            "at": universe.at,
            "time": time_of(universe.bar),
            "bars": bars,
            "close": closes[1],
            "indicators": {name: number(value) for name, value in last.items()},
            "signal": self.signals.decide(closes, volumes, before, last),
        }
