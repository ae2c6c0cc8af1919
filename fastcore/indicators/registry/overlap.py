"""Averages and bands that overlay the price."""

from __future__ import annotations

from fastcore.indicators.registry.schema import WILDER, Indicator, Param, matype, number, outputs, period, row

_GROUP = "Overlap Studies"
_SMOOTHED = "Bars that the weight ``2 / (timeperiod + 1)`` stands for."
_MULLOY = (
    "Patrick G. Mulloy, Smoothing Data with Faster Moving Averages, Technical Analysis of Stocks & Commodities 12, 1994"
)
_COMMON = "common usage"
_STOP = (
    "``stop += rate * (peak - stop)``, never past the lows of this bar and the one before; peak the highest high of "
    "the position, at each of which the rate grows; a low at the stop ends the position and opens a short one, with "
    "highs for lows"
)
_FIRST_POSITION = (
    "The position at the second bar is short if the low has fallen, and by more than the high has risen. It depends on "
    "all bars so far; over a missing bar the position is held."
)


def _rate(name: str, default: float, doc: str = "Highest rate of acceleration.") -> Param:
    return number(name, default, doc, lo=0.0)


ROWS: tuple[Indicator, ...] = (
    row(
        _GROUP,
        "sma",
        "Simple moving average",
        "real",
        (period(30, 1),),
        "The mean of the window.",
        "``sum(real[t-n+1 : t+1]) / n``",
        "the arithmetic mean of a window",
        "O(1) per bar. Sums do not drift: after a spike has left the window it has no effect.",
    ),
    row(
        _GROUP,
        "ema",
        "Exponential moving average",
        "real",
        (period(30, 1, _SMOOTHED),),
        "The average.",
        "``y += 2 / (n + 1) * (real[t] - y)``, begun with the mean of the first n bars",
        "exponential smoothing, R. G. Brown, 1956",
    ),
    row(
        _GROUP,
        "wma",
        "Weighted moving average",
        "real",
        (period(30, 1),),
        "The mean with weights 1 to n, the newest bar the heaviest.",
        "``sum(i * real[t-n+i]) / (n * (n + 1) / 2)``, i from 1 to n",
        "the mean with linear weights",
        "O(1) per bar, without drift.",
    ),
    row(
        _GROUP,
        "dema",
        "Double exponential moving average",
        "real",
        (period(30, 1, _SMOOTHED),),
        "The average.",
        "``2 * EMA - EMA(EMA)``",
        _MULLOY,
    ),
    row(
        _GROUP,
        "tema",
        "Triple exponential moving average",
        "real",
        (period(30, 1, _SMOOTHED),),
        "The average.",
        "``3 * EMA - 3 * EMA(EMA) + EMA(EMA(EMA))``",
        _MULLOY,
    ),
    row(
        _GROUP,
        "trima",
        "Triangular moving average",
        "real",
        (period(30, 1),),
        "The mean with weights that rise to the middle of the window and fall again.",
        "``SMA(SMA(real, (n + 1) // 2), n + 1 - (n + 1) // 2)``",
        "the mean with triangular weights",
    ),
    row(
        _GROUP,
        "t3",
        "Triple generalized double exponential moving average",
        "real",
        (
            period(5, 1, _SMOOTHED),
            number("vfactor", 0.7, "How far it goes from EMA, 0, to DEMA, 1.", 0.0, 1.0),
        ),
        "The average.",
        "``GD(GD(GD(real)))``, ``GD(x) = (1 + v) * EMA(x) - v * EMA(EMA(x))``",
        "Tim Tillson, Better Moving Averages, Technical Analysis of Stocks & Commodities 16:1, 1998",
    ),
    row(
        _GROUP,
        "rma",
        "Wilder's moving average",
        "real",
        (period(30, 1, "Bars that the weight ``1 / timeperiod`` stands for."),),
        "The average.",
        "``y += (real[t] - y) / n``, begun with the mean of the first n bars",
        WILDER,
    ),
    row(
        _GROUP,
        "hma",
        "Hull moving average",
        "real",
        (period(20, 1),),
        "The average.",
        "``WMA(2 * WMA(real, n // 2) - WMA(real, n), isqrt(n))``",
        "Alan Hull, 2005",
    ),
    row(
        _GROUP,
        "zlema",
        "Zero lag exponential moving average",
        "real",
        (period(30, 1, _SMOOTHED),),
        "The average.",
        "``EMA(2 * real[t] - real[t - (n - 1) // 2])``",
        "John Ehlers and Ric Way, Zero Lag (Well, Almost), Technical Analysis of Stocks & Commodities 28:12, 2010",
    ),
    row(
        _GROUP,
        "vwma",
        "Volume weighted moving average",
        "real volume",
        (period(30, 1),),
        "The mean price of the window, weighted by volume; 0 without volume.",
        "``sum(real * volume) / sum(volume)`` of the window",
        _COMMON,
    ),
    row(
        _GROUP,
        "kama",
        "Kaufman's adaptive moving average",
        "real",
        (period(30, 1, "Bars that the efficiency of the price's path is taken over."),),
        "The average.",
        "``y += c * (real[t] - y)``, ``c = (ER * (2/3 - 2/31) + 2/31) ** 2``, ER the part of the path that the price "
        "has come ahead",
        "Perry J. Kaufman, Trading Systems and Methods, 1995",
    ),
    row(
        _GROUP,
        "ma",
        "Moving average",
        "real",
        (period(30, 1, "Bars of the average."), matype("Which moving average.")),
        "The average.",
        "that of the moving average; with one bar the price itself",
        "those of the moving averages",
    ),
    row(
        _GROUP,
        "mavp",
        "Moving average with variable period",
        "real periods",
        (
            period(2, 1, "Fewest bars: a shorter period counts as this one.", "minperiod"),
            period(30, 1, "Most bars: a longer period counts as this one.", "maxperiod"),
            matype("Which moving average."),
        ),
        "The moving average of the period that the bar has.",
        "``ma(real, min(max(floor(periods[t]), minperiod), maxperiod), matype)[t]``",
        _COMMON,
        "An average other than the simple one is kept for each period from minperiod to maxperiod, which an error "
        "ends where it takes more than 10,000 operators: some 2,000 periods of EMA, 900 of T3.",
    ),
    row(
        _GROUP,
        "midpoint",
        "Midpoint of the window",
        "real",
        (period(14, 2),),
        "The middle between the highest and the lowest value.",
        "``(max(real) + min(real)) / 2`` of the window",
        _COMMON,
    ),
    row(
        _GROUP,
        "midprice",
        "Midpoint price of the window",
        "high low",
        (period(14, 2),),
        "The middle between the highest high and the lowest low.",
        "``(max(high) + min(low)) / 2`` of the window",
        _COMMON,
    ),
    row(
        _GROUP,
        "bbands",
        "Bollinger bands",
        "real",
        (
            period(20, 2),
            number("nbdevup", 2.0, "How many deviations the upper band is above the middle."),
            number("nbdevdn", 2.0, "How many deviations the lower band is below the middle."),
            matype("The moving average in the middle."),
        ),
        outputs(
            upper__upperband="The upper band.",
            middle__middleband="The moving average.",
            lower__lowerband="The lower band.",
        ),
        "``middle + nbdevup * s`` and ``middle - nbdevdn * s``, s the population standard deviation of the window "
        "about its own mean",
        "John Bollinger, Bollinger on Bollinger Bands, 2001",
    ),
    row(
        _GROUP,
        "accbands",
        "Acceleration bands",
        "high low close",
        (period(20, 2),),
        outputs(
            upper__upperband="The upper band.",
            middle__middleband="The mean of the closes.",
            lower__lowerband="The lower band.",
        ),
        "``SMA(high * (1 + w))``, ``SMA(close)``, ``SMA(low * (1 - w))``, ``w = 4 * (high - low) / (high + low)``, 0 "
        "where that is 0",
        "Price Headley, Big Trends in Trading, 2002",
    ),
    row(
        _GROUP,
        "donchian",
        "Donchian channel",
        "high low",
        (period(20, 2),),
        outputs(
            upper__upperband="The highest high of the window.",
            middle__middleband="The middle between the two.",
            lower__lowerband="The lowest low of the window.",
        ),
        "``max(high)`` and ``min(low)`` of the window",
        "Richard Donchian's four-week rule",
    ),
    row(
        _GROUP,
        "kc",
        "Keltner channel",
        "high low close",
        (
            period(20, 2, "Bars of the exponential average in the middle."),
            period(10, 1, "Bars of the average true range.", "atrperiod"),
            number("nbdev", 2.0, "How many ranges the bands are from the middle."),
        ),
        outputs(
            upper__upperband="The upper band.",
            middle__middleband="The average of the typical price.",
            lower__lowerband="The lower band.",
        ),
        "``EMA((high + low + close) / 3)`` and ``nbdev * ATR`` above and below; both begin at the same bar",
        "Chester W. Keltner, How to Make Money in Commodities, 1960; Linda Bradford Raschke",
    ),
    row(
        _GROUP,
        "sar",
        "Parabolic stop and reverse",
        "high low",
        (_rate("acceleration", 0.02, "Rate of acceleration at first, and what it grows by."), _rate("maximum", 0.2)),
        "The stop of the position.",
        _STOP,
        WILDER,
        _FIRST_POSITION,
    ),
    row(
        _GROUP,
        "sarext",
        "Parabolic stop and reverse of two sides",
        "high low",
        (
            number("startvalue", 0.0, "The first stop: below zero that of a short position; 0 to take it from prices."),
            _rate("offsetonreverse", 0.0, "Share of itself that the stop of a new position is farther off."),
            _rate("accelerationinitlong", 0.02, "Rate of acceleration at first, of a long position."),
            _rate("accelerationlong", 0.02, "What the rate of a long position grows by."),
            _rate("accelerationmaxlong", 0.2, "Highest rate of a long position."),
            _rate("accelerationinitshort", 0.02, "Rate of acceleration at first, of a short position."),
            _rate("accelerationshort", 0.02, "What the rate of a short position grows by."),
            _rate("accelerationmaxshort", 0.2, "Highest rate of a short position."),
        ),
        "The stop of the position; that of a short one with the other sign.",
        _STOP,
        WILDER,
        _FIRST_POSITION,
    ),
    row(
        _GROUP,
        "supertrend",
        "SuperTrend",
        "high low close",
        (
            period(10, 2, "Bars of the average true range."),
            number("multiplier", 3.0, "How many ranges the stops are from the middle.", lo=0.0),
        ),
        outputs(
            supertrend="The stop of the trend.",
            trend="1 while the trend is up, which it is at first, -1 while it is down.",
        ),
        "stops ``multiplier * ATR`` below and above ``(high + low) / 2``, each moved only towards the price, until a "
        "close passes it; a close below the lower one ends a trend up, one above the upper one a trend down",
        "Olivier Seban",
    ),
)
