"""Indicators that operators carry out, without a kernel of their own, and one of a user's."""

from __future__ import annotations

import functools
from typing import Any

from benchmarks.bench_indicators import CLOSE, HIGH, LOW, VOLUME
from benchmarks.features import Skipped, cpu_timer, feature

timer = cpu_timer

BARS = 10_000
COLUMNS = {"high": HIGH[BARS], "low": LOW[BARS], "close": CLOSE[BARS], "volume": VOLUME[BARS]}
BUILT_IN = ("ADOSC", "ADX", "KAMA", "SUPERTREND", "T3", "ULTOSC")
CUSTOM = "custom"


@functools.cache
def definition(name: str) -> Any:
    """A definition with its default parameters, or None where this commit lacks it."""
    if name != CUSTOM:
        made = feature(f"fastcore.indicators:{name}")
        return made() if made else None
    indicator = feature("fastcore.indicators:indicator")
    return indicator(pressure)() if indicator else None


def pressure(o: Any, high: Any, low: Any, close: Any, volume: Any, timeperiod: int = 20) -> Any:
    """Where the close is between the extremes of the last bars, weighed by the volume against its average."""
    top, bottom = o.highest(high, timeperiod), o.lowest(low, timeperiod)
    place = o.ratio(close - bottom, top - bottom, 0.5) - 0.5
    return o.ema(place * o.ratio(volume, o.mean(volume, timeperiod), 1.0), timeperiod)


def inputs(made: Any) -> list[Any]:
    """Its columns; a value of no name is the close."""
    return [COLUMNS.get(column, COLUMNS["close"]) for column in made.columns]


class Definition:
    """One call at 10,000 bars."""

    params = (*BUILT_IN, CUSTOM)
    param_names = ("indicator",)

    def time_call(self, indicator: str) -> None:
        made = definition(indicator)
        if made is None:
            raise Skipped(indicator)
        made(*inputs(made))
