"""How far prices range."""

from __future__ import annotations

from python_fallback.shared.indicators.definitions.overlap import exponential
from python_fallback.shared.indicators.tracing import Operators, Value


def atr(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    return o.smooth(o.true_range(high, low, o.previous(close)), timeperiod, (timeperiod - 1.0) / timeperiod)


def natr(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    return 100.0 * o.ratio(atr(o, high, low, close, timeperiod), close)


def trange(o: Operators, high: Value, low: Value, close: Value) -> Value:
    return o.true_range(high, low, o.lag(close, 1))


def adr(o: Operators, high: Value, low: Value, timeperiod: int) -> Value:
    return o.mean(high - low, timeperiod)


def cvi(o: Operators, high: Value, low: Value, timeperiod: int, rocperiod: int) -> Value:
    spread = exponential(o, high - low, timeperiod)
    before = o.lag(spread, rocperiod)
    return 100.0 * o.ratio(spread - before, before)


def massi(o: Operators, high: Value, low: Value, fastperiod: int, slowperiod: int) -> Value:
    once = exponential(o, high - low, fastperiod)
    return o.sum(o.ratio(once, exponential(o, once, fastperiod), 1.0), slowperiod)


def rvi(o: Operators, real: Value, timeperiod: int, stddevperiod: int) -> Value:
    deviation, before = o.deviation(real, stddevperiod), o.lag(real, 1)
    keep = (timeperiod - 1.0) / timeperiod
    up = o.smooth(o.where(real > before, deviation, 0.0), timeperiod, keep)
    down = o.smooth(o.where(real < before, deviation, 0.0), timeperiod, keep)
    return 100.0 * o.ratio(up, up + down, 0.5)


DEFINITIONS = {
    "atr": (3, atr),
    "natr": (3, natr),
    "trange": (3, trange),
    "adr": (2, adr),
    "cvi": (2, cvi),
    "massi": (2, massi),
    "rvi": (1, rvi),
}
