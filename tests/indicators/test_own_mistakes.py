"""Mistakes in indicators of the user's own: an error says what was expected, what came, and what to write."""

from __future__ import annotations

import functools
import json
import math
import traceback
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastcore import indicators
from fastcore.indicators.registry.schema import REAL_MAX
from python_fallback.shared.indicators import OPERATORS, Node, trace
from tests.indicators.arrays import assert_array_equal

X = [1.0, 2.0, 4.0]


@indicators.indicator
def mean(o: Any, real: Any, n: int = 2) -> Any:
    return o.mean(real, n)


def with_default(default: Any) -> Any:
    def own(o: Any, real: Any, n: Any = default) -> Any:
        return real + n

    return indicators.indicator(own)


@pytest.mark.parametrize(
    ("default", "text"),
    [
        (100_001, r"own: n: expected an int in -100000\.\.100000 as default, got 100001"),
        (-100_001, r"own: n: expected an int in -100000\.\.100000 as default, got -100001"),
        (10**400, r"own: n: expected an int in -100000\.\.100000 as default, got an int past 1e18"),
        (math.nan, r"own: n: expected a number in .* as default, got nan"),
        (-math.inf, r"own: n: expected a number in .* as default, got -inf"),
        (REAL_MAX * 1.001, r"own: n: expected a number in .* as default, got "),
        (np.float64(math.nan), r"own: n: expected a number in .* as default, got nan"),
    ],
)
def test_a_default_out_of_range_is_refused_where_it_is_written(default: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        with_default(default)


@pytest.mark.parametrize("default", [True, np.True_, None, "3", 1j])
def test_a_default_that_is_no_number_is_refused(default: Any) -> None:
    with pytest.raises(TypeError, match="own: n: expected an int or a float as default"):
        with_default(default)


@pytest.mark.parametrize("default", [1, 100_000, 0, -5, np.int64(3), 2.5, REAL_MAX, np.float32(0.5)])
def test_a_default_in_range_is_taken(ta: ModuleType, default: Any) -> None:
    own = with_default(default)
    assert_array_equal(own(X), np.add(X, float(default)))
    assert_array_equal(own(real=X), np.add(X, float(default)))
    assert own() == own(default) == own(n=default)


@pytest.mark.parametrize(
    ("calculate", "text"),
    [
        (lambda o, x: o.quantile(x, 5, 5, 1.5), r"quantile: share: expected a number in 0\.\.1, got 1\.5"),
        (lambda o, x: o.quantile(x, 5, 5, -0.1), r"quantile: share: expected a number in 0\.\.1, got -0\.1"),
        (lambda o, x: o.quantile(x, 5, 5, math.nan), r"quantile: share: expected a number in 0\.\.1, got nan"),
        (lambda o, x: o.line(x, 5, math.inf), "line: at: expected a finite number, got inf"),
        (lambda o, x: o.line(x, 5, math.nan), "line: at: expected a finite number, got nan"),
        (lambda o, x: o.smooth(x, 5, math.nan), "smooth: keep: expected a finite number, got nan"),
        (lambda o, x: o.within(x, x, x, math.inf), "within: by: expected a finite number, got inf"),
        (
            lambda o, x: o.parabolic(x, x, 0.0, 0.0, 0.1, math.nan, 0.2, 0.1, 0.1, 0.2, short_by=1.0),
            "parabolic: step_long: expected a finite number, got nan",
        ),
        (
            lambda o, x: o.parabolic(x, x, 0.0, 0.0, 0.1, 0.1, 0.2, 0.1, 0.1, math.inf, short_by=1.0),
            "parabolic: most_short: expected a finite number, got inf",
        ),
        (lambda o, x: o.line(x, 5, 10**400), "line: at: expected a finite number, got an int past 1e308"),
        (lambda o, x: o.mean(x, 10**5000), r"mean: period: expected an int in 1\.\.100000000, got an int past 1e308"),
        (lambda o, x: x + 10**400, "number: expected a number that a float holds, got an int past 1e308"),
    ],
)
def test_a_number_without_a_meaning_names_operator_and_parameter(calculate: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"^<lambda>: {text}|^<lambda>: add_number: {text}"):
        indicators.indicator(calculate)


def test_a_number_may_be_missing_or_infinite_where_that_means_something() -> None:
    def calculate(o: Any, x: Any) -> tuple[Any, ...]:
        found = o.ratio(x, x, math.nan), o.previous(x, math.inf), o.where(x > 1.0, x, math.nan), x * math.inf
        return *found, o.quantile(x, 3, 3, 0), o.quantile(x, 3, 3, 1)

    nodes = trace(calculate, 1, ()).nodes
    assert [node.operator for node in nodes if not np.isfinite(node.params).all()] == [
        *("ratio", "previous", "constant", "times")
    ]
    assert Node("quantile", (0,), (3.0, 3.0, 1.0, 0.0)) in nodes
    kinds = {declared.partition(":")[2] for row in OPERATORS.values() for declared in row.params}
    assert kinds == {"period", "pair", "count", "ties", "share", "number", "any"}


def fails(error: BaseException) -> Any:
    def own(o: Any, real: Any, n: int = 2) -> Any:
        if n > 2:
            raise error
        return real

    return indicators.indicator(own)


def test_an_error_of_the_users_function_stays_the_same_error(ta: ModuleType) -> None:
    class Special(ValueError):
        def __init__(self, place: int, text: str) -> None:
            super().__init__(place, text)

    for error in (json.JSONDecodeError("no", "{", 0), UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), KeyError("k")):
        own = fails(error)
        for call in (functools.partial(own, X, 3), functools.partial(own(3), X), own(3).live):
            with pytest.raises(type(error)) as raised:
                call()
            assert raised.value is error
        assert traceback.format_exception_only(error)[-1] == "raised in the indicator own\n"
        assert error.__notes__ == ["raised in the indicator own"]
    with pytest.raises(Special) as special:
        fails(Special(1, "x"))(3).live()
    assert special.value.args == (1, "x")


def test_a_usual_error_begins_with_the_name_of_the_indicator() -> None:
    for error in (TypeError("what"), ValueError("what"), AttributeError("what")):
        with pytest.raises(type(error), match=r"^own: what$") as raised:
            fails(error)(3).live()
        assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    ("outputs", "error", "text"),
    [
        (3, TypeError, "outputs: expected 1 to 4 names, got 3"),
        ("ab", TypeError, "outputs: expected 1 to 4 names, got 'ab'"),
        ((), TypeError, r"outputs: expected 1 to 4 names, got \(\)"),
        ({"a": 1, "b": 2}, TypeError, "outputs: expected 1 to 4 names, got {"),
        (("a", "a"), ValueError, "outputs: expected names that differ, got 'a' twice"),
        (("a", "class"), ValueError, "outputs: expected names that may be attributes, got 'class'"),
        ((["a"], "b"), ValueError, r"outputs: expected names that may be attributes, got \['a'\]"),
    ],
)
def test_names_of_outputs_are_checked(outputs: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"<lambda>: {text}"):
        indicators.indicator(outputs=outputs)(lambda o, x: (x, x))


@pytest.mark.parametrize("names", [3, int, 2.5])
def test_names_that_a_board_does_not_take(ta: ModuleType, names: Any) -> None:
    board = ta.Plan(mean=mean(), other=ta.SMA(2)).live(symbols=2)
    with pytest.raises(TypeError, match="names: expected some of mean, other, got "):
        board.reset(names=names)
    board.reset(names=("mean",))


def test_an_indicator_in_place_of_its_definition_is_named(ta: ModuleType) -> None:
    for given, instead in ((mean, "mean()"), (ta.RSI, "RSI()"), (ta.rsi, "RSI()")):
        text = rf"expected a definition such as RSI\(14\), got \w+; write {{}}{instead[:-2]}\(\)$"
        with pytest.raises(TypeError, match="definition: " + text.format("")):
            ta.Live(given)
        with pytest.raises(TypeError, match="a: " + text.format("a=")):
            ta.Plan(a=given)
    for other in (3, pd.DataFrame({"row": [1], "values": [2]}), ta.Definition, None):
        with pytest.raises(TypeError, match=r"definition: expected a definition such as RSI\(14\), got \w+$"):
            ta.Live(other)


@pytest.mark.parametrize(
    ("calculate", "text"),
    [
        (lambda o, x: np.where(x > 1, 1, 0), r"numpy\.where takes no value .*: write o\.where\(condition, x, y\)$"),
        (lambda o, x: np.mean(x), r"numpy\.mean takes no value .*: write o\.mean\(x, n\)$"),
        (lambda o, x: np.maximum(x, 0.0), r"numpy\.maximum takes no value .*: write o\.greatest\(x, y\)$"),
        (lambda o, x: np.logical_and(x, x), r"numpy\.logical_and takes no value .*: write a \* b$"),
        (lambda o, x: np.isnan(x), r"numpy\.isnan takes no value .*: write an operator"),
        (lambda o, x: np.arctan(x), r"numpy\.arctan takes no value .*: write o\.map\(\"atan\", x\)$"),
        (lambda o, x: np.array([1, 2.0]) * x, r"numpy\.multiply: expected a value .*, got an array of shape \(2,\)"),
        (lambda o, x: pd.Series([1, 2.0]) > x, r"numpy\.greater: expected a value .*, got an array of shape \(2,\)"),
        (lambda o, x: x * np.array([1, 2.0]), "mul: expected a value of the definition or a number, got ndarray"),
        (lambda o, x: np.asarray(x), "no array at trace time: write an operator"),
        (lambda o, x: np.array([x, x]), "no array at trace time: write an operator"),
        (lambda o, x: math.sqrt(x), r"no number at trace time: in place of a function of math write o\.sqrt\(x\)"),
        (lambda o, x: math.floor(x), r"no number at trace time: .* o\.map\(\"floor\", x\)"),
        (lambda o, x: int(x), "no number at trace time"),
        (lambda o, x: (x > 1) & (x < 2), r"has no &: write a \* b"),
        (lambda o, x: True & x, r"has no &: write a \* b"),
        (lambda o, x: (x > 1) | (x < 2), r"has no \|: write o\.greatest\(a, b\)"),
        (lambda o, x: (x > 1) ^ (x < 2), r"has no \^: write abs\(a - b\)"),
        (lambda o, x: ~(x > 1), "has no ~: write 1 - a"),
        (lambda o, x: x % 2, r"has no %: write x - y \* o\.map\(\"floor\", x / y\)"),
        (lambda o, x: x // 2, r"has no //: write o\.map\(\"floor\", x / y\)"),
        (lambda o, x: round(x), r"not rounded by round\(\): write o\.map\(\"floor\", x \+ 0\.5\)"),
        (lambda o, x: round(x, 2), r"not rounded by round\(\)"),
        (lambda o, x: x > 1 and x < 2, r"no truth .*; in place of and, or, not: a \* b, o\.greatest\(a, b\), 1 - a"),
        (lambda o, x: 1 < x < 2, r"no truth .*: write o\.where"),
        (lambda o, x: x.rolling(3).mean(), r"has no rolling: write o\.mean\(x, n\)"),
        (lambda o, x: x.shift(1), r"has no shift: write o\.lag\(x, n\)"),
        (lambda o, x: x.anything, "has no anything$"),
    ],
)
def test_habits_of_numpy_and_pandas_are_answered(calculate: Any, text: str) -> None:
    with pytest.raises((TypeError, AttributeError), match=f"^<lambda>: .*{text}"):
        indicators.indicator(calculate)


def test_what_errors_say_to_write_computes_that(ta: ModuleType) -> None:
    def calculate(o: Any, x: Any) -> tuple[Any, ...]:
        a, b = x > 1.0, x < 4.0
        return a * b, o.greatest(a, b), 1 - a, o.map("floor", x + 0.5)

    x = np.array([0.4, 2.5, 4.0, 7.7])
    both, either, neither, rounded = ta.indicator(outputs=("c", "d", "e", "f"))(calculate)(x)
    assert_array_equal(both, (x > 1.0) & (x < 4.0))
    assert_array_equal(either, (x > 1.0) | (x < 4.0))
    assert_array_equal(neither, ~(x > 1.0))
    assert_array_equal(rounded, [0.0, 3.0, 4.0, 8.0])

    def remainders(o: Any, x: Any) -> tuple[Any, ...]:
        a, b = x > 1.0, x < 4.0
        return abs(a - b), x - 2.0 * o.map("floor", x / 2.0), o.map("floor", x / 2.0)

    one, remainder, quotient = ta.indicator(outputs=("c", "d", "e"))(remainders)(x)
    assert_array_equal(one, (x > 1.0) ^ (x < 4.0))
    np.testing.assert_allclose(remainder, x % 2.0)
    assert_array_equal(quotient, x // 2.0)


def test_a_definition_goes_by_the_name_of_the_function(ta: ModuleType) -> None:
    with pytest.raises(TypeError, match=r"^mean\(\) got an unexpected keyword argument 'length'$"):
        mean(length=3)
    assert type(mean()).__name__ == "mean"

    @ta.indicator
    def other(o: Any, close: Any, timeperiod: int = 3) -> Any:
        return o.mean(close, timeperiod)

    with pytest.raises(TypeError, match=r"^other\(\) got .* 'length'; did you mean timeperiod\?$"):
        other(5, length=3)
    with pytest.raises(TypeError, match=r"^indicator\(\) got an unexpected keyword argument 'n'"):
        ta.indicator(lambda o, close, timeperiod=3: o.mean(close, timeperiod))(n=3)
