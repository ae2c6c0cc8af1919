"""Windows whose missing values do not count, one bar at a time; whole series and ticks run them."""

from __future__ import annotations

import bisect
import math
from collections import deque
from typing import Any

__all__ = ["COUNTS"]


class _Count:
    """The last `period` bars; there is a result where at least `least` of them are there."""

    enough = 1  # values without which there is no result

    def __init__(self, period: float, least: float, *params: float) -> None:
        self.values: deque[Any] = deque(maxlen=int(period))
        self.least = max(int(least), self.enough)
        self.params = params

    def copy(self) -> Any:
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.values = self.values.copy()
        return other

    def push(self, x: float) -> float:
        self.values.append(x)
        there = [value for value in self.values if not math.isnan(value)]
        return self.result(there) if len(there) >= self.least else math.nan

    def result(self, there: list[float]) -> float:
        return float(len(there))


class _Sorted(_Count):
    """The same with the values that are there in order."""

    def __init__(self, period: float, least: float, *params: float) -> None:
        super().__init__(period, least, *params)
        self.there: list[float] = []

    def copy(self) -> Any:
        other = super().copy()
        other.there = self.there.copy()
        return other

    def push(self, x: float) -> float:
        if len(self.values) == self.values.maxlen and not math.isnan(self.values[0]):
            del self.there[bisect.bisect_left(self.there, self.values[0])]
        if not math.isnan(x):
            bisect.insort(self.there, x)
        self.values.append(x)
        return self.result(self.there) if len(self.there) >= self.least else math.nan


class _Quantile(_Sorted):
    def result(self, there: list[float]) -> float:
        share, nearest = self.params
        if nearest:
            return there[min(max(math.ceil(share * len(there)), 1), len(there)) - 1]
        at = min(max(share * (len(there) - 1), 0.0), len(there) - 1.0)
        below = there[int(at)]
        return below + (there[int(at) + 1] - below) * (at - int(at)) if at > int(at) else below


class _Rank(_Sorted):
    def result(self, there: list[float]) -> float:
        x = self.values[-1]
        if math.isnan(x):
            return math.nan
        below = bisect.bisect_left(there, x)
        return float(below) if self.params[0] else (below + 1 + bisect.bisect_right(there, x)) / 2.0


class _Shape(_Count):
    """Of a sample; missing where the values are all the same."""

    enough = 2

    def moments(self, there: list[float]) -> list[float]:
        """How far the newest value is from the mean, then the means of the powers of the distances from it.

        Distances are divided by a power of two near the largest one, so that no power of them overflows or vanishes.
        """
        n, base = len(there), there[0]
        widest = max(abs(x - base) for x in there)
        if not 0.0 < widest < math.inf:
            return [0.0] * 5
        by = -math.frexp(widest)[1]
        distances = [math.ldexp(x - base, by) for x in there]
        mean = _sum(distances) / n
        newest = math.ldexp(self.values[-1] - base, by) - mean
        return [newest, *(_sum([_power(x - mean, k) for x in distances]) / n for k in range(1, 5))]


class _StandardScore(_Shape):
    def result(self, there: list[float]) -> float:
        powers, n = self.moments(there), len(there)
        return powers[0] / math.sqrt(powers[2] * n / (n - 1.0)) if powers[2] else math.nan


class _Skewness(_Shape):
    enough = 3

    def result(self, there: list[float]) -> float:
        powers, n = self.moments(there), len(there)
        if not powers[2]:
            return math.nan
        return math.sqrt(n * (n - 1.0)) / (n - 2.0) * powers[3] / (powers[2] * math.sqrt(powers[2]))


class _Kurtosis(_Shape):
    enough = 4

    def result(self, there: list[float]) -> float:
        powers, n = self.moments(there), len(there)
        if not powers[2]:
            return math.nan
        flat = (n + 1.0) * powers[4] / (powers[2] * powers[2]) - 3.0 * (n - 1.0)
        return (n - 1.0) / ((n - 2.0) * (n - 3.0)) * flat


class _Covariance(_Count):
    enough = 2

    def push(self, x: float, y: float) -> float:  # type: ignore[override]
        self.values.append((x, y))
        there = [pair for pair in self.values if not math.isnan(pair[0] + pair[1])]
        if len(there) < self.least:
            return math.nan
        distances = [[value - series[0] for value in series] for series in zip(*there)]
        means = [_sum(series) / len(there) for series in distances]
        return _sum([(a - means[0]) * (b - means[1]) for a, b in zip(*distances)]) / (len(there) - 1.0)


class _Age(_Count):
    sign = 1.0

    def result(self, there: list[float]) -> float:
        extreme = max(there, key=lambda x: x * self.sign)
        return next(float(age) for age, x in enumerate(reversed(self.values)) if x == extreme)


class _AgeOfLowest(_Age):
    sign = -1.0


COUNTS = {
    "quantile": _Quantile,
    "rank": _Rank,
    "count": _Count,
    "standard_score": _StandardScore,
    "skewness": _Skewness,
    "kurtosis": _Kurtosis,
    "covariance": _Covariance,
    "age_of_highest": _Age,
    "age_of_lowest": _AgeOfLowest,
}


def _sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # too large for a float
        return sum(values)


def _power(x: float, k: int) -> float:
    result = 1.0  # ``**`` raises where this is infinite
    for _ in range(k):
        result *= x
    return result
