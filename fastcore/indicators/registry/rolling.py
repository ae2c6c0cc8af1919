"""Statistics of a window as pandas and bottleneck have them, with min_count."""

from __future__ import annotations

from collections.abc import Sequence

from fastcore.indicators.registry.schema import PERIOD_MAX, Indicator, Param, number, period, row

__all__ = ["GROUP", "ROWS"]

GROUP = "Rolling Statistics"
_SAMPLE = "the statistic of a sample, as in pandas"
_MIN_COUNT = Param(
    "min_count", "int", 0, 0, PERIOD_MAX, "Values that must be there in the window; 0 stands for timeperiod."
)
_ANY_SIZE = "O(1) per bar; a spike has no effect after its window, and equal values have no result."
_SORTED = "O(log n) per bar; what stands still costs as much as what moves."


def _rolling(
    name: str,
    title: str,
    inputs: str,
    least: int,
    gives: str,
    formula: str,
    notes: str,
    source: str,
    others: Sequence[Param] = (),
) -> Indicator:
    params = (period(30, least), *others, _MIN_COUNT)
    return row(GROUP, name, title, inputs, params, gives, formula, source, notes)


ROWS: tuple[Indicator, ...] = (
    _rolling(
        "median", "Median", "real", 1, "The median.", "``median(window)``", _SORTED, "as in pandas and bottleneck"
    ),
    _rolling(
        "quantile",
        "Quantile",
        "real",
        1,
        "The quantile.",
        "``w[i] + (w[i+1] - w[i]) * (k - i)``, w the window in order, ``k = quantile * (n - 1)``, i its whole part",
        _SORTED,
        "as in pandas, with linear interpolation",
        (number("quantile", 0.5, "Share of the window that is below, 0 to 1.", 0.0, 1.0),),
    ),
    _rolling(
        "rank",
        "Rank",
        "real",
        1,
        "The place of the newest value in the window in order; equal values share theirs.",
        "``r = count(window < x) + (count(window == x) + 1) / 2``; ``r / n``; ``2 * (r - 1) / (n - 1) - 1``",
        _SORTED,
        "as in pandas, and with scale 2 as in bottleneck",
        (Param("scale", "int", 0, 0, 2, "0: from 1 to n; 1: as a share of n; 2: from -1 to 1."),),
    ),
    _rolling(
        "skew",
        "Skewness",
        "real",
        3,
        "The skewness; NaN where all values are equal.",
        "``sqrt(n * (n - 1)) / (n - 2) * m3 / m2 ** 1.5``, m2 and m3 the moments about the mean",
        _ANY_SIZE,
        _SAMPLE,
    ),
    _rolling(
        "kurt",
        "Kurtosis",
        "real",
        4,
        "The excess kurtosis; NaN where all values are equal.",
        "``(n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * m4 / m2 ** 2 - 3 * (n - 1))``, m2 and m4 the moments",
        _ANY_SIZE,
        _SAMPLE,
    ),
    _rolling(
        "zscore",
        "Standard score",
        "real",
        2,
        "How many standard deviations the newest value is from the mean; NaN where all values are equal.",
        "``(x - mean(window)) / std(window)``, std of a sample",
        _ANY_SIZE,
        _SAMPLE,
    ),
    _rolling(
        "cov",
        "Covariance",
        "real0 real1",
        2,
        "The covariance of the two.",
        "``sum((real0 - mean(real0)) * (real1 - mean(real1))) / (n - 1)`` of the window",
        "O(1) per bar; a spike has no effect after its window.",
        _SAMPLE,
    ),
    *(
        _rolling(
            f"arg{which}",
            f"Bars since the {word}",
            "real",
            1,
            f"How many bars ago the {word} value of the window was, of equal values the newest.",
            f"``n - 1 - arg{which}(window)``",
            "O(1) per bar.",
            "as in bottleneck",
        )
        for which, word in (("min", "lowest"), ("max", "highest"))
    ),
)
