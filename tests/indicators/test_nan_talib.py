"""`nan="talib"` against TA-Lib, for every function, with each input missing in turn."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import talib

from fastcore.indicators.missing import GIVES_NUMBERS
from fastcore.indicators.registry import INDICATORS, Indicator, rolling
from tests.indicators.cases import walk

ROWS = [row for row in INDICATORS.values() if row.group != rolling.GROUP]
BARS = 600
GAPS = {"leading": slice(0, 7), "one inside": slice(300, 301), "trailing": slice(-3, None), "all": slice(None)}


@functools.cache
def bars() -> dict[str, Any]:
    """Prices that keep away from what functions have no value for."""
    return {name: x / 1e3 if name == "volume" else x for name, x in walk(BARS, seed=1).items()}


def inputs_of(row: Indicator, gap: slice, place: int) -> list[Any]:
    scale = 1e-3 if row.group == "Math Transform" else 1.0
    inputs = [bars()[name] * scale for name in row.inputs]
    inputs[place][gap] = np.nan
    return inputs


def outputs(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


def from_talib(row: Indicator, inputs: list[Any]) -> tuple[Any, ...]:
    defaults = [param.default for param in row.params]
    found = outputs(getattr(talib, row.definition)(*inputs, *defaults))
    there = np.cumsum(~np.logical_or.reduce([np.isnan(x) for x in inputs])) > row.lookback(*defaults)
    return tuple(np.where(there, x, np.nan) if x.dtype.kind == "i" else x for x in found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_missing_data_spoils_what_they_do_in_talib(ta: ModuleType, row: Indicator) -> None:
    """NaN wherever TA-Lib has it, and its numbers; NaN too where it goes on with a number after comparing with NaN."""
    more = 0
    for what, gap in GAPS.items():
        for place in range(len(row.inputs)):
            inputs = inputs_of(row, gap, place)
            for ours, theirs in zip(
                outputs(getattr(ta, row.name)(*inputs, nan="talib")), from_talib(row, inputs), strict=True
            ):
                if what == "all":  # TA-Lib computes the first bar of some that have none
                    assert np.isnan(ours).all()
                    continue
                missing = np.isnan(ours)
                assert not (np.isnan(theirs) & ~missing).any(), f"{what}: NaN in TA-Lib alone"
                if row.name != "percentile" or what == "leading":  # there a NaN stays in the sorted window
                    theirs_there = np.where(missing, np.nan, theirs)
                    np.testing.assert_allclose(ours, theirs_there, rtol=1e-8, atol=1e-8, err_msg=what)
                more += int((missing & ~np.isnan(theirs)).sum())
                assert what != "leading" or not more
    assert (more > 0) == (row.name in GIVES_NUMBERS)


def test_every_form_has_the_policy(ta: ModuleType) -> None:
    close = bars()["close"].copy()
    close[[100, 400]] = np.nan
    columns = {"close": close}
    plan = ta.Plan(rsi=ta.RSI(14), macd=ta.MACD())
    wanted = ta.macd(close, nan="talib")
    assert np.isfinite(wanted.hist[33:100]).all()
    assert np.isnan(wanted.hist[100:]).all()
    times = pd.date_range("2024-01-01", periods=BARS)
    index = pd.MultiIndex.from_product([times, ["A", "B"]], names=["time", "symbol"])
    table = pd.Series(np.column_stack([bars()["close"], close]).ravel(), index)
    panel = np.array([bars()["close"], close])
    out = tuple(np.empty(BARS) for _ in range(3))
    found = [
        ta.MACD()(close, nan="talib"),
        ta.macd(pd.Series(close), nan="talib"),
        ta.macd(pl.Series(close), nan="talib"),
        ta.macd(close, out=out, nan="talib"),
        plan(columns, nan="talib")["macd"],
        plan(columns, out={"macd": out}, nan="talib")["macd"],
        [x[1] for x in ta.macd(panel, nan="talib")],
        [x.to_numpy()[1::2] for x in ta.macd(table, nan="talib")],
        [plan(pd.DataFrame(columns), nan="talib")[f"macd_{name}"] for name in wanted._fields],
        [plan(pl.DataFrame(columns), nan="talib")[f"macd_{name}"] for name in wanted._fields],
        [plan(pl.LazyFrame(columns), nan="talib").collect()[f"macd_{name}"] for name in wanted._fields],
    ]
    for one in found:
        for a, b in zip(one, wanted, strict=True):
            np.testing.assert_array_equal(np.asarray(a), b)
    np.testing.assert_array_equal(ta.macd(table, nan="talib").hist.to_numpy()[::2], ta.macd(bars()["close"]).hist)


def test_a_lag_is_spoiled_at_two_bars_and_a_window_as_long_as_it_is(ta: ModuleType) -> None:
    real = np.arange(40.0) + 1.0
    real[[20, 22]] = np.nan
    at = {"mom": [20, 22, 30, 32], "avgdev": list(range(20, 27)), "sqrt": [20, 22], "sma": list(range(20, 40))}
    for name, spoiled in at.items():
        params = {"mom": (10,), "avgdev": (5,), "sma": (5,)}.get(name, ())
        found = getattr(ta, name)(real, *params, nan="talib")
        first = {"mom": 10, "avgdev": 4, "sma": 4}.get(name, 0)
        assert np.flatnonzero(np.isnan(found)).tolist() == [*range(first), *spoiled]
    infinite = np.where(np.isnan(real), np.inf, real)
    np.testing.assert_array_equal(ta.mom(infinite, 10, nan="talib"), ta.mom(real, 10, nan="talib"))


def test_an_indicator_of_the_users_has_the_policy(ta: ModuleType) -> None:
    @ta.indicator
    def apart(o: Any, close: Any, timeperiod: int = 5) -> Any:
        return close - o.highest(close, timeperiod)

    real = np.arange(20.0)
    real[10] = np.nan
    assert np.flatnonzero(np.isnan(apart(real, 3, nan="talib"))).tolist() == [0, 1, 10, 11, 12]


@pytest.mark.parametrize(
    ("nan", "error"), [("skip", ValueError), ("TALIB", ValueError), (True, TypeError), (np.nan, TypeError)]
)
def test_another_policy_is_refused(ta: ModuleType, nan: Any, error: type[Exception]) -> None:
    for call in (ta.rsi, ta.RSI(14)):
        with pytest.raises(error, match="nan: expected 'talib' or None, got"):
            call(np.arange(30.0), nan=nan)
    with pytest.raises(error, match="nan: expected 'talib' or None, got"):
        ta.Plan(rsi=ta.RSI(14))({"close": np.arange(30.0)}, nan=nan)
