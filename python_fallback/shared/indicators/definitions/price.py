"""Prices of a bar."""

from __future__ import annotations

import math

from python_fallback.shared.indicators.tracing import Operators, Value


def avgprice(o: Operators, open: Value, high: Value, low: Value, close: Value) -> Value:
    return (high + low + close + open) / 4.0


def medprice(o: Operators, high: Value, low: Value) -> Value:
    return (high + low) / 2.0


def typprice(o: Operators, high: Value, low: Value, close: Value) -> Value:
    return (high + low + close) / 3.0


def wclprice(o: Operators, high: Value, low: Value, close: Value) -> Value:
    return (high + low + close * 2.0) / 4.0


def avgdev(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.mean_deviation(real, timeperiod)


def ha(o: Operators, open: Value, high: Value, low: Value, close: Value) -> tuple[Value, ...]:
    haclose = (open + high + low + close) / 4.0
    before = o.previous(haclose, math.inf)
    rate = o.where(before < math.inf, 0.5, 0.0)
    haopen = o.follow(o.where(rate > 0.0, before, 0.0), rate, (open + close) / 2.0)
    return haopen, o.greatest(high, haopen, haclose), o.least(low, haopen, haclose), haclose


DEFINITIONS = {
    "avgprice": (4, avgprice),
    "medprice": (2, medprice),
    "typprice": (3, typprice),
    "wclprice": (3, wclprice),
    "avgdev": (1, avgdev),
    "ha": (4, ha),
}
