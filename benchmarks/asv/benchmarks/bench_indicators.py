"""Indicators: a call at two lengths, a panel, live updates, a Plan, and a tick of a board."""

from __future__ import annotations

import functools
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.features import Skipped, cpu_timer, feature, needs

timer = cpu_timer

Plan = feature("fastcore.indicators:Plan")
RSI = feature("fastcore.indicators:RSI")
rsi = feature("fastcore.indicators:rsi")
RNG = np.random.default_rng(7)
BARS = (30, 10_000)
CALLS = {30: 100, 10_000: 1}
SYMBOLS = 500


def walk(*shape: int) -> np.ndarray:
    return 100.0 * np.exp(np.cumsum(RNG.normal(0.0, 0.01, shape), axis=-1))


CLOSE = {n: walk(n) for n in BARS}
HIGH = {n: c * 1.01 for n, c in CLOSE.items()}
LOW = {n: c * 0.99 for n, c in CLOSE.items()}
VOLUME = {n: RNG.uniform(1e3, 1e6, n) for n in BARS}
PANEL = walk(100, 500)


def on_close(*parameters: int) -> Callable[[Any, int], object]:
    return lambda function, n: function(CLOSE[n], *parameters)


def on_bars(*parameters: int) -> Callable[[Any, int], object]:
    return lambda function, n: function(HIGH[n], LOW[n], CLOSE[n], *parameters)


CALL: dict[str, Callable[[Any, int], object]] = {
    "sma": on_close(14),
    "ema": on_close(14),
    "rsi": on_close(14),
    "macd": on_close(),
    "bbands": on_close(20),
    "atr": on_bars(14),
    "stoch": on_bars(),
    "obv": lambda function, n: function(CLOSE[n], VOLUME[n]),
    "stddev": on_close(14),
    "min": on_close(14),
    "max": on_close(14),
    "vwap": lambda function, n: function(HIGH[n], LOW[n], CLOSE[n], VOLUME[n]),
}

TICKS = walk(500).tolist()


class Call:
    """100 calls at 30 bars, one at 10,000."""

    params = (sorted(CALL), BARS)
    param_names = ("indicator", "bars")

    def time_call(self, indicator: str, bars: int) -> None:
        call, function = CALL[indicator], function_of(indicator)
        if function is None:
            raise Skipped(indicator)
        for _ in range(CALLS[bars]):
            call(function, bars)


@functools.cache
def function_of(indicator: str) -> Any:
    return feature(f"fastcore.indicators:{indicator}")


@functools.cache
def live() -> Any:
    return RSI(14).live(np.array(TICKS))


@functools.cache
def plan() -> Any:
    from fastcore import indicators as ta

    return Plan(rsi=ta.RSI(14), macd=ta.MACD(), bbands=ta.BBANDS(20), atr=ta.ATR(14))


@functools.cache
def board() -> Any:
    return plan().live(symbols=SYMBOLS)


@functools.cache
def tick() -> dict[str, np.ndarray]:
    close = walk(SYMBOLS)
    return {"high": close * 1.01, "low": close * 0.99, "close": close}


@needs(rsi)
def time_panel_of_100_symbols() -> None:
    rsi(PANEL, 14)


time_panel_of_100_symbols.timer = timeit.default_timer  # threads share the work


@needs(RSI)
def time_500_live_updates() -> None:
    update = live().update
    for price in TICKS:
        update(price)


@needs(Plan)
def time_plan_of_four_10_000_bars() -> None:
    plan()({"high": HIGH[10_000], "low": LOW[10_000], "close": CLOSE[10_000]})


@needs(Plan)
def time_board_tick_of_500_symbols() -> None:
    board().update(**tick())
