"""Plans over frames and mappings."""

from __future__ import annotations

import pickle
import re
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fastcore import indicators
from fastcore.indicators import ATR, BBANDS, MACD, RSI, SMA, VWAP, Plan, rsi
from tests.indicators.arrays import assert_array_equal
from tests.indicators.cases import walk

PLAN = Plan(rsi=RSI(14), macd=MACD(12, 26, 9), bb=BBANDS(20, 2.0), atr=ATR(14), vol=SMA(5, real="volume"))
TITLES = ["rsi", "macd_macd", "macd_signal", "macd_hist", "bb_upper", "bb_middle", "bb_lower", "atr", "vol"]


def columns(bars: int = 80, seed: int = 0) -> dict[str, Any]:
    return {name: x for name, x in walk(bars, seed=seed).items() if name != "real"}


def expected(ta: ModuleType, c: dict[str, Any]) -> dict[str, Any]:
    return {
        "rsi": ta.rsi(c["close"], 14),
        "macd": ta.macd(c["close"], 12, 26, 9),
        "bb": ta.bbands(c["close"], 20, 2.0),
        "atr": ta.atr(c["high"], c["low"], c["close"], 14),
        "vol": ta.sma(c["volume"], 5),
    }


def flat(results: dict[str, Any]) -> list[Any]:
    return [x for result in results.values() for x in (result if isinstance(result, tuple) else (result,))]


def test_a_pandas_frame_returns_a_pandas_frame(ta: ModuleType) -> None:
    frame = pd.DataFrame(columns(), index=pd.date_range("2024-01-01", periods=80)).assign(note="x")
    result = PLAN(frame)
    assert list(result.columns) == TITLES
    assert result.index.equals(frame.index)
    for title, values in zip(TITLES, flat(expected(ta, columns()))):
        assert_array_equal(result[title].to_numpy(), values)


def test_a_polars_frame_returns_a_polars_frame(ta: ModuleType) -> None:
    result = PLAN(pl.DataFrame(columns()))
    assert isinstance(result, pl.DataFrame)
    assert result.columns == TITLES
    for title, values in zip(TITLES, flat(expected(ta, columns()))):
        assert_array_equal(result[title].to_numpy(), values)


@pytest.mark.parametrize("rows", [None, 1, 7])
def test_a_mapping_of_arrays_returns_a_dict(ta: ModuleType, rows: int | None) -> None:
    c = columns() if rows is None else {n: np.array([columns(seed=s)[n] for s in range(rows)]) for n in columns()}
    result = PLAN(c)
    wanted = expected(ta, c)
    assert list(result) == list(wanted)
    for name, values in wanted.items():
        assert type(result[name]) is type(values)
        assert_array_equal(result[name], values)


def test_a_mapping_of_series_returns_series(ta: ModuleType) -> None:
    index = pd.RangeIndex(5, 85)
    result = PLAN({name: pd.Series(x, index) for name, x in columns().items()})
    assert result["macd"].hist.index.equals(index)
    assert_array_equal(result["atr"].to_numpy(), expected(ta, columns())["atr"])


def test_frames_may_be_empty_or_have_other_number_types(ta: ModuleType) -> None:
    empty = PLAN(pd.DataFrame(columns()).iloc[:0])
    assert empty.shape == (0, len(TITLES))
    whole = pd.DataFrame(columns()).round()
    pd.testing.assert_frame_equal(PLAN(whole.astype("int64")), PLAN(whole))


def test_attributes_pickle_and_repr() -> None:
    assert PLAN.columns == ("close", "high", "low", "volume")
    assert PLAN.lookback == 33
    assert list(PLAN.definitions) == ["rsi", "macd", "bb", "atr", "vol"]
    again = pickle.loads(pickle.dumps(PLAN))
    assert again == PLAN == eval(repr(PLAN), vars(indicators))
    assert hash(again) == hash(PLAN)
    assert again != Plan(rsi=RSI(14))


FRAME = pd.DataFrame(columns())


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (lambda: Plan(), ValueError, "Plan: expected at least one definition, such as rsi=RSI(14)"),
        (lambda: Plan(a=14), TypeError, "a: expected a definition such as RSI(14), got int"),
        (lambda: Plan(a=RSI), TypeError, "a: expected a definition such as RSI(14), got type; write a=RSI()"),
        (lambda: Plan(a=rsi), TypeError, "a: expected a definition such as RSI(14), got Switch; write a=RSI()"),
        (
            lambda: Plan(macd=MACD(), macd_hist=RSI()),
            ValueError,
            "Plan: expected names that give columns of their own, got two called macd_hist",
        ),
        (lambda: PLAN(None), TypeError, "bars: expected a DataFrame or a mapping of arrays, got NoneType"),
        (lambda: PLAN(np.ones(5)), TypeError, "bars: expected a DataFrame or a mapping of arrays, got ndarray"),
        (
            lambda: PLAN(FRAME[["close", "low"]]),
            ValueError,
            "bars: expected columns close, high, low, volume, got no high, volume; there are close, low",
        ),
        (
            lambda: PLAN(pl.DataFrame({"close": [1.0]})),
            ValueError,
            "bars: expected columns close, high, low, volume, got no high, low, volume; there are close",
        ),
        (
            lambda: PLAN({}),
            ValueError,
            "bars: expected columns close, high, low, volume, got no close, high, low, volume; there are none",
        ),
        (
            lambda: PLAN(FRAME.assign(low=pd.Series(["a"] * 80, dtype=object))),
            TypeError,
            "low: expected numbers, got a Series of dtype object",
        ),
        (
            lambda: PLAN(pd.concat([FRAME, FRAME[["low"]]], axis=1)),
            ValueError,
            "bars: expected one column low, got 2",
        ),
        (
            lambda: PLAN({**columns(), "low": [1.0]}),
            ValueError,
            "high, low, close: expected arrays of one shape, got (80,), (1,), (80,)",
        ),
    ],
)
def test_invalid_input_raises_a_clear_error(act: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        act()


def test_vwap_of_a_frame(ta: ModuleType) -> None:
    c = columns()
    assert_array_equal(Plan(vwap=VWAP())(FRAME)["vwap"], ta.vwap(c["high"], c["low"], c["close"], c["volume"]))
