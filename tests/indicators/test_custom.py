"""Indicators of the user's own, in every form."""

from __future__ import annotations

import pickle
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastcore import indicators
from fastcore.dispatch import flags
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import walk

BARS = walk(400)


@indicators.indicator
def force(o: Any, close: Any, volume: Any, timeperiod: int = 13) -> Any:
    """Elder's force index."""
    return o.ema((close - o.lag(close, 1)) * volume, timeperiod)


@indicators.indicator(outputs=("upper", "lower"))
def channel(o: Any, high: Any, low: Any, timeperiod: int = 5, factor: float = 1.5) -> Any:
    spread = factor * o.mean(high - low, timeperiod)
    return o.highest(high, timeperiod) + spread, o.lowest(low, timeperiod) - spread


def expected_force(period: int) -> Any:
    change = pd.Series(BARS["close"]).diff() * BARS["volume"]
    seeded = change.copy()
    seeded[:period] = np.nan
    seeded[period] = change[1 : period + 1].mean()
    return seeded.ewm(span=period, adjust=False).mean().to_numpy()


def test_a_function_gives_its_definition(ta: ModuleType) -> None:
    for got, period in (
        (force(BARS["close"], BARS["volume"], 13), 13),
        (force(BARS["close"], BARS["volume"]), 13),
        (force(volume=BARS["volume"], close=BARS["close"], timeperiod=5), 5),
        (force(5)(BARS["close"], BARS["volume"]), 5),
    ):
        assert_allclose(got, expected_force(period), rtol=1e-9, atol=1e-6)
    assert force(13).lookback == 13


def test_several_outputs_have_names(ta: ModuleType) -> None:
    result = channel(BARS["high"], BARS["low"], 7, 2.0)
    assert type(result).__name__ == "ChannelResult"
    high, low = pd.Series(BARS["high"]), pd.Series(BARS["low"])
    spread = 2.0 * (high - low).rolling(7).mean()
    assert_allclose(result.upper, high.rolling(7).max() + spread, rtol=1e-12)
    assert_allclose(result.lower, low.rolling(7).min() - spread, rtol=1e-12)


@indicators.indicator(outputs=("root", "move"))
def root(o: Any, close: Any) -> Any:
    return o.map("sqrt", close - 100.0), close - o.lag(close, 1)


@indicators.indicator(outputs=("root", "mean"))
def root_of_distance(o: Any, close: Any, timeperiod: int = 5) -> Any:
    mean = o.mean(close, timeperiod)
    return o.map("sqrt", close - mean), mean


def test_a_result_that_is_no_number_takes_the_others_of_its_bar_along(ta: ModuleType) -> None:
    close = BARS["close"]
    together = ta.Plan(one=root_of_distance(), other=ta.SMA(5))({"close": close})
    assert_array_equal(together["other"], ta.sma(close, 5))
    for ours, alone in zip(together["one"], root_of_distance(close)):
        assert_array_equal(ours, alone)
    assert_array_equal(np.isnan(together["one"].mean), ~(close >= ta.sma(close, 5)))
    below = close < 100.0
    assert 0 < below.sum() < len(close)
    found = root(close)
    assert np.flatnonzero(np.isnan(found.move)).tolist() == np.flatnonzero(below | (np.arange(len(close)) < 1)).tolist()
    assert_array_equal(np.isnan(found.root), np.isnan(found.move))
    live = root().live()
    for price, *expected in zip(close, found.root, found.move):
        assert_array_equal(tuple(live.update(price)), expected)


def test_live_plan_and_board(ta: ModuleType) -> None:
    whole = force(BARS["close"], BARS["volume"], 13)
    live = force.live()
    for close, volume in zip(BARS["close"][:200].tolist(), BARS["volume"][:200].tolist()):
        live.update(close, volume)
    assert live.peek(1.0, 2.0) == live.copy().update(1.0, 2.0)
    assert_allclose(live.value, whole[199], rtol=1e-12, atol=1e-6)
    plan = ta.Plan(force=force(13), wide=channel(5, 1.5), rsi=ta.RSI(14))
    frame = plan(pd.DataFrame(BARS))
    assert list(frame) == ["force", "wide_upper", "wide_lower", "rsi"]
    assert_array_equal(frame["force"], whole)
    names = ("close", "volume", "high", "low")
    board = plan.live(symbols=2, history={name: np.stack([BARS[name]] * 2) for name in names})
    assert_allclose(board["force"], [whole[-1]] * 2, rtol=1e-12)
    again = pickle.loads(pickle.dumps(board))
    for one in (board, again):
        one.update(**{name: [3.0, 4.0] for name in names})
    assert_array_equal(board["wide"].upper, again["wide"].upper)


def test_series_come_back_as_series(ta: ModuleType) -> None:
    index = pd.date_range("2024-01-01", periods=400)
    result = force(pd.Series(BARS["close"], index, name="close"), pd.Series(BARS["volume"], index))
    assert isinstance(result, pd.Series)
    assert result.index is index or result.index.equals(index)


def test_definitions_are_values() -> None:
    assert force(13) == force() == force(timeperiod=13) != force(12)
    assert hash(force(13)) == hash(force())
    assert pickle.loads(pickle.dumps(force(7))) == force(7)
    assert pickle.loads(pickle.dumps(force)) is force
    assert repr(force(7)) == "force(timeperiod=7)"
    assert force(7, close="price").columns == ("price", "volume")
    assert force.__doc__ == "Elder's force index."


def test_the_flag_chooses_the_twin() -> None:
    with flags.override("indicators", "python"):
        assert force.live().backend == "python"


@pytest.mark.parametrize(
    ("calculate", "error", "text"),
    [
        (lambda o, x, n=0: o.mean(x, n), ValueError, r"<lambda>: mean: period: expected an int in 1\.\."),
        (lambda o, x: o.mean(x, x), TypeError, "<lambda>: mean: period: expected a number that is known at trace time"),
        (lambda o, x: (x, x), ValueError, "expected a value, got 2: name them"),
        (lambda o: 1.0, TypeError, "1 to 8 inputs"),
        (lambda o, x, n="3": x, TypeError, "n: expected an int or a float as default"),
        (lambda o, *xs: xs, TypeError, "xs: expected an argument that may be given by position and by name"),
        (7, TypeError, "indicator: expected a function, got int"),
    ],
)
def test_mistakes_are_named_where_they_are_made(calculate: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        indicators.indicator(calculate)


def test_wrong_calls_say_what_is_wrong(ta: ModuleType) -> None:
    for arguments, error, text in (
        ((BARS["close"],), TypeError, "volume"),
        ((BARS["close"], BARS["volume"][:5]), ValueError, "expected arrays of one shape"),
        ((BARS["close"], BARS["volume"], 0), ValueError, r"timeperiod: expected an int in 1\.\.100000, got 0"),
        ((BARS["close"], BARS["volume"], 2.5), TypeError, "timeperiod: expected an int"),
        ((0,), ValueError, r"timeperiod: expected an int in 1\.\."),
    ):
        with pytest.raises(error, match=text):
            force(*arguments)
