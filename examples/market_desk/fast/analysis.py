"""Analyses: a Plan in place of pandas, kept for a bar, computed ahead for what is asked for often."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from examples.market_desk.data.feed import PERIOD
from examples.market_desk.data.market import Market, time_of
from examples.market_desk.fast.optimizations import GUARD
from examples.market_desk.plain.analysis_service import AnalysisService
from examples.market_desk.plain.signal_generator_service import SignalGeneratorService
from examples.market_desk.plain.technical_indicator_service import COLUMNS
from fastcore import Switch
from fastcore import indicators as ta
from fastcore.cache import TTLCache, cache_technical_analysis, cached
from fastcore.concurrency import map_async
from fastcore.memory import memory_monitor, optimize_dataframe_memory
from fastcore.monitor import measure_execution_time

__all__ = ["ACCURACY", "AsyncTechnicalIndicatorService", "OptimizedTechnicalAnalysisService", "compute_panel", "plan"]

ACCURACY = 1e-6  # of an indicator, relative or absolute: pandas carries rounding errors from window to window
LARGE = 1 << 20  # bytes from which on making a table smaller pays: most live for a millisecond
RECENT = 2000  # analyses that are computed ahead at most
BUDGET = PERIOD / 5  # seconds of a bar that computing windows ahead may take
FORGET = 0.9  # factor for a window's time after each bar in which it exceeded the budget
BLOCK = 64  # symbols of one call of the Plan: what it returns is small, and fits the cache
MANY = 8  # symbols from which on a window is computed for all symbols
WINDOWS = 16  # that are kept, each for all symbols
KEPT = 4000  # analyses that are kept, of the newest bars
STALE = 30  # bars after which an analysis that was not asked for is no longer computed ahead

SIGNALS = SignalGeneratorService()

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
        self.recent: TTLCache[tuple[str, int], int] = TTLCache(RECENT, STALE, timer=lambda: self.market.bar)
        self._popular: frozenset[int] = frozenset()  # windows that many symbols were asked of
        self._took: dict[int, float] = {}  # seconds that a window took
        self._warmed = -1  # the bar for which windows were computed ahead last
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
        bar = self.market.bar
        self.recent[symbol, bars] = bar
        return self.at_bar(symbol, bars, bar)

    def bar_served(self) -> int:
        """Return the bar of quick answers: the newest one, or the one before it while windows are computed ahead.

        Else each new bar would send requests through routes and threads, and slow down what they wait for.
        """
        bar = self.market.bar
        return bar - 1 if self._warmed == bar - 1 else bar

    def is_quick(self, symbol: str, bars: int, bar: int | None = None) -> bool:
        """Return whether an analysis of a bar, by default of the newest, needs no computation."""
        bar = self.market.bar if bar is None else bar
        return self.window.contains(bars, bar) or self.at_bar.contains(symbol, bars, bar)

    @cache_technical_analysis(ttl=2 * PERIOD, maxsize=KEPT, copy=False)
    def at_bar(self, symbol: str, bars: int, bar: int) -> dict[str, Any]:
        """Return the analysis; the number of the bar is what tells results apart."""
        if bars in self._popular or self.window.contains(bars, bar):
            return self.window(bars, bar).analysis(symbol, self.market)
        return super().analyse(symbol, bars)

    @cached(maxsize=WINDOWS, ttl=2 * PERIOD, copy=False, per_instance=True)
    def window(self, bars: int, bar: int) -> Window:
        """Return the analyses of all symbols: callers that come while it is computed wait for the same one."""
        began = time.perf_counter()
        found = Window(self.market, bars)
        self._took[bars] = time.perf_counter() - began
        return found

    def warm_up(self) -> int:
        """Compute the windows that many symbols were asked of lately, for all symbols; return how many."""
        bar = self.market.bar
        asked = Counter(bars for _, bars in list(self.recent))
        order = [bars for bars, symbols in asked.most_common(WINDOWS) if symbols >= MANY]
        spent, fit = 0.0, list[int]()
        for bars in order:
            took = self._took.get(bars, 0.0)
            if spent + took <= BUDGET:
                spent, fit = spent + took, [*fit, bars]
            else:  # its symbols are computed one by one; it is tried again after some bars
                self._took[bars] = took * FORGET
        self._popular = frozenset(bars for bars in fit if bars in self._took)
        for bars in fit:
            self.window(bars, bar)
        self._warmed = bar
        return len(fit)

    def hits(self) -> dict[str, int]:
        """Return how often the indicators of an analysis were there already, and how often they were computed."""
        analyses, windows = self.at_bar.cache_info(), self.window.cache_info()
        return {"hits": analyses.hits + windows.hits, "misses": analyses.misses - windows.hits}


class Window:
    """The last two rows of every indicator of every symbol over one number of bars, from one call of the Plan."""

    def __init__(self, market: Market, bars: int) -> None:
        self.bar, self.at, rows = market.panel(bars)
        self.bars, self.time = bars, time_of(self.bar)
        # Arrays, of which an analysis takes its row: lists of all symbols are work for the garbage collector.
        self._tails = compute_panel(rows)
        self._closes = rows["close"][:, -2:].copy()
        volumes = rows["volume"][:, -20:]
        self._volumes = np.stack((volumes.mean(axis=1), volumes[:, -1]), axis=1)

    def analysis(self, symbol: str, market: Market) -> dict[str, Any]:
        """Return the analysis of one symbol."""
        place = market.check(symbol)
        before, last = (dict(zip(COLUMNS, values)) for values in self._tails[place].T.tolist())
        before_close, close = self._closes[place].tolist()
        mean, volume = self._volumes[place].tolist()
        return {
            "symbol": symbol,
            "origin": market.origin[symbol],
            "bar": self.bar,
            "at": self.at,
            "time": self.time,
            "bars": self.bars,
            "close": close,
            "indicators": {name: value if isfinite(value) else None for name, value in last.items()},
            "signal": SIGNALS.decide((before_close, close), (mean, volume), before, last),
        }


def compute_panel(rows: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Return the last two values of each indicator: float64[symbols, columns, 2]."""
    tails: list[Any] = []
    for start in range(0, len(rows["close"]), BLOCK):
        block = {name: np.ascontiguousarray(rows[name][start : start + BLOCK]) for name in plan.columns}
        outputs: list[Any] = []
        for value in plan(block).values():
            outputs.extend(value if isinstance(value, tuple) else (value,))
        tails.append(np.stack([output[:, -2:] for output in outputs], axis=1))
    return np.concatenate(tails)


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
        if all(self._service.is_quick(symbol, bars) for symbol in symbols):
            return [self._service.analyse(symbol, bars) for symbol in symbols]

        def one(symbol: str) -> dict[str, Any]:
            return self._service.analyse(symbol, bars)

        found: list[dict[str, Any]] = await map_async(one, symbols, on="thread", limit=self._limit)
        return found
