"""Arithmetic of two series, sums and extremes of a window."""

from __future__ import annotations

from fastcore.indicators.registry.schema import Indicator, outputs, period, row

_GROUP = "Math Operators"

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
)
