"""The attribute ``fast`` of pandas objects, and plans of polars' lazy frames."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import fastcore.indicators.accessor  # noqa: F401
from fastcore.indicators import ATR, MACD, RSI, Plan
from tests.indicators.arrays import assert_array_equal

PLAN = Plan(rsi=RSI(5), macd=MACD(3, 5, 3), atr=ATR(4))


def bars(count: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    close = 100.0 + np.cumsum(rng.normal(size=count))
    return pd.DataFrame({"close": close, "high": close + 1.0, "low": close - rng.random(count), "volume": close * 2.0})


def test_methods_of_a_frame(ta: ModuleType) -> None:
    frame: Any = bars()
    pd.testing.assert_series_equal(frame.fast.rsi(5), ta.rsi(frame["close"], 5).rename("rsi"))
    macd = frame.fast.macd(3, 5, 3)
    assert list(macd.columns) == ["macd", "signal", "hist"]
    pd.testing.assert_series_equal(macd["hist"], ta.macd(frame["close"], 3, 5, 3).hist)
    pd.testing.assert_series_equal(frame.fast.sma(3, real="volume"), ta.sma(frame["volume"], 3).rename("sma"))
    pd.testing.assert_frame_equal(frame.fast.plan(PLAN), PLAN(frame))
    assert "rsi" in dir(frame.fast)
    with pytest.raises(AttributeError, match=r"such as rsi; did you mean macd\?"):
        frame.fast.macdd()
    with pytest.raises(TypeError, match=r"fast\.sma: expected no out"):
        frame.fast.sma(5, out=np.empty(len(frame)))
    with pytest.raises(AttributeError, match=r"fast\.nope: expected plan or the name of an indicator"):
        frame.fast.nope(3)
    with pytest.raises(TypeError, match="plan: expected a Plan, got int"):
        frame.fast.plan(3)


def test_methods_have_the_policy_for_missing_data(ta: ModuleType) -> None:
    frame: Any = bars()
    frame.loc[30, "close"] = np.nan
    whole = frame.fast.plan(PLAN, nan="talib")
    pd.testing.assert_frame_equal(whole, PLAN(frame, nan="talib"))
    assert whole["rsi"].iloc[-1] == frame.fast.rsi(5, nan="talib").iloc[-1] == 0.0
    assert frame.fast.plan(PLAN)["rsi"].iloc[-1] > 0.0
    with pytest.raises(ValueError, match="nan: expected 'talib' or None, got 'skip'"):
        frame.fast.plan(PLAN, nan="skip")


def test_symbols_in_a_multiindex_and_in_groups(ta: ModuleType) -> None:
    times = pd.date_range("2024-01-01", periods=30)
    index = pd.MultiIndex.from_product([["A", "B"], times], names=["symbol", "time"])
    frame: Any = bars().set_index(index)
    expected = pd.concat([ta.rsi(frame["close"].xs(one), 5) for one in ("A", "B")]).to_numpy()
    assert_array_equal(frame.fast.rsi(5), expected)
    assert_array_equal(frame.fast.plan(PLAN)["rsi"], expected)
    grouped = frame.reset_index().groupby("symbol")
    assert_array_equal(grouped["close"].transform(lambda close: close.fast.rsi(5)), expected)
    by_frame = grouped[["close", "high", "low"]].apply(lambda group: group.fast.atr(4))
    assert_array_equal(np.ravel(by_frame), frame.fast.atr(4))


def test_a_lazy_frame_stays_lazy(ta: ModuleType) -> None:
    frame = pl.DataFrame(bars().to_dict("list"))
    lazy = PLAN(frame.lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(PLAN(frame), null_equal=True)
    with pytest.raises(ValueError, match=r"expected columns .*, got no high"):
        PLAN(frame.select("close", "low").lazy())


def test_indicators_alone_import_no_pandas() -> None:
    text = "import sys, fastcore.indicators; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == 0
