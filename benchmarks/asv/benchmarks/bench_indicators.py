"""Indicators: a call at three lengths, a panel, and a live update."""

from __future__ import annotations

import numpy as np

from benchmarks.backend import compiled
from fastcore import indicators as ta

RNG = np.random.default_rng(7)
BARS = (30, 500, 100_000)
CALLS = {30: 100, 500: 100, 100_000: 1}


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

LIVE = ta.RSI(14).live(CLOSE[500])
TICKS = CLOSE[500].tolist()


class Call:
    """100 calls at 30 and 500 bars, one at 100,000."""

    params = (sorted(CALL), BARS)
    param_names = ("indicator", "bars")

    def time_call(self, indicator: str, bars: int) -> None:
        call = CALL[indicator]
        for _ in range(CALLS[bars]):
            call(bars)


def time_panel_of_100_symbols() -> None:
    ta.rsi(PANEL, 14)


def time_500_live_updates() -> None:
    update = LIVE.update
    for price in TICKS:
        update(price)


def track_backend() -> int:
    return compiled("indicators")


track_backend.unit = "1 = compiled"
