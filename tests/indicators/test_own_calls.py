"""Calls of indicators of the user's own: with data, with parameters, and of built-in indicators within them."""

from __future__ import annotations

import array
import functools
import re
from decimal import Decimal
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fastcore import indicators
from fastcore.indicators.registry import INDICATORS
from python_fallback.shared.indicators import Operators, program_of, trace
from tests.indicators.arrays import assert_array_equal

nan = np.nan
X = [1.0, 2.0, 4.0, 7.0]


@indicators.indicator
def mean(o: Any, real: Any, n: int = 3) -> Any:
    return o.mean(real, n)


@indicators.indicator
def spread(o: Any, high: Any, low: Any) -> Any:
    return high - low


@pytest.mark.parametrize(
    "data",
    [range(1, 5), array.array("d", [1, 2, 3, 4]), memoryview(array.array("d", [1, 2, 3, 4])), (1, 2, 3, 4)],
    ids=lambda data: type(data).__name__,
)
def test_data_are_what_built_in_indicators_take(ta: ModuleType, data: Any) -> None:
    assert_array_equal(mean(data), [nan, nan, 2.0, 3.0])
    assert_array_equal(mean(data, 2), [nan, 1.5, 2.5, 3.5])
    assert_array_equal(mean(real=data, n=2), [nan, 1.5, 2.5, 3.5])
    assert_array_equal(mean(2)(data), ta.sma(data, 2))
    assert_array_equal(spread(data, data), [0.0] * 4)


@pytest.mark.parametrize("data", [None, "abc", b"abc", pl.col("a"), pl.DataFrame({"a": X}), pd.DataFrame({"a": X})])
def test_what_is_no_data_is_refused_as_by_built_in_indicators(ta: ModuleType, data: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as built_in:
        ta.sma(data, 3)
    expected = str(built_in.value).partition("; write")[0]
    assert expected.startswith("real: expected ")
    for arguments in ((data,), (data, 3)):
        with pytest.raises(built_in.type, match=re.escape(expected)):
            mean(*arguments)
    with pytest.raises(built_in.type, match=re.escape(expected.replace("real", "high"))):
        spread(data, X)
    if not isinstance(data, str):  # which is the name of a column
        with pytest.raises(built_in.type, match=re.escape(expected)):
            mean(real=data)


def test_numbers_alone_make_a_definition(ta: ModuleType) -> None:
    assert mean(20) == mean(n=20) == mean(np.int64(20)) == mean(n=np.int64(20))
    assert mean() == mean(3) == mean(real="close")
    assert mean(20, real="price").columns == ("price",)
    assert spread(high="top").columns == ("top", "low")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mean(1, 2), r"mean: expected series \(real\), or parameters \(n\) for a definition, got 2 numbers"),
        (lambda: spread(1.0), r"spread: expected series \(high, low\), or parameters \(none\) for a definition"),
        (lambda: mean(True), r"n: expected an int in 1\.\.100000, got True"),
        (lambda: mean(2.5), r"n: expected an int in 1\.\.100000, got 2\.5"),
        (lambda: mean(Decimal(3)), r"n: expected an int in 1\.\.100000, got an object of type Decimal"),
        (lambda: mean(n="a"), r"n: expected an int in 1\.\.100000, got 'a'"),
        (lambda: mean(length=3), r"mean\(\) got an unexpected keyword argument 'length'"),
        (lambda: mean(X, length=3), r"mean\(\) got an unexpected keyword argument 'length'"),
    ],
)
def test_an_error_names_the_wrong_argument(ta: ModuleType, call: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        call()


def test_built_in_indicators_take_keywords_and_defaults_within_a_definition(ta: ModuleType) -> None:
    def calculate(o: Any, close: Any) -> Any:
        macd, signal, hist = o.macd(close, slowperiod=20)
        return o.sma(close, timeperiod=3) + o.rsi(close) + o.ema(real=close, timeperiod=4) + (macd - signal - hist)

    close = 100.0 + np.random.default_rng(4).normal(size=80).cumsum()
    expected = ta.sma(close, 3) + ta.rsi(close, 14) + ta.ema(close, 4)
    found = ta.indicator(calculate)(close)
    np.testing.assert_allclose(found[40:], expected[40:], rtol=1e-12)


@pytest.mark.parametrize(
    ("calculate", "text"),
    [
        (lambda o, x: o.sma(x, length=3), r"got an unexpected keyword argument 'length'; did you mean timeperiod\?"),
        (lambda o, x: o.atr(x), r"atr\(\) missing 2 required positional arguments: 'low' and 'close'"),
        (lambda o, x: o.sma(x, 3, timeperiod=3), r"sma\(\) got multiple values for argument 'timeperiod'"),
        (lambda o, x: indicators.sma(x, 3), r"real: .*, got a value of a definition: within it operators compute"),
        (lambda o, x: mean(x, 3), r"real: .*, got a value of a definition: within it operators compute"),
    ],
)
def test_a_wrong_call_within_a_definition_is_explained(ta: ModuleType, calculate: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        ta.indicator(calculate)


def test_every_built_in_indicator_has_its_defaults_within_a_definition() -> None:
    for name, row in INDICATORS.items():
        if name in vars(Operators):  # an operator has this name
            continue
        outputs = [output.name for output in row.outputs] if row.result else None
        own = indicators.indicator(outputs=outputs)(_calling(name, len(row.inputs)))
        assert own().lookback == getattr(indicators, row.definition)().lookback, name


def _calling(name: str, inputs: int) -> Any:
    calls = {
        1: lambda o, a: getattr(o, name)(a),
        2: lambda o, a, b: getattr(o, name)(a, b),
        3: lambda o, a, b, c: getattr(o, name)(a, b, c),
        4: lambda o, a, b, c, d: getattr(o, name)(a, b, c, d),
        5: lambda o, a, b, c, d, e: getattr(o, name)(a, b, c, d, e),
    }
    return calls[inputs]


def scaled_mean(o: Any, real: Any, volume: Any, n: int = 3, by: float = 1.0) -> Any:
    return o.mean(real * volume, n) * by


class Mean:
    """A mean whose length is known beforehand."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self, o: Any, real: Any, by: float = 1.0) -> Any:
        return o.mean(real, self.n) * by

    def method(self, o: Any, real: Any) -> Any:
        return o.mean(real, self.n)


def test_a_partial_is_an_indicator_with_other_defaults(ta: ModuleType) -> None:
    doubled = ta.indicator(functools.partial(functools.partial(scaled_mean, n=2), by=2.0))
    assert repr(doubled()) == "scaled_mean(n=2, by=2.0)"
    assert_array_equal(doubled(X, X), 2.0 * ta.sma(np.square(X), 2))
    assert_array_equal(doubled(X, X, 3, by=1.0), ta.sma(np.square(X), 3))
    weighted = ta.indicator(functools.partial(scaled_mean, real=2.0))  # an input that has a number is a parameter
    assert_array_equal(weighted(X, n=2), 2.0 * ta.sma(X, 2))


def test_an_object_that_is_callable_is_an_indicator(ta: ModuleType) -> None:
    own = ta.indicator(Mean(2))
    assert repr(own(2.0)) == "Mean(by=2.0)"
    assert (own.row.title, own.__doc__) == ("A mean whose length is known beforehand", Mean.__doc__)
    assert_array_equal(own(X, 2.0), 2.0 * ta.sma(X, 2))
    assert own().live(X).value == 5.5
    method = ta.indicator(Mean(2).method)
    assert repr(method) == "<indicator method(real)>"
    assert_array_equal(method(X), ta.sma(X, 2))


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (max, "max: expected a function whose arguments Python knows, got a builtin_function_or_method"),
        (functools.partial(scaled_mean, 1), "scaled_mean: expected a partial of keyword arguments"),
        (functools.partial(scaled_mean, n="3"), "scaled_mean: n: expected an int or a float as default, got '3'"),
        (mean, r"indicator: expected a function, got <indicator mean\(real, n\)>, which is an indicator"),
    ],
)
def test_what_cannot_be_an_indicator_is_refused(function: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        indicators.indicator(function)


def test_the_pure_tracing_takes_all_arguments_of_a_built_in_indicator() -> None:
    assert trace(lambda o, x: o.sma(x, timeperiod=3), 1, ()) == program_of("sma", (3.0,))
