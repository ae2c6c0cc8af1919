"""Every indicator by every way in, live values and boards, and the ways out through an error."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
from leaks import check, fails

from fastcore import indicators as ta

RNG = np.random.default_rng(3)
CLOSE = 100 + np.cumsum(RNG.normal(0, 1, 2_000))
PANEL = 100 + np.cumsum(RNG.normal(0, 1, (8, 300)), axis=1)
VOLUME = RNG.uniform(1, 9, 2_000)
COLUMNS = {"high": CLOSE + 1, "low": CLOSE - 1, "close": CLOSE, "volume": VOLUME}


def functions() -> None:
    for values in (CLOSE, PANEL, CLOSE.astype("f4"), CLOSE[::2], CLOSE.tolist(), CLOSE[:0]):
        ta.sma(values, 14)
        ta.rsi(values, timeperiod=14)
        ta.macd(values)
        ta.bbands(values, 20, 2.0)
    ta.atr(COLUMNS["high"], COLUMNS["low"], CLOSE, 14)
    ta.stoch(COLUMNS["high"], COLUMNS["low"], CLOSE)
    ta.obv(CLOSE, VOLUME)
    ta.vwap(COLUMNS["high"], COLUMNS["low"], CLOSE, VOLUME)


OUT = tuple(np.empty(2_000) for _ in range(3))


def results_in_arrays() -> None:
    ta.rsi(CLOSE, 14, out=OUT[0])
    ta.rsi(OUT[0], 14, out=OUT[0])
    ta.rsi(pd.Series(CLOSE), 14, out=OUT[0])
    ta.macd(CLOSE, out=(None, *OUT[1:]))
    plan = ta.Plan(rsi=ta.RSI(14), macd=ta.MACD())
    plan({"close": OUT[0]}, out={"rsi": OUT[0], "macd": (None, *OUT[1:])})
    fails(lambda: ta.macd(CLOSE, out=OUT[:2]))
    fails(lambda: ta.rsi(CLOSE, out=CLOSE[:5]))
    fails(lambda: plan({"close": CLOSE}, out={"rsi": CLOSE[:5]}))


LED = np.concatenate([np.full(50, np.nan), CLOSE])
HOLED = np.where(np.arange(2_000) % 97 == 5, np.nan, CLOSE)
TIMES = pd.date_range("2024-01-01", periods=1_000, freq="min")
TABLE = pd.Series(CLOSE, pd.MultiIndex.from_product([TIMES, ["A", "B"]], names=["time", "symbol"]))


def gaps() -> None:
    for values in (LED, HOLED, np.array([LED, LED[::-1]]), np.full(100, np.nan)):
        for function in (ta.sma, ta.rsi, ta.macd, ta.bbands, ta.stddev, ta.max):
            function(values)
        ta.bbands(values, matype=1)
        ta.obv(values, values)


def series() -> None:
    index = pd.RangeIndex(2_000)
    for values in (pd.Series(CLOSE, index, name="x"), pl.Series("x", CLOSE), TABLE, pd.Series([None, 1, 2.0])):
        ta.rsi(values, 14)
        ta.bbands(values, 20)
        ta.RSI(14)(values)
    frame = pd.DataFrame({"close": CLOSE}, TABLE.index)  # made each time: pandas notes views with what they are of
    ta.Plan(rsi=ta.RSI(14), macd=ta.MACD())(frame)
    fails(ta.Plan(rsi=ta.RSI(14), macd=ta.MACD(real="Close")), frame)
    fails(ta.rsi, pd.Series(["x"]))
    fails(ta.rsi, TABLE, 0)
    fails(ta.RSI, CLOSE, 14)
    fails(getattr, ta, "adxx")


def errors() -> None:
    for _ in range(50):
        fails(ta.sma)
        fails(ta.sma, None)
        fails(ta.sma, CLOSE, 0)
        fails(ta.sma, CLOSE, "14")
        fails(ta.sma, CLOSE, 14, 15)
        fails(ta.sma, np.array([object()]))
        fails(ta.sma, CLOSE.reshape(2, 10, 100))
        fails(ta.obv, CLOSE, VOLUME[:-1])


def live() -> None:
    value = ta.RSI(14).live(CLOSE)
    for price in CLOSE[:300].tolist():
        value.update(price)
        value.peek(price)
    pickle.loads(pickle.dumps(value.copy())).update(1.0)
    fails(value.update, "x")
    fails(value.update)


def board() -> None:
    made = ta.Plan(rsi=ta.RSI(14), macd=ta.MACD(12, 26, 9)).live(symbols=50)
    for price in CLOSE[:100]:
        made.update(close=np.full(50, price))
    made["rsi"], made["macd"]
    made.update(close=made["rsi"])
    made.extend({"close": made["rsi"].reshape(50, 1)})
    fails(made.update)
    fails(lambda: made.update(close=np.zeros(49)))
    fails(lambda: made["none"])


for work in (functions, results_in_arrays, gaps, series, errors, live, board):
    check(work, work.__name__)
