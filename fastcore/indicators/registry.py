"""The one table of indicators.

From a row come the public function, the definition class, the named tuple of its outputs, the stub, the docs page and
the row's place in every test that walks the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["INDICATORS", "MISSING_DATA", "Indicator", "Output", "Param"]

PERIOD_MAX = 100_000
REAL_MAX = 3e37
MATYPES: Mapping[int, str] = MappingProxyType({0: "simple (SMA)", 1: "exponential (EMA)"})

# How an indicator meets a missing value, which is one that is not finite.
MissingData = Literal["window", "recurrence", "mixed"]
MISSING_DATA: Mapping[str, str] = MappingProxyType(
    {
        "window": "The result is NaN while a missing value is in the window, and right again once it has left.",
        "recurrence": "A bar with a missing value is skipped: its result is NaN, and the next bars continue as if it "
        "did not exist.",
        "mixed": "Results of a window are NaN while a missing value is in it; exponential averages skip missing "
        "values.",
    }
)


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter: an int in lo..hi, a float in lo..hi, or the number of a moving average."""

    name: str
    kind: Literal["int", "float", "matype"]
    default: float
    lo: float
    hi: float
    doc: str

    @property
    def annotation(self) -> str:
        return "float" if self.kind == "float" else "int"


@dataclass(frozen=True, slots=True)
class Output:
    """An output: its name here, and TA-Lib's."""

    name: str
    talib: str
    doc: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """One row: everything about an indicator except its arithmetic."""

    name: str
    title: str
    group: str
    inputs: tuple[str, ...]
    params: tuple[Param, ...]
    outputs: tuple[Output, ...]
    lookback: Callable[..., int]  # of the parameters: how many bars of clean data come before the first result
    missing: MissingData
    formula: str
    source: str
    notes: str = ""

    @property
    def definition(self) -> str:
        """The name of its definition class, which is TA-Lib's name of the function."""
        return self.name.upper()

    @property
    def result(self) -> str:
        """The name of the named tuple of its outputs; empty where there is one output."""
        return f"{self.definition}Result" if len(self.outputs) > 1 else ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of a call's arguments, in order."""
        return (*self.inputs, *(param.name for param in self.params))


# What each input is, and the column a Plan takes it from.
INPUTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "real": ("close", "Any series, usually closing prices."),
        "high": ("high", "The highest price of each bar."),
        "low": ("low", "The lowest price of each bar."),
        "close": ("close", "The closing price of each bar."),
        "volume": ("volume", "The volume traded in each bar."),
    }
)

_WILDER = "J. Welles Wilder, New Concepts in Technical Trading Systems, 1978"


def _period(default: int, lo: int, doc: str = "Bars in the window.", name: str = "timeperiod") -> Param:
    return Param(name, "int", default, lo, PERIOD_MAX, doc)


def _matype(name: str, doc: str) -> Param:
    return Param(name, "matype", 0, min(MATYPES), max(MATYPES), doc)


def _deviations(name: str, default: float, doc: str) -> Param:
    return Param(name, "float", default, -REAL_MAX, REAL_MAX, doc)


def _value(doc: str) -> tuple[Output, ...]:
    return (Output("real", "real", doc),)


_ROWS = (
    Indicator(
        name="sma",
        title="Simple moving average",
        group="Overlap Studies",
        inputs=("real",),
        params=(_period(30, 1),),
        outputs=_value("The mean of the window."),
        lookback=lambda timeperiod: timeperiod - 1,
        missing="window",
        formula="``sum(real[t-n+1 : t+1]) / n``",
        source="the arithmetic mean of a window",
        notes="O(1) per bar. Sums do not drift: after a spike has left the window it has no effect.",
    ),
    Indicator(
        name="ema",
        title="Exponential moving average",
        group="Overlap Studies",
        inputs=("real",),
        params=(_period(30, 1, "Bars that the weight ``2 / (timeperiod + 1)`` stands for."),),
        outputs=_value("The average."),
        lookback=lambda timeperiod: timeperiod - 1,
        missing="recurrence",
        formula="``y += 2 / (n + 1) * (real[t] - y)``, begun with the mean of the first n bars",
        source="exponential smoothing, R. G. Brown, 1956",
    ),
    Indicator(
        name="bbands",
        title="Bollinger bands",
        group="Overlap Studies",
        inputs=("real",),
        params=(
            _period(20, 2),
            _deviations("nbdevup", 2.0, "How many deviations the upper band is above the middle."),
            _deviations("nbdevdn", 2.0, "How many deviations the lower band is below the middle."),
            _matype("matype", "The moving average in the middle."),
        ),
        outputs=(
            Output("upper", "upperband", "The upper band."),
            Output("middle", "middleband", "The moving average."),
            Output("lower", "lowerband", "The lower band."),
        ),
        lookback=lambda timeperiod, nbdevup, nbdevdn, matype: timeperiod - 1,
        missing="mixed",
        formula="``middle + nbdevup * s`` and ``middle - nbdevdn * s``, s the population standard deviation of the "
        "window about its own mean",
        source="John Bollinger, Bollinger on Bollinger Bands, 2001",
    ),
    Indicator(
        name="rsi",
        title="Relative strength index",
        group="Momentum Indicators",
        inputs=("real",),
        params=(_period(14, 2, "Changes that Wilder's averages stand for."),),
        outputs=_value("The index, in 0..100."),
        lookback=lambda timeperiod: timeperiod,
        missing="recurrence",
        formula="``100 * G / (G + L)``, G and L Wilder's averages of the rises and of the falls from bar to bar; "
        "its last value while nothing moves, and 0 where nothing has moved yet",
        source=_WILDER,
    ),
    Indicator(
        name="macd",
        title="Moving average convergence/divergence",
        group="Momentum Indicators",
        inputs=("real",),
        params=(
            _period(12, 2, "Bars of the fast average. The larger of the two is taken as the slow one.", "fastperiod"),
            _period(26, 2, "Bars of the slow average.", "slowperiod"),
            _period(9, 1, "Bars of the signal line.", "signalperiod"),
        ),
        outputs=(
            Output("macd", "macd", "The fast average less the slow one."),
            Output("signal", "macdsignal", "The exponential average of macd."),
            Output("hist", "macdhist", "macd less signal."),
        ),
        lookback=lambda fastperiod, slowperiod, signalperiod: max(fastperiod, slowperiod) + signalperiod - 2,
        missing="recurrence",
        formula="``macd = EMA(fast) - EMA(slow)``, ``signal = EMA(macd)``, ``hist = macd - signal``; both averages "
        "begin at the same bar",
        source="Gerald Appel, Technical Analysis: Power Tools for Active Investors, 2005",
    ),
    Indicator(
        name="stoch",
        title="Stochastic oscillator",
        group="Momentum Indicators",
        inputs=("high", "low", "close"),
        params=(
            _period(5, 1, "Bars that the range is taken over.", "fastk_period"),
            _period(3, 1, "Bars that %K is smoothed over.", "slowk_period"),
            _matype("slowk_matype", "The moving average that smooths %K."),
            _period(3, 1, "Bars that %D averages.", "slowd_period"),
            _matype("slowd_matype", "The moving average that makes %D."),
        ),
        outputs=(
            Output("slowk", "slowk", "The smoothed %K."),
            Output("slowd", "slowd", "The average of slowk."),
        ),
        lookback=lambda fastk_period, slowk_period, slowk_matype, slowd_period, slowd_matype: (
            fastk_period + slowk_period + slowd_period - 3
        ),
        missing="mixed",
        formula="``%K = 100 * (close - lowest) / (highest - lowest)`` of the window, 0 where there is no range",
        source="George C. Lane, Lane's Stochastics, Technical Analysis of Stocks & Commodities 2:3, 1984",
    ),
    Indicator(
        name="atr",
        title="Average true range",
        group="Volatility Indicators",
        inputs=("high", "low", "close"),
        params=(_period(14, 1, "Bars that Wilder's average stands for."),),
        outputs=_value("The average of the true range."),
        lookback=lambda timeperiod: timeperiod,
        missing="recurrence",
        formula="``y += (TR[t] - y) / n``, ``TR = max(high - low, |high - close[t-1]|, |low - close[t-1]|)``, begun "
        "with the mean of the first n",
        source=_WILDER,
    ),
    Indicator(
        name="obv",
        title="On balance volume",
        group="Volume Indicators",
        inputs=("real", "volume"),
        params=(),
        outputs=_value("The volume of rises less that of falls, since the first bar."),
        lookback=lambda: 0,
        missing="recurrence",
        formula="``y += volume[t] * sign(real[t] - real[t-1])``, begun with the volume of the first bar",
        source="Joseph E. Granville, Granville's New Key to Stock Market Profits, 1963",
    ),
    Indicator(
        name="vwap",
        title="Volume weighted average price",
        group="Volume Indicators",
        inputs=("high", "low", "close", "volume"),
        params=(),
        outputs=_value("The average price of all that was traded since the first bar."),
        lookback=lambda: 0,
        missing="recurrence",
        formula="``sum((high + low + close) / 3 * volume) / sum(volume)`` over all bars so far; while that volume is "
        "not above zero the last average stays, and 0 stands before the first",
        source="S. Berkowitz, D. Logue, E. Noser, The Total Cost of Transactions on the NYSE, Journal of Finance 43:1, "
        "1988",
        notes="It begins with the first bar given: for a day's VWAP hand it that day's bars.",
    ),
    Indicator(
        name="stddev",
        title="Standard deviation",
        group="Statistic Functions",
        inputs=("real",),
        params=(_period(5, 2), _deviations("nbdev", 1.0, "What the deviation is multiplied with.")),
        outputs=_value("The population standard deviation of the window, times nbdev."),
        lookback=lambda timeperiod, nbdev: timeperiod - 1,
        missing="window",
        formula="``nbdev * sqrt(mean((real - mean(real)) ** 2))`` of the window",
        source="the standard deviation of a population",
        notes="Right at any offset of the prices, and exactly 0 where they stand still.",
    ),
    Indicator(
        name="min",
        title="Lowest value",
        group="Math Operators",
        inputs=("real",),
        params=(_period(30, 2),),
        outputs=_value("The lowest value of the window."),
        lookback=lambda timeperiod: timeperiod - 1,
        missing="window",
        formula="``min(real[t-n+1 : t+1])``",
        source="the minimum of a window",
    ),
    Indicator(
        name="max",
        title="Highest value",
        group="Math Operators",
        inputs=("real",),
        params=(_period(30, 2),),
        outputs=_value("The highest value of the window."),
        lookback=lambda timeperiod: timeperiod - 1,
        missing="window",
        formula="``max(real[t-n+1 : t+1])``",
        source="the maximum of a window",
    ),
)

INDICATORS: Mapping[str, Indicator] = MappingProxyType({row.name: row for row in _ROWS})
