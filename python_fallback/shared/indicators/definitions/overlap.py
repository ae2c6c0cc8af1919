"""Averages and bands that overlay the price."""

from __future__ import annotations

import math

from python_fallback.shared.indicators.definitions.cycle import mama
from python_fallback.shared.indicators.program import lookback
from python_fallback.shared.indicators.tracing import Operators, Value

__all__ = ["DEFINITIONS", "average", "combined", "divisor", "exponential", "length", "typical"]


def exponential(o: Operators, x: Value, period: int) -> Value:
    """The exponential average, begun with the mean of the first `period` values."""
    return o.smooth(x, period, (period - 1.0) / (period + 1.0))


def combined(o: Operators, *terms: tuple[Value, float]) -> Value:
    """The sum of two to four values, each times its weight."""
    name = {2: "combine_two", 3: "combine_three", 4: "combine_four"}[len(terms)]
    return o.node(name, *(value for value, _ in terms), params=tuple(weight for _, weight in terms))


def typical(o: Operators, high: Value, low: Value, close: Value) -> Value:
    """The mean of three prices."""
    return o.node("sum_of_three_over", high, low, close, params=(3.0, 1.0))


def average(o: Operators, x: Value, period: int, matype: int, default: int = 0) -> Value:
    """The moving average that TA-Lib numbers `matype`; 11 stands for the function's own, `default`."""
    if period == 1 or matype == 10:
        return x
    matype = default if matype == 11 else matype
    if matype not in _AVERAGES:
        raise ValueError(f"matype: expected one of {', '.join(map(str, sorted((*_AVERAGES, 10, 11))))}, got {matype}")
    return _AVERAGES[matype](o, x, period)


def divisor(o: Operators, x: Value, period: int, matype: int, default: int = 0) -> Value:
    """The moving average to divide by: 0 where only rounding errors are left of a mean."""
    found = average(o, x, period, matype, default)
    if matype not in (0, 2, 5) or period == 1:
        return found
    return o.where(abs(found) > 2.0**-48 * o.mean(abs(x), period), found, 0.0)


def length(period: int, matype: int, default: int = 0) -> int:
    """How many bars come before the first value of a moving average."""
    operators = Operators(1)
    program = operators.program((average(operators, Value(operators, 0), period, matype, default),))
    return lookback(program)


def sma(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.mean(real, timeperiod)


def ema(o: Operators, real: Value, timeperiod: int) -> Value:
    return exponential(o, real, timeperiod)


def wma(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.weighted(real, timeperiod)


def dema(o: Operators, real: Value, timeperiod: int) -> Value:
    once = exponential(o, real, timeperiod)
    return combined(o, (once, 2.0), (exponential(o, once, timeperiod), -1.0))


def tema(o: Operators, real: Value, timeperiod: int) -> Value:
    once = exponential(o, real, timeperiod)
    twice = exponential(o, once, timeperiod)
    return combined(o, (once, 3.0), (twice, -3.0), (exponential(o, twice, timeperiod), 1.0))


def trima(o: Operators, real: Value, timeperiod: int) -> Value:
    half = (timeperiod + 1) // 2
    return o.mean(o.mean(real, half), timeperiod + 1 - half)


def rma(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.smooth(real, timeperiod, (timeperiod - 1.0) / timeperiod)


def t3(o: Operators, real: Value, timeperiod: int, vfactor: float = 0.7) -> Value:
    smoothed = [real]
    for _ in range(6):
        smoothed.append(exponential(o, smoothed[-1], timeperiod))
    square, cube = vfactor * vfactor, vfactor * vfactor * vfactor
    third = -6.0 * square - 3.0 * (vfactor + cube)
    fourth = 1.0 + 3.0 * vfactor + cube + 3.0 * square
    sixth = 3.0 * (square + cube)
    return combined(o, (smoothed[6], -cube), (smoothed[5], sixth), (smoothed[4], third), (smoothed[3], fourth))


def hma(o: Operators, real: Value, timeperiod: int) -> Value:
    half = o.weighted(real, max(timeperiod // 2, 1))
    line = combined(o, (half, 2.0), (o.weighted(real, timeperiod), -1.0))
    return o.weighted(line, max(math.isqrt(timeperiod), 1))


def zlema(o: Operators, real: Value, timeperiod: int) -> Value:
    return exponential(o, combined(o, (real, 2.0), (o.lag(real, (timeperiod - 1) // 2), -1.0)), timeperiod)


def vwma(o: Operators, real: Value, volume: Value, timeperiod: int) -> Value:
    return o.ratio(o.sum(real * volume, timeperiod), o.sum(volume, timeperiod))


def kama(o: Operators, real: Value, timeperiod: int) -> Value:
    if timeperiod == 1:
        return real
    fastest, slowest = 2.0 / 3.0, 2.0 / 31.0
    path = o.sum(abs(real - o.lag(real, 1)), timeperiod)
    rate = o.node("adaptive_rate", real, o.lag(real, timeperiod), path, params=(fastest - slowest, slowest))
    return o.follow(real, rate, o.lag(real, 1))


def mavp(o: Operators, real: Value, periods: Value, minperiod: int, maxperiod: int, matype: int) -> Value:
    if minperiod > maxperiod:
        raise ValueError(f"maxperiod: expected at least minperiod, {minperiod}, got {maxperiod}")
    bars = o.map("floor", o.least(o.greatest(periods, minperiod), maxperiod))
    if matype in (0, 11):
        return o.mean_of(real, bars, maxperiod)
    what = f"mavp: one average of matype {matype} for each period from {minperiod} to {maxperiod}"
    o.leave_room(what, 3 * (maxperiod - minperiod))
    latest = max(length(period, matype) for period in range(minperiod, maxperiod + 1))
    found = average(o, real, maxperiod, matype)
    for period in range(minperiod, maxperiod):
        late = o.after(real, latest - length(period, matype))  # all of them give their first result at one bar
        found = o.where(o.equal(bars, period), average(o, late, period, matype), found)
        o.leave_room(what)
    return found


def ma(o: Operators, real: Value, timeperiod: int, matype: int) -> Value:
    return average(o, real, timeperiod, matype)


def midpoint(o: Operators, real: Value, timeperiod: int) -> Value:
    return (o.highest(real, timeperiod) + o.lowest(real, timeperiod)) / 2.0


def midprice(o: Operators, high: Value, low: Value, timeperiod: int) -> Value:
    return (o.highest(high, timeperiod) + o.lowest(low, timeperiod)) / 2.0


def bbands(
    o: Operators, real: Value, timeperiod: int, nbdevup: float, nbdevdn: float, matype: int
) -> tuple[Value, ...]:
    middle = average(o, real, timeperiod, matype)
    deviation = o.deviation(real, timeperiod)
    return middle + nbdevup * deviation, middle, middle - nbdevdn * deviation


def accbands(o: Operators, high: Value, low: Value, close: Value, timeperiod: int) -> tuple[Value, ...]:
    width = 4.0 * o.ratio(high - low, high + low)
    upper, lower = high * (1.0 + width), low * (1.0 - width)
    return o.mean(upper, timeperiod), o.mean(close, timeperiod), o.mean(lower, timeperiod)


def donchian(o: Operators, high: Value, low: Value, timeperiod: int) -> tuple[Value, ...]:
    upper, lower = o.highest(high, timeperiod), o.lowest(low, timeperiod)
    return upper, (upper + lower) / 2.0, lower


def kc(
    o: Operators, high: Value, low: Value, close: Value, timeperiod: int, atrperiod: int, nbdev: float
) -> tuple[Value, ...]:
    # The average and the range begin at the same bar: the one of fewer bars is held back.
    late = (timeperiod - 1) - atrperiod
    middle = exponential(o, o.after(typical(o, high, low, close), max(-late, 0)), timeperiod)
    spread = o.after(o.true_range(high, low, o.previous(close)), max(late, 0))
    width = nbdev * o.smooth(spread, atrperiod, (atrperiod - 1.0) / atrperiod)
    return middle + width, middle, middle - width


def sar(o: Operators, high: Value, low: Value, acceleration: float, maximum: float) -> Value:
    rates = min(acceleration, maximum), min(acceleration, maximum), maximum
    return o.parabolic(high, low, 0.0, 0.0, *rates, *rates, short_by=1.0)


def sarext(
    o: Operators,
    high: Value,
    low: Value,
    startvalue: float,
    offsetonreverse: float,
    accelerationinitlong: float,
    accelerationlong: float,
    accelerationmaxlong: float,
    accelerationinitshort: float,
    accelerationshort: float,
    accelerationmaxshort: float,
) -> Value:
    most, most_short = accelerationmaxlong, accelerationmaxshort
    long = min(accelerationinitlong, most), min(accelerationlong, most), most
    short = min(accelerationinitshort, most_short), min(accelerationshort, most_short), most_short
    return o.parabolic(high, low, startvalue, offsetonreverse, *long, *short, short_by=-1.0)


def supertrend(
    o: Operators, high: Value, low: Value, close: Value, timeperiod: int, multiplier: float
) -> tuple[Value, ...]:
    spread = o.smooth(o.true_range(high, low, o.previous(close)), timeperiod, (timeperiod - 1.0) / timeperiod)
    middle, width = (high + low) * 0.5, multiplier * spread
    lower, upper = o.trail_below(middle - width, close), o.trail_above(middle + width, close)
    trend = o.side(close, lower, upper)
    return o.where(trend + 1.0, lower, upper), trend


_AVERAGES = {
    0: sma,
    1: ema,
    2: wma,
    3: dema,
    4: tema,
    5: trima,
    6: kama,
    7: lambda o, x, period: mama(o, x, 0.5, 0.05)[0],
    8: t3,
    9: hma,
    12: zlema,
    13: rma,
}

DEFINITIONS = {
    "sma": (1, sma),
    "ema": (1, ema),
    "wma": (1, wma),
    "dema": (1, dema),
    "tema": (1, tema),
    "trima": (1, trima),
    "rma": (1, rma),
    "t3": (1, t3),
    "bbands": (1, bbands),
    "hma": (1, hma),
    "zlema": (1, zlema),
    "vwma": (2, vwma),
    "kama": (1, kama),
    "ma": (1, ma),
    "mavp": (2, mavp),
    "midpoint": (1, midpoint),
    "midprice": (2, midprice),
    "accbands": (3, accbands),
    "donchian": (2, donchian),
    "kc": (3, kc),
    "sar": (2, sar),
    "sarext": (2, sarext),
    "supertrend": (3, supertrend),
}
