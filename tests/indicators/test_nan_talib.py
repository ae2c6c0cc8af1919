"""`nan="talib"` against TA-Lib 0.8.2, for every function, with each input missing in turn and all of them at times."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import talib

from fastcore.indicators.registry import INDICATORS, Indicator, rolling
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import Case, every_case, on_twin, real_prices, walk
from tests.indicators.gaps import KINDS, columns_of, from_talib, gaps, outputs, still_columns, typed
from tests.indicators.turns import in_turn

ROWS = [row for row in INDICATORS.values() if row.group != rolling.GROUP]
BARS = {"compiled": 1100, "python": 420}  # sums over 30 bars are begun again after 960
# TA-Lib keeps a NaN in the sorted window of this one, and gives numbers of other windows for good.
SORTED = "percentile"
compiled = pytest.mark.skipif(PURE_ONLY, reason="the pure twin carries out the same programs")


# With values that tie or stand still TA-Lib's results after a missing value depend on what its running sums and the
# extremes of its windows were before: sums begin again where digits were lost (the first five; RVI is made of one of
# them), and of equal values it finds an older one, or none for a bar, where it seeks an extreme again.
BY_VALUES = ("stddev", "var", "beta", "correl", "rvi", "minindex", "maxindex", "minmaxindex", "donchian", "stochf")


def compare(backend: str, case: Case, columns: list[Any], kind: str = "") -> None:
    row, params = case.row, typed(*case)
    for what, mask in gaps(row, params, len(columns[0])):
        inputs = [np.where(gone, np.nan, x) for gone, x in zip(mask, columns)]
        ours = outputs(on_twin(backend, row.name)(*inputs, *params, nan="talib"))
        for a, b in zip(ours, from_talib(row, inputs, params), strict=True):
            b = np.where(np.isinf(b), np.nan, b)
            assert_allclose(a, b, rtol=1e-8, atol=1e-8, err_msg=f"{case}, {what} {kind}")


@in_turn("row", [row for row in ROWS if row.name != SORTED])
def test_results_are_those_of_talib(backend: str, row: Indicator) -> None:
    case = Case(row, tuple(param.default for param in row.params))
    compare(backend, case, columns_of(row, BARS[backend]))


# The first two are not TA-Lib's without missing data either. The others begin their sums again by their values too.
OTHERS = [
    case
    for case in every_case(ROWS, (1,))
    if case.row.params and case.row.name not in ("minus_di", "plus_di", "beta", SORTED)
]


@compiled
@in_turn("case", OTHERS)
def test_results_with_other_parameters_are_those_of_talib(case: Case) -> None:
    compare("compiled", case, columns_of(case.row, 700))


STILL_BARS = {"compiled": 420, "python": 170}
STILL = [row for row in ROWS if row.name not in (*BY_VALUES, SORTED)]


@in_turn("row", STILL)
def test_results_on_series_that_stand_still_are_those_of_talib(backend: str, row: Indicator) -> None:
    case = Case(row, tuple(param.default for param in row.params))
    for kind in KINDS if backend == "compiled" else KINDS[:2]:
        compare(backend, case, still_columns(row, STILL_BARS[backend], kind), kind)


@compiled
@in_turn("case", [case for case in OTHERS if case.row in STILL])
def test_results_on_series_that_stand_still_with_other_parameters(case: Case) -> None:
    for kind in KINDS:
        compare("compiled", case, still_columns(case.row, 420, kind), kind)


@in_turn("row", STILL)
def test_live_on_series_that_stand_still_gives_what_the_function_does(
    ta: ModuleType, backend: str, row: Indicator
) -> None:
    params = next(every_case([row], (1,))).params
    for kind in KINDS if backend == "compiled" else KINDS[:2]:
        columns = still_columns(row, STILL_BARS[backend], kind)
        for place, x in enumerate(columns):
            x[[20 + place, 90 + 5 * place]] = np.nan
        live = getattr(ta, row.definition)(*typed(row, params)).live(nan="talib")
        whole = getattr(ta, row.name)(*columns, *typed(row, params), nan="talib")
        for a, b in zip(outputs(live.extend(*columns)), outputs(whole), strict=True):
            assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=kind)


@pytest.mark.parametrize("seed", range(3))
def test_sums_begin_again_after_a_window_without_movement(ta: ModuleType, seed: int) -> None:
    random = np.random.default_rng(seed)
    for turn in range(40):
        names = ("open", "high", "low", "close", "volume")
        columns = {name: np.repeat(random.integers(1, 4, 60), random.integers(1, 7, 60))[:60] * 1.0 for name in names}
        columns["volume"] -= 1.0
        ends = [columns[name] for name in ("open", "high", "low", "close")]
        columns["high"], columns["low"] = np.maximum.reduce(ends), np.minimum.reduce(ends)
        columns["close"] -= 1.0 * (turn % 4 == 0)  # prices of 0
        for x in columns.values():
            x[random.integers(1, 60, random.integers(0, 2))] = np.nan
        columns["real"] = columns["close"]
        for name in ("er", "mfi", "vortex", "ultosc", "bop", "pvt", "vwma", "rvol"):
            row = INDICATORS[name]
            inputs, params = [columns[one] for one in row.inputs], [int(random.integers(2, 6)) for _ in row.params]
            ours = outputs(getattr(ta, name)(*inputs, *params, nan="talib"))
            for a, b in zip(ours, from_talib(row, inputs, params), strict=True):
                b = np.where(np.isinf(b), np.nan, b)
                assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=f"{name}{params}, {turn}")


@compiled
@in_turn("row", [row for row in ROWS if row.group != "Math Transform" and not {"mavp", SORTED} & {row.name}])
def test_results_on_real_prices_are_those_of_talib(row: Indicator) -> None:
    params = typed(row, [param.default for param in row.params])
    for symbol, prices in real_prices().items():
        inputs = [np.array(prices[name][:900], dtype=float) for name in row.inputs]
        bars = len(inputs[0])
        for place, x in enumerate(inputs):
            x[[bars // 3 + place, bars // 2 + 3 * place, bars // 2 + 3 * place + 1]] = np.nan
        ours = outputs(on_twin("compiled", row.name)(*inputs, *params, nan="talib"))
        size = max(float(np.nanmax(np.abs(x))) for x in inputs)
        for a, b in zip(ours, from_talib(row, inputs, params), strict=True):
            assert_allclose(a, b, rtol=1e-8, atol=1e-9 * size, err_msg=symbol)


def test_a_close_before_the_first_window_is_in_its_pressure(ta: ModuleType) -> None:
    columns = {name: x for name, x in walk(60, seed=4).items() if name in ("high", "low", "close")}
    for x in columns.values():
        x[20] = np.nan  # the sums of 5 bars begin at the next one
    inputs = [columns[name] for name in ("high", "low", "close")]
    ours = ta.ultosc(*inputs, 5, 10, 25, nan="talib")
    assert_allclose(ours, talib.ULTOSC(*inputs, 5, 10, 25), rtol=1e-9, atol=1e-9)


def test_a_percentile_is_missing_while_its_window_holds_a_missing_value(ta: ModuleType) -> None:
    real = walk(300, seed=2)["close"]
    clean = talib.PERCENTILE(real, 20, 30.0)
    real[[50, 100]] = np.nan
    spoiled = [*range(19), *range(50, 70), *range(100, 120)]
    wanted = clean.copy()
    wanted[spoiled] = np.nan
    assert_allclose(ta.percentile(real, 20, 30.0, nan="talib"), wanted, rtol=1e-12)


def test_williams_r_stays_in_its_range_as_in_talib(ta: ModuleType) -> None:
    high = np.array([10.0, 11.0, 12.0, 13.0])
    for close in (high + 3.0, high - 5.0):
        wanted = talib.WILLR(high, high - 2.0, close, 3)
        assert_array_equal(ta.willr(high, high - 2.0, close, 3, nan="talib"), wanted)


def test_an_infinite_value_is_a_missing_one(ta: ModuleType) -> None:
    """TA-Lib computes with it as numbers do, to infinite results; here no result is infinite."""
    real = walk(200, seed=3)["close"]
    real[[60, 150]] = np.nan
    for infinity in (np.inf, -np.inf):
        infinite = np.where(np.isnan(real), infinity, real)
        for function in (ta.sma, ta.rsi, ta.max, ta.linearreg, ta.kama, ta.exp):
            assert_array_equal(function(infinite, nan="talib"), function(real, nan="talib"))


def test_a_negative_zero_is_a_number(ta: ModuleType) -> None:
    real = np.where(np.arange(60) % 7 == 0, -0.0, np.arange(60.0) % 5)
    real[30] = np.nan
    for name in ("sma", "rsi", "mom", "rocp", "max", "minindex", "stddev", "atan", "ceil"):
        theirs = getattr(talib, name.upper())(real)
        if theirs.dtype.kind == "i":
            theirs = np.where(np.arange(60) < 29, np.nan, theirs)
        ours = getattr(ta, name)(real, nan="talib")
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9, err_msg=name)
    assert_array_equal(np.signbit(ta.ceil(real, nan="talib")), np.signbit(talib.CEIL(real)))
