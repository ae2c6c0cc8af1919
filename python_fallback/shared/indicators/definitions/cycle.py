"""Ehlers' dominant cycle by the Hilbert transform."""

from __future__ import annotations

import math

from python_fallback.shared.indicators.tracing import Operators, Value

__all__ = ["DEFINITIONS", "from_bar_63", "ht_trendmode", "late", "mama", "mean_of_cycle", "trend"]

_DEGREES = 180.0 / math.pi
_EARLY, _LATE = 9, 34  # smoothed prices before the first that counts
_SMOOTH = 3  # bars before the first smoothed price


def _early(o: Operators, real: Value) -> tuple[Value, Value]:
    """The smoothed price, and the period of its cycle before it is smoothed itself."""
    price = o.after(o.cycle_smooth(real), _EARLY)
    return price, o.cycle_period(price)


def _smoothed(o: Operators, period: Value) -> Value:
    return o.follow(period, 0.33, 0.0)


def _phasor(o: Operators, price: Value, period: Value) -> tuple[Value, Value]:
    gain = 0.075 * o.previous(period, 0.0) + 0.54
    detrended = o.hilbert(price, gain)
    in_phase = detrended
    for _ in range(3):
        in_phase = o.previous(in_phase, 0.0)
    return in_phase, o.hilbert(detrended, gain)


def _settled(o: Operators, x: Value) -> Value:
    """x from bar 32 on."""
    return o.after(x, 32 - _SMOOTH - _EARLY)


def late(o: Operators, real: Value) -> tuple[Value, Value]:
    """The smoothed price, and the period of its cycle: 0 before there is one."""
    price = o.cycle_smooth(real)
    return price, _smoothed(o, o.cycle_period(price, _LATE))


def mean_of_cycle(o: Operators, real: Value, period: Value) -> Value:
    """The mean of the bars of a cycle."""
    return o.mean_of(real, o.map("floor", period + 0.5), 50)


def trend(o: Operators, means: Value) -> Value:
    """The trend line of the means of cycles."""
    return o.weighted(means, 4)


def from_bar_63(o: Operators, x: Value) -> Value:
    """x, made of a trend line, from bar 63 on."""
    return o.after(x, 63 - (_SMOOTH + 49 + 3))


def ht_dcperiod(o: Operators, real: Value) -> Value:
    return _settled(o, _smoothed(o, _early(o, real)[1]))


def ht_phasor(o: Operators, real: Value) -> tuple[Value, ...]:
    in_phase, quadrature = _phasor(o, *_early(o, real))
    return _settled(o, in_phase), _settled(o, quadrature)


def ht_dcphase(o: Operators, real: Value) -> Value:
    return o.after(o.cycle_phase(*late(o, real)), 63 - _SMOOTH)


def ht_sine(o: Operators, real: Value) -> tuple[Value, ...]:
    phase = ht_dcphase(o, real)
    return o.map("sin", phase / _DEGREES), o.map("sin", (phase + 45.0) / _DEGREES)


def ht_trendline(o: Operators, real: Value) -> Value:
    return from_bar_63(o, trend(o, mean_of_cycle(o, real, late(o, real)[1])))


def ht_trendmode(o: Operators, real: Value) -> Value:
    price, period = late(o, real)
    line = trend(o, mean_of_cycle(o, real, period))
    apart = abs(o.ratio(price - line, line)) >= 0.015
    return from_bar_63(o, o.greatest(apart, o.cycle_mode(o.cycle_phase(price, period), period)))


def mama(o: Operators, real: Value, fastlimit: float, slowlimit: float) -> tuple[Value, ...]:
    in_phase, quadrature = _phasor(o, *_early(o, real))
    phase = o.map("atan", o.ratio(quadrature, in_phase)) * _DEGREES
    turned = o.previous(phase, 0.0) - phase
    rate = o.where(turned > 1.0, o.greatest(fastlimit / turned, slowlimit), fastlimit)
    average = o.follow(real, rate, 0.0)
    following = o.follow(average, 0.5 * rate, 0.0)
    return _settled(o, average), _settled(o, following)


DEFINITIONS = {
    "ht_dcperiod": (1, ht_dcperiod),
    "ht_dcphase": (1, ht_dcphase),
    "ht_phasor": (1, ht_phasor),
    "ht_sine": (1, ht_sine),
    "ht_trendline": (1, ht_trendline),
    "ht_trendmode": (1, ht_trendmode),
    "mama": (1, mama),
}
