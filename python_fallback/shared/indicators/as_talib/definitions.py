"""Functions whose way of going on after a missing value is not that of their operators in TA-Lib 0.8.2.

Each is written over the same operators as its definition; what is written here is what TA-Lib compares, and when.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from python_fallback.shared.indicators.as_talib.comparing import FAR, Comparing
from python_fallback.shared.indicators.definitions import cycle, momentum, overlap, volume
from python_fallback.shared.indicators.tracing import Value

__all__ = ["DEFINITIONS"]


def vwma(o: Comparing, real: Value, traded: Value, timeperiod: int) -> Value:
    return real if timeperiod == 1 else o.without(overlap.vwma(o, real, traded, timeperiod), o.sum(traded, timeperiod))


def bbands(
    o: Comparing, real: Value, timeperiod: int, nbdevup: float, nbdevdn: float, matype: int
) -> tuple[Value, ...]:
    middle = overlap.average(o, real, timeperiod, matype)
    late = max(overlap.length(timeperiod, matype) - (timeperiod - 1), 0)  # both begin at one bar
    deviation = o.deviation(o.after(real, late), timeperiod)
    return middle + nbdevup * deviation, middle, middle - nbdevdn * deviation


def mavp(o: Comparing, real: Value, periods: Value, minperiod: int, maxperiod: int, matype: int) -> Value:
    bars = o.kept(periods, minperiod)  # a missing period is the least one
    if matype not in (0, 11):
        return overlap.mavp(o, real, bars, minperiod, maxperiod, matype)
    mask = o.mask(real)
    found = overlap.mavp(o, o.unspoiled(real), bars, minperiod, maxperiod, matype)
    if mask is None:
        return found
    bars = o.map("floor", o.least(o.greatest(bars, minperiod), maxperiod))
    summed = o.since(mask, maxperiod + 1.0 - bars)  # sums begin with the first result
    return o.masked(found, o.where(o.equal(bars, 1.0), mask, summed))


def willr(o: Comparing, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    return o.least(o.greatest(momentum.willr(o, high, low, close, timeperiod), -100.0), 0.0)


def cmou(o: Comparing, real: Value, timeperiod: int) -> Value:
    change = real - o.lag(real, 1)
    counted = o.where(change > 0.0, change, o.where(change < 0.0, change, 0.0))
    return 100.0 * o.ratio(o.sum(counted, timeperiod), o.sum(abs(counted), timeperiod))


def ultosc(
    o: Comparing, high: Value, low: Value, close: Value, timeperiod1: int, timeperiod2: int, timeperiod3: int
) -> Value:
    before = o.lag(close, 1)
    pressure, spread = close - o.least(before, low), o.true_range(high, low, before)
    periods = sorted((timeperiod1, timeperiod2, timeperiod3))
    parts = []
    for n in periods:  # each sum begins with its first window
        gained, ranged = o.after(pressure, periods[-1] - n), o.after(spread, periods[-1] - n)
        parts.append(o.ratio(o.sum_until_still(gained, n, ranged), o.sum_until_still(ranged, n, gained)))
    return overlap.combined(o, *zip(parts, (4.0, 2.0, 1.0))) * (100.0 / 7.0)


def er(o: Comparing, real: Value, timeperiod: int) -> Value:
    path = o.sum_until_still(abs(real - o.lag(real, 1)), timeperiod)
    return o.ratio(abs(real - o.lag(real, timeperiod)), path, 1.0)


def mfi(o: Comparing, high: Value, low: Value, close: Value, traded: Value, timeperiod: int) -> Value:
    price = overlap.typical(o, high, low, close)
    before, flow = o.lag(price, 1), price * traded
    up, down = o.where(price <= before, 0.0, flow), o.where(price >= before, 0.0, flow)
    up, down = o.sum_until_still(up, timeperiod, down), o.sum_until_still(down, timeperiod, up)
    return 100.0 * o.ratio(up, up + down)


def vortex(o: Comparing, high: Value, low: Value, close: Value, timeperiod: int) -> tuple[Value, ...]:
    spread = o.sum_until_still(o.true_range(high, low, o.lag(close, 1)), timeperiod)
    moves = abs(high - o.lag(low, 1)), abs(low - o.lag(high, 1))
    return tuple(o.ratio(o.sum(move, timeperiod), spread) for move in moves)


def adx(o: Comparing, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    strength = momentum.dx(o, high, low, close, timeperiod)
    bad = o.either([o.mask(high), o.mask(low)])
    if bad is None:
        return momentum.adx(o, high, low, close, timeperiod)
    bad = o.ever(bad)  # then the range is NaN, and the average stays
    found = o.smooth(o.where(bad, 0.0, strength), timeperiod, (timeperiod - 1.0) / timeperiod)
    begins = o.equal(o.counted(found), 1.0)
    return o.hold(found, o.greatest(1.0 - bad, begins))


def adxr(o: Comparing, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    strength = adx(o, high, low, close, timeperiod)
    return (strength + o.lag(strength, timeperiod - 1)) / 2.0


def fractal(o: Comparing, high: Value, low: Value, leftbars: int, rightbars: int) -> tuple[Value, ...]:
    seen = o.kept(high, -FAR), o.kept(low, FAR)
    swings = momentum.fractal(o, *seen, leftbars, rightbars)
    return tuple(
        swing if mask is None else o.where(o.lag(mask, leftbars + rightbars), 0.0, swing)
        for swing, mask in zip(swings, (o.mask(high), o.mask(low)))
    )


def obv(o: Comparing, real: Value, volume: Value) -> Value:
    before = o.previous(real, start=-math.inf)
    return o.total(o.where(real > before, volume, o.where(before > real, -volume, 0.0)))


def vwap(o: Comparing, high: Value, low: Value, close: Value, traded: Value) -> Value:
    mask = o.either([o.mask(x) for x in (high, low, close, traded)])
    weight = o.unspoiled(traded)
    weight = weight if mask is None else o.where(mask, 0.0, weight)
    return volume.vwap(o, o.unspoiled(high), o.unspoiled(low), o.unspoiled(close), weight)


def _growth(o: Comparing, close: Value) -> Value:
    return o.kept(o.ratio(close, o.previous(close, 1.0), 1.0), 1.0)


def nvi(o: Comparing, close: Value, traded: Value) -> Value:
    return 1000.0 * o.product(o.where(traded < o.previous(traded, -math.inf), _growth(o, close), 1.0))


def pvi(o: Comparing, close: Value, traded: Value) -> Value:
    return 1000.0 * o.product(o.where(traded > o.previous(traded, math.inf), _growth(o, close), 1.0))


def pvt(o: Comparing, close: Value, traded: Value) -> Value:
    before = o.previous(close, 0.0)
    return o.total(o.where(o.equal(before, 0.0), 0.0, o.ratio(close - before, before) * traded))


def rvol(o: Comparing, traded: Value, timeperiod: int) -> Value:
    return o.without(volume.rvol(o, traded, timeperiod), o.lag(o.mean(traded, timeperiod), 1))


def ha(o: Comparing, open: Value, high: Value, low: Value, close: Value) -> tuple[Value, ...]:
    haclose = o.node("sum_of_four_over", open, high, low, close, params=(4.0,))
    before = o.previous(haclose, math.inf)
    rate = o.where(before < math.inf, 0.5, 0.0)
    haopen = o.follow(o.where(rate > 0.0, before, 0.0), rate, o.unspoiled((open + close) / 2.0))
    return haopen, o.greatest(high, haopen, haclose), o.least(low, haopen, haclose), haclose


def percentrank(o: Comparing, real: Value, timeperiod: int) -> Value:
    found = o.rank(o.kept(real, FAR), timeperiod + 1, timeperiod + 1, 1) * 100.0 / timeperiod
    mask = o.mask(real)
    return found if mask is None else o.where(mask, 0.0, found)


def ht_trendmode(o: Comparing, real: Value) -> Value:
    mask, found = o.mask(real), cycle.ht_trendmode(o, o.unspoiled(real))
    return found if mask is None else o.where(o.ever(mask), 1.0, found)  # without a period it is a trend


def ht_trendline(o: Comparing, real: Value) -> Value:
    mask, price = o.mask(real), o.unspoiled(real)
    means = cycle.mean_of_cycle(o, price, cycle.late(o, price)[1])
    if mask is not None:
        means = o.where(o.ever(mask), 0.0, means)  # without a period it is a mean of no bars
    return cycle.from_bar_63(o, cycle.trend(o, means))


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "vwma": vwma,
    "bbands": bbands,
    "mavp": mavp,
    "willr": willr,
    "cmou": cmou,
    "ultosc": ultosc,
    "er": er,
    "mfi": mfi,
    "vortex": vortex,
    "adx": adx,
    "adxr": adxr,
    "fractal": fractal,
    "obv": obv,
    "vwap": vwap,
    "nvi": nvi,
    "pvi": pvi,
    "pvt": pvt,
    "rvol": rvol,
    "ha": ha,
    "percentrank": percentrank,
    "ht_trendmode": ht_trendmode,
    "ht_trendline": ht_trendline,
}
