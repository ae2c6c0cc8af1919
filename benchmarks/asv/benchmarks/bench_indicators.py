"""Indicators: a call at two lengths, a panel, live updates, a Plan, and a tick of a board."""

from __future__ import annotations

import functools

import numpy as np

from benchmarks.features import feature, needs
from fastcore import indicators as ta

Plan = feature("fastcore.indicators:Plan")
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

CALL = {
    "sma": lambda n: ta.sma(CLOSE[n], 14),
    "ema": lambda n: ta.ema(CLOSE[n], 14),
    "rsi": lambda n: ta.rsi(CLOSE[n], 14),
    "macd": lambda n: ta.macd(CLOSE[n]),
    "bbands": lambda n: ta.bbands(CLOSE[n], 20),
    "atr": lambda n: ta.atr(HIGH[n], LOW[n], CLOSE[n], 14),
    "stoch": lambda n: ta.stoch(HIGH[n], LOW[n], CLOSE[n]),
    "obv": lambda n: ta.obv(CLOSE[n], VOLUME[n]),
    "stddev": lambda n: ta.stddev(CLOSE[n], 14),
    "min": lambda n: ta.min(CLOSE[n], 14),
    "max": lambda n: ta.max(CLOSE[n], 14),
    "vwap": lambda n: ta.vwap(HIGH[n], LOW[n], CLOSE[n], VOLUME[n]),
}

TICKS = walk(500).tolist()


class Call:
    """100 calls at 30 bars, one at 10,000."""

    params = (sorted(CALL), BARS)
    param_names = ("indicator", "bars")

    def time_call(self, indicator: str, bars: int) -> None:
        call = CALL[indicator]
        for _ in range(CALLS[bars]):
            call(bars)


@functools.cache
def live() -> object:
    return ta.RSI(14).live(np.array(TICKS))


@functools.cache
def plan() -> object:
    return Plan(rsi=ta.RSI(14), macd=ta.MACD(), bbands=ta.BBANDS(20), atr=ta.ATR(14))


@functools.cache
def board() -> object:
    return plan().live(symbols=SYMBOLS)


@functools.cache
def tick() -> dict[str, np.ndarray]:
    close = walk(SYMBOLS)
    return {"high": close * 1.01, "low": close * 0.99, "close": close}


def time_panel_of_100_symbols() -> None:
    ta.rsi(PANEL, 14)


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
