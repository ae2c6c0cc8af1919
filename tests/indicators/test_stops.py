"""Trailing stops against a reference in fractions, written with both sides of the market spelled out."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fastcore.dispatch import backends
from python_fallback.shared.indicators.program import Node, Program
from tests.indicators.arrays import assert_allclose
from tests.indicators.cases import walk

RATES = (0.02, 0.03, 0.2), (0.01, 0.05, 0.3)


@pytest.fixture
def core(backend: str) -> Any:
    return backends.twin("indicators", backend)


def parabolic(high: list[float], low: list[float], start: float, offset: float) -> list[float]:
    """Wilder's rules, bar by bar; stops of a short position below zero."""
    highs, lows = [Fraction(x) for x in high], [Fraction(x) for x in low]
    rise, fall = highs[1] - highs[0], lows[0] - lows[1]
    long = not (fall > 0 and fall > rise) if start == 0 else start > 0
    stop = Fraction(abs(start)) or (lows[0] if long else highs[0])
    peak, rate = highs[1] if long else lows[1], RATES[not long][0]
    found = [math.nan]
    for t in range(1, len(high)):
        recent_high, recent_low = max(highs[max(t - 1, 1)], highs[t]), min(lows[max(t - 1, 1)], lows[t])
        turns = lows[t] <= stop if long else highs[t] >= stop
        if turns:
            stop = max(peak, recent_high) if long else min(peak, recent_low)
            stop *= 1 + Fraction(offset) if long else 1 - Fraction(offset)
            long = not long
            peak, rate = highs[t] if long else lows[t], RATES[not long][0]
        found.append(float(stop if long else -stop))
        if not turns and (highs[t] > peak if long else lows[t] < peak):
            peak = highs[t] if long else lows[t]
            rate = min(rate + RATES[not long][1], RATES[not long][2])
        stop += Fraction(rate) * (peak - stop)
        stop = min(stop, recent_low) if long else max(stop, recent_high)
        stop = Fraction(round(stop * 2**120), 2**120)  # or its digits would grow without end
    return found


@pytest.mark.parametrize(("start", "offset"), [(0.0, 0.0), (0.0, 0.125), (60.0, 0.0), (-140.0, 0.01)])
def test_parabolic_stops_follow_wilders_rules(core: Any, start: float, offset: float) -> None:
    program = Program(2, (Node("parabolic", (0, 1), (start, offset, *RATES[0], *RATES[1], -1.0)),), (2,))
    for seed in range(4):
        bars = walk(600, seed=seed)
        high, low = bars["high"], bars["low"]
        if seed == 3:
            high, low = np.round(high), np.round(low)  # many equal prices
        expected = parabolic(high.tolist(), low.tolist(), start, offset)
        (found,) = core.batch(program, (), (high, low))
        assert_allclose(found, expected, rtol=1e-12)
        assert_allclose(core.Live(program, ()).extend(high, low), expected, rtol=1e-12)


def test_a_supertrend_is_a_stop_on_the_side_of_its_trend(ta: Any) -> None:
    bars = walk(800, seed=5)
    high, low, close = bars["high"], bars["low"], bars["close"]
    stop, trend = ta.supertrend(high, low, close, 10, 2.0)
    assert np.isnan(stop[:10]).all()
    assert set(trend[10:]) == {-1.0, 1.0}
    assert (trend[10:] * (close[10:] - stop[10:]) >= 0.0).all()
    same = trend[11:] == trend[10:-1]
    assert (trend[11:] * (stop[11:] - stop[10:-1]) >= 0.0)[same].all()  # it never moves away from the price
