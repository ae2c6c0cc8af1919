"""A small grid of functions, parameters and series against TA-Lib; ``tools/parity.py`` is the large one.

Results are equal within 1e-9 of themselves, or 1e-12 of the largest result and price, and begin with as many NaN. Where
they are not, exact fractions of the same prices say which of the two is right.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastcore.indicators.registry import INDICATORS, Indicator, rolling
from tests.indicators.cases import Case, call, every_case, inputs_of, real_prices, walk
from tests.indicators.turns import in_turn

talib = pytest.importorskip("talib", reason="TA-Lib is not installed")

ROWS = [row for row in INDICATORS.values() if row.group != rolling.GROUP]
BARS = 260

# Function and series, or first parameters: why the results differ. docs/guides/from-talib.md has the list.
EXCEPTIONS = {
    ("natr", (1.0,)): "TA-Lib gives the true range in units of the price",
    ("plus_di", (1.0,)): "TA-Lib gives a fraction of 1",
    ("minus_di", (1.0,)): "TA-Lib gives a fraction of 1",
    ("linearreg_angle", (2.0,)): "TA-Lib's running sums lose the digits of a small slope",
    ("linearreg_angle", "huge offset"): "TA-Lib's running sums lose the digits of a small slope",
}


@functools.cache
def series() -> dict[str, dict[str, Any]]:
    apple, ibm = (real_prices()[name] for name in ("AAPL", "IBM"))
    return {
        "AAPL": {name: x[2000 : 2000 + BARS] for name, x in apple.items()},
        "IBM": {name: x[:BARS] for name, x in ibm.items()},
        "ticks": {name: np.round(2.0 * x) / 2.0 for name, x in walk(BARS, seed=5).items()},
        "rising": {name: x + np.arange(BARS) * 0.25 for name, x in walk(1, seed=1).items()},
        "huge offset": {name: x if name == "volume" else x + 1e6 for name, x in walk(BARS, seed=3).items()},
    }


@in_turn("row", ROWS)
def test_a_grid_of_parameters_and_series_matches_talib(ta: ModuleType, row: Indicator) -> None:
    wrong = []
    for case in every_case([row], (-2, -1, 1, 3)):
        for what, bars in series().items():
            inputs = [np.ascontiguousarray(x) for x in inputs_of(row, bars)]
            theirs = call(getattr(talib, row.definition), case, inputs)
            ours = call(getattr(ta, row.name), case, inputs)
            for output, a, b in zip(row.outputs, ours, theirs, strict=True):
                at = differences(row, case, inputs, a, b)
                if at.size and (row.name, case.params[:1]) not in EXCEPTIONS and (row.name, what) not in EXCEPTIONS:
                    wrong.append(f"{case} {output.name}, {what}: bar {at[0]}: {a[at[0]]} for {b[at[0]]}")
    assert not wrong


def differences(row: Indicator, case: Case, inputs: list[Any], ours: Any, theirs: Any) -> Any:
    if theirs.dtype.kind == "i":
        theirs = np.where(np.arange(BARS) < row.lookback(*case.params), np.nan, theirs)
    prices = [x for name, x in zip(row.inputs, inputs) if name != "volume"] or inputs
    scale = max(np.nanmax(np.abs(theirs), initial=0.0), *(np.max(np.abs(x)) for x in prices))
    off = np.abs(np.where(ours == theirs, 0.0, ours) - np.where(ours == theirs, 0.0, theirs))  # both may be infinite
    wrong = (off > 1e-9 * np.abs(theirs)) & (off > 1e-12 * scale)
    return np.flatnonzero(wrong | (np.isnan(ours) != np.isnan(theirs)))


# ---- what is right, by fractions ----


def slope(x: list[Fraction]) -> Fraction:
    n = len(x)
    sx, sxx = Fraction(n * (n - 1), 2), Fraction(n * (n - 1) * (2 * n - 1), 6)
    return (n * sum(i * v for i, v in enumerate(x)) - sx * sum(x)) / (n * sxx - sx * sx)


def angle(t: int, x: list[Fraction]) -> float:
    return math.degrees(math.atan(float(slope(x[t - 1 : t + 1]))))


def forecast_oscillator(t: int, x: list[Fraction]) -> Fraction:
    window = x[t - 30 : t]
    forecast = sum(window) / 30 + slope(window) * (30 - Fraction(29, 2))
    return 100 * (x[t] - forecast) / x[t]


def beta(t: int, x: list[Fraction], y: list[Fraction]) -> Fraction:
    (a, b), (c, d) = ([z[i] / z[i - 1] - 1 for i in (t - 1, t)] for z in (x, y))
    return (2 * (a * c + b * d) - (a + b) * (c + d)) / (2 * (a * a + b * b) - (a + b) ** 2)


def triangular(x: list[Fraction]) -> Fraction:
    weights = [min(i + 1, len(x) - i) for i in range(len(x))]
    return sum(w * v for w, v in zip(weights, x)) / Fraction(sum(weights))


def price_oscillator(t: int, x: list[Fraction]) -> Fraction:
    long = triangular(x[t - 25 : t + 1])
    return 100 * (triangular(x[t - 11 : t + 1]) - long) / long


def kdj_j(t: int, high: list[Fraction], low: list[Fraction], close: list[Fraction]) -> Fraction:
    raw = []
    for i in range(8, t + 1):
        lowest = min(low[i - 8 : i + 1])
        share = 100 * (close[i] - lowest) / (max(high[i - 8 : i + 1]) - lowest)
        raw.append(Fraction(int(share * 2**200), 2**200))
    k = [sum(raw[:3]) / 3]
    for value in raw[3:]:
        k.append(Fraction(int((2 * k[-1] + value) / 3 * 2**200), 2**200))
    return 3 * k[-1] - 2 * triangular(k[-3:])


TINY = {name: x if name == "volume" else x * 1e-10 for name, x in walk(1000, seed=2).items()}
EXACT: dict[str, tuple[Callable[..., Any], tuple[float, ...], str, int]] = {
    "linearreg_angle": (angle, (2,), "GOOG", 253),
    "fosc": (forecast_oscillator, (30,), "tiny", 664),
    "beta": (beta, (2,), "tiny", 127),
    "ppo": (price_oscillator, (12, 26, 5), "tiny", 662),
    "kdj": (kdj_j, (9, 3, 13, 3, 5), "MSFT", 3210),
}


@pytest.mark.parametrize("name", EXACT)
def test_where_talib_is_off_by_more_than_1e_9_exact_fractions_agree_with_the_result_here(
    ta: ModuleType, name: str
) -> None:
    exact, params, what, t = EXACT[name]
    row = INDICATORS[name]
    inputs = inputs_of(row, TINY if what == "tiny" else real_prices()[what])
    wanted = float(exact(t, *([Fraction(value) for value in x.tolist()] for x in inputs)))
    case = Case(row, tuple(map(float, params)))
    ours, theirs = (
        call(function, case, inputs)[-1][t] for function in (getattr(ta, name), getattr(talib, name.upper()))
    )
    assert abs(ours - wanted) <= 1e-12 * abs(wanted)
    assert abs(theirs - wanted) > 1e-9 * abs(wanted)
