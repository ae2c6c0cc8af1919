"""Statistics of a window."""

from __future__ import annotations

from python_fallback.indicators.operators import Operators, Value


def stddev(o: Operators[Value], real: Value, timeperiod: float, nbdev: float) -> tuple[Value, ...]:
    return (nbdev * o.deviation(real, timeperiod),)


def minimum(o: Operators[Value], real: Value, timeperiod: float) -> tuple[Value, ...]:
    return (o.lowest(real, timeperiod),)


def maximum(o: Operators[Value], real: Value, timeperiod: float) -> tuple[Value, ...]:
    return (o.highest(real, timeperiod),)
