"""Prices of a bar."""

from __future__ import annotations

from fastcore.indicators.registry.schema import Indicator, outputs, period, row

_GROUP = "Price Transform"

ROWS: tuple[Indicator, ...] = (
    row(
        _GROUP,
        "avgprice",
        "Average price",
        "open high low close",
        (),
        "The mean of the four prices.",
        "``(open + high + low + close) / 4``",
        "common usage",
    ),
    row(
        _GROUP,
        "medprice",
        "Median price",
        "high low",
        (),
        "The middle of the range.",
        "``(high + low) / 2``",
        "common usage",
    ),
    row(
        _GROUP,
        "typprice",
        "Typical price",
        "high low close",
        (),
        "The mean of high, low and close.",
        "``(high + low + close) / 3``",
        "common usage",
    ),
    row(
        _GROUP,
        "wclprice",
        "Weighted close",
        "high low close",
        (),
        "The mean of high, low and twice the close.",
        "``(high + low + 2 * close) / 4``",
        "common usage",
    ),
    row(
        _GROUP,
        "avgdev",
        "Average deviation",
        "real",
        (period(14, 2),),
        "The mean distance of the window's values from their mean.",
        "``mean(|real - mean(real)|)`` of the window",
        "the mean absolute deviation of a population",
        "The cost of a bar grows with the window.",
    ),
    row(
        _GROUP,
        "ha",
        "Heikin-Ashi bars",
        "open high low close",
        (),
        outputs(
            open__haopen="The middle of the Heikin-Ashi body before.",
            high__hahigh="The highest of high, open and close.",
            low__halow="The lowest of low, open and close.",
            close__haclose="The mean of the four prices.",
        ),
        "``haclose = (open + high + low + close) / 4``, ``haopen = (haopen[t-1] + haclose[t-1]) / 2``, begun with "
        "``(open + close) / 2``",
        "Dan Valcu, Using the Heikin-Ashi Technique, Technical Analysis of Stocks & Commodities 22:2, 2004",
    ),
)
