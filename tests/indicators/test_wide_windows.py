"""Wide windows: values that are kept in order, bar by bar (mean deviations, quantiles and ranks), and long series."""

from __future__ import annotations

import pickle
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.exact import mean_deviation, whole
from tests.indicators.turns import in_turn

RNG = np.random.default_rng(61)
BARS = 1100
SERIES: dict[str, Any] = {
    "walk": 100.0 * np.exp(np.cumsum(0.01 * RNG.normal(size=BARS))),
    "ties": RNG.integers(0, 5, BARS) * 1.0,
    "rising": np.arange(BARS) * 1.0,
    "falling": np.arange(BARS) * -1.0,
    "constant": np.full(BARS, 0.1),
    "two levels": np.where(np.arange(BARS) // 150 % 2, 1e6, 1.0) + RNG.normal(size=BARS),
    "spikes": np.where(np.arange(BARS) % 97 == 5, 1e16 * RNG.choice([-1.0, 1.0], BARS), RNG.normal(size=BARS)),
    "offset": 1e8 + RNG.integers(-40, 40, BARS) * 2.0**-26,
    "gaps": np.where(RNG.random(BARS) < 0.003, np.nan, RNG.normal(size=BARS)),
}
WINDOWS = [257, 300, 450]
PURE_BARS = 500  # for the pure twin, which does for wide windows what it does for others


def definitions(ta: ModuleType, window: int) -> dict[str, Any]:
    return {
        "avgdev": ta.AVGDEV(window),
        "median": ta.MEDIAN(window),
        "quantile": ta.QUANTILE(window, 0.9, window // 3),
        "percentile": ta.PERCENTILE(window, 30.0),
        "rank": ta.RANK(window, 0, window // 3),
        "percentrank": ta.PERCENTRANK(window),
    }


@in_turn("kind", SERIES)
def test_ticks_are_the_series_and_a_peek_changes_nothing(ta: ModuleType, backend: str, kind: str) -> None:
    x = SERIES[kind][: BARS if backend == "compiled" else PURE_BARS]
    for window in WINDOWS[:1] if kind != "walk" else WINDOWS:
        for name, definition in definitions(ta, window).items():
            live, peeked, found = definition.live(), definition.live(), []
            for bar, value in enumerate(x.tolist()):
                if bar % 7 == 3:
                    peeked.peek(value + 1.0)
                    assert peeked.peek(value) == pytest.approx(peeked.copy().update(value), rel=0, abs=0, nan_ok=True)
                found.append(live.update(value))
                peeked.update(value)
                if bar % 250 == 249:
                    peeked = pickle.loads(pickle.dumps(peeked))
            assert_array_equal(peeked.value, live.value)
            wanted = definition(x)
            if name == "avgdev":
                assert_allclose(found, wanted, rtol=1e-12, err_msg=f"{name} {window}")
            else:
                assert_array_equal(found, wanted, err_msg=f"{name} {window}")


@pytest.mark.parametrize("window", WINDOWS)
def test_mean_deviations_are_exact_at_a_large_offset(ta: ModuleType, window: int) -> None:
    x = SERIES["offset"]
    found, live = ta.avgdev(x, window), ta.AVGDEV(window).live()
    ticks = [live.update(value) for value in x.tolist()]
    values, unit = whole(x)
    for end in range(window, BARS + 1, 83):
        exact = float(mean_deviation(values[end - window : end]) / unit)
        assert found[end - 1] == pytest.approx(exact, rel=1e-12)
        assert ticks[end - 1] == pytest.approx(exact, rel=1e-12)


def test_a_board_is_the_same_as_ticks_of_each_symbol(ta: ModuleType, backend: str) -> None:
    kinds, bars = (list(SERIES), BARS) if backend == "compiled" else (["walk", "ties", "gaps"], PURE_BARS)
    another, reset, pickled = (400, 700, 800) if bars == BARS else (300, 315, 365)
    prices = np.array([SERIES[kind] for kind in kinds])
    plan = ta.Plan(**definitions(ta, 260))
    board = plan.live(symbols=len(kinds) - 1)
    lives = [{name: d.live() for name, d in definitions(ta, 260).items()} for _ in kinds]
    for bar in range(bars):
        if bar == another:  # symbol, with its history
            board.add(1, history={"close": prices[-1:, :bar]})
        if bar == reset:
            board.reset(at=[1])
            lives[1] = {name: d.live() for name, d in definitions(ta, 260).items()}
        if bar == pickled:
            board = pickle.loads(pickle.dumps(board))
        some = slice(0, len(kinds) if bar >= another else len(kinds) - 1)
        board.update(close=np.ascontiguousarray(prices[some, bar]))
        for place, live in enumerate(lives):
            for name, one in live.items():
                value = one.update(float(prices[place, bar]))
                if bar % 50 == 49 and place < some.stop:
                    assert_array_equal(board[name][place], value, err_msg=f"{name} {kinds[place]} {bar}")


def test_a_spike_leaves_nothing_behind(ta: ModuleType) -> None:
    window, calm = 300, RNG.normal(size=BARS)
    spiked = calm.copy()
    spiked[350] = 1e16
    for name in ("avgdev", "median", "percentrank"):
        one, other = (definitions(ta, window)[name].live() for _ in range(2))
        values = [[live.update(value) for value in x.tolist()] for live, x in ((one, calm), (other, spiked))]
        assert_allclose(values[0][351 + window :], values[1][351 + window :], rtol=1e-13)


def test_mean_deviations_with_a_value_near_the_largest_number(ta: ModuleType) -> None:
    x = RNG.normal(size=700)
    x[350] = -0.4 * np.finfo(float).max
    live = ta.AVGDEV(300).live()
    found = np.array([live.update(value) for value in x.tolist()])
    others = np.r_[299:350, 351:649, 650:700]  # not where a form takes all distances from it, which overflows
    assert np.isfinite(found[others]).all()
    assert_allclose(found[others], ta.avgdev(x, 300)[others], rtol=1e-12)


@pytest.mark.parametrize("window", [200, 1_500, 4_096, 5_000])
def test_windows_of_thousands_of_bars_are_what_they_hold(ta: ModuleType, backend: str, window: int) -> None:
    """Over so many bars windows are cut into blocks of their own length, side by side up to some width."""
    bars = 10 * window if backend == "compiled" else 2 * window
    x = 100.0 + np.random.default_rng(window).normal(size=bars).cumsum()
    every = np.r_[window - 1 : bars : window // 7, bars - 1]
    held = np.lib.stride_tricks.sliding_window_view(x, window)[every - (window - 1)]
    line = np.polynomial.polynomial.polyfit(np.arange(window), held.T, 1)
    for found, wanted in (
        (ta.sma(x, window), held.mean(axis=1)),
        (ta.sum(x, window), held.sum(axis=1)),
        (ta.var(x, window), held.var(axis=1)),
        (ta.stddev(x, window), held.std(axis=1)),
        (ta.min(x, window), held.min(axis=1)),
        (ta.max(x, window), held.max(axis=1)),
        (ta.wma(x, window), held @ np.arange(1.0, window + 1) / (window * (window + 1) / 2)),
        (ta.linearreg_slope(x, window), line[1]),
    ):
        assert np.isnan(found[: window - 1]).all()
        assert_allclose(found[every], wanted, rtol=1e-8, atol=1e-9)
