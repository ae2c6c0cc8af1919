"""Oscillators: how fast, and how far within its range, the price moves."""

from __future__ import annotations

import math

from python_fallback.shared.indicators.definitions.overlap import (
    average,
    combined,
    divisor,
    exponential,
    length,
    typical,
)
from python_fallback.shared.indicators.tracing import Operators, Value


def kept(period: float) -> float:
    """What a bar leaves of an exponential average."""
    return (period - 1.0) / (period + 1.0)


def rsi(o: Operators, real: Value, timeperiod: int) -> Value:
    return 100.0 * o.rises(real, timeperiod)


def macd(o: Operators, real: Value, fastperiod: int, slowperiod: int, signalperiod: int) -> tuple[Value, ...]:
    fast, slow = sorted((fastperiod, slowperiod))
    # Both averages come into being at the same bar, and are counted from the same price.
    line = o.apart(o.after(real, slow - fast), fast, kept(fast)) - o.apart(real, slow, kept(slow))
    signal = exponential(o, line, signalperiod)
    return line, signal, line - signal


def macdfix(o: Operators, real: Value, signalperiod: int) -> tuple[Value, ...]:
    line = o.apart(o.after(real, 14), 12, 1.0 - 0.15) - o.apart(real, 26, 1.0 - 0.075)
    signal = exponential(o, line, signalperiod)
    return line, signal, line - signal


def stoch(
    o: Operators,
    high: Value,
    low: Value,
    close: Value,
    fastk_period: int,
    slowk_period: int,
    slowk_matype: int,
    slowd_period: int,
    slowd_matype: int,
) -> tuple[Value, ...]:
    slowk = average(o, _within(o, high, low, close, fastk_period), slowk_period, slowk_matype)
    return slowk, average(o, slowk, slowd_period, slowd_matype)


def _within(o: Operators, high: Value, low: Value, close: Value, period: int) -> Value:
    """Where the close is within the range of the window, in 0..100."""
    return o.within(close, o.lowest(low, period), o.highest(high, period), 100.0)


def mom(o: Operators, real: Value, timeperiod: int) -> Value:
    return real - o.lag(real, timeperiod)


def roc(o: Operators, real: Value, timeperiod: int) -> Value:
    return 100.0 * rocp(o, real, timeperiod)


def rocp(o: Operators, real: Value, timeperiod: int) -> Value:
    before = o.lag(real, timeperiod)
    return o.ratio(real - before, before)


def rocr(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.ratio(real, o.lag(real, timeperiod))


def rocr100(o: Operators, real: Value, timeperiod: int) -> Value:
    return 100.0 * rocr(o, real, timeperiod)


def bop(o: Operators, open: Value, high: Value, low: Value, close: Value) -> Value:
    return o.balance(open, high, low, close)


def trix(o: Operators, real: Value, timeperiod: int) -> Value:
    smoothed = real
    for _ in range(3):
        smoothed = exponential(o, smoothed, timeperiod)
    return roc(o, smoothed, 1)


def cci(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    price = typical(o, high, low, close)
    distance = price - o.mean(price, timeperiod)
    return o.ratio(distance, 0.015 * o.mean_deviation(price, timeperiod))


def stochf(
    o: Operators, high: Value, low: Value, close: Value, fastk_period: int, fastd_period: int, fastd_matype: int
) -> tuple[Value, ...]:
    fastk = _within(o, high, low, close, fastk_period)
    return fastk, average(o, fastk, fastd_period, fastd_matype)


def stochrsi(
    o: Operators, real: Value, timeperiod: int, fastk_period: int, fastd_period: int, fastd_matype: int
) -> tuple[Value, ...]:
    strength = rsi(o, real, timeperiod)
    return stochf(o, strength, strength, strength, fastk_period, fastd_period, fastd_matype)


def kdj(
    o: Operators,
    high: Value,
    low: Value,
    close: Value,
    fastk_period: int,
    slowk_period: int,
    slowk_matype: int,
    slowd_period: int,
    slowd_matype: int,
) -> tuple[Value, ...]:
    k = average(o, _within(o, high, low, close, fastk_period), slowk_period, slowk_matype, 13)
    d = average(o, k, slowd_period, slowd_matype, 13)
    return k, d, combined(o, (k, 3.0), (d, -2.0))


def willr(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    return o.within(close, o.highest(high, timeperiod), o.lowest(low, timeperiod), -100.0)


def macdext(
    o: Operators,
    real: Value,
    fastperiod: int,
    fastmatype: int,
    slowperiod: int,
    slowmatype: int,
    signalperiod: int,
    signalmatype: int,
) -> tuple[Value, ...]:
    if slowperiod < fastperiod:
        fastperiod, fastmatype, slowperiod, slowmatype = slowperiod, slowmatype, fastperiod, fastmatype
    # The one that begins earlier is held back: both begin at the same bar.
    late = length(slowperiod, slowmatype) - length(fastperiod, fastmatype)
    fast = average(o, o.after(real, max(late, 0)), fastperiod, fastmatype)
    line = fast - average(o, o.after(real, max(-late, 0)), slowperiod, slowmatype)
    signal = average(o, line, signalperiod, signalmatype)
    return line, signal, line - signal


def apo(o: Operators, real: Value, fastperiod: int, slowperiod: int, matype: int) -> Value:
    fast, slow = sorted((fastperiod, slowperiod))
    return average(o, real, fast, matype, 1) - average(o, real, slow, matype, 1)


def ppo(o: Operators, real: Value, fastperiod: int, slowperiod: int, matype: int) -> Value:
    fast, slow = sorted((fastperiod, slowperiod))
    long = divisor(o, real, slow, matype, 1)
    return 100.0 * o.ratio(average(o, real, fast, matype, 1) - long, long)


def ao(o: Operators, high: Value, low: Value, fastperiod: int, slowperiod: int) -> Value:
    price = (high + low) / 2.0
    return o.mean(price, fastperiod) - o.mean(price, slowperiod)


def ac(o: Operators, high: Value, low: Value, fastperiod: int, slowperiod: int, signalperiod: int) -> Value:
    line = ao(o, high, low, fastperiod, slowperiod)
    return line - o.mean(line, signalperiod)


def cmo(o: Operators, real: Value, timeperiod: int) -> Value:
    change, keep = real - o.previous(real), (timeperiod - 1.0) / timeperiod
    return 100.0 * o.ratio(o.smooth(change, timeperiod, keep), o.smooth(abs(change), timeperiod, keep))


def cmou(o: Operators, real: Value, timeperiod: int) -> Value:
    change = real - o.lag(real, 1)
    return 100.0 * o.ratio(o.sum(change, timeperiod), o.sum(abs(change), timeperiod))


def coppock(o: Operators, real: Value, wmaperiod: int, roc1period: int, roc2period: int) -> Value:
    return o.weighted(roc(o, real, roc1period) + roc(o, real, roc2period), wmaperiod)


def dpo(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.lag(real, timeperiod // 2 + 1) - o.mean(real, timeperiod)


def er(o: Operators, real: Value, timeperiod: int) -> Value:
    path = o.sum(abs(real - o.lag(real, 1)), timeperiod)
    return o.ratio(abs(real - o.lag(real, timeperiod)), path, 1.0)


def eri(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> tuple[Value, ...]:
    middle = exponential(o, close, timeperiod)
    return high - middle, low - middle


def fosc(o: Operators, real: Value, timeperiod: int) -> Value:
    forecast = o.lag(o.line(real, timeperiod, timeperiod), 1)
    return 100.0 * o.ratio(real - forecast, real)


def imi(o: Operators, open: Value, close: Value, timeperiod: int) -> Value:
    change = close - open
    return 100.0 * o.ratio(o.sum(o.greatest(change, 0.0), timeperiod), o.sum(abs(change), timeperiod), 0.5)


def mfi(o: Operators, high: Value, low: Value, close: Value, volume: Value, timeperiod: int) -> Value:
    price = typical(o, high, low, close)
    before = o.lag(price, 1)
    flow = price * volume
    up = o.sum(o.where(price > before, flow, 0.0), timeperiod)
    return 100.0 * o.ratio(up, up + o.sum(o.where(price < before, flow, 0.0), timeperiod))


def qstick(o: Operators, open: Value, close: Value, timeperiod: int) -> Value:
    return o.mean(close - open, timeperiod)


def smi(
    o: Operators,
    high: Value,
    low: Value,
    close: Value,
    timeperiod: int,
    fastperiod: int,
    slowperiod: int,
    signalperiod: int,
) -> tuple[Value, ...]:
    top, floor = o.highest(high, timeperiod), o.lowest(low, timeperiod)
    distance, spread = (
        exponential(o, exponential(o, x, slowperiod), fastperiod) for x in (close - (top + floor) / 2.0, top - floor)
    )
    line = 100.0 * o.ratio(distance, spread / 2.0)
    return line, exponential(o, line, signalperiod)


def tsi(o: Operators, real: Value, firstperiod: int, secondperiod: int) -> Value:
    change = real - o.previous(real)
    twice, size = (exponential(o, exponential(o, x, firstperiod), secondperiod) for x in (change, abs(change)))
    return 100.0 * o.ratio(twice, size)


def ultosc(
    o: Operators, high: Value, low: Value, close: Value, timeperiod1: int, timeperiod2: int, timeperiod3: int
) -> Value:
    before = o.lag(close, 1)
    pressure, spread = close - o.least(low, before), o.true_range(high, low, before)
    short, middle, long = (
        o.ratio(o.sum(pressure, n), o.sum(spread, n)) for n in sorted((timeperiod1, timeperiod2, timeperiod3))
    )
    return combined(o, (short, 4.0), (middle, 2.0), (long, 1.0)) * (100.0 / 7.0)


def vhf(o: Operators, real: Value, timeperiod: int) -> Value:
    path = o.sum(abs(real - o.lag(real, 1)), timeperiod)
    return o.ratio(o.highest(real, timeperiod) - o.lowest(real, timeperiod), path)


def vortex(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> tuple[Value, ...]:
    spread = o.sum(o.true_range(high, low, o.lag(close, 1)), timeperiod)
    plus, minus = abs(high - o.lag(low, 1)), abs(low - o.lag(high, 1))
    return o.ratio(o.sum(plus, timeperiod), spread), o.ratio(o.sum(minus, timeperiod), spread)


def wad(o: Operators, high: Value, low: Value, close: Value) -> Value:
    return o.total(o.true_move(high, low, close, o.previous(close, math.inf)))


def _moves(o: Operators, high: Value, low: Value) -> tuple[Value, Value]:
    """How far a bar reaches above and below the one before it: the larger of the two; 0 at the first bar."""
    up, down = high - o.previous(high, math.inf), o.previous(low, -math.inf) - low
    return o.surplus(up, down), o.surplus(down, up)


def _wilder(o: Operators, x: Value, period: int) -> Value:
    return o.smooth(x, period, (period - 1.0) / period)


def plus_dm(o: Operators, high: Value, low: Value, timeperiod: int) -> Value:
    return _sum_of_moves(o, _moves(o, high, low)[0], timeperiod)


def minus_dm(o: Operators, high: Value, low: Value, timeperiod: int) -> Value:
    return _sum_of_moves(o, _moves(o, high, low)[1], timeperiod)


def _sum_of_moves(o: Operators, move: Value, period: int) -> Value:
    return o.after(move, 1) if period == 1 else float(period) * _wilder(o, move, period)


def _directions(o: Operators, high: Value, low: Value, close: Value, period: int) -> tuple[Value, Value]:
    """The two directional indicators."""
    before = o.previous(close, math.inf)
    spread = o.where(before < math.inf, o.true_range(high, low, before), 0.0)
    ranges = _wilder(o, spread, period)
    plus, minus = (100.0 * o.ratio(_wilder(o, move, period), ranges) for move in _moves(o, high, low))
    return o.after(plus, 1), o.after(minus, 1)


def plus_di(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    return _directions(o, high, low, close, timeperiod)[0]


def minus_di(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    return _directions(o, high, low, close, timeperiod)[1]


def dx(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    plus, minus = _directions(o, high, low, close, timeperiod)
    both = plus + minus
    # Without a move both sums fall alike. Their quotient is kept, as they come to 0 one after the other.
    up, down = _moves(o, high, low)
    moved = o.where(o.previous(both, 0.0) > 0.0, up + down, both)
    return o.hold(100.0 * o.ratio(abs(plus - minus), both), moved)


def adx(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    return _wilder(o, dx(o, high, low, close, timeperiod), timeperiod)


def adxr(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> Value:
    strength = adx(o, high, low, close, timeperiod)
    return (strength + o.lag(strength, timeperiod - 1)) / 2.0


def aroon(o: Operators, high: Value, low: Value, timeperiod: int) -> tuple[Value, ...]:
    share = 100.0 / timeperiod
    down = o.since_lowest(low, timeperiod + 1)
    up = o.since_highest(high, timeperiod + 1)
    return (timeperiod - down) * share, (timeperiod - up) * share


def aroonosc(o: Operators, high: Value, low: Value, timeperiod: int) -> Value:
    apart = o.since_lowest(low, timeperiod + 1) - o.since_highest(high, timeperiod + 1)
    return apart * (100.0 / timeperiod)


def fractal(o: Operators, high: Value, low: Value, leftbars: int, rightbars: int) -> tuple[Value, ...]:
    back = rightbars + 1
    others_high = o.greatest(o.highest(high, rightbars), o.lag(o.highest(high, leftbars), back))
    others_low = o.least(o.lowest(low, rightbars), o.lag(o.lowest(low, leftbars), back))
    return 100.0 * (o.lag(high, rightbars) > others_high), 100.0 * (o.lag(low, rightbars) < others_low)


DEFINITIONS = {
    "rsi": (1, rsi),
    "macd": (1, macd),
    "macdfix": (1, macdfix),
    "stoch": (3, stoch),
    "mom": (1, mom),
    "roc": (1, roc),
    "rocp": (1, rocp),
    "rocr": (1, rocr),
    "rocr100": (1, rocr100),
    "bop": (4, bop),
    "trix": (1, trix),
    "cci": (3, cci),
    "stochf": (3, stochf),
    "stochrsi": (1, stochrsi),
    "kdj": (3, kdj),
    "willr": (3, willr),
    "macdext": (1, macdext),
    "apo": (1, apo),
    "ppo": (1, ppo),
    "ao": (2, ao),
    "ac": (2, ac),
    "cmo": (1, cmo),
    "cmou": (1, cmou),
    "coppock": (1, coppock),
    "dpo": (1, dpo),
    "er": (1, er),
    "eri": (3, eri),
    "fosc": (1, fosc),
    "imi": (2, imi),
    "mfi": (4, mfi),
    "qstick": (2, qstick),
    "smi": (3, smi),
    "tsi": (1, tsi),
    "ultosc": (3, ultosc),
    "vhf": (1, vhf),
    "vortex": (3, vortex),
    "wad": (3, wad),
    "plus_dm": (2, plus_dm),
    "minus_dm": (2, minus_dm),
    "plus_di": (3, plus_di),
    "minus_di": (3, minus_di),
    "dx": (3, dx),
    "adx": (3, adx),
    "adxr": (3, adxr),
    "aroon": (2, aroon),
    "aroonosc": (2, aroonosc),
    "fractal": (2, fractal),
}
