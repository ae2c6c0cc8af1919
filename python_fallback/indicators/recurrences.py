"""The recurrences, one value at a time; whole series and ticks run them.

A value at which one would overflow is left out: its result is missing, and the state stays as it was.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Apart", "Follow", "Rises"]


def negligible(x: float) -> float:
    """Return below which distance from `x` nothing shows: less than any change of x that can follow.

    Recurrences stop there: they would go on decaying into numbers so small that they take the processor many times as
    long. 0 says nothing of the size of prices: next to it, the distance is less than any change of prices above 1e-160.
    """
    return abs(x) * 2.0**-160 if x != 0.0 else 2.0**-700


class Apart:
    """How far exponential smoothing, begun with the mean of `period` values, is from the latest value."""

    __slots__ = ("_apart", "_before", "_count", "_keep", "_period", "_skip")  # _skip: in pickles of earlier builds

    def __init__(self, period: float, keep: float) -> None:
        self._period = int(period)
        self._keep = keep
        self._count = 0
        self._before = self._apart = 0.0  # while values are gathered: the first one, and the sum of distances from it

    def copy(self) -> Any:
        other = type(self)(self._period, self._keep)
        other._count, other._before, other._apart = self._count, self._before, self._apart
        return other

    def push(self, x: float) -> float:
        if self._count == self._period:
            apart = self._keep * (self._apart + (self._before - x))
            return self._kept(0.0 if abs(apart) < negligible(x) else apart, x)
        first = x if self._count == 0 else self._before
        total = self._apart + (x - first)
        if self._count == self._period - 1:
            found = self._kept((first - x) + total / self._period, x)
        else:
            self._kept(total, first)
            found = math.nan
        return found

    def _kept(self, apart: float, before: float) -> float:
        if not math.isfinite(apart):
            return math.nan
        self._apart, self._before = apart, before
        self._count = min(self._count + 1, self._period)
        return apart


class Follow:
    """What goes a part of the way to each value."""

    __slots__ = ("_y",)

    def __init__(self) -> None:
        self._y = math.nan

    def copy(self) -> Any:
        other = type(self)()
        other._y = self._y
        return other

    def push(self, x: float, rate: float, start: float) -> float:
        y = start if math.isnan(self._y) else self._y
        y += rate * (x - y)
        if not math.isfinite(y):
            return math.nan
        self._y = y
        return y


class Rises:
    """The share of the rises in Wilder's averages of all changes."""

    __slots__ = ("_before", "_count", "_gain", "_move", "_period", "_share")

    def __init__(self, period: float) -> None:
        self._period = int(period)
        self._count = -1
        self._before = self._share = math.nan
        self._gain = self._move = 0.0  # while changes are gathered: sums

    def copy(self) -> Any:
        other = type(self)(self._period)
        other._count, other._before, other._share = self._count, self._before, self._share
        other._gain, other._move = self._gain, self._move
        return other

    def push(self, x: float) -> float:
        change = 0.0 if self._count < 0 else x - self._before
        n = self._period
        keep = (n - 1) / n
        gathers = self._count < n
        move = self._move + abs(change) if gathers else keep * self._move + abs(change) / n
        if not math.isfinite(move):
            return math.nan
        still, self._before = x == self._before, x
        if gathers:
            self._count += 1
            self._gain += max(change, 0.0)
            self._move = move
            if self._count < n:
                return math.nan
            self._gain /= n
            self._move /= n
        else:
            if still and keep * self._move < negligible(x):
                return self._share  # both averages wait: only their ratio counts
            self._gain = keep * self._gain + max(change, 0.0) / n
            self._move = move
            if self._gain < self._move * 2.0**-100:
                self._gain = 0.0
            if still:
                return self._share
        self._share = self._gain / self._move if self._move != 0.0 else 0.0
        return self._share
