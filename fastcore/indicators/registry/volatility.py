"""How far prices range."""

from __future__ import annotations

from fastcore.indicators.registry.schema import WILDER, Indicator, period, row

_GROUP = "Volatility Indicators"
_RANGE = "``TR = max(high - low, |high - close[t-1]|, |low - close[t-1]|)``"

ROWS: tuple[Indicator, ...] = (
    row(
        _GROUP,
        "atr",
        "Average true range",
        "high low close",
        (period(14, 1, "Bars that Wilder's average stands for."),),
        "The average of the true range.",
        f"``y += (TR[t] - y) / n``, {_RANGE}, begun with the mean of the first n",
        WILDER,
    ),
    row(
        _GROUP,
        "natr",
        "Normalized average true range",
        "high low close",
        (period(14, 1, "Bars that Wilder's average stands for."),),
        "The average true range in percent of the close.",
        "``100 * ATR / close``, 0 where the close is 0",
        "John Forman, Cross-Market Evaluations With Normalized Average True Range, Technical Analysis of Stocks & "
        "Commodities 24:5, 2006",
    ),
    row(_GROUP, "trange", "True range", "high low close", (), "The true range.", _RANGE, WILDER),
    row(
        _GROUP,
        "adr",
        "Average daily range",
        "high low",
        (period(14, 1),),
        "The mean range of the window's bars.",
        "``mean(high - low)`` of the window",
        "common usage",
    ),
    row(
        _GROUP,
        "cvi",
        "Chaikin volatility",
        "high low",
        (
            period(10, 2, "Bars that the range is smoothed over."),
            period(10, 1, "Bars that the smoothed range is compared over.", "rocperiod"),
        ),
        "The change of the smoothed range, in percent.",
        "``100 * (y[t] - y[t-r]) / y[t-r]``, ``y = EMA(high - low)``; 0 where that was 0",
        "Marc Chaikin; Steven B. Achelis, Technical Analysis from A to Z, 1995",
    ),
    row(
        _GROUP,
        "massi",
        "Mass index",
        "high low",
        (
            period(9, 2, "Bars of the exponential averages.", "fastperiod"),
            period(25, 2, "Bars that their ratios are summed over.", "slowperiod"),
        ),
        "The index; about slowperiod while the range stays the same.",
        "``sum(EMA(high - low) / EMA(EMA(high - low)))`` of the window",
        "Donald Dorsey, The Mass Index, Technical Analysis of Stocks & Commodities 10:6, 1992",
    ),
    row(
        _GROUP,
        "rvi",
        "Relative volatility index",
        "real",
        (
            period(14, 1, "Bars that Wilder's averages stand for."),
            period(10, 2, "Bars of the standard deviation.", "stddevperiod"),
        ),
        "The index, in 0..100.",
        "``100 * U / (U + D)``, U and D Wilder's averages of the standard deviation at rises and at falls, else 0",
        "Donald Dorsey, The Relative Volatility Index, Technical Analysis of Stocks & Commodities 11:6, 1993",
    ),
)
