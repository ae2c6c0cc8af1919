"""Analyses: a Plan in place of pandas, kept for a bar, computed ahead for what is asked for often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from examples.market_desk.data.feed import PERIOD
from examples.market_desk.data.market import time_of
from examples.market_desk.fast.optimizations import GUARD
from examples.market_desk.plain.analysis_service import AnalysisService, number
from examples.market_desk.plain.technical_indicator_service import COLUMNS
from fastcore import Switch
from fastcore import indicators as ta
from fastcore.cache import LRUCache, cache_technical_analysis
from fastcore.concurrency import map_async
from fastcore.memory import memory_monitor, optimize_dataframe_memory
from fastcore.monitor import measure_execution_time

__all__ = ["ACCURACY", "AsyncTechnicalIndicatorService", "OptimizedTechnicalAnalysisService", "compute_panel", "plan"]

ACCURACY = 1e-9  # of an indicator, relative to its value, or absolute below 1
LARGE = 1 << 20  # bytes from which on making a table smaller pays: most live for a millisecond
RECENT = 1000  # analyses that are computed ahead at most
STALE = 10  # bars after which an analysis that was not asked for is no longer computed ahead

plan = ta.Plan(
    sma=ta.SMA(20),
    ema=ta.EMA(20),
    rsi=ta.RSI(14),
    macd=ta.MACD(12, 26, 9),
    bb=ta.BBANDS(20, 2.0, 2.0),
    atr=ta.ATR(14),
    stoch=ta.STOCH(5, 3, 0, 3, 0),
    obv=ta.OBV(),
    stddev=ta.STDDEV(20, 1.0),
    min=ta.MIN(20),
    max=ta.MAX(20),
    vwap=ta.VWAP(),
)


class OptimizedTechnicalAnalysisService(AnalysisService):
    """Wraps the plain analysis; its flags: ``technical_analysis``, ``memory_optimization``, ``warm_up``.

    Attributes
    ----------
    calculate_indicators : Switch
        Table of bars to table of indicators: pandas, or a Plan.
    analyse : Switch
        The analysis of a symbol: computed at every request, or kept until the next bar.
    warm : Switch
        Called after each bar: does nothing, or computes what was asked for lately.
    """

    def __init__(self, original: AnalysisService) -> None:
        super().__init__(original.market)
        self.original_service = original
        self.recent: LRUCache[tuple[str, int], int] = LRUCache(RECENT)
        self.calculate_indicators = Switch(  # type: ignore[method-assign]
            "analysis.calculate_indicators",
            control=original.calculate_indicators,
            candidate=self.calculate_indicators_optimized,
            flag="technical_analysis",
            guard=GUARD,
            rtol=ACCURACY,
            atol=ACCURACY,
        )
        self.analyse = Switch(  # type: ignore[method-assign]
            "analysis.analyse", control=super().analyse, candidate=self.analyse_cached, flag="memory_optimization"
        )
        self.warm = Switch("analysis.warm", control=lambda: 0, candidate=self.warm_up, flag="warm_up")

    @measure_execution_time(service="analysis")
    @memory_monitor(threshold_mb=200.0)
    @optimize_dataframe_memory(min_bytes=LARGE)
    def calculate_indicators_optimized(self, df: pd.DataFrame) -> pd.DataFrame:
        """Return the same table as the plain service, from one pass of a Plan."""
        out: pd.DataFrame = plan(df)
        out.columns = pd.Index(COLUMNS)
        return out

    def analyse_cached(self, symbol: str, bars: int) -> dict[str, Any]:
        """Return the analysis of the newest bar, computed once for each bar."""
        self.recent[symbol, bars] = self.market.bar
        return self.at_bar(symbol, bars, self.market.bar)

    @cache_technical_analysis(ttl=2 * PERIOD, copy=False)
    def at_bar(self, symbol: str, bars: int, bar: int) -> dict[str, Any]:
        """Return the analysis; the number of the bar is what tells results apart."""
        return super().analyse(symbol, bars)

    def warm_up(self) -> int:
        """Compute the analyses that were asked for lately, all symbols of a window at once; return how many."""
        done = 0
        wanted: dict[int, list[str]] = {}
        for (symbol, bars), asked in list(self.recent.items()):
            if asked > self.market.bar - STALE:
                wanted.setdefault(bars, []).append(symbol)
        for bars, symbols in wanted.items():
            bar, analyses = self.analyse_panel(symbols, bars)
            for symbol, analysis in zip(symbols, analyses):
                self.at_bar.put(analysis, symbol, bars, bar)
            done += len(symbols)
        return done

    def analyse_panel(self, symbols: Sequence[str], bars: int) -> tuple[int, list[dict[str, Any]]]:
        """Return the newest bar's number, and the analyses of several symbols from one call of the Plan."""
        bar, at, panel = self.market.panel(bars)
        places = [self.market.check(symbol) for symbol in symbols]
        rows = {field: matrix[places] for field, matrix in panel.items()}
        tails = compute_panel(rows)
        closes, volumes = rows["close"][:, -2:].tolist(), rows["volume"][:, -20:].mean(axis=1).tolist()
        found = []
        for place, symbol in enumerate(symbols):
            before, last = (dict(zip(COLUMNS, tails[place, :, row].tolist())) for row in range(2))
            traded = (volumes[place], float(rows["volume"][place, -1]))
            found.append(
                {
                    "symbol": symbol,
                    "origin": self.market.origin[symbol],
                    "bar": bar,
                    "at": at,
                    "time": time_of(bar),
                    "bars": bars,
                    "close": closes[place][1],
                    "indicators": {name: number(value) for name, value in last.items()},
                    "signal": self.signals.decide(tuple(closes[place]), traded, before, last),
                }
            )
        return bar, found


def compute_panel(rows: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Return the last two values of each indicator: float64[symbols, columns, 2]."""
    outputs: list[Any] = []
    for value in plan({name: rows[name] for name in plan.columns}).values():
        outputs.extend(value if isinstance(value, tuple) else (value,))
    return np.stack([output[:, -2:] for output in outputs], axis=1)


class AsyncTechnicalIndicatorService:
    """Runs analyses of many symbols at once; its flag is ``async_processing``.

    Attributes
    ----------
    analyse_many : Switch
        Analyses in the order of the symbols: one after the other, or on threads.
    """

    def __init__(self, service: OptimizedTechnicalAnalysisService, limit: int = 4) -> None:
        self._service, self._limit = service, limit
        self.analyse_many = Switch(
            "analysis.analyse_many",
            control=self.analyze_in_turn,
            candidate=self.analyze_multiple_symbols_async,
            flag="async_processing",
        )

    async def analyze_in_turn(self, symbols: Sequence[str], bars: int = 250) -> list[dict[str, Any]]:
        """Return the analyses, one after the other."""
        return [self._service.analyse(symbol, bars) for symbol in symbols]

    async def analyze_multiple_symbols_async(self, symbols: Sequence[str], bars: int = 250) -> list[dict[str, Any]]:
        """Return the analyses: what is cached at once, the rest side by side."""
        bar = self._service.market.bar
        if all(self._service.at_bar.contains(symbol, bars, bar) for symbol in symbols):
            return [self._service.analyse(symbol, bars) for symbol in symbols]

        def one(symbol: str) -> dict[str, Any]:
            return self._service.analyse(symbol, bars)

        found: list[dict[str, Any]] = await map_async(one, symbols, on="thread", limit=self._limit)
        return found
