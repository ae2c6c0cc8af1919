"""Statistics of a window."""

from __future__ import annotations

from fastcore.indicators.registry.schema import Indicator, number, period, row

_GROUP = "Statistic Functions"
_LEAST_SQUARES = "the least-squares line of a window"

ROWS: tuple[Indicator, ...] = (
    row(
        _GROUP,
        "stddev",
        "Standard deviation",
        "real",
        (period(5, 2), number("nbdev", 1.0, "What the deviation is multiplied with.")),
        "The population standard deviation of the window, times nbdev.",
        "``nbdev * sqrt(mean((real - mean(real)) ** 2))`` of the window",
        "the standard deviation of a population",
        "Right at any offset of the prices, and exactly 0 where they stand still.",
    ),
    row(
        _GROUP,
        "var",
        "Variance",
        "real",
        (period(5, 1), number("nbdev", 1.0, "Taken as TA-Lib takes it: it has no effect.")),
        "The population variance of the window.",
        "``mean((real - mean(real)) ** 2)`` of the window",
        "the variance of a population",
        "Right at any offset of the prices, and exactly 0 where they stand still.",
    ),
    row(
        _GROUP,
        "linearreg",
        "Linear regression",
        "real",
        (period(14, 2),),
        "The line's value at the newest bar.",
        "``a + b * (n - 1)``, ``a + b * x`` the least-squares line through the window's values at x = 0 to n - 1",
        _LEAST_SQUARES,
    ),
    row(
        _GROUP,
        "linearreg_slope",
        "Slope of the linear regression",
        "real",
        (period(14, 2),),
        "The line's slope, per bar.",
        "``b`` of the least-squares line ``a + b * x`` through the window's values at x = 0 to n - 1",
        _LEAST_SQUARES,
    ),
    row(
        _GROUP,
        "linearreg_intercept",
        "Intercept of the linear regression",
        "real",
        (period(14, 2),),
        "The line's value at the oldest bar.",
        "``a`` of the least-squares line ``a + b * x`` through the window's values at x = 0 to n - 1",
        _LEAST_SQUARES,
    ),
    row(
        _GROUP,
        "linearreg_angle",
        "Angle of the linear regression",
        "real",
        (period(14, 2),),
        "The line's angle, in degrees.",
        "``atan(b) * 180 / pi``, b the slope of the least-squares line through the window",
        _LEAST_SQUARES,
    ),
    row(
        _GROUP,
        "tsf",
        "Time series forecast",
        "real",
        (period(14, 2),),
        "The line's value one bar ahead.",
        "``a + b * n``, ``a + b * x`` the least-squares line through the window's values at x = 0 to n - 1",
        _LEAST_SQUARES,
    ),
    row(
        _GROUP,
        "correl",
        "Correlation coefficient",
        "real0 real1",
        (period(30, 1),),
        "Pearson's correlation of the two, in -1..1; 0 where one of them does not move.",
        "``cov(real0, real1) / sqrt(var(real0) * var(real1))`` of the window",
        "Karl Pearson, 1895",
    ),
    row(
        _GROUP,
        "beta",
        "Beta",
        "real0 real1",
        (period(5, 1, "Returns in the window."),),
        "How much real1's return moves with real0's; 0 where real0 does not move.",
        "``cov(r0, r1) / var(r0)`` of the window, ``r = (real[t] - real[t-1]) / real[t-1]``",
        "William F. Sharpe, 1963",
    ),
)
