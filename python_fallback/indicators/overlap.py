"""Averages and bands that overlay the price."""

from __future__ import annotations

from python_fallback.indicators.operators import Operators, Value


def sma(o: Operators[Value], real: Value, timeperiod: float) -> tuple[Value, ...]:
    return (o.mean(real, timeperiod),)


def kept(period: float) -> float:
    """What a bar leaves of an exponential average."""
    return (period - 1.0) / (period + 1.0)


def exponential(o: Operators[Value], x: Value, period: float) -> Value:
    return o.smooth(x, period, kept(period))


def ema(o: Operators[Value], real: Value, timeperiod: float) -> tuple[Value, ...]:
    return (exponential(o, real, timeperiod),)


def average(o: Operators[Value], x: Value, period: float, matype: float) -> Value:
    """The moving average that TA-Lib numbers `matype`."""
    return o.mean(x, period) if matype == 0 else exponential(o, x, period)


def bbands(
    o: Operators[Value], real: Value, timeperiod: float, nbdevup: float, nbdevdn: float, matype: float
) -> tuple[Value, ...]:
    middle = average(o, real, timeperiod, matype)
    deviation = o.deviation(real, timeperiod)
    return o.complete(middle + nbdevup * deviation, middle, middle - nbdevdn * deviation)
