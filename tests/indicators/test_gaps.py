"""What missing data costs: every indicator keeps the policy that its row declares."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastcore import indicators
from fastcore.indicators.registry import INDICATORS
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import CASES, DEFAULTS, PROGRAM_DEFAULTS, Case, call, inputs_of, walk
from tests.indicators.forms import FORMS
from tests.indicators.turns import in_turn

GAPS = {
    "one in the middle": [150],
    "the first bar": [0],
    "within the first window": [3],
    "the last bar": [299],
    "two close together": [100, 103],
    "a run": list(range(120, 150)),
    "one in five": list(range(0, 300, 5)),
    "one in forty": list(range(7, 300, 40)),
    "all": list(range(300)),
}

each_case = in_turn("case", CASES)
each_gap = in_turn("gaps", GAPS.values())


def with_gaps(case: Case, gaps: list[int], value: float = np.nan) -> tuple[list[Any], Any]:
    """Inputs in which each gap hits one input or another, and where all are there."""
    inputs = [x.copy() for x in inputs_of(case.row, walk(300))]
    for turn, at in enumerate(gaps):
        inputs[turn % len(inputs)][at] = value
    return inputs, np.all([np.isfinite(x) for x in inputs], axis=0)


def assert_close(ours: Any, expected: Any, message: str = "") -> None:
    assert_allclose(ours, expected, rtol=1e-12, atol=1e-11, err_msg=message)


@in_turn("case", [case for case in CASES if case.by_window])
def test_a_gap_costs_a_window_exactly_its_length(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    for what, gaps in GAPS.items():
        inputs, there = with_gaps(case, gaps)
        expected = [np.full(300, np.nan) for _ in case.row.outputs]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
        for start, end in zip(edges[::2], edges[1::2]):  # each run without a gap is a series of its own
            for whole, part in zip(expected, call(function, case, [x[start:end].copy() for x in inputs])):
                whole[start:end] = part
        for ours, theirs in zip(call(function, case, inputs), expected):
            assert_close(ours, theirs, what)


@in_turn("case", [case for case in CASES if case.row.missing == "recurrence"])
def test_a_recurrence_skips_a_missing_bar(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    for what, gaps in GAPS.items():
        inputs, there = with_gaps(case, gaps)
        for ours, part in zip(call(function, case, inputs), call(function, case, [x[there] for x in inputs])):
            expected = np.full(300, np.nan)
            expected[there] = part
            assert_close(ours, expected, what)


EDGES: list[list[int]] = [
    *([at] for at in (255, 256, 257, 511, 1023, 1099)),
    [0, 256, 512],
    list(range(256, 512)),
    list(range(200, 600)),
    list(range(3, 1100, 7)),
]


@in_turn("case", [case for case in CASES if case.row.missing == "recurrence"])
def test_gaps_at_the_edges_of_a_block_are_handled(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    for gaps in EDGES:
        inputs = [x.copy() for x in inputs_of(case.row, walk(1100))]
        inputs[0][gaps] = np.nan
        there = np.isfinite(inputs[0])
        for ours, part in zip(call(function, case, inputs), call(function, case, [x[there] for x in inputs])):
            expected = np.full(1100, np.nan)
            expected[there] = part
            assert_close(ours, expected, str(gaps[:3]))


@each_gap
def test_bands_about_an_exponential_average(ta: ModuleType, gaps: list[int]) -> None:
    real = walk(300)["real"].copy()
    real[gaps] = np.nan
    middle, deviation = ta.ema(real, 10), ta.stddev(real, 10)
    middle = np.where(np.isnan(deviation), np.nan, middle)
    bands = ta.bbands(real, 10, 2.0, 3.0, 1)
    assert_close(bands.middle, middle)
    assert_close(bands.upper, middle + 2 * deviation)
    assert_close(bands.lower, middle - 3 * deviation)


@each_gap
@pytest.mark.parametrize("kinds", [(0, 1), (1, 0), (1, 1)])
def test_a_stochastic_smoothed_exponentially(ta: ModuleType, gaps: list[int], kinds: tuple[int, int]) -> None:
    case = next(case for case in CASES if case.row.name == "stoch")
    (high, low, close), there = with_gaps(case, gaps)
    for x in (high, low, close):
        x[~there] = np.nan
    floor, ceiling = ta.min(low, 5), ta.max(high, 5)
    slowk = (ta.sma, ta.ema)[kinds[0]](100 * (close - floor) / (ceiling - floor), 3)
    slowd = (ta.sma, ta.ema)[kinds[1]](slowk, 4)
    result = ta.stoch(high, low, close, 5, 3, kinds[0], 4, kinds[1])
    assert_close(result.slowd, slowd)
    assert_close(result.slowk, np.where(np.isnan(slowd), np.nan, slowk))


@in_turn("case", [case for case in CASES if case.row.result])
def test_all_outputs_of_a_bar_are_missing_together(ta: ModuleType, case: Case) -> None:
    for what, gaps in GAPS.items():
        first, *others = call(getattr(ta, case.row.name), case, with_gaps(case, gaps)[0])
        for other in others:
            assert_array_equal(np.isnan(first), np.isnan(other), err_msg=what)


@each_case
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_is_a_missing_one(ta: ModuleType, case: Case, value: float) -> None:
    function = getattr(ta, case.row.name)
    gaps = [0, 40, 41, 150]
    expected = call(function, case, with_gaps(case, gaps)[0])
    for ours, theirs in zip(call(function, case, with_gaps(case, gaps, value)[0]), expected):
        assert_array_equal(ours, theirs)


@each_case
def test_rows_are_independent(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    rows = [with_gaps(case, gaps)[0] for gaps in GAPS.values()]
    panel = [np.array(columns) for columns in zip(*rows)]
    together = call(function, case, panel)
    for i, inputs in enumerate(rows):
        for whole, alone in zip(together, call(function, case, inputs)):
            assert_array_equal(whole[i], alone)


def test_a_gap_before_the_first_result_is_missing_in_every_window_that_holds_it(ta: ModuleType) -> None:
    real = np.arange(12.0)
    real[5] = np.nan  # the lookback is 10: no result is of bar 5, and those of bars 10 and 11 look back over it
    assert np.isnan(ta.mom(real, 10)).all()


# Maps, windows and recurrences alone and together; with an infinite constant, with places, with counts.
NAMES = (
    "add avgprice div exp ln tanh mom sma stddev donchian aroon maxindex fractal obv macd adx supertrend "
    "zlema kdj adxr stochrsi trix kama smi massi cvi rvi macdext mavp rank percentile zscore"
)


@pytest.mark.parametrize("share", [0.003, 0.02, 0.5])
@in_turn("name", NAMES.split())
def test_a_long_series_with_gaps_is_that_of_live_values(ta: ModuleType, name: str, share: float) -> None:
    rng = np.random.default_rng(41)
    row = INDICATORS[name]
    inputs = [np.round(x, 1) for x in inputs_of(row, walk(2600))]
    for x in inputs:
        x[rng.random(2600) < share / len(inputs)] = rng.choice([np.nan, np.inf])
        x[1000:1100] = np.nan
    definition = getattr(ta, row.definition)
    live = definition().live()
    expected = np.array([live.update(*bar) for bar in zip(*(x.tolist() for x in inputs))])
    found = definition()(*inputs)
    assert_allclose(np.transpose(found), expected, rtol=1e-9, atol=1e-9)


@indicators.indicator(outputs=("size", "twice"))
def scales(o: Any, real: Any) -> Any:
    return 1.0 / real, 2.0 / real + 0.0 * o.lag(real, 1)


@indicators.indicator
def averaged(o: Any, real: Any) -> Any:
    size = 1.0 / real
    return o.ema(size, 3) + o.highest(size, 4) + o.ema(abs(size), 2)


@pytest.mark.usefixtures("ta")
@pytest.mark.parametrize("function", [scales, averaged])
def test_an_infinite_result_is_one_and_a_gap_for_windows_and_averages(function: Any) -> None:
    rng = np.random.default_rng(43)
    holed = rng.integers(0, 9, 1300).astype(float)
    holed[rng.random(1300) < 0.1] = np.nan
    for real in (holed, np.where(np.isnan(holed), 2.0, holed)):
        live = function.live()
        expected = np.transpose([live.update(x) for x in real.tolist()])
        assert_allclose(function(real), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("at", [8191, 8192, 8193, 8220, 16383, 19999])
def test_a_gap_where_a_long_series_is_divided(ta: ModuleType, at: int) -> None:
    """Windows over a long series are computed in parts of 8,192 bars."""
    real = walk(20_000)["real"].copy()
    clean = {name: getattr(ta, name)(real, 30) for name in ("sma", "max", "linearreg", "midpoint", "trima")}
    real[at] = np.nan
    for name, expected in clean.items():
        expected[at : at + 30] = np.nan
        assert_close(getattr(ta, name)(real, 30), expected, name)


def test_a_gap_longer_than_a_part_of_a_long_series(ta: ModuleType) -> None:
    real = walk(30_000)["real"].copy()
    real[4_000:25_000] = np.nan
    found = ta.sma(real, 30)
    assert_close(found[:4_000], ta.sma(real[:4_000].copy(), 30))
    assert np.isnan(found[4_000:25_029]).all()
    assert_close(found[25_000:], ta.sma(real[25_000:].copy(), 30))


@indicators.indicator
def places(o: Any, real: Any) -> Any:
    return o.total(o.since_highest(real, 7, 2)) + 1000.0 * o.bar_number(real)


@pytest.mark.usefixtures("ta")
def test_places_begin_again_after_a_gap_and_bars_are_counted_through_it() -> None:
    rng = np.random.default_rng(42)
    real = rng.integers(0, 4, 2600).astype(float)
    real[rng.random(2600) < 0.03] = np.nan
    live = places.live()
    assert_array_equal(places(real), [live.update(x) for x in real.tolist()])


def test_a_window_of_one_bar_lacks_that_bar(ta: ModuleType) -> None:
    for bars in (20, 5_000):
        real = walk(bars)["real"]
        real[[3, bars - 5]] = np.nan
        for function in (ta.var, ta.sma, ta.wma, ta.median):
            assert np.flatnonzero(np.isnan(function(real, 1))).tolist() == [3, bars - 5], function.__name__


@in_turn("case", [*DEFAULTS, *PROGRAM_DEFAULTS])
def test_a_long_series_with_many_gaps_is_what_its_bars_give_in_turn(case: Case) -> None:
    """Many bars are taken otherwise where some are missing near the end, and where one is infinite, or far from all."""
    bars, rng = 600 if PURE_ONLY else 9_000, np.random.default_rng(3)
    for odd in ([1.0], [np.inf, -np.inf, np.inf], [2.0**110, 0.0, -1e20, 5e-324]):
        digits = 1e-11 if len(odd) < 4 else 1e-9  # fourth powers of distances from 5e-324
        inputs = [x.copy() for x in inputs_of(case.row, walk(bars))]
        for x in inputs:
            x[rng.random(bars) < 0.01] = np.nan
        for turn, value in enumerate(odd):
            inputs[turn % len(inputs)][bars // 3 + bars // 6 * turn] = value
        whole, in_turn = FORMS["function"](indicators, case, inputs), FORMS["extended"](indicators, case, inputs)
        for ours, expected in zip(whole, in_turn):
            size = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
            assert_allclose(ours, expected, rtol=digits, atol=digits + 1e-13 * size)
