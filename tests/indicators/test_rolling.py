"""Rolling statistics, against pandas and bottleneck where they are exact, against fractions, and in every form."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType
from typing import Any

import bottleneck
import numpy as np
import pandas as pd
import pytest

from fastcore.dispatch import backends
from fastcore.indicators.registry import INDICATORS, rolling
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.exact import whole
from tests.indicators.test_operators import alone
from tests.indicators.turns import in_turn

RNG = np.random.default_rng(21)
WALK = 100.0 + RNG.normal(size=420).cumsum()
SERIES = {
    "a walk": WALK,
    "ties": RNG.integers(0, 5, 420).astype(float),
    "one value": np.full(420, 0.1),
    "a halt": np.concatenate([WALK[:100], np.full(200, WALK[99]), WALK[100:220]]),
    "rising": np.arange(420.0) / 3.0,
    "one missing in ten": np.where(RNG.random(420) < 0.1, math.nan, WALK),
    "most missing": np.where(RNG.random(420) < 0.7, math.nan, np.round(WALK)),
    "infinite": np.where(np.arange(420) % 50 == 9, math.inf, WALK),
}
PANDAS: dict[str, Callable[[Any], Any]] = {
    "median": lambda window: window.median(),
    "quantile": lambda window: window.quantile(0.3),
    "rank": lambda window: window.rank(),
    "skew": lambda window: window.skew(),
    "kurt": lambda window: window.kurt(),
}
OTHERS = {"quantile": (0.3,), "rank": (0,)}
each_kind = in_turn("kind", SERIES)


def windows(backend: str, *periods: int) -> list[tuple[int, int]]:
    """Windows, and how many values are enough. The pure twin does for wide ones what it does for narrow ones."""
    chosen = periods if backend == "compiled" else periods[-3:-1]
    counts = {window: {0, window, window // 2 + 1, min(4, window)} for window in chosen}
    return [(window, count) for window in chosen for count in sorted(counts[window])]


@each_kind
@pytest.mark.parametrize("name", PANDAS)
def test_they_are_those_of_pandas(ta: ModuleType, backend: str, name: str, kind: str) -> None:
    x = SERIES[kind]
    series = pd.Series(np.where(np.isfinite(x), x, math.nan))
    for window, min_count in windows(backend, 4, 5, 30, 90):
        ours = getattr(ta, name)(x, window, *OTHERS.get(name, ()), min_count)
        theirs = PANDAS[name](series.rolling(window, min_periods=min_count or window))
        assert_allclose(ours, theirs.to_numpy(), rtol=1e-8, atol=1e-9, err_msg=f"{window}, {min_count}")


@each_kind
def test_standard_scores_and_covariances_are_those_of_pandas(ta: ModuleType, backend: str, kind: str) -> None:
    x = SERIES[kind]
    x = np.where(np.isfinite(x), x, math.nan)
    y = np.random.default_rng(22).normal(size=420) + x / 10.0
    series = pd.Series(x)
    for window, min_count in windows(backend, 3, 30, 90):
        rolled = series.rolling(window, min_periods=min_count or window)
        theirs = rolled.cov(pd.Series(y)).to_numpy()
        assert_allclose(ta.cov(x, y, window, min_count), theirs, rtol=1e-8, atol=1e-10)
        with np.errstate(all="ignore"):
            scores = (series - rolled.mean()) / rolled.std()
        theirs = scores.where(np.isfinite(scores)).to_numpy()
        assert_allclose(ta.zscore(x, window, min_count), theirs, rtol=1e-7, atol=1e-9)


@each_kind
def test_ranks_and_places_are_those_of_bottleneck(ta: ModuleType, backend: str, kind: str) -> None:
    x = SERIES[kind]
    x = np.where(np.isfinite(x), x, math.nan)
    for window, min_count in windows(backend, 1, 2, 5, 30, 90):
        least = min_count or window
        assert_allclose(ta.rank(x, window, 2, min_count), bottleneck.move_rank(x, window, min_count=least), atol=1e-12)
        share = pd.Series(x).rolling(window, min_periods=least).rank(pct=True).to_numpy()
        assert_allclose(ta.rank(x, window, 1, min_count), share, atol=1e-12)
        for name in ("argmin", "argmax"):
            theirs = getattr(bottleneck, f"move_{name}")(x, window, min_count=least)
            assert_array_equal(getattr(ta, name)(x, window, min_count), theirs)


def exact_shapes(x: Any, window: int, name: str) -> list[float]:
    """Of each window, by whole numbers, as far as a square root leaves them."""
    values, _ = whole(x)
    found, n, sums = [], window, [0] * 5
    for end, newest in enumerate(values, 1):
        for k in (1, 2, 3, 4):  # sums of the powers
            sums[k] += newest**k - (values[end - 1 - n] ** k if end > n else 0)
        if end < n:
            continue
        _, s1, s2, s3, s4 = sums
        m2, m3 = n * s2 - s1**2, n**2 * s3 - 3 * n * s1 * s2 + 2 * s1**3  # central moments, times n^2 and n^3
        m4 = n**3 * s4 - 4 * n**2 * s1 * s3 + 6 * n * s1**2 * s2 - 3 * s1**4
        if m2 == 0:
            found.append(math.nan)
        elif name == "kurt":
            flat = (n + 1) * Fraction(m4, m2**2) - 3 * (n - 1)
            found.append(float(Fraction(n - 1, (n - 2) * (n - 3)) * flat))
        elif name == "skew":
            found.append(math.copysign(math.sqrt(Fraction(m3**2, m2**3) * n * (n - 1) / (n - 2) ** 2), m3))
        else:
            apart = n * newest - s1
            found.append(math.copysign(math.sqrt(Fraction(apart**2 * (n - 1), m2 * n)), apart))
    return found


@pytest.mark.parametrize("name", ["skew", "kurt", "zscore"])
@in_turn("kind", ["a walk", "ties", "an offset", "tiny", "a jump", "a spike"])
def test_moments_are_exact_enough(ta: ModuleType, name: str, kind: str) -> None:
    rng = np.random.default_rng(25)
    x = {
        "an offset": 1e8 + rng.normal(size=300),
        "tiny": 1e-12 * (5.0 + rng.normal(size=300)),
        "a jump": np.where(np.arange(300) < 150, WALK[:300], 1e7 + WALK[:300]),
        "a spike": np.where(np.arange(300) == 100, 1e16, WALK[:300]),
    }.get(kind, SERIES.get(kind, WALK)[:300])
    for window in (5, 40):
        expected = np.array([math.nan] * (window - 1) + exact_shapes(x, window, name))
        clean = slice(window - 1, None) if kind != "a jump" else slice(150 + window, None)
        assert_allclose(getattr(ta, name)(x, window)[clean], expected[clean], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("by", [1e150, 1e300, 1e-150, 1e-300])
def test_shapes_do_not_depend_on_the_scale(ta: ModuleType, by: float) -> None:
    for name in ("skew", "kurt", "zscore"):
        for x in (WALK, np.where(np.arange(420) % 50 == 9, 5000.0, WALK)):
            clean, scaled = (getattr(ta, name)(values, 30) for values in (x, x * (by / 1e4)))
            assert_allclose(scaled, clean, rtol=1e-8, atol=1e-9, err_msg=name)
            live = getattr(ta, INDICATORS[name].definition)(30).live()
            live.extend(x[:50] * (by / 1e4))
            assert_allclose(live.value, clean[49], rtol=1e-8, atol=1e-9, err_msg=name)


def test_a_spike_leaves_nothing_behind_after_its_window(ta: ModuleType) -> None:
    for row, spike in itertools.product(rolling.ROWS, (1e16, 1e200, -1.7e308)):
        spiked = np.where(np.arange(420) == 100, spike, WALK)
        function = getattr(ta, row.name)
        clean, ours = (function(*[x] * len(row.inputs), 30) for x in (WALK, spiked))
        assert_allclose(ours[130:], clean[130:], rtol=1e-9, atol=1e-10, err_msg=row.name)


@pytest.mark.parametrize("row", rolling.ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("window", [7, 300])
def test_live_values_are_those_of_the_series(ta: ModuleType, row: Any, window: int) -> None:
    definition = getattr(ta, row.definition)
    for kind in ("a walk", "one missing in ten", "infinite") if window < 100 else ("one missing in ten",):
        inputs = [SERIES[kind], np.roll(WALK, 5)][: len(row.inputs)]
        for min_count in (0, 4):
            made = definition(window, min_count=min_count)
            expected = made(*inputs)
            live = made.live()
            others, values, kept = [], [], []
            for i, bar in enumerate(zip(*(x.tolist() for x in inputs))):
                if i % 60 == 9:
                    live = pickle.loads(pickle.dumps(live))
                if i % 4 == 0:
                    others.append([live.peek(*bar), live.peek(*bar), live.copy().update(*bar)])
                values.append(live.update(*bar))
                kept.append(live.value)
            assert_array_equal(others, np.column_stack([values[::4]] * 3))
            assert_array_equal(kept, values)
            assert_allclose(values, expected, rtol=1e-10, atol=1e-10)


def test_wide_windows_are_sorted_whatever_comes(ta: ModuleType, backend: str) -> None:
    rng = np.random.default_rng(23)
    # The pure twin keeps the values of any window in a list.
    some, widths = (slice(None), (257, 1500)) if backend == "compiled" else (slice(2600, 3500), (257,))
    for given in (
        rng.normal(size=10_000),
        np.sort(rng.normal(size=6000)),
        np.sort(rng.normal(size=6000))[::-1].copy(),
        np.sin(np.arange(6000) / 200.0),
        rng.integers(0, 3, 6000).astype(float),
        np.where(rng.random(6000) < 0.5, math.nan, rng.normal(size=6000)),
        np.concatenate([np.full(3000, 1.0), rng.normal(size=3000)]),
    ):
        x = given[some].copy()
        for window in widths:
            rolled = pd.Series(x).rolling(window, min_periods=10)
            assert_allclose(ta.median(x, window, 10), rolled.median().to_numpy(), rtol=1e-14)
            assert_allclose(ta.quantile(x, window, 0.9, 10), rolled.quantile(0.9), rtol=1e-12, atol=1e-14)
            assert_array_equal(ta.rank(x, window, 0, 10), rolled.rank())
        theirs = bottleneck.move_argmin(x, 257, min_count=10)
        assert_array_equal(ta.argmin(x, 257, 10), theirs)


def test_more_values_than_there_are_bars_are_refused(ta: ModuleType) -> None:
    with pytest.raises(ValueError, match="min_count: expected at most timeperiod, 5, got 6"):
        ta.median(WALK, 5, 6)


@pytest.mark.skipif(PURE_ONLY, reason="of the compiled twin")
@pytest.mark.parametrize("name", ["quantile", "rank", "skewness", "covariance", "count", "age_of_highest"])
@pytest.mark.parametrize("window", [9, 600])
def test_damaged_states_do_no_harm(name: str, window: int) -> None:
    core = backends.twin("indicators", "compiled")
    program = alone(name, window, 3, *{"quantile": (0.5, 0.0), "rank": (0.0,)}.get(name, ()))
    inputs = program.inputs
    live = core.Live(program, ())
    live.extend(*[np.resize(WALK, 1000)] * inputs)
    make, args, state = live.__reduce__()
    raw = next(part for part in state if isinstance(part, bytes))
    rng = np.random.default_rng(24)
    for _ in range(300):
        damaged = bytearray(raw)
        for at in rng.integers(0, len(raw), 3):
            damaged[at] = rng.integers(0, 256)
        other = make(*args)
        try:
            other.__setstate__(tuple(bytes(damaged) if part is raw else part for part in state))
        except (ValueError, TypeError):
            continue
        for value in rng.normal(size=18).tolist():
            other.update(*[value] * inputs)
        other.extend(*[rng.normal(size=2 * window)] * inputs)


def test_every_statistic_is_here() -> None:
    assert {row.name for row in INDICATORS.values() if row.group == rolling.GROUP} == {
        *("median", "quantile", "rank", "skew", "kurt", "zscore", "cov", "argmin", "argmax")
    }
