"""The services again, optimised: each part is a `fastcore.Switch` between the original and the faster version.

A Switch follows the flag of its name: ``control`` runs the original, ``candidate`` the optimised one, ``ramp:10`` gives
ten calls in a hundred to the candidate. The candidates stand on the hot paths of fastcore, whose flags
(``indicators``, ``cache``, ``heap``, ``framing``) say in turn whether their compiled or their pure twin runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import numpy as np
import pandas as pd

from examples.market_desk.async_technical_indicator_service import AsyncTechnicalIndicatorService
from examples.market_desk.fast.analysis import plan
from examples.market_desk.plain.technical_indicator_service import COLUMNS, TechnicalIndicatorService
from examples.market_desk.price_monitor_service import Indicators, PriceMonitorService
from examples.market_desk.prices import Market
from examples.market_desk.report_service import ReportService, number
from examples.market_desk.signal_generator_service import SignalGeneratorService
from fastcore import Switch
from fastcore import indicators as ta
from fastcore.cache import cache_technical_analysis, cached
from fastcore.memory import memory_monitor, optimize_dataframe_memory
from fastcore.tasks import State, TaskEvent, TaskQueue

__all__ = ["BoardMonitor", "OptimizedReportService", "OptimizedTechnicalAnalysisService", "plan"]


def calculate_indicators(df: pd.DataFrame) -> pd.DataFrame:
    """Return the same frame as `TechnicalIndicatorService.calculate_indicators`, from one pass of a plan."""
    out: pd.DataFrame = plan(df)
    out.columns = pd.Index(COLUMNS)
    return out


class OptimizedTechnicalAnalysisService:
    """Wraps the existing analysis; its flags: ``technical_analysis``, ``memory_optimization``, ``async_processing``.

    Attributes
    ----------
    calculate_indicators : Switch
        Frame of prices to frame of indicators: pandas, or a `fastcore.indicators.Plan`.
    analyse : Switch
        The analysis of a symbol: computed at every request, or kept for ten minutes by ``@cached``.
    analyse_many : Switch
        The analyses of several symbols: one after the other, or side by side.
    """

    def __init__(self, market: Market, today: int) -> None:
        self._market = market
        self._today = today
        self._signals = SignalGeneratorService()
        self.original_service = TechnicalIndicatorService()
        self.calculate_indicators = Switch(
            "technical_analysis",
            control=self.original_service.calculate_indicators,
            candidate=calculate_indicators,
        )
        self.cached_analysis = cached(maxsize=1024, ttl=600, name="technical_analysis")(self._analyse)
        self.analyse = Switch("memory_optimization", control=self._analyse, candidate=self.cached_analysis)
        self.async_service = AsyncTechnicalIndicatorService(self._compute)
        self.analyse_many = Switch(
            "async_processing", control=self._one_after_the_other, candidate=self.calculate_indicators_async
        )

    @cache_technical_analysis(ttl=600)
    @optimize_dataframe_memory()
    @memory_monitor(threshold_mb=200.0)
    def calculate_indicators_optimized(self, df: pd.DataFrame) -> pd.DataFrame:
        """Return the original's indicators: kept by what the frame holds, in as few bytes as lose nothing."""
        return self.original_service.calculate_indicators(df)

    async def calculate_indicators_async(self, symbols: Sequence[str], bars: int = 250) -> list[dict[str, Any]]:
        """Return the analyses of several symbols, worked on side by side."""
        return await self.async_service.analyze_multiple_symbols_async(symbols, bars)

    async def _one_after_the_other(self, symbols: Sequence[str], bars: int = 250) -> list[dict[str, Any]]:
        return [await self._analyse(symbol, bars) for symbol in symbols]

    async def _analyse(self, symbol: str, bars: int) -> dict[str, Any]:
        return await asyncio.to_thread(self._compute, symbol, bars)

    def _compute(self, symbol: str, bars: int) -> dict[str, Any]:
        frame = self._market.frame(symbol, max(0, self._today + 1 - bars), self._today + 1)
        newest = self.calculate_indicators(frame).iloc[-1]
        latest = {str(column): number(value) for column, value in newest.items()}
        close = float(frame["close"].iloc[-1])
        return {
            "symbol": symbol,
            "date": str(frame.index[-1]),
            "bars": len(frame),
            "close": close,
            "indicators": latest,
            "signals": self._signals.generate_signals(close, latest),
        }


class BoardMonitor:
    """The price monitor on a board: all indicators of all symbols move on by one bar in one call.

    Parameters
    ----------
    market : Market
    first : int
        The day at which the history starts.
    """

    def __init__(self, market: Market, first: int) -> None:
        self._market = market
        self._first = first
        self._bars = {field: np.ascontiguousarray(market.panel[field].T) for field in plan.columns}
        self._board: ta.Board | None = None
        self._day = -1

    async def on_tick(self, day: int) -> Indicators:
        """Return the indicators of every symbol after the close of `day`."""
        if self._board is None or day != self._day + 1:  # the first tick, or the replay has started again
            history = self._market.history(self._first, day)
            self._board = plan.live(symbols=len(self._market.symbols), history=history)
        self._board.update(**{field: self._bars[field][day] for field in plan.columns})
        self._day = day
        by_symbol = np.vstack(board_rows(self._board)).T.tolist()
        return {symbol: dict(zip(COLUMNS, row)) for symbol, row in zip(self._market.symbols, by_symbol)}


def board_rows(board: ta.Board) -> list[Any]:
    """Return the board's outputs, one array for each of `COLUMNS`."""
    rows: list[Any] = []
    for name in board:
        value = board[name]
        rows.extend(value if isinstance(value, tuple) else (value,))
    return rows


def price_monitor(
    market: Market, service: OptimizedTechnicalAnalysisService, first: int
) -> Switch[[int], Coroutine[Any, Any, Indicators]]:
    """Return the Switch ``price_monitor``: recompute everything, or move a board on."""
    original = PriceMonitorService(market, service.original_service.calculate_indicators, first)
    return Switch("price_monitor", control=original.on_tick, candidate=BoardMonitor(market, first).on_tick)


class OptimizedReportService:
    """The report, made while the caller waits or as a task; the flag is ``background_tasks``.

    Attributes
    ----------
    generate : Switch
        ``await generate(symbols, priority)`` gives the finished report, or the id of the task that makes it.
    """

    def __init__(self, market: Market, service: OptimizedTechnicalAnalysisService, queue: TaskQueue) -> None:
        self._reports = ReportService(market, service.calculate_indicators)
        self._queue = queue
        self._seconds = 1.0  # a first guess, then the running mean of what reports take
        self._task = queue.task(self._reports.generate, name="generate_report", on="thread", retries=0)
        queue.on("success", self._took)
        self.generate = Switch("background_tasks", control=self._wait, candidate=self._submit)

    async def estimate(self) -> str:
        """Return how long a report ordered now takes, by what earlier ones took, in words."""
        counts = (await asyncio.to_thread(self._queue.counts)).get(self._task.name, {})
        ahead = counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0)
        return f"{self._seconds * max(1, ahead):.2g} seconds"

    def _took(self, event: TaskEvent) -> None:
        if event.task == self._task.name and event.seconds is not None:
            self._seconds += 0.2 * (event.seconds - self._seconds)

    async def _wait(self, symbols: Sequence[str], priority: float) -> dict[str, Any] | str:
        return await asyncio.to_thread(self._reports.generate, symbols)

    async def _submit(self, symbols: Sequence[str], priority: float) -> dict[str, Any] | str:
        return await self._queue.asubmit(self._task.configure(priority=priority), list(symbols))
