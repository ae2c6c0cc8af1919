"""Digits: against exact arithmetic, at large offsets, and after a spike."""

from __future__ import annotations

from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest

from tests.indicators.arrays import assert_allclose
from tests.indicators.cases import CASES, Case, call, inputs_of, walk
from tests.indicators.exact import mean_deviation, root, sliding, whole
from tests.indicators.turns import in_turn

OFFSETS = [0.0, 1e4, 1e8, -1e8]
PERIODS = [2, 5, 30, 200]


@in_turn("offset", OFFSETS)
@in_turn("period", PERIODS)
def test_means_are_exact_to_the_last_digits(ta: ModuleType, offset: float, period: int) -> None:
    x = walk(300, start=offset)["real"]
    values, unit = whole(x)
    expected = [float(Fraction(sum(window), period * unit)) for window in sliding(values, period)]
    assert_allclose(ta.sma(x, period)[period - 1 :], expected, rtol=1e-14, atol=1e-13)


@in_turn("offset", OFFSETS)
@in_turn("period", PERIODS)
def test_deviations_are_accurate_at_large_offsets(ta: ModuleType, offset: float, period: int) -> None:
    x = walk(300, start=offset)["real"]
    values, unit = whole(x)
    expected = []
    for window in sliding(values, period):
        total = sum(window)
        variance = Fraction(sum((period * value - total) ** 2 for value in window), period**3)
        expected.append(float(root(variance) / unit))
    assert_allclose(ta.stddev(x, period)[period - 1 :], expected, rtol=1e-11)


def test_deviations_of_constant_prices_are_zero(ta: ModuleType) -> None:
    moving = walk(100)["real"]
    x = np.concatenate([moving, np.full(100, 0.1), moving, np.full(100, 1e8 + 0.1)])
    result = ta.stddev(x, 10)
    assert np.all(result[109:200] == 0.0)
    assert np.all(result[309:400] == 0.0)
    assert np.all(ta.bbands(x, 10).upper[109:200] == ta.sma(x, 10)[109:200])


@in_turn("spike", [1e16, -1e16, 1e100])
@in_turn("case", [case for case in CASES if case.by_window])
def test_a_spike_leaves_no_trace_after_it_leaves_the_window(ta: ModuleType, case: Case, spike: float) -> None:
    clean = inputs_of(case.row, walk(5000))
    spiked = [x.copy() for x in clean]
    for x in spiked:
        x[1000] += spike
    function = getattr(ta, case.row.name)
    after = slice(1001 + case.row.lookback(*map(int, case.params)), None)
    for ours, expected in zip(call(function, case, spiked), call(function, case, clean)):
        assert_allclose(ours[after], expected[after], rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("period", [3, 17, 100])
def test_a_variance_beyond_the_largest_float_is_infinite(ta: ModuleType, period: int) -> None:
    x = walk(400)["real"]
    spiked = x.copy()
    spiked[200] = 1e300
    seen = slice(200, 200 + period)
    definition = ta.STDDEV(period)
    live = definition.live()
    for ours, clean in ((ta.stddev(spiked, period), ta.stddev(x, period)), (ta.var(spiked, period), ta.var(x, period))):
        assert np.all(np.isposinf(ours[seen]))
        assert_allclose(np.delete(ours, seen), np.delete(clean, seen), rtol=1e-12, atol=1e-12)
    assert_allclose([live.update(value) for value in spiked], ta.stddev(spiked, period), rtol=1e-12, atol=1e-12)


def test_tiny_prices_keep_full_precision(ta: ModuleType) -> None:
    bars = {name: x * 1e-12 for name, x in walk(300).items()}
    for case in CASES:
        scaled = call(getattr(ta, case.row.name), case, inputs_of(case.row, bars))
        usual = call(getattr(ta, case.row.name), case, inputs_of(case.row, walk(300)))
        for ours, expected in zip(scaled, usual):
            ratio = 1.0 if case.row.name in ("rsi", "stoch") else 1e-12
            assert_allclose(ours, expected * ratio, rtol=1e-8, atol=1e-11 * ratio)


def test_rsi_reaches_0_and_100_exactly(ta: ModuleType) -> None:
    assert ta.rsi(np.arange(20.0), 5)[-1] == 100.0
    assert ta.rsi(-np.arange(20.0), 5)[-1] == 0.0
    assert ta.rsi(np.ones(20), 5)[-1] == 0.0


@pytest.mark.parametrize("window", [200, 900])
def test_mean_deviations_of_wide_windows_are_exact_whatever_else_there_is(ta: ModuleType, window: int) -> None:
    rng = np.random.default_rng(31)
    moving, bar = walk(2400)["real"], np.arange(2400)
    for x in (
        moving,
        1e9 + rng.normal(size=2400),
        np.exp(4.0 * rng.normal(size=2400)),
        np.where(bar % 450 == 7, 1e16, moving),
        np.where(bar == 1000, 1e300, moving),
        np.where(bar < 1200, moving, 50.0 + 1e-7 * rng.normal(size=2400)),
        np.where(bar < 1000, moving, 0.1),
        1e-300 * moving,
    ):
        found = ta.avgdev(x, window)
        values, unit = whole(x)
        for end in range(window, 2401, 97):
            exact = float(mean_deviation(values[end - window : end]) / unit)
            assert found[end - 1] == pytest.approx(exact, rel=1e-10, abs=0.0)
