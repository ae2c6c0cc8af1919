"""How far prices range."""

from __future__ import annotations

from python_fallback.indicators.operators import Operators, Value


def atr(o: Operators[Value], high: Value, low: Value, close: Value, timeperiod: float) -> tuple[Value, ...]:
    high, low, close = o.complete(high, low, close)
    yesterday = o.previous(close)
    true_range = o.greatest(high - low, abs(high - yesterday), abs(low - yesterday))
    return (o.smooth(true_range, timeperiod, (timeperiod - 1.0) / timeperiod),)
