"""What the functions may be given: every form of the right input, every kind of the wrong one."""

from __future__ import annotations

import array
import re
from collections.abc import Callable
from decimal import Decimal
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests.indicators.arrays import assert_array_equal
from tests.indicators.cases import DEFAULTS, Case, call, inputs_of, walk
from tests.indicators.turns import in_turn

each_case = in_turn("case", DEFAULTS)


def strided(x: Any) -> Any:
    wide = np.full(2 * len(x), -1.0)
    wide[::2] = x
    return wide[::2]


def unaligned(x: Any) -> Any:
    raw = np.zeros(x.nbytes + 1, dtype=np.uint8)[1:]
    found = raw.view(np.float64)
    found[:] = x
    assert not found.flags.aligned
    return found


def read_only(x: Any) -> Any:
    found = x.copy()
    found.flags.writeable = False
    return found


class Subclass(np.ndarray[Any, Any]):
    """An array of a class of its own."""


class Wrapped:
    """Something that numpy can make an array of."""

    def __init__(self, x: Any) -> None:
        self._x = x

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._x


SAME: dict[str, Callable[[Any], Any]] = {
    "list": lambda x: x.tolist(),
    "tuple": lambda x: tuple(x.tolist()),
    "array.array": lambda x: array.array("d", x.tolist()),
    "memoryview": lambda x: memoryview(x.copy()),
    "strided": strided,
    "reversed": lambda x: x[::-1].copy()[::-1],
    "read-only": read_only,
    "big-endian": lambda x: x.astype(">f8"),
    "unaligned": unaligned,
    "longdouble": lambda x: x.astype(np.longdouble),
    "subclass": lambda x: x.view(Subclass),
    "masked, nothing masked": lambda x: np.ma.array(x),
    "__array__": Wrapped,
    "pandas Index": pd.Index,
}


@each_case
def test_every_array_type_gives_the_same_result(ta: ModuleType, case: Case) -> None:
    inputs = inputs_of(case.row, walk(120))
    function = getattr(ta, case.row.name)
    expected = call(function, case, inputs)
    for form, make in SAME.items():
        for ours, theirs in zip(call(function, case, [make(x) for x in inputs]), expected):
            assert type(ours) is np.ndarray, form
            assert ours.dtype == np.float64
            assert ours.flags.c_contiguous
            assert ours.flags.writeable
            assert_array_equal(ours, theirs, err_msg=form)


@each_case
def test_integers_bools_and_float32_are_converted(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    for dtype in ("f2", "f4", ">f4", "i1", "i2", "i4", "i8", ">i8", "u1", "u8"):
        inputs = [np.abs(np.round(x % 100)).astype(dtype) for x in inputs_of(case.row, walk(120))]
        expected = call(function, case, [x.astype(np.float64) for x in inputs])
        for ours, theirs in zip(call(function, case, inputs), expected):
            assert ours.dtype == np.float64
            assert_array_equal(ours, theirs, err_msg=dtype)


@each_case
def test_input_is_not_modified(ta: ModuleType, case: Case) -> None:
    inputs = inputs_of(case.row, walk(120))
    inputs[0][50] = np.nan
    copies = [x.copy() for x in inputs]
    outputs = call(getattr(ta, case.row.name), case, inputs)
    for x, copy in zip(inputs, copies):
        assert_array_equal(x, copy)
        assert not any(np.shares_memory(x, output) for output in outputs)


@each_case
def test_two_dimensional_input_has_one_symbol_per_row(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    rows = [inputs_of(case.row, walk(120, seed=seed)) for seed in range(5)]
    panels = [np.array(columns) for columns in zip(*rows)]
    expected = [np.array(columns) for columns in zip(*(call(function, case, row) for row in rows))]
    for form in (np.ascontiguousarray, np.asfortranarray, lambda x: x.astype("f8")[::-1][::-1], lambda x: x.tolist()):
        for ours, theirs in zip(call(function, case, [form(panel) for panel in panels]), expected):
            assert_array_equal(ours, theirs)


@each_case
def test_degenerate_shapes_keep_their_shape(ta: ModuleType, case: Case) -> None:
    for shape in ((0,), (1,), (0, 0), (0, 5), (5, 0), (3, 1), (1, 200)):
        for output in call(getattr(ta, case.row.name), case, [np.ones(shape) for _ in case.row.inputs]):
            assert output.shape == shape
            assert output.dtype == np.float64


@each_case
def test_an_empty_list_gives_an_empty_array(ta: ModuleType, case: Case) -> None:
    for output in call(getattr(ta, case.row.name), case, [[] for _ in case.row.inputs]):
        assert output.shape == (0,)


@each_case
def test_a_window_longer_than_the_series_gives_only_nan(ta: ModuleType, case: Case) -> None:
    periods = {param.name: 100_000 for param in case.row.params if param.kind == "int"}
    for bars in (1, 10, 5000):
        result = getattr(ta, case.row.name)(*inputs_of(case.row, walk(bars)), **periods)
        for output in result if case.row.result else (result,):
            assert len(output) == bars
            assert np.isnan(output).all() or not periods


@each_case
def test_arguments_may_be_named(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    inputs = inputs_of(case.row, walk(120))
    expected = call(function, case, inputs)
    params = {param.name: type(param.default)(param.default) for param in case.row.params}
    named = dict(zip(case.row.inputs, inputs))
    for result in (
        function(**named, **params),
        function(**dict(reversed(named.items()))),
        function(*inputs, **params),
        function(inputs[0], **dict(list(named.items())[1:])),
        function(*inputs, *(np.int32(v) if isinstance(v, int) else np.float32(v) for v in params.values())),
    ):
        for ours, theirs in zip(result if case.row.result else (result,), expected):
            assert_array_equal(ours, theirs)


@each_case
def test_pandas_series_keep_index_and_name(ta: ModuleType, case: Case) -> None:
    index = pd.date_range("2024-01-01", periods=120, freq="min")
    inputs = inputs_of(case.row, walk(120))
    expected = call(getattr(ta, case.row.name), case, inputs)
    outputs = call(getattr(ta, case.row.name), case, [pd.Series(x, index, name="AAPL") for x in inputs])
    names = [output.name for output in case.row.outputs] if case.row.result else ["AAPL"]
    for ours, theirs, name in zip(outputs, expected, names):
        pd.testing.assert_series_equal(ours, pd.Series(theirs, index, name=name))


@each_case
def test_polars_series_keep_their_name(ta: ModuleType, case: Case) -> None:
    inputs = inputs_of(case.row, walk(120))
    expected = call(getattr(ta, case.row.name), case, inputs)
    outputs = call(getattr(ta, case.row.name), case, [pl.Series("AAPL", x) for x in inputs])
    names = [output.name for output in case.row.outputs] if case.row.result else ["AAPL"]
    for ours, theirs, name in zip(outputs, expected, names):
        assert isinstance(ours, pl.Series)
        assert ours.name == name
        assert_array_equal(ours.to_numpy(), theirs)


def test_one_series_among_arrays_gives_series(ta: ModuleType) -> None:
    bars = walk(50)
    index = pd.RangeIndex(100, 150)
    for columns in (
        {"high": pd.Series(bars["high"], index), "low": bars["low"], "close": bars["close"]},
        {"high": bars["high"].tolist(), "low": bars["low"], "close": pd.Series(bars["close"], index)},
        {"high": bars["high"], "low": pd.Series(bars["low"], index), "close": pl.Series(bars["close"])},
    ):
        result = ta.atr(**columns)
        assert result.index is index or result.index.equals(index)
        assert_array_equal(result.to_numpy(), ta.atr(bars["high"], bars["low"], bars["close"]))


MISSING = [1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0, 8.0]


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(MISSING),
        pd.Series(MISSING, dtype="Float64"),
        pd.Series(MISSING, dtype="Int64"),
        pd.Series(MISSING, dtype="Float32"),
        pd.Series(MISSING, dtype=pd.SparseDtype("float64")),
        pl.Series(MISSING),
        pl.Series([None if x is None else int(x) for x in MISSING]),
        pl.Series(MISSING, dtype=pl.Float32),
        np.ma.array([1.0, 2, 3, 4, 5, 6, 7, 8], mask=[0, 0, 1, 0, 0, 0, 0, 0]),
        np.ma.array([1, 2, 3, 4, 5, 6, 7, 8], mask=[0, 0, 1, 0, 0, 0, 0, 0]),
    ],
    ids=lambda s: f"{type(s).__module__.split('.')[0]} {s.dtype}",
)
def test_null_and_na_are_missing_values(ta: ModuleType, series: Any) -> None:
    expected = ta.sma(np.array([1, 2, np.nan, 4, 5, 6, 7, 8]), 2)
    assert_array_equal(np.asarray(ta.sma(series, 2)), expected)


X = np.arange(1.0, 51.0)

WRONG: dict[str, tuple[Callable[[ModuleType], Any], type[Exception], str]] = {
    "None": (lambda ta: ta.rsi(None), TypeError, "real: expected numbers in 1 or 2 dimensions, got None"),
    "a string": (lambda ta: ta.rsi("12"), TypeError, "real: expected numbers in 1 or 2 dimensions, got str"),
    "bytes": (lambda ta: ta.rsi(b"12"), TypeError, "real: expected numbers in 1 or 2 dimensions, got bytes"),
    "a number": (lambda ta: ta.rsi(5.0), ValueError, "real: expected numbers in 1 or 2 dimensions, got 0 dimensions"),
    "a set": (lambda ta: ta.rsi({1.0}), TypeError, "real: expected numbers in 1 or 2 dimensions, got set"),
    "a dict": (lambda ta: ta.rsi({}), TypeError, "real: expected numbers in 1 or 2 dimensions, got dict"),
    "a generator": (
        lambda ta: ta.rsi(x for x in X),
        TypeError,
        "real: expected numbers in 1 or 2 dimensions, got generator",
    ),
    "strings": (lambda ta: ta.rsi(["1", "2"]), TypeError, "real: expected numbers, got an array of dtype <U1"),
    "objects": (
        lambda ta: ta.rsi(np.array([1.0, None])),
        TypeError,
        "real: expected numbers, got an array of dtype object",
    ),
    "decimals": (lambda ta: ta.rsi([Decimal(1)]), TypeError, "real: expected numbers, got an array of dtype object"),
    "a list with None": (
        lambda ta: ta.rsi([1.0, None]),
        TypeError,
        "real: expected numbers, got an array of dtype object",
    ),
    "bools": (lambda ta: ta.rsi(X > 3), TypeError, "real: expected numbers, got an array of dtype bool"),
    "complex": (lambda ta: ta.rsi(X * 1j), TypeError, "real: expected numbers, got an array of dtype complex128"),
    "times": (
        lambda ta: ta.rsi(X.astype("M8[s]")),
        TypeError,
        "real: expected numbers, got an array of dtype datetime64[s]",
    ),
    "records": (
        lambda ta: ta.rsi(np.zeros(3, "f8,f8")),
        TypeError,
        "real: expected numbers, got an array of dtype [('f0', '<f8'), ('f1', '<f8')]",
    ),
    "a ragged list": (
        lambda ta: ta.rsi([[1.0], [1.0, 2.0]]),
        TypeError,
        "real: expected numbers in 1 or 2 dimensions, got a list that numpy makes no array of",
    ),
    "0-D": (
        lambda ta: ta.rsi(np.array(1.0)),
        ValueError,
        "real: expected numbers in 1 or 2 dimensions, got 0 dimensions",
    ),
    "3-D": (
        lambda ta: ta.rsi(np.zeros((2, 3, 4))),
        ValueError,
        "real: expected numbers in 1 or 2 dimensions, got 3 dimensions",
    ),
    "a Series of text": (
        lambda ta: ta.rsi(pd.Series(["a"], dtype=object)),
        TypeError,
        "real: expected numbers, got a Series of dtype object",
    ),
    "a Series of bools": (
        lambda ta: ta.rsi(pd.Series([True])),
        TypeError,
        "real: expected numbers, got a Series of dtype bool",
    ),
    "a polars Series of text": (
        lambda ta: ta.rsi(pl.Series(["a"])),
        TypeError,
        "real: expected numbers, got a Series of dtype String",
    ),
    "a DataFrame": (
        lambda ta: ta.rsi(pd.DataFrame({"close": X})),
        TypeError,
        "real: expected a Series or an array, got a DataFrame: give one column, or use Plan; "
        "write rsi(frame['close'], 14)",
    ),
    "a polars DataFrame": (
        lambda ta: ta.rsi(pl.DataFrame({"close": X})),
        TypeError,
        "real: expected a Series or an array, got a polars DataFrame: give one column, or use Plan; "
        "write rsi(frame['close'], 14)",
    ),
    "polars expression": (
        lambda ta: ta.rsi(pl.col("close")),
        TypeError,
        "real: expected a Series or an array, got a polars Expr: map_batches() of the expression takes a function of "
        "its Series",
    ),
    "lengths": (
        lambda ta: ta.atr(X, X[1:], X),
        ValueError,
        "high, low, close: expected arrays of one shape, got (50,), (49,), (50,)",
    ),
    "shapes": (
        lambda ta: ta.obv(X.reshape(5, 10), X),
        ValueError,
        "real, volume: expected arrays of one shape, got (5, 10), (50,)",
    ),
    "indices": (
        lambda ta: ta.obv(pd.Series(X), pd.Series(X[:9], index=range(1, 10))),
        ValueError,
        "volume: expected a Series with the index of the others, 50 bars from 0 to 49, got another index, of 9 bars "
        "from 1 to 9",
    ),
    "the second": (
        lambda ta: ta.atr(X, None, X),
        TypeError,
        "low: expected numbers in 1 or 2 dimensions, got None",
    ),
    "period 0": (lambda ta: ta.rsi(X, 0), ValueError, "timeperiod: expected an int in 2..100000, got 0"),
    "period 1": (lambda ta: ta.rsi(X, 1), ValueError, "timeperiod: expected an int in 2..100000, got 1"),
    "period -3": (lambda ta: ta.sma(X, -3), ValueError, "timeperiod: expected an int in 1..100000, got -3"),
    "period too large": (
        lambda ta: ta.sma(X, 100_001),
        ValueError,
        "timeperiod: expected an int in 1..100000, got 100001",
    ),
    "period of many digits": (
        lambda ta: ta.sma(X, 10**400),
        ValueError,
        "timeperiod: expected an int in 1..100000, got an int past 1e18",
    ),
    "period 2**64": (
        lambda ta: ta.sma(X, 2**64 + 5),
        ValueError,
        "timeperiod: expected an int in 1..100000, got an int past 1e18",
    ),
    "a float period": (lambda ta: ta.sma(X, 5.0), TypeError, "timeperiod: expected an int in 1..100000, got 5.0"),
    "a bool period": (lambda ta: ta.sma(X, True), TypeError, "timeperiod: expected an int in 1..100000, got True"),
    "a period of None": (lambda ta: ta.sma(X, None), TypeError, "timeperiod: expected an int in 1..100000, got None"),
    "a period of text": (lambda ta: ta.sma(X, "5"), TypeError, "timeperiod: expected an int in 1..100000, got '5'"),
    "a period of an array": (
        lambda ta: ta.sma(X, X),
        TypeError,
        "timeperiod: expected an int in 1..100000, got an object of type ndarray",
    ),
    "the period named": (
        lambda ta: ta.sma(X, timeperiod=0),
        ValueError,
        "timeperiod: expected an int in 1..100000, got 0",
    ),
    "deviations of NaN": (
        lambda ta: ta.bbands(X, nbdevup=float("nan")),
        ValueError,
        "nbdevup: expected a number in -3e+37..3e+37, got nan",
    ),
    "deviations without end": (
        lambda ta: ta.stddev(X, 5, float("inf")),
        ValueError,
        "nbdev: expected a number in -3e+37..3e+37, got inf",
    ),
    "deviations of many digits": (
        lambda ta: ta.stddev(X, 5, 10**400),
        ValueError,
        "nbdev: expected a number in -3e+37..3e+37, got an int past 1e18",
    ),
    "deviations of text": (
        lambda ta: ta.stddev(X, 5, "2"),
        TypeError,
        "nbdev: expected a number in -3e+37..3e+37, got '2'",
    ),
    "a moving average not there": (
        lambda ta: ta.bbands(X, matype=14),
        ValueError,
        "matype: expected one of 0 simple (SMA), 1 exponential (EMA), 2 weighted (WMA), 3 double exponential (DEMA), 4 "
        "triple exponential (TEMA), 5 triangular (TRIMA), 6 adaptive (KAMA), 7 MESA adaptive (MAMA), 8 T3, 9 Hull "
        "(HMA), 10 none, 11 the function's own, 12 zero lag (ZLEMA), 13 Wilder's (RMA), got 14",
    ),
    "no arguments": (lambda ta: ta.rsi(), TypeError, "rsi() missing 1 required positional argument: 'real'"),
    "too few": (lambda ta: ta.atr(X, X), TypeError, "atr() missing 1 required positional argument: 'close'"),
    "too many": (
        lambda ta: ta.rsi(X, 5, 6),
        TypeError,
        "rsi() takes from 1 to 2 positional arguments but 3 were given",
    ),
    "one not known": (
        lambda ta: ta.rsi(X, zzz=5),
        TypeError,
        "rsi() got an unexpected keyword argument 'zzz'",
    ),
    "one given twice": (lambda ta: ta.rsi(X, real=X), TypeError, "rsi() got multiple values for argument 'real'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_raises_a_clear_error(ta: ModuleType, what: str) -> None:
    function, kind, text = WRONG[what]
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        function(ta)


def test_a_period_subclass_with_other_conversions_keeps_its_value(ta: ModuleType) -> None:
    class Liar(int):
        def __float__(self) -> float:
            return 2.5

        def __index__(self) -> int:
            return 10**9

        __int__ = __index__

    assert_array_equal(ta.sma(X, Liar(3)), ta.sma(X, 3))


def test_an_error_of_the_callers_own_passes_through(ta: ModuleType) -> None:
    class Refuses:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        ta.rsi(Refuses())


def test_input_with_a_conversion_that_calls_back_is_accepted(ta: ModuleType) -> None:
    class Nested:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return ta.sma(X, 3)

    assert_array_equal(ta.sma(Nested(), 4), ta.sma(ta.sma(X, 3), 4))


@each_case
def test_extreme_numbers_do_not_crash(ta: ModuleType, case: Case) -> None:
    rng = np.random.default_rng(4)
    for scale in (1e300, 1.7e308, 5e-324, 1e-310):
        inputs = [scale * rng.choice([-1.0, 0.0, 0.5, 1.0], size=300) for _ in case.row.inputs]
        for output in call(getattr(ta, case.row.name), case, inputs):
            assert output.shape == (300,)
        live = getattr(ta, case.row.definition)().live()
        for bar in zip(*(x.tolist() for x in inputs)):
            live.update(*bar)
            live.peek(*bar)
        assert live.count == 300


def test_series_of_equal_indexes_take_the_name_and_the_index_of_the_first(ta: ModuleType) -> None:
    bars = {key: np.arange(40.0) + 1.0 for key in ("high", "low", "close")}
    days = [pd.date_range("2024-01-01", periods=40) for _ in bars]
    inputs = [pd.Series(x, index, name=key) for (key, x), index in zip(bars.items(), days)]
    result = ta.atr(*inputs, 5)
    assert result.name == "high"
    assert result.index.equals(days[0])
    assert_array_equal(result, ta.atr(*bars.values(), 5))
    with pytest.raises(ValueError, match="low: expected a Series with the index of the others"):
        ta.atr(inputs[0], inputs[1].shift(freq="D"), inputs[2])
    with pytest.raises(ValueError, match=r"timeperiod: expected an int in 1\.\.100000, got 0"):
        ta.atr(*inputs, 0)
    pd.testing.assert_series_equal(ta.atr(*inputs, timeperiod=5), result)
    for args, kwargs in (((5, 6), {}), ((5,), {"timeperiod": 5}), ((), {"period": 5}), ((5,), {"high": 1.0})):
        with pytest.raises(TypeError):
            ta.atr(*inputs, *args, **kwargs)
