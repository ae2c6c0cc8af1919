"""Arithmetic of two series, sums and extremes of a window."""

from __future__ import annotations

from fastcore.indicators.registry.schema import Indicator, outputs, period, row

_GROUP = "Math Operators"

_TIES = (
    "Bars are numbered from the first one given, missing ones too. Of equal values, as in TA-Lib, the newest counts, "
    "or the oldest where the bar that counted before leaves the window as the newest one comes."
)

ROWS: tuple[Indicator, ...] = (
    row(_GROUP, "add", "Sum of two series", "real0 real1", (), "The sum.", "``real0 + real1``", "arithmetic"),
    row(
        _GROUP,
        "sub",
        "Difference of two series",
        "real0 real1",
        (),
        "The difference.",
        "``real0 - real1``",
        "arithmetic",
    ),
    row(_GROUP, "mult", "Product of two series", "real0 real1", (), "The product.", "``real0 * real1``", "arithmetic"),
    row(
        _GROUP,
        "div",
        "Quotient of two series",
        "real0 real1",
        (),
        "The quotient; infinite or NaN where real1 is 0.",
        "``real0 / real1``",
        "arithmetic",
    ),
    row(
        _GROUP,
        "cumsum",
        "Running total",
        "real",
        (),
        "The sum of all values so far.",
        "``sum(real[: t+1])``",
        "arithmetic",
    ),
    row(
        _GROUP,
        "sum",
        "Sum of a window",
        "real",
        (period(30, 2),),
        "The sum of the window.",
        "``sum(real[t-n+1 : t+1])``",
        "the sum of a window",
        "O(1) per bar. Sums do not drift: after a spike has left the window it has no effect.",
    ),
    row(
        _GROUP,
        "min",
        "Lowest value",
        "real",
        (period(30, 2),),
        "The lowest value of the window.",
        "``min(real[t-n+1 : t+1])``",
        "the minimum of a window",
    ),
    row(
        _GROUP,
        "max",
        "Highest value",
        "real",
        (period(30, 2),),
        "The highest value of the window.",
        "``max(real[t-n+1 : t+1])``",
        "the maximum of a window",
    ),
    row(
        _GROUP,
        "minmax",
        "Lowest and highest value",
        "real",
        (period(30, 2),),
        outputs(min="The lowest value of the window.", max="The highest value of the window."),
        "``min(real[t-n+1 : t+1])`` and ``max(real[t-n+1 : t+1])``",
        "the extremes of a window",
    ),
    row(
        _GROUP,
        "minindex",
        "Index of the lowest value",
        "real",
        (period(30, 2),),
        outputs(index__integer="The number, from 0, of the bar with the lowest value of the window."),
        "``t - age``, ``real[t - age] = min(real[t-n+1 : t+1])``",
        "the minimum of a window",
        _TIES,
    ),
    row(
        _GROUP,
        "maxindex",
        "Index of the highest value",
        "real",
        (period(30, 2),),
        outputs(index__integer="The number, from 0, of the bar with the highest value of the window."),
        "``t - age``, ``real[t - age] = max(real[t-n+1 : t+1])``",
        "the maximum of a window",
        _TIES,
    ),
    row(
        _GROUP,
        "minmaxindex",
        "Indexes of the lowest and the highest value",
        "real",
        (period(30, 2),),
        outputs(minidx="The bar with the lowest value.", maxidx="The bar with the highest value."),
        "those of MININDEX and MAXINDEX",
        "the extremes of a window",
        _TIES,
    ),
)
