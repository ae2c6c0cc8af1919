"""Prices weighed by what was traded."""

from __future__ import annotations

import math

from python_fallback.indicators.operators import Operators, Value


def obv(o: Operators[Value], real: Value, volume: Value) -> tuple[Value, ...]:
    real, volume = o.complete(real, volume)
    # The first bar counts as a rise, from minus infinity.
    return (o.total(volume * o.sign(real - o.previous(real, start=-math.inf))),)


def vwap(o: Operators[Value], high: Value, low: Value, close: Value, volume: Value) -> tuple[Value, ...]:
    high, low, close, volume = o.complete(high, low, close, volume)
    traded = o.total(volume)
    turnover = o.total((high + low + close) / 3.0 * volume)
    return (o.hold(o.ratio(turnover, traded), traded),)
