"""Prices so large or so small that squares, sums or differences of them leave the range of float64."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastcore.indicators.registry import INDICATORS
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import DEFAULTS, PROGRAM_DEFAULTS, Case, inputs_of, walk
from tests.indicators.forms import FORMS
from tests.indicators.turns import in_turn

each_form = pytest.mark.parametrize("form", [FORMS[name] for name in ("function", "rows", "extended", "board")])
DEFINED = {case.row.name: case for case in (*DEFAULTS, *PROGRAM_DEFAULTS)}
SHARES = ("dx", "adx", "adxr", "plus_di", "minus_di", "cmo", "tsi", "smi", "correl")
ONLY_NEAR_0 = ("acos", "asin")  # have no result at any price of a walk


def prices(case: Case, bars: int = 250) -> list[Any]:
    return [np.round(x, 2) for x in inputs_of(case.row, walk(bars, seed=6))]


@each_form
@in_turn("name", SHARES)
@in_turn("power", [-500, -300, 300, 500])
def test_shares_do_not_depend_on_the_size_of_prices(ta: ModuleType, name: str, power: int, form: Any) -> None:
    case = DEFINED[name]
    usual = prices(case)
    for ours, wanted in zip(form(ta, case, [np.ldexp(x, power) for x in usual]), form(ta, case, usual)):
        assert_allclose(ours, wanted, rtol=1e-11, atol=1e-11)


@each_form
@in_turn("name", ["correl", "beta", "cov"])
def test_squares_that_overflow_give_no_number(ta: ModuleType, name: str, form: Any) -> None:
    case = Case(INDICATORS[name], (10.0, *DEFINED[name].params[1:]))
    x, y = prices(case)
    (usual,) = form(ta, case, [x, y])
    x[100] = y[100] = 1e200
    (ours,) = form(ta, case, [x, y])
    late = 111 if name == "beta" else 110  # of returns, two of which see the price
    assert not np.isfinite(ours[100:110]).any()
    assert_allclose(ours[late:], usual[late:], rtol=1e-9)
    assert_allclose(ours[:100], usual[:100], rtol=1e-9)


@in_turn("case", [case for name, case in DEFINED.items() if name not in ONLY_NEAR_0])
def test_results_are_numbers_again_after_a_spike(ta: ModuleType, case: Case) -> None:
    """In every input that is a price, and in the last one alone."""
    usual = prices(case)
    places = [j for j, name in enumerate(case.row.inputs) if name not in ("volume", "periods")] or [0]
    for chosen in (places, places[-1:]):
        inputs = [np.where((np.arange(250) == 80) & (j in chosen), 1e308, x) for j, x in enumerate(usual)]
        for name in ("function", "extended", "board"):
            for ours in FORMS[name](ta, case, inputs):
                assert not np.isnan(ours[-20:]).all(), name


@each_form
@in_turn("name", ["ema", "rsi", "atr", "obv", "cumsum", "tsi"])
def test_a_bar_at_which_a_recurrence_overflows_is_left_out(ta: ModuleType, name: str, form: Any) -> None:
    case = DEFINED[name]
    usual = prices(case)
    inputs = [np.insert(x, [80, 80], [1.7e308, -1.7e308]) for x in usual]
    for ours in form(ta, case, inputs):
        assert np.isfinite(ours[case.row.lookback(*map(int, case.params)) : 80]).all()
        assert np.isfinite(ours[82:]).all()


def halted(case: Case, still: int, by_bar: bool) -> list[Any]:
    """60 bars, then the last price, or the last bar again and again, without volume."""
    bars = walk(60, seed=4)
    last = {name: 0.0 if name == "volume" else x[-1] if by_bar else bars["close"][-1] for name, x in bars.items()}
    return [np.concatenate([bars[name], np.full(still, last[name])]) for name in case.row.inputs]


SHORT: dict[str, tuple[int, ...]] = {  # periods of which averages come to 0 within some 1,500 bars
    "plus_di": (3,),
    "minus_di": (3,),
    "cmo": (3,),
    "tsi": (3, 4),
    "smi": (5, 3, 4, 3),
    "rvi": (3, 4),
    "massi": (3, 4),
    "cvi": (3, 4),
    "pvo": (3, 5, 1),
    "ema": (4,),
}


def test_the_share_of_rises_leaves_out_bars_at_which_its_averages_overflow(ta: ModuleType) -> None:
    x = walk(200, seed=6)["close"].copy()
    x[[60, 61, 120]] = 1.7e308, -1.7e308, -1.7e308  # changes beyond the range, and within it
    share = ta.indicator(lambda o, real: o.rises(real, 5))
    live = share.live()
    stepped = np.array([live.update(value) for value in x])
    assert np.isnan(stepped[[61, 120]]).tolist() == [True, False]
    assert_array_equal(share(x), stepped)


@pytest.mark.parametrize("name", ["function", "extended", "board"])
@pytest.mark.parametrize("indicator", ["dx", "adx"])
@pytest.mark.parametrize("by_bar", [True, False])
def test_dx_keeps_its_value_through_a_long_halt(ta: ModuleType, indicator: str, name: str, by_bar: bool) -> None:
    """All its sums fall to 0 in the end, one after the other."""
    case = Case(INDICATORS[indicator], (3.0,))
    (ours,) = FORMS[name](ta, case, halted(case, 2500, by_bar))
    assert 0.0 < ours[60] < 100.0
    assert_allclose(ours[200:], ours[200], rtol=1e-12)


@pytest.mark.parametrize("indicator", SHORT)
def test_averages_come_to_0_at_the_same_bar_in_every_form(ta: ModuleType, indicator: str) -> None:
    case = Case(INDICATORS[indicator], tuple(map(float, SHORT[indicator])))
    inputs = halted(case, 2500, by_bar=False)
    if indicator == "ema":
        inputs = [np.concatenate([x[:60], np.zeros(2500)]) for x in inputs]
    whole = FORMS["function"](ta, case, inputs)
    for name in ("extended", "board"):
        for ours, wanted in zip(FORMS[name](ta, case, inputs), whole):
            assert_allclose(ours, wanted, rtol=1e-9, atol=1e-11)
            assert_array_equal(ours == 0.0, wanted == 0.0)
