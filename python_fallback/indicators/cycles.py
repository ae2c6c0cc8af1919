"""Ehlers' dominant cycle, one value at a time: what was said of him in code is in Rocket Science for Traders, 2001."""

from __future__ import annotations

import functools
import math
from collections import deque
from typing import Any

__all__ = ["CYCLES"]

_DEGREES = 180.0 / math.pi
_LONGEST = 50


class _State:
    """What is copied field by field."""

    def copy(self) -> Any:
        other = type(self).__new__(type(self))
        for name, value in self.__dict__.items():
            setattr(other, name, value.copy() if hasattr(value, "copy") else value)
        return other


def _zeros(count: int) -> deque[float]:
    return deque([0.0] * count, maxlen=count)


class Smooth(_State):
    """The mean of four values with weights 4 to 1, the newest the heaviest.

    The sums run on, as in the published listing: the cycle of a straight line is made of their last digits alone.
    """

    def __init__(self) -> None:
        self.before: deque[float] = deque([0.0], maxlen=4)
        self.sum = self.weighted = self.worst = 0.0

    def push(self, x: float) -> float:
        self.worst = max(self.worst, abs(x))
        self.sum += x
        if len(self.before) < 4:
            self.weighted += x * len(self.before)
            self.before.append(x)
            return math.nan
        leaving, oldest, older, old = self.before
        self.sum -= leaving
        self.weighted += x * 4.0
        result = self.weighted * 0.1
        self.weighted -= self.sum
        if not self.worst <= abs(self.sum) * 2.0**20 or not math.isfinite(self.weighted):  # after a spike: again
            result = (((4.0 * x + 3.0 * old) + 2.0 * older) + oldest) * 0.1
            self.sum = ((x + old) + older) + oldest
            self.weighted = (3.0 * x + 2.0 * old) + older
            self.worst = max(map(abs, (x, oldest, older, old)))
        self.before.append(x)
        return result


class Hilbert(_State):
    """The Hilbert transform of the last seven values, times a gain."""

    def __init__(self) -> None:
        self.values = _zeros(7)

    def push(self, x: float, gain: float) -> float:
        self.values.append(x)
        return self.transform() * gain

    def transform(self) -> float:
        x = self.values
        return ((-(0.0962 * x[0]) + 0.0962 * x[6]) - 0.5769 * x[2]) + 0.5769 * x[4]


class Period(_State):
    """The homodyne discriminator: the period by which the phasor turns from bar to bar; 0 for the bars left out."""

    def __init__(self, skip: float) -> None:
        self.skip = skip
        self.price, self.detrended, self.in_phase, self.quadrature = (Hilbert() for _ in range(4))
        self.late = _zeros(4)  # the detrended price, whose in-phase part is three bars late
        self.period = self.i2 = self.q2 = self.real = self.imaginary = 0.0

    def push(self, x: float) -> float:
        if self.skip:
            self.skip -= 1.0
            return 0.0
        gain = 0.075 * self.period + 0.54
        detrended = self.price.push(x, gain)
        self.late.append(detrended)
        in_phase, quadrature = self.late[0], self.detrended.push(detrended, gain)
        i2 = 0.2 * (in_phase - self.quadrature.push(quadrature, gain)) + 0.8 * self.i2
        q2 = 0.2 * (quadrature + self.in_phase.push(in_phase, gain)) + 0.8 * self.q2
        keep = 0.8 if abs(self.real) + abs(self.imaginary) > 2.0**-500 else 1.0  # their quotient counts
        self.real = 0.2 * (i2 * self.i2 + q2 * self.q2) + keep * self.real
        self.imaginary = 0.2 * (i2 * self.q2 - q2 * self.i2) + keep * self.imaginary
        self.i2, self.q2 = (i2, q2) if abs(i2) + abs(q2) >= 2.0**-500 else (0.0, 0.0)
        period = self.period
        if not math.isfinite(self.real + self.imaginary):
            self.i2 = self.q2 = self.real = self.imaginary = 0.0
        if self.real != 0.0 and self.imaginary != 0.0:
            turn = math.atan(self.imaginary / self.real)
            period = 2.0 * math.pi / turn if turn else math.inf
        period = max(min(period, 1.5 * self.period), 0.67 * self.period)
        period = max(min(period, 50.0), 6.0)
        self.period = 0.2 * period + 0.8 * self.period
        return self.period


@functools.cache
def _wave(length: int) -> list[tuple[float, float]]:
    """Sines and cosines of one period of so many bars."""
    angles = [i * (2.0 * math.pi) / length for i in range(length)]
    return [(math.sin(angle), math.cos(angle)) for angle in angles]


class Phase(_State):
    """The phase of the smoothed price against a wave of the dominant cycle's length, once there is a period."""

    def __init__(self) -> None:
        self.values = _zeros(_LONGEST)
        self.phase = 0.0

    def push(self, x: float, period: float) -> float:
        if period == 0.0:
            return 0.0
        self.values.append(x)
        length = int(max(min(period + 0.5, _LONGEST), 1.0))
        real = imaginary = 0.0
        for (sine, cosine), value in zip(_wave(length), reversed(self.values)):
            real += sine * value
            imaginary += cosine * value
        if imaginary != 0.0:
            self.phase = math.atan(real / imaginary) * _DEGREES
        elif real != 0.0:
            self.phase += math.copysign(90.0, real)
        self.phase += 90.0
        self.phase += 360.0 / period  # the smoothed price is one bar late
        self.phase += 180.0 if imaginary < 0.0 else 0.0
        self.phase -= 360.0 if self.phase > 315.0 else 0.0
        return self.phase


class Mode(_State):
    """1 in a trend, 0 in a cycle."""

    def __init__(self) -> None:
        self.days = self.phase = 0.0
        self.before = 0

    def push(self, phase: float, period: float) -> float:
        now = 1 if 67.5 < phase < 247.5 else 0 if phase in (67.5, 247.5) else -1  # the sine above the one that leads
        if period == 0.0:
            return 0.0
        turned, mode = phase - self.phase, 1.0
        if (now > 0 >= self.before) or (now < 0 <= self.before):
            self.days = mode = 0.0
        self.days += 1.0
        if self.days < 0.5 * period or 0.67 * 360.0 / period < turned < 1.5 * 360.0 / period:
            mode = 0.0
        self.phase, self.before = phase, now
        return mode


CYCLES = {
    "cycle_smooth": Smooth,
    "hilbert": Hilbert,
    "cycle_period": Period,
    "cycle_phase": Phase,
    "cycle_mode": Mode,
}
