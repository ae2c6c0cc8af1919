"""Trailing stops, one bar at a time; whole series and ticks run them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["STOPS"]


class TrailBelow:
    """A band that only rises, until a price has been below it."""

    __slots__ = ("_band", "_price")

    def __init__(self) -> None:
        self._band = self._price = math.nan

    def copy(self) -> Any:
        other = type(self)()
        other._band, other._price = self._band, self._price
        return other

    def push(self, x: float, price: float) -> float:
        if math.isnan(self._band) or x > self._band or self._price < self._band:
            self._band = x
        self._price = price
        return self._band


class TrailAbove(TrailBelow):
    """A band that only falls, until a price has been above it."""

    __slots__ = ()

    def push(self, x: float, price: float) -> float:
        return -super().push(-x, -price)


class Side:
    """Whether a price has last been above the one band or below the other."""

    __slots__ = ("_side",)

    def __init__(self) -> None:
        self._side = 0.0

    def copy(self) -> Any:
        other = type(self)()
        other._side = self._side
        return other

    def push(self, price: float, lower: float, upper: float) -> float:
        if self._side == 0.0:
            self._side = 1.0
        elif self._side > 0.0:
            self._side = -1.0 if price < lower else 1.0
        else:
            self._side = 1.0 if price > upper else -1.0
        return self._side


class Parabolic:
    """Wilder's stop and reverse.

    A short position is carried as a long one in prices of the other sign: `high` and `low` below are those prices.
    """

    __slots__ = ("_before", "_offset", "_peak", "_rate", "_rates", "_short_by", "_side", "_start", "_stop")

    def __init__(self, start: float, offset: float, *others: float) -> None:
        self._start, self._offset = start, offset
        self._rates = {1.0: others[:3], -1.0: others[3:6]}  # of a long and a short position: first, step, most
        self._short_by = others[6]
        self._before: tuple[float, float] | None = None  # high and low of the bar before
        self._side = self._stop = self._peak = self._rate = 0.0

    def copy(self) -> Any:
        other = type(self).__new__(type(self))
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    def push(self, top: float, bottom: float) -> float:
        before, self._before = self._before, (top, bottom)
        if before is None:
            return math.nan
        if self._side == 0.0:
            self._open(before, (top, bottom))
            before = top, bottom
        high, low = _seen(self._side, top, bottom)
        _, low_before = _seen(self._side, *before)
        found = self._stop
        if low <= self._stop:
            found = self._turn(before, (top, bottom))
            high, low = _seen(self._side, top, bottom)
            _, low_before = _seen(self._side, *before)
        elif high > self._peak:
            _, step, most = self._rates[self._side]
            self._peak = high
            self._rate = min(self._rate + step, most)
        self._stop = min(self._stop + self._rate * (self._peak - self._stop), low_before, low)
        return found if self._side > 0.0 else -found * self._short_by

    def _open(self, before: tuple[float, float], bar: tuple[float, float]) -> None:
        """Open the position that the second bar is met with."""
        rise, fall = bar[0] - before[0], before[1] - bar[1]
        short = self._start < 0.0 if self._start else fall > 0.0 and fall > rise
        self._side = -1.0 if short else 1.0
        self._stop = self._start or _seen(self._side, *before)[1]
        self._peak = _seen(self._side, *bar)[0]
        self._rate = min(self._rates[self._side][0], self._rates[self._side][2])

    def _turn(self, before: tuple[float, float], bar: tuple[float, float]) -> float:
        """Close the position and open the opposite one; return its stop."""
        stop = max(self._peak, _seen(self._side, *before)[0], _seen(self._side, *bar)[0])
        stop += self._side * stop * self._offset
        self._side = -self._side
        self._stop = -stop
        self._peak = _seen(self._side, *bar)[0]
        self._rate = min(self._rates[self._side][0], self._rates[self._side][2])
        return self._stop


def _seen(side: float, high: float, low: float) -> tuple[float, float]:
    """The bar as the position sees it."""
    return (high, low) if side > 0.0 else (-low, -high)


STOPS: Mapping[str, Any] = {
    "trail_below": TrailBelow,
    "trail_above": TrailAbove,
    "side": Side,
    "parabolic": Parabolic,
}
