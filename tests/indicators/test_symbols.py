"""Long tables with a MultiIndex of symbols and times: each symbol by itself, whatever the order of rows and levels."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastcore.indicators import ATR, MACD, RSI, SMA, Plan
from tests.indicators.arrays import assert_array_equal
from tests.indicators.cases import DEFAULTS, Case, call, inputs_of, walk
from tests.indicators.turns import in_turn

COLUMNS = ("high", "low", "close", "volume")
LENGTHS = {"AAPL": 90, "MSFT": 70, "GOOG": 41, "IPO": 2}


def times(bars: int) -> pd.DatetimeIndex:
    return pd.date_range("2024-01-01", periods=90, freq="D")[90 - bars :]


def long_table(names: tuple[str, str] = ("symbol", "time")) -> pd.DataFrame:
    parts = []
    for seed, (symbol, bars) in enumerate(LENGTHS.items()):
        data = {name: x for name, x in walk(bars, seed=seed, start=100.0 * 10**seed).items() if name in COLUMNS}
        index = pd.MultiIndex.from_product([[symbol], times(bars)], names=list(names))
        parts.append(pd.DataFrame(data, index=index))
    return pd.concat(parts)


ORDERS = {
    "symbol by symbol": lambda frame: frame,
    "time by time": lambda frame: frame.sort_index(level="time", kind="stable"),
    "times in the first level": lambda frame: frame.swaplevel(),
    "both": lambda frame: frame.swaplevel().sort_index(),
    "with a level of venues": lambda frame: frame.assign(venue="X").set_index("venue", append=True),
    "symbols as categories": lambda frame: (
        frame.reset_index().astype({"symbol": "category"}).set_index(["symbol", "time"])
    ),
    "levels that no row is of": lambda frame: pd.concat([frame, frame.rename({"AAPL": "OLD"}, level=0)]).iloc[
        : len(frame)
    ],
    "times as text": lambda frame: frame.reset_index().astype({"time": str}).set_index(["symbol", "time"]),
    "time zones": lambda frame: frame.tz_localize("UTC", level="time"),
}
each_order = pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))


def each_alone(frame: pd.DataFrame) -> Any:
    for symbol in LENGTHS:
        rows = frame.index.get_level_values("symbol") == symbol
        yield rows, {name: frame[name].to_numpy()[rows].copy() for name in COLUMNS}


@each_order
@in_turn("case", DEFAULTS)
def test_a_series_of_many_symbols_is_as_many_series(ta: ModuleType, case: Case, order: Any) -> None:
    frame = order(long_table())
    function = getattr(ta, case.row.name)
    columns = {"real": frame["close"], **{name: frame[name] for name in COLUMNS}}
    outputs = call(function, case, inputs_of(case.row, columns))
    for rows, data in each_alone(frame):
        for ours, alone in zip(outputs, call(function, case, inputs_of(case.row, {"real": data["close"], **data}))):
            assert ours.index.equals(frame.index)
            assert_array_equal(ours.to_numpy()[rows], alone)


@each_order
def test_a_plan_over_a_long_table(ta: ModuleType, order: Any) -> None:
    frame = order(long_table())
    plan = Plan(rsi=RSI(14), atr=ATR(5), macd=MACD(3, 6, 2), turnover=SMA(4, real="volume"))
    result = plan(frame)
    assert result.index.equals(frame.index)
    mapped = plan({name: frame[name] for name in COLUMNS})
    pd.testing.assert_series_equal(mapped["rsi"], result["rsi"], check_names=False)
    for rows, data in each_alone(frame):
        pd.testing.assert_frame_equal(
            result[rows].reset_index(drop=True), plan(pd.DataFrame(data)).reset_index(drop=True)
        )


def test_arrays_may_stand_for_some_columns(ta: ModuleType) -> None:
    frame = long_table()
    whole = ta.atr(frame["high"], frame["low"], frame["close"], 5)
    mixed = ta.atr(frame["high"].to_numpy(), frame["low"].tolist(), frame["close"], 5)
    pd.testing.assert_series_equal(whole, mixed, check_names=False)


def test_a_definition_computes_symbol_by_symbol(ta: ModuleType) -> None:
    frame = long_table()
    pd.testing.assert_series_equal(ta.RSI(14)(frame["close"]), ta.rsi(frame["close"], 14))


def test_one_symbol_is_one_series_and_may_be_live(ta: ModuleType) -> None:
    close = long_table()["close"]
    one = close.loc[["MSFT"]]
    live = ta.RSI(14).live()
    pd.testing.assert_series_equal(live.extend(one), ta.rsi(one, 14))
    text = "extend: expected the bars of one symbol, got a Series of several: a Board takes them"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        live.extend(close)
    assert live.count == 70


def test_a_row_without_a_symbol_belongs_to_no_symbol(ta: ModuleType) -> None:
    index = pd.MultiIndex.from_arrays([["A", None, "A", None, "B"], times(5)], names=["symbol", "time"])
    got = ta.sma(pd.Series([1.0, 10.0, 3.0, 20.0, 5.0], index), 2)
    assert_array_equal(got, [np.nan, np.nan, 2.0, 15.0, np.nan])


def test_missing_names_in_one_of_two_symbol_levels_are_distinguished(ta: ModuleType) -> None:
    venues, symbols = ["X", "Y", "X", "Y"], ["B", None, "B", None]  # of Y without a symbol, and of X with the last one
    index = pd.MultiIndex.from_arrays([venues, symbols, times(4)], names=["venue", "symbol", "time"])
    got = ta.sma(pd.Series([1.0, 10.0, 3.0, 20.0], index), 2)
    assert_array_equal(got, [np.nan, np.nan, 2.0, 15.0])


def test_a_table_without_rows(ta: ModuleType) -> None:
    empty = long_table().iloc[:0]
    assert ta.rsi(empty["close"]).shape == (0,)
    assert ta.Plan(rsi=RSI(14))(empty).shape == (0, 1)


UNCLEAR = {
    "no times": pd.MultiIndex.from_product([["A", "B"], [1, 2]], names=["symbol", "bar"]),
    "no names": pd.MultiIndex.from_product([["A", "B"], [1, 2]]),
    "two levels of times": pd.MultiIndex.from_product([times(2), times(2)], names=["day", "minute"]),
}


@pytest.mark.parametrize("index", UNCLEAR.values(), ids=list(UNCLEAR))
def test_a_table_that_does_not_say_what_is_a_symbol_is_refused(ta: ModuleType, index: Any) -> None:
    close = pd.Series(np.arange(4.0), index, name="close")
    for name, act in (
        ("real", lambda: ta.sma(close, 2)),
        ("real", lambda: ta.SMA(2)(close)),
        ("real", lambda: ta.SMA(2).live(close)),
        ("bars", lambda: Plan(sma=SMA(2))(close.to_frame())),
        ("real", lambda: Plan(sma=SMA(2))({"close": close})),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected a MultiIndex of symbols and one level of times, got"):
            act()


def test_a_board_takes_one_bar_per_symbol_with_any_index(ta: ModuleType) -> None:
    close = long_table()["close"].groupby(level="symbol", sort=False).last()
    board = Plan(sma=SMA(1)).live(symbols=4)
    board.update(close=close)
    assert_array_equal(board["sma"], close.to_numpy())
    one_tick = pd.MultiIndex.from_product([list(LENGTHS), times(1)], names=["symbol", "time"])
    board.update(close=pd.Series([1.0, 2.0, 3.0, 4.0], one_tick))
    assert_array_equal(board["sma"], [1.0, 2.0, 3.0, 4.0])
