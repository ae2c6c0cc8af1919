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
    price = close + ((high - close) + (low - close)) / 3.0  # of three equal prices exactly that price
    base = o.first(price, volume)
    traded = o.total(volume)
    return (o.hold(base + o.ratio(o.total((price - base) * volume), traded), traded),)
