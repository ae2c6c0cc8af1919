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
from tests.indicators.test_operators import alone

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
each_kind = pytest.mark.parametrize("kind", SERIES)


def counts(window: int) -> tuple[int, ...]:
    return (0, window, window // 2 + 1, min(4, window))


@each_kind
@pytest.mark.parametrize("name", PANDAS)
def test_they_are_those_of_pandas(ta: ModuleType, name: str, kind: str) -> None:
    x = SERIES[kind]
    series = pd.Series(np.where(np.isfinite(x), x, math.nan))
    for window in (4, 5, 30, 90):
        for min_count in counts(window):
            ours = getattr(ta, name)(x, window, *OTHERS.get(name, ()), min_count)
            theirs = PANDAS[name](series.rolling(window, min_periods=min_count or window))
            np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9, err_msg=f"{window}, {min_count}")


@each_kind
def test_standard_scores_and_covariances_are_those_of_pandas(ta: ModuleType, kind: str) -> None:
    x = SERIES[kind]
    x = np.where(np.isfinite(x), x, math.nan)
    y = np.random.default_rng(22).normal(size=420) + x / 10.0
    series = pd.Series(x)
    for window in (3, 30, 90):
        for min_count in counts(window):
            rolled = series.rolling(window, min_periods=min_count or window)
            np.testing.assert_allclose(ta.cov(x, y, window, min_count), rolled.cov(pd.Series(y)), rtol=1e-8, atol=1e-10)
            with np.errstate(all="ignore"):
                scores = (series - rolled.mean()) / rolled.std()
            np.testing.assert_allclose(
                ta.zscore(x, window, min_count), scores.where(np.isfinite(scores)), rtol=1e-7, atol=1e-9
            )


@each_kind
def test_ranks_and_places_are_those_of_bottleneck(ta: ModuleType, kind: str) -> None:
    x = SERIES[kind]
    x = np.where(np.isfinite(x), x, math.nan)
    for window in (1, 2, 5, 30, 90):
        for min_count in counts(window):
            least = min_count or window
            np.testing.assert_allclose(
                ta.rank(x, window, 2, min_count), bottleneck.move_rank(x, window, min_count=least), atol=1e-12
            )
            share = pd.Series(x).rolling(window, min_periods=least).rank(pct=True)
            np.testing.assert_allclose(ta.rank(x, window, 1, min_count), share, atol=1e-12)
            for name in ("argmin", "argmax"):
                theirs = getattr(bottleneck, f"move_{name}")(x, window, min_count=least)
                np.testing.assert_array_equal(getattr(ta, name)(x, window, min_count), theirs)


def exact_shape(values: list[float], name: str) -> float:
    """Of one window, by fractions, as far as a square root leaves them."""
    n = len(values)
    exact = [Fraction(x) for x in values]
    mean = sum(exact) / n
    m2, m3, m4 = (sum((x - mean) ** k for x in exact) / n for k in (2, 3, 4))
    if m2 == 0:
        return math.nan
    if name == "kurt":
        return float(Fraction(n - 1, (n - 2) * (n - 3)) * ((n + 1) * m4 / m2**2 - 3 * (n - 1)))
    if name == "skew":
        square = m3 * m3 / m2**3 * n * (n - 1) / (n - 2) ** 2
        return math.copysign(math.sqrt(square), m3)
    square = (exact[-1] - mean) ** 2 / (m2 * n / (n - 1))
    return math.copysign(math.sqrt(square), exact[-1] - mean)


@pytest.mark.parametrize("name", ["skew", "kurt", "zscore"])
@pytest.mark.parametrize("kind", ["a walk", "ties", "an offset", "tiny", "a jump", "a spike"])
def test_moments_are_exact_enough(ta: ModuleType, name: str, kind: str) -> None:
    x = {
        "an offset": 1e8 + RNG.normal(size=300),
        "tiny": 1e-12 * (5.0 + RNG.normal(size=300)),
        "a jump": np.where(np.arange(300) < 150, WALK[:300], 1e7 + WALK[:300]),
        "a spike": np.where(np.arange(300) == 100, 1e16, WALK[:300]),
    }.get(kind, SERIES.get(kind, WALK)[:300])
    for window in (5, 40):
        found = getattr(ta, name)(x, window)
        expected = [exact_shape(x[end - window : end].tolist(), name) for end in range(window, 301)]
        clean = slice(window - 1, None) if kind != "a jump" else slice(150 + window, None)
        np.testing.assert_allclose(
            found[clean], np.array([math.nan] * (window - 1) + expected)[clean], rtol=1e-9, atol=1e-10
        )


@pytest.mark.parametrize("by", [1e150, 1e300, 1e-150, 1e-300])
def test_shapes_do_not_depend_on_the_scale(ta: ModuleType, by: float) -> None:
    for name in ("skew", "kurt", "zscore"):
        for x in (WALK, np.where(np.arange(420) % 50 == 9, 5000.0, WALK)):
            clean, scaled = (getattr(ta, name)(values, 30) for values in (x, x * (by / 1e4)))
            np.testing.assert_allclose(scaled, clean, rtol=1e-8, atol=1e-9, err_msg=name)
            live = getattr(ta, INDICATORS[name].definition)(30).live()
            live.extend(x[:50] * (by / 1e4))
            np.testing.assert_allclose(live.value, clean[49], rtol=1e-8, atol=1e-9, err_msg=name)


def test_a_spike_leaves_nothing_behind_after_its_window(ta: ModuleType) -> None:
    for row, spike in itertools.product(rolling.ROWS, (1e16, 1e200, -1.7e308)):
        spiked = np.where(np.arange(420) == 100, spike, WALK)
        function = getattr(ta, row.name)
        clean, ours = (function(*[x] * len(row.inputs), 30) for x in (WALK, spiked))
        np.testing.assert_allclose(ours[130:], clean[130:], rtol=1e-9, atol=1e-10, err_msg=row.name)


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
            for i, bar in enumerate(zip(*(x.tolist() for x in inputs))):
                if i % 60 == 9:
                    live = pickle.loads(pickle.dumps(live))
                peeked = live.peek(*bar), live.peek(*bar)
                value = live.copy().update(*bar)
                np.testing.assert_array_equal([*peeked, value], live.update(*bar))
                np.testing.assert_allclose(live.value, expected[i], rtol=1e-10, atol=1e-10)


def test_wide_windows_are_sorted_whatever_comes(ta: ModuleType) -> None:
    rng = np.random.default_rng(23)
    for x in (
        rng.normal(size=10_000),
        np.sort(rng.normal(size=6000)),
        np.sort(rng.normal(size=6000))[::-1].copy(),
        np.sin(np.arange(6000) / 200.0),
        rng.integers(0, 3, 6000).astype(float),
        np.where(rng.random(6000) < 0.5, math.nan, rng.normal(size=6000)),
        np.concatenate([np.full(3000, 1.0), rng.normal(size=3000)]),
    ):
        for window in (257, 1500):
            rolled = pd.Series(x).rolling(window, min_periods=10)
            np.testing.assert_allclose(ta.median(x, window, 10), rolled.median(), rtol=1e-14)
            np.testing.assert_allclose(ta.quantile(x, window, 0.9, 10), rolled.quantile(0.9), rtol=1e-12, atol=1e-14)
            np.testing.assert_array_equal(ta.rank(x, window, 0, 10), rolled.rank())
        theirs = bottleneck.move_argmin(x, 257, min_count=10)
        np.testing.assert_array_equal(ta.argmin(x, 257, 10), theirs)


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
        for _ in range(2 * window):
            other.update(*[float(rng.normal())] * inputs)


def test_every_statistic_is_here() -> None:
    assert {row.name for row in INDICATORS.values() if row.group == rolling.GROUP} == {
        *("median", "quantile", "rank", "skew", "kurt", "zscore", "cov", "argmin", "argmax")
    }
