"""Prices weighed by what was traded."""

from __future__ import annotations

import math

from python_fallback.shared.indicators.definitions.overlap import average, divisor, exponential
from python_fallback.shared.indicators.tracing import Operators, Value


def obv(o: Operators, real: Value, volume: Value) -> Value:
    # The first bar counts as a rise, from minus infinity.
    return o.total(volume * o.sign(real - o.previous(real, start=-math.inf)))


def vwap(o: Operators, high: Value, low: Value, close: Value, volume: Value) -> Value:
    price = close + ((high - close) + (low - close)) / 3.0  # of three equal prices exactly that price
    base = o.first(price, volume)
    traded = o.total(volume)
    return o.hold(base + o.ratio(o.total((price - base) * volume), traded), traded)


def ad(o: Operators, high: Value, low: Value, close: Value, volume: Value) -> Value:
    return o.total(o.money_flow(high, low, close, volume))


def adosc(
    o: Operators, high: Value, low: Value, close: Value, volume: Value, fastperiod: int, slowperiod: int
) -> Value:
    line = ad(o, high, low, close, volume)
    # Both averages are counted from the same line.
    fast, slow = (o.apart(line, 1, (period - 1.0) / (period + 1.0)) for period in (fastperiod, slowperiod))
    return o.after(fast - slow, max(fastperiod, slowperiod) - 1)


def cmf(o: Operators, high: Value, low: Value, close: Value, volume: Value, timeperiod: int) -> Value:
    traded = o.sum(volume, timeperiod)
    flow = o.sum(o.money_flow(high, low, close, volume), timeperiod)
    return o.share(flow, traded)


def efi(o: Operators, close: Value, volume: Value, timeperiod: int) -> Value:
    return exponential(o, (close - o.previous(close)) * volume, timeperiod)


def marketfi(o: Operators, high: Value, low: Value, volume: Value) -> Value:
    return o.ratio(high - low, volume)


def nvi(o: Operators, close: Value, volume: Value) -> Value:
    return 1000.0 * o.product(o.where(volume < o.previous(volume, -math.inf), _growth(o, close), 1.0))


def pvi(o: Operators, close: Value, volume: Value) -> Value:
    return 1000.0 * o.product(o.where(volume > o.previous(volume, math.inf), _growth(o, close), 1.0))


def _growth(o: Operators, close: Value) -> Value:
    return o.ratio(close, o.previous(close, 1.0), 1.0)


def pvo(o: Operators, volume: Value, fastperiod: int, slowperiod: int, matype: int) -> Value:
    fast, slow = sorted((fastperiod, slowperiod))
    long = divisor(o, volume, slow, matype, 1)
    return 100.0 * o.ratio(average(o, volume, fast, matype, 1) - long, long)


def pvt(o: Operators, close: Value, volume: Value) -> Value:
    before = o.previous(close, 0.0)
    return o.total(o.ratio(close - before, before) * volume)


def rvol(o: Operators, volume: Value, timeperiod: int) -> Value:
    return o.ratio(volume, o.lag(o.mean(volume, timeperiod), 1))


DEFINITIONS = {
    "obv": (2, obv),
    "vwap": (4, vwap),
    "ad": (4, ad),
    "adosc": (4, adosc),
    "cmf": (4, cmf),
    "efi": (2, efi),
    "marketfi": (3, marketfi),
    "nvi": (2, nvi),
    "pvi": (2, pvi),
    "pvo": (1, pvo),
    "pvt": (2, pvt),
    "rvol": (1, rvol),
}
