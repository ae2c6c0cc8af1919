"""Windows whose missing values do not count, one bar at a time; whole series and ticks run them."""

from __future__ import annotations

import bisect
import itertools
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
        there = [value for value in self.values if value == value]
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

    def distances(self, there: list[float]) -> tuple[float, list[float]]:
        """Return how far the newest value is from the mean, and how far all of them are.

        They are divided by a power of two near the largest one, so that no power of them overflows or vanishes.
        """
        base = there[0]
        moves = [x - base for x in there]
        widest = max(map(abs, moves))
        if not 0.0 < widest < math.inf:
            return 0.0, [0.0]
        by = -math.frexp(widest)[1]
        moves = list(map(math.ldexp, moves, itertools.repeat(by)))
        mean = _sum(moves) / len(there)
        return math.ldexp(self.values[-1] - base, by) - mean, [x - mean for x in moves]


class _StandardScore(_Shape):
    def result(self, there: list[float]) -> float:
        n = len(there)
        newest, distances = self.distances(there)
        square = _sum([x * x for x in distances]) / n
        return newest / math.sqrt(square * n / (n - 1.0)) if square else math.nan


class _Skewness(_Shape):
    enough = 3

    def result(self, there: list[float]) -> float:
        n, distances = len(there), self.distances(there)[1]
        square = _sum([x * x for x in distances]) / n
        if not square:
            return math.nan
        cube = _sum([x * x * x for x in distances]) / n
        return math.sqrt(n * (n - 1.0)) / (n - 2.0) * cube / (square * math.sqrt(square))


class _Kurtosis(_Shape):
    enough = 4

    def result(self, there: list[float]) -> float:
        n, distances = len(there), self.distances(there)[1]
        square = _sum([x * x for x in distances]) / n
        if not square:
            return math.nan
        fourth = _sum([x * x * x * x for x in distances]) / n
        flat = (n + 1.0) * fourth / (square * square) - 3.0 * (n - 1.0)
        return (n - 1.0) / ((n - 2.0) * (n - 3.0)) * flat


class _Covariance(_Count):
    enough = 2

    def push(self, x: float, y: float) -> float:  # type: ignore[override]
        self.values.append((x, y))
        there = [pair for pair in self.values if pair[0] == pair[0] and pair[1] == pair[1]]
        if len(there) < self.least:
            return math.nan
        (first_x, first_y), n = there[0], len(there)
        moves_x, moves_y = [pair[0] - first_x for pair in there], [pair[1] - first_y for pair in there]
        mean_x, mean_y = _sum(moves_x) / n, _sum(moves_y) / n
        return _sum([(a - mean_x) * (b - mean_y) for a, b in zip(moves_x, moves_y)]) / (n - 1.0)


class _Age(_Count):
    extreme = max

    def result(self, there: list[float]) -> float:
        return float(list(self.values)[::-1].index(type(self).extreme(there)))


class _AgeOfLowest(_Age):
    extreme = min


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
