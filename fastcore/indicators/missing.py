"""The policy of TA-Lib towards missing data: the argument ``nan="talib"``.

The twins compute with each missing value replaced by the one before it; what the value spoils, by the operators of the
definition, is made NaN afterwards. Bars before the first complete one are skipped, as in every policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcore.indicators.registry import Indicator
from python_fallback.shared.indicators import Reach, reach, spoiled

__all__ = ["GIVES_NUMBERS", "checked", "filled", "reach_of", "spoil"]

Array = NDArray[np.float64]
Masks = list[NDArray[np.bool_]]

_SUMS_AGAIN = frozenset({"cci", "imi"})  # TA-Lib takes the sums of these again at each bar

# Functions in which TA-Lib 0.8.2 has a number where a missing value has spoiled the result: it compares with NaN, or
# begins its sums again after some hundreds of bars.
_NUMBERS = (
    "ad adosc adx adxr aroon aroonosc atr beta cmf cmo cmou coppock correl donchian dx fosc fractal ha hma "
    "ht_trendline ht_trendmode kdj linearreg linearreg_angle linearreg_intercept linearreg_slope mavp max "
    "maxindex midpoint midprice min minindex minmax minmaxindex minus_di minus_dm natr nvi obv percentile "
    "percentrank plus_di plus_dm pvi rsi rvi sar sarext smi stddev stoch stochf stochrsi supertrend trange "
    "tsf tsi ultosc var vhf vortex vwap wad willr wma "
)
GIVES_NUMBERS = frozenset(_NUMBERS.split())


def checked(nan: Any) -> bool:
    """Whether the argument `nan` asks for the policy of TA-Lib."""
    if nan is None:
        return False
    if not isinstance(nan, str):
        raise TypeError(f"nan: expected 'talib' or None, got a {type(nan).__name__}")
    if nan != "talib":
        raise ValueError(f"nan: expected 'talib' or None, got {nan!r}")
    return True


def filled(
    row: Indicator, values: Sequence[float], inputs: tuple[Array, ...]
) -> tuple[tuple[Array, ...], Masks | None]:
    """Return the inputs with their missing values replaced, and for each output the bars that these spoil.

    None for the second where there are none after the first complete bar.
    """
    missing = [~np.isfinite(x) for x in inputs]
    if not any(gaps.any() for gaps in missing):
        return inputs, None
    incomplete = np.logical_or.reduce(missing)
    there = np.logical_or.accumulate(~incomplete, axis=-1)
    if not (incomplete & there).any():
        return inputs, None
    masks = spoiled(row.program(values), missing, row.name not in _SUMS_AGAIN)
    bars = np.arange(incomplete.shape[-1])
    found = []
    for x, gaps in zip(inputs, missing):
        last = np.maximum.accumulate(np.where(gaps, 0, bars), axis=-1)
        found.append(np.where(there, np.take_along_axis(x, last, axis=-1), x))
    return tuple(found), masks


def spoil(outputs: Sequence[Array], masks: Masks) -> None:
    """Make the outputs NaN where they are spoiled, in place."""
    for output, mask in zip(outputs, masks, strict=True):
        output[mask] = np.nan


def reach_of(row: Indicator) -> Reach:
    """How far a missing value goes in `row` with its default parameters, at most."""
    order: tuple[Reach, ...] = ("bar", "lag", "window", "ever")
    program = row.program([param.default for param in row.params])
    found = [reach(node.operator, row.name not in _SUMS_AGAIN) for node in program.nodes]
    return max(found, key=order.index, default="bar")
