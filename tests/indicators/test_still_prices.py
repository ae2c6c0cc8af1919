"""A price that stops (a halted symbol, a night): no digit of rounding is taken for a movement, in any form.

Expected values are those of the formulas, in decimal arithmetic of 60 digits whose exponents have no end.
"""

from __future__ import annotations

import decimal
import itertools
from collections.abc import Iterable, Iterator
from decimal import Decimal
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import CASES, DEFAULTS, Case, call, inputs_of, walk
from tests.indicators.forms import FORMS, each_form_of_each_case
from tests.indicators.turns import in_turn

PRICES = [19.99, 0.1, 1.0, 333.33, 1e8 + 0.1, 7e-9, 1e-300, 1e300]
IS_THE_PRICE = ("sma", "ema", "bbands", "min", "max", "vwap")
IS_ZERO = ("rsi", "macd", "stoch", "atr", "stddev")

each_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
each_default = in_turn("case", DEFAULTS)


def bars_of(case: Case, price: float, bars: int) -> list[Any]:
    return [np.full(bars, 300.0 if name == "volume" else price) for name in case.row.inputs]


def expected_of(case: Case, price: float) -> float:
    return price if case.row.name in IS_THE_PRICE else 0.0 if case.row.name in IS_ZERO else 300.0


@each_form_of_each_case
def test_constant_prices_are_exact(ta: ModuleType, case: Case, form: Any) -> None:
    for price in PRICES:
        bars = case.row.lookback(*map(int, case.params)) + 70
        lookback = case.row.lookback(*map(int, case.params))
        for output in form(ta, case, bars_of(case, price, bars)):
            assert set(output[lookback:]) == {expected_of(case, price)}, price


@each_form_of_each_case
def test_a_window_of_equal_prices_is_exact(ta: ModuleType, case: Case, form: Any) -> None:
    if not case.by_window:
        return
    lookback = case.row.lookback(*map(int, case.params))
    for price in (19.99, 1e8 + 0.1, 7e-9):
        moving = inputs_of(case.row, walk(150, start=price, step=price / 100.0))
        inputs = [np.concatenate([x, still]) for x, still in zip(moving, bars_of(case, price, lookback + 40))]
        for output in form(ta, case, inputs):
            assert set(output[150 + lookback :]) == {expected_of(case, price)}, price


# ---- recurrences, against 60 digits ----


def smoothed(values: list[Decimal], period: int, weight: Decimal, skip: int = 0) -> Iterator[Decimal | None]:
    """None until the mean of `period` values after `skip`, then ``y += weight * (x - y)``."""
    y = Decimal(0)
    for i, x in enumerate(values):
        if i < skip + period - 1:
            yield None
            continue
        y = sum(values[skip : i + 1], Decimal(0)) / period if i == skip + period - 1 else y + weight * (x - y)
        yield y


def ema(values: list[Decimal], period: int, skip: int = 0) -> list[Decimal | None]:
    return list(smoothed(values, period, Decimal(2) / (period + 1), skip))


def wilder(values: list[Decimal], period: int) -> list[Decimal | None]:
    return list(smoothed(values, period, Decimal(1) / period))


def reference(case: Case, inputs: list[Any]) -> list[list[Decimal | None]]:
    columns = [[Decimal(x) for x in column.tolist()] for column in inputs]
    close, period = columns[-1], int(case.params[0])
    changes = [b - a for a, b in itertools.pairwise(close)]
    if case.row.name == "ema":
        return [ema(close, period)]
    if case.row.name == "atr":
        high, low, _ = columns
        ranges = [max(h - lo, abs(h - c), abs(lo - c)) for h, lo, c in zip(high[1:], low[1:], close)]
        return [[None, *wilder(ranges, period)]]
    if case.row.name == "rsi":
        gains = wilder([max(x, Decimal(0)) for x in changes], period)
        moves = wilder([abs(x) for x in changes], period)
        return [[None, *(None if g is None else 100 * g / m if m else Decimal(0) for g, m in zip(gains, moves))]]
    fast, slow = sorted(map(int, case.params[:2]))
    pairs = zip(ema(close, fast, slow - fast), ema(close, slow))
    line = [None if a is None or b is None else a - b for a, b in pairs]
    first = slow - 1
    signal = [None] * first + ema([x for x in line if x is not None], int(case.params[2]))
    there = [None if s is None else x for x, s in zip(line, signal)]
    return [there, signal, [None if x is None or s is None else x - s for x, s in zip(there, signal)]]


RECURRENCES = [case for case in CASES if case.row.name in ("ema", "rsi", "macd", "atr")]


def halted(case: Case, moving: int, still: int, again: int = 0) -> list[Any]:
    """Prices in cents that stop, and maybe go on."""
    close = np.round(100.0 + np.cumsum(np.random.default_rng(5).normal(size=moving + again)), 2)
    close = np.concatenate([close[:moving], np.full(still, close[moving - 1]), close[moving:]])
    spread = np.where((np.arange(len(close)) < moving) | (np.arange(len(close)) >= moving + still), 0.5, 0.0)
    bars = {"real": close, "close": close, "high": close + spread, "low": close - spread}
    return [bars[name] for name in case.row.inputs]


def assert_forms_near(ta: ModuleType, forms: Iterable[str], case: Case, inputs: list[Any]) -> None:
    with decimal.localcontext(prec=60, Emin=-999_999, Emax=999_999):
        exact = reference(case, inputs)
    wanted = [np.array([np.nan if x is None else float(x) for x in output]) for output in exact]
    for name in forms:
        for ours, output in zip(FORMS[name](ta, case, inputs), wanted):
            assert_allclose(ours, output, rtol=1e-12, atol=1e-11, err_msg=name)


@in_turn("case", RECURRENCES)
def test_after_a_halt_between_sessions_the_formula_holds(ta: ModuleType, case: Case) -> None:
    assert_forms_near(ta, FORMS, case, halted(case, moving=120, still=300, again=40))


@in_turn("case", RECURRENCES)
def test_after_a_long_halt_the_formula_holds(ta: ModuleType, case: Case) -> None:
    """Long enough for binary exponents to end: what came before weighs nothing, and is not in the way."""
    inputs = halted(case, moving=60 + int(max(case.params)), still=4000, again=12)
    assert_forms_near(ta, ("function", "extended", "board"), case, inputs)


@pytest.mark.parametrize("form", [FORMS["function"], FORMS["rows"], FORMS["extended"], FORMS["board"]])
@pytest.mark.parametrize("period", [2, 3, 14, 64])
def test_rsi_keeps_its_value_while_nothing_moves(ta: ModuleType, period: int, form: Any) -> None:
    case = next(case for case in CASES if case.row.name == "rsi")._replace(params=(float(period),))
    inputs = halted(case, moving=200, still=3000)
    (output,) = form(ta, case, inputs)
    assert set(output[199:]) == {output[199]}
    assert 0.0 < output[199] < 100.0
    unchanged = np.flatnonzero(np.diff(inputs[0][:200]) == 0.0) + 1
    assert_array_equal(output[unchanged], output[unchanged - 1])


@each_form
def test_an_average_converges_to_the_price_from_one_side(ta: ModuleType, form: Any) -> None:
    """No crossing is signalled on the way, and none once the average is there."""
    case = Case(next(case.row for case in CASES if case.row.name == "ema"), (9.0,))
    for start in (90.0, 110.0):
        real = np.concatenate([np.linspace(start, 100.01, 50), np.full(700, 100.01)])
        (output,) = form(ta, case, [real])
        apart = (output - real)[49:]
        assert np.all(np.diff(np.abs(apart)) <= 0.0)
        assert np.all(apart * (start - 100.01) >= 0.0)
        assert set(apart[300:]) == {0.0}


@in_turn("case", [case for case in DEFAULTS if not case.by_window])
@pytest.mark.parametrize("name", ["function", "extended"])
def test_no_subnormal_numbers_appear(ta: ModuleType, case: Case, name: str) -> None:
    smallest = np.finfo(float).smallest_normal
    moving = inputs_of(case.row, walk(300))
    still = [np.full(12_000, 0.0 if name == "volume" else 100.0) for name in case.row.inputs]
    for column, stops in zip(moving, still):
        for x in (np.concatenate([column, stops]), np.concatenate([column, 0.0 * stops])):
            for output in FORMS[name](ta, case, [x] * len(moving)):
                there = np.abs(output[np.isfinite(output)])
                assert not np.any((there > 0.0) & (there < smallest))


@in_turn("outer", DEFAULTS)
@in_turn("inner", DEFAULTS)
def test_an_indicator_of_one_of_a_halted_price_is_the_same_on_both_ways(
    ta: ModuleType, outer: Case, inner: Case
) -> None:
    """Over the whole series and bar by bar, to the last bar."""
    moving = inputs_of(inner.row, walk(100))
    inputs = [np.concatenate([x, np.full(900, x[-1])]) for x in moving]
    first = call(getattr(ta, inner.row.name), inner, inputs)[-1]
    columns = [first for _ in outer.row.inputs]
    for whole, stepped in zip(FORMS["function"](ta, outer, columns), FORMS["extended"](ta, outer, columns)):
        assert_allclose(whole, stepped, rtol=1e-9, atol=1e-9)
