"""Oscillators: how fast, and how far within its range, the price moves."""

from __future__ import annotations

from python_fallback.indicators.operators import Operators, Value
from python_fallback.indicators.overlap import average, exponential, kept


def rsi(o: Operators[Value], real: Value, timeperiod: float) -> tuple[Value, ...]:
    return (100.0 * o.rises(real, timeperiod),)


def macd(
    o: Operators[Value], real: Value, fastperiod: float, slowperiod: float, signalperiod: float
) -> tuple[Value, ...]:
    fast, slow = sorted((fastperiod, slowperiod))
    # Both averages come into being at the same bar, and are counted from the same price.
    line = o.apart(real, fast, kept(fast), slow - fast) - o.apart(real, slow, kept(slow))
    signal = exponential(o, line, signalperiod)
    return o.complete(line, signal, line - signal)


def stoch(
    o: Operators[Value],
    high: Value,
    low: Value,
    close: Value,
    fastk_period: float,
    slowk_period: float,
    slowk_matype: float,
    slowd_period: float,
    slowd_matype: float,
) -> tuple[Value, ...]:
    high, low, close = o.complete(high, low, close)
    floor = o.lowest(low, fastk_period)
    ceiling = o.highest(high, fastk_period)
    fastk = 100.0 * o.ratio(close - floor, ceiling - floor)
    slowk = average(o, fastk, slowk_period, slowk_matype)
    slowd = average(o, slowk, slowd_period, slowd_matype)
    return o.complete(slowk, slowd)
