"""`out=`: results in arrays of the caller's."""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastcore import Switch, flags, indicators
from fastcore.indicators import destination
from fastcore.indicators.registry import INDICATORS
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import DEFAULTS, PROGRAM_DEFAULTS, Case, call, inputs_of, walk
from tests.indicators.turns import in_turn

X = walk(300)["real"]
BARS = {name: np.array([x, x[::-1] + 1.0]) for name, x in walk(60).items()}


def own(like: tuple[Any, ...]) -> Any:
    """Arrays for the outputs, full of what no indicator gives."""
    arrays = tuple(np.full(x.shape, -12345.0) for x in like)
    return arrays if len(arrays) > 1 else arrays[0]


@in_turn("case", [*DEFAULTS, *PROGRAM_DEFAULTS])
def test_out_holds_what_the_call_returns(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    gap = {name: x.copy() for name, x in BARS.items()}
    gap[case.row.inputs[0]][0, 40] = np.nan
    for bars in (BARS, {name: x[0] for name, x in BARS.items()}, gap):
        inputs = inputs_of(case.row, bars)
        wanted = call(function, case, inputs)
        out = own(wanted)
        found = function(*inputs, *given(case), out=out)
        if case.row.result:
            assert type(found).__name__ == case.row.result
            assert all(a is b for a, b in zip(found, out, strict=True))
        else:
            assert found is out
        for a, b in zip(found if case.row.result else (found,), wanted):
            assert_array_equal(a, b)


def given(case: Case) -> list[Any]:
    return [value if param.kind == "float" else int(value) for param, value in zip(case.row.params, case.params)]


def test_out_may_be_an_input(ta: ModuleType) -> None:
    for shift in (0, 3):
        memory = np.concatenate([X, np.zeros(3)])
        source, out = memory[:300], memory[shift : shift + 300]
        wanted = ta.ema(X, 7)
        assert ta.ema(source, 7, out=out) is out
        assert_array_equal(out, wanted)
    high, low = X + 1.0, X - 1.0
    wanted = ta.aroon(high, low, 5)
    found = ta.aroon(high, low, 5, out=(low, high))
    assert found.down is low
    assert_array_equal(low, wanted.down)
    assert_array_equal(high, wanted.up)


def test_none_in_a_tuple_is_a_new_array(ta: ModuleType) -> None:
    signal = np.empty(300)
    found = ta.macd(X, out=(None, signal, None))
    assert found.signal is signal
    for a, b in zip(found, ta.macd(X)):
        assert_array_equal(a, b)
    assert ta.sma(X, 5, out=None) is not X


def test_series_and_long_tables_are_written_into_arrays(ta: ModuleType) -> None:
    out = np.empty(300)
    times = pd.date_range("2024-01-01", periods=150)
    for index in (pd.RangeIndex(300), pd.MultiIndex.from_product([times, ["A", "B"]], names=["time", "symbol"])):
        series = pd.Series(X, index)
        assert ta.sma(series, 5, out=out) is out
        assert_array_equal(out, ta.sma(series, 5).to_numpy())
        assert_array_equal(ta.macd(series, out=(None, out, None)).signal, ta.macd(series).signal.to_numpy())


def test_a_file_in_memory_and_a_row_of_a_matrix_are_written_into(ta: ModuleType, tmp_path: Path) -> None:
    file = np.memmap(tmp_path / "rsi", dtype=np.float64, mode="w+", shape=(300,))
    matrix = np.zeros((3, 300))
    assert ta.rsi(X, 14, out=file) is file
    row = matrix[1]
    assert ta.rsi(X, 14, out=row) is row
    for x in (file, matrix[1]):
        assert_array_equal(x, ta.rsi(X, 14))
    assert not matrix[[0, 2]].any()


def test_definitions_and_indicators_of_the_users_take_out(ta: ModuleType) -> None:
    @ta.indicator
    def spread(o: Any, close: Any, timeperiod: int = 5) -> Any:
        return close - o.mean(close, timeperiod)

    out = np.empty(300)
    for function in (ta.SMA(5), spread, spread(7)):
        wanted = function(X)
        assert function(X, out=out) is out
        assert_array_equal(out, wanted)


def locked(x: Any) -> Any:
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    ("name", "out", "error", "text"),
    [
        (
            "rsi",
            np.zeros(299),
            ValueError,
            r"out: expected a float64 array of shape \(300,\), got one of shape \(299,\)",
        ),
        ("rsi", np.zeros((1, 300)), ValueError, "got one of shape"),
        ("rsi", np.zeros(300, "f4"), TypeError, "got one of float32"),
        ("rsi", np.zeros(300, ">f8" if np.dtype("<f8").isnative else "<f8"), TypeError, "in the other byte order"),
        ("rsi", np.zeros(600)[::2], ValueError, r"contiguous in memory, got one with strides \(16,\)"),
        ("rsi", locked(np.zeros(300)), ValueError, "that may be written to, got a read-only one"),
        ("rsi", [0.0] * 300, TypeError, "got a list"),
        ("rsi", np.ma.zeros(300), TypeError, "got an array of class MaskedArray"),
        ("rsi", pd.Series(np.zeros(300)), TypeError, "got a Series: set a column to the result instead"),
        ("rsi", (np.zeros(300),), TypeError, "got a tuple"),
        ("macd", np.zeros(300), TypeError, r"out: expected a tuple of 3 arrays \(macd, signal, hist\), got an array"),
        ("macd", (np.zeros(300),) * 2, ValueError, "got one of 2"),
        ("macd", (None, None, np.zeros(3)), ValueError, r"out: hist: expected a float64 array of shape \(300,\)"),
        ("macd", (X[:0].copy(),) * 3, ValueError, "out: macd: expected"),
    ],
)
def test_what_is_no_destination_is_refused(ta: ModuleType, name: str, out: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        getattr(ta, name)(X, out=out)


def test_outputs_must_not_share_memory(ta: ModuleType) -> None:
    memory = np.zeros(301)
    for out in ((memory[:300], memory[1:], None), (memory[:300],) * 3):
        with pytest.raises(ValueError, match="out: expected arrays with memory of their own, got"):
            ta.macd(X, out=out)
    assert not memory.any()
    with pytest.raises(ValueError, match="out: expected arrays with memory of their own, got a real and b real in the"):
        ta.Plan(a=ta.SMA(3), b=ta.SMA(4))({"close": X}, out={"a": memory[:300], "b": memory[1:]})


def test_a_plan_writes_into_a_mapping_of_arrays(ta: ModuleType) -> None:
    plan = ta.Plan(fast=ta.EMA(3), macd=ta.MACD(), slow=ta.SMA(9, real="volume"))
    for shape in ((300,), (3, 100)):
        columns = {"close": X.reshape(shape).copy(), "volume": X[::-1].reshape(shape).copy()}
        wanted = plan(columns)
        close, volume = columns["close"], columns["volume"]
        found = plan(columns, out={"slow": close, "macd": (None, volume, np.empty(shape))})
        assert found["slow"] is close
        assert found["macd"].signal is volume
        assert list(found) == list(wanted)
        assert_array_equal(found["fast"], wanted["fast"])
        assert_array_equal(close, wanted["slow"])
        for a, b in zip(found["macd"], wanted["macd"]):
            assert_array_equal(a, b)
    with pytest.raises(ValueError, match="out: expected some of fast, macd, slow, got 'rsi'"):
        plan({"close": X, "volume": X}, out={"rsi": X})
    with pytest.raises(TypeError, match=r"out: expected a mapping of the plan's names to arrays, got a list"):
        plan({"close": X, "volume": X}, out=[X])
    with pytest.raises(
        ValueError, match=r"out\['slow'\]: expected a float64 array of shape \(300,\), got one of shape"
    ):
        plan({"close": X, "volume": X}, out={"slow": X[:9]})
    with pytest.raises(TypeError, match="out: expected bars as a mapping of arrays, got a DataFrame"):
        plan(pd.DataFrame({"close": X, "volume": X}), out={"slow": X})


def plus(number: float) -> Any:
    """A function that takes `out` as the indicators do."""

    def function(real: Any, *, out: Any = None) -> Any:
        return np.add(real, number, out=out)

    return function


def test_calls_with_out_are_compared_while_both_twins_run() -> None:
    """Each version computes arrays of its own; the caller's array gets the answer."""
    name = "indicators.out"
    made = Switch(name, control=plus(1.0), candidate=plus(2.0))
    vars(made)["_deliver"] = functools.partial(destination.into, INDICATORS["rsi"])
    with flags.override(name, "shadow:100"):
        for _ in range(50):
            out = np.full(300, -1.0)
            assert made(X, out=out) is out
            assert_array_equal(out, X + 1.0)
    assert made.report().paired.pairs == made.report().mismatches > 0


@pytest.mark.skipif(PURE_ONLY, reason="compares the twins")
def test_indicators_are_compared_with_out() -> None:
    with flags.override("indicators", "shadow:100"):
        before = indicators.rsi.report()
        for _ in range(5):
            out = np.full(300, -1.0)
            assert indicators.rsi(X, 14, out=out) is out
            assert_allclose(out, indicators.rsi(X, 14))
            with pytest.raises(ValueError, match="out: expected a float64 array of shape"):
                indicators.rsi(X, 14, out=out[:5])
        assert indicators.rsi.report().mismatches == before.mismatches
