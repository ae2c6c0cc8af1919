"""Prices of a bar."""

from __future__ import annotations

import math

from python_fallback.shared.indicators.definitions.overlap import typical
from python_fallback.shared.indicators.tracing import Operators, Value


def avgprice(o: Operators, open: Value, high: Value, low: Value, close: Value) -> Value:
    return o.node("sum_of_four_over", high, low, close, open, params=(4.0,))


def medprice(o: Operators, high: Value, low: Value) -> Value:
    return o.node("sum_over", high, low, params=(2.0,))


def typprice(o: Operators, high: Value, low: Value, close: Value) -> Value:
    return typical(o, high, low, close)


def wclprice(o: Operators, high: Value, low: Value, close: Value) -> Value:
    return o.node("sum_of_three_over", high, low, close, params=(4.0, 2.0))


def avgdev(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.mean_deviation(real, timeperiod)


def ha(o: Operators, open: Value, high: Value, low: Value, close: Value) -> tuple[Value, ...]:
    haclose = o.node("sum_of_four_over", open, high, low, close, params=(4.0,))
    before = o.previous(haclose, math.inf)
    haopen = o.smooth(o.where(before < math.inf, before, (open + close) / 2.0), 1, 0.5)
    return haopen, o.greatest(high, haopen, haclose), o.least(low, haopen, haclose), haclose


DEFINITIONS = {
    "avgprice": (4, avgprice),
    "medprice": (2, medprice),
    "typprice": (3, typprice),
    "wclprice": (3, wclprice),
    "avgdev": (1, avgdev),
    "ha": (4, ha),
}
