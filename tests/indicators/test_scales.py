"""Prices of any size: results scale with them to the last digit, down to numbers that have hardly any digits left."""

from __future__ import annotations

from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import CASES, Case, inputs_of, walk
from tests.indicators.forms import FORMS, each_form_of_each_case
from tests.indicators.turns import in_turn

LEAST = 5e-324  # the smallest number above 0
SHARES = ("rsi", "stoch", "obv")  # do not change with the size of the price
each_form = pytest.mark.parametrize(
    "form", [FORMS[name] for name in ("function", "series", "rows", "extended", "board")]
)


@each_form_of_each_case
@pytest.mark.parametrize("power", [-400, -30, 400])
def test_a_power_of_two_changes_no_digit(ta: ModuleType, case: Case, form: Any, power: int) -> None:
    bars = inputs_of(case.row, walk(300))
    scaled = [x if name == "volume" else np.ldexp(x, power) for name, x in zip(case.row.inputs, bars)]
    for ours, usual in zip(form(ta, case, scaled), form(ta, case, bars)):
        assert_array_equal(ours, usual if case.row.name in SHARES else np.ldexp(usual, power))


def subnormals(bars: int) -> Any:
    return np.random.default_rng(2).integers(1, 10_000, bars) * LEAST


@each_form
@pytest.mark.parametrize("period", [2, 5, 9, 30])
def test_windows_over_subnormal_prices(ta: ModuleType, form: Any, period: int) -> None:
    x = subnormals(200)
    windows = np.lib.stride_tricks.sliding_window_view(np.round(x / LEAST), period)
    rows = {case.row.name: case.row for case in CASES}
    for name, wanted in (
        ("min", windows.min(axis=1)),
        ("max", windows.max(axis=1)),
        ("sma", [float(sum(map(Fraction, window)) / period) for window in windows.tolist()]),
    ):
        (ours,) = form(ta, Case(rows[name], (float(period),)), [x])
        # Half of the least number is no number: the mean, and each step on the way to it, is rounded.
        steps = 1.0 + np.log2(period) if name == "sma" else 0.0
        assert_allclose(ours[period - 1 :] / LEAST, wanted, rtol=0.0, atol=steps)
        assert np.isnan(ours[: period - 1]).all()


@each_form
@pytest.mark.parametrize("period", [2, 10, 30])
def test_an_exponential_average_of_subnormal_prices(ta: ModuleType, form: Any, period: int) -> None:
    x = subnormals(200)
    row = next(case.row for case in CASES if case.row.name == "ema")
    (ours,) = form(ta, Case(row, (float(period),)), [x])
    exact = [Fraction(value) for value in np.round(x / LEAST).tolist()]
    y = sum(exact[:period]) / period
    wanted = [float(y)]
    for value in exact[period:]:
        y += Fraction(2, period + 1) * (value - y)
        y = Fraction(round(y * 2**60), 2**60)
        wanted.append(float(y))
    assert_allclose(ours[period - 1 :] / LEAST, wanted, rtol=0.0, atol=period)


@in_turn("case", CASES)
@pytest.mark.parametrize("scale", [1e-310, LEAST, 1e-200, 1e150])
def test_batch_live_and_board_agree_at_every_scale(ta: ModuleType, case: Case, scale: float) -> None:
    if case.row.name == "rsi":
        scale = max(scale, 1e-310)  # averages of a few units of the last digit have no digits to make a ratio of
    inputs = [np.round(x) * scale for x in inputs_of(case.row, walk(250, start=1000.0, step=30.0))]
    batch = FORMS["function"](ta, case, inputs)
    for name in ("rows", "extended", "board"):
        for ours, theirs in zip(FORMS[name](ta, case, inputs), batch):
            assert_array_equal(np.isnan(ours), np.isnan(theirs))
            assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * min(1.0, scale) + 200 * LEAST)


@each_form
def test_a_price_whose_worth_overflows_has_no_average_and_leaves_nothing_behind(ta: ModuleType, form: Any) -> None:
    case = next(case for case in CASES if case.row.name == "vwap")
    bars = [np.where(np.arange(300) == 60, 1e200, x) for x in inputs_of(case.row, walk(300))]
    live = ta.VWAP().live()
    expected = np.array([live.update(*bar) for bar in zip(*(x.tolist() for x in bars))])
    assert np.flatnonzero(np.isnan(expected)).tolist() == [60]
    assert_allclose(form(ta, case, bars)[0], expected, rtol=1e-12)
