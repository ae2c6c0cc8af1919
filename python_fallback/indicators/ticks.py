"""The operators with windows and memories on one bar at a time.

Each is a class: made with the operator's parameters, it takes the inputs of a bar by `push`, and has a `copy`. A window
gets NaN for a missing value; a recurrence is not called for one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

from python_fallback.indicators.cycles import CYCLES
from python_fallback.indicators.recurrences import Apart, Follow, Rises
from python_fallback.indicators.stops import STOPS

__all__ = ["RECURRENCES", "WINDOWS"]


class _Window:
    """The last `period` values, and how many of the newest are there without a gap."""

    __slots__ = ("params", "run", "values")

    def __init__(self, period: float, *params: float) -> None:
        self.values: deque[float] = deque(maxlen=int(period))
        self.params = params
        self.run = 0

    def copy(self) -> Any:
        other = type(self).__new__(type(self))
        other.values = self.values.copy()
        other.params = self.params
        other.run = self.run
        return other

    def push(self, x: float) -> float:
        self.values.append(x)
        self.run = 0 if math.isnan(x) else self.run + 1
        return self.result() if self.run >= (self.values.maxlen or 0) else math.nan

    def result(self) -> float:
        raise NotImplementedError

    def offset(self) -> float:
        """The mean's distance from the oldest value: that of equal values is 0."""
        base = self.values[0]
        return _sum([x - base for x in self.values]) / len(self.values)

    def distances(self) -> list[float]:
        """How far each value is from the mean."""
        base, offset = self.values[0], self.offset()
        return [(x - base) - offset for x in self.values]


class _Lag(_Window):
    __slots__ = ()

    def __init__(self, bars: float) -> None:
        super().__init__(bars + 1)

    def result(self) -> float:
        return self.values[0]


class _Sum(_Window):
    __slots__ = ()

    def result(self) -> float:
        return _sum(list(self.values))


class _Mean(_Window):
    __slots__ = ()

    def result(self) -> float:
        return self.values[0] + self.offset()


class _Variance(_Window):
    __slots__ = ()

    def result(self) -> float:
        return _sum([x * x for x in self.distances()]) / len(self.values)


class _Deviation(_Variance):
    __slots__ = ()

    def result(self) -> float:
        return math.sqrt(super().result())


class _MeanDeviation(_Window):
    __slots__ = ()

    def result(self) -> float:
        return _sum([abs(x) for x in self.distances()]) / len(self.values)


class _Highest(_Window):
    __slots__ = ()

    def result(self) -> float:
        return max(self.values)


class _Lowest(_Window):
    __slots__ = ()

    def result(self) -> float:
        return min(self.values)


class _SinceHighest(_Window):
    """`held` is the age of the bar found before, where equal ones do not decide by themselves."""

    __slots__ = ("held",)

    def __init__(self, period: float, ties: float) -> None:
        super().__init__(period, ties)
        self.held = math.inf

    def copy(self) -> Any:
        other = super().copy()
        other.held = self.held
        return other

    def push(self, x: float) -> float:
        self.held = super().push(x)
        if math.isnan(self.held):
            self.held = math.inf
            return math.nan
        return self.held

    def result(self) -> float:
        values, extreme = list(self.values), self.extreme()
        newest, oldest = values[::-1].index(extreme), len(values) - 1 - values.index(extreme)
        if self.params[0] < 2:
            return float(oldest if self.params[0] else newest)
        if self.held + 1 >= len(values):
            return float(oldest)
        return self.held + 1 if newest else 0.0

    def extreme(self) -> float:
        return max(self.values)


class _SinceLowest(_SinceHighest):
    __slots__ = ()

    def extreme(self) -> float:
        return min(self.values)


class _Weighted(_Window):
    __slots__ = ()

    def result(self) -> float:
        n, base = len(self.values), self.values[0]
        return base + _sum([(i + 1) * (x - base) for i, x in enumerate(self.values)]) * 2.0 / (n * (n + 1))


class _Slope(_Window):
    __slots__ = ()

    def result(self) -> float:
        n, base = len(self.values), self.values[0]
        middle = (n - 1) / 2.0
        return _sum([(i - middle) * (x - base) for i, x in enumerate(self.values)]) / (n * (float(n) * n - 1.0) / 12.0)


class _Line(_Slope):
    __slots__ = ()

    def result(self) -> float:
        middle = (len(self.values) - 1) / 2.0
        return self.values[0] + (self.offset() + super().result() * (self.params[0] - middle))


class _Pairs:
    """The last `period` pairs."""

    __slots__ = ("x", "y")

    def __init__(self, period: float) -> None:
        self.x = _Mean(period)
        self.y = _Mean(period)

    def copy(self) -> Any:
        other = type(self).__new__(type(self))
        other.x, other.y = self.x.copy(), self.y.copy()
        return other

    def push(self, x: float, y: float) -> float:
        self.y.push(y)
        return math.nan if math.isnan(self.x.push(x)) else self.result()

    def sums(self) -> tuple[float, float, float]:
        """The sums of squares and of products about the means."""
        x, y = self.x.distances(), self.y.distances()
        return _sum([a * a for a in x]), _sum([b * b for b in y]), _sum([a * b for a, b in zip(x, y)])

    def result(self) -> float:
        raise NotImplementedError


class _Correlation(_Pairs):
    __slots__ = ()

    def result(self) -> float:
        squares_x, squares_y, products = self.sums()
        scale = squares_x * squares_y
        if not math.isfinite(squares_x + squares_y):
            return math.nan
        in_range = 2.0**-800 < scale < math.inf
        root = math.sqrt(scale) if in_range else math.sqrt(squares_x) * math.sqrt(squares_y)
        return products / root if root > 0.0 else 0.0


class _Beta(_Pairs):
    __slots__ = ()

    def result(self) -> float:
        squares, _, products = self.sums()
        if not math.isfinite(squares):
            return math.nan
        return products / squares if squares > 0.0 else 0.0


class _BarNumber:
    """How many bars have come, missing ones too."""

    __slots__ = ("bars",)

    def __init__(self) -> None:
        self.bars = 0.0

    def copy(self) -> Any:
        other = type(self)()
        other.bars = self.bars
        return other

    def push(self, x: float) -> float:
        self.bars += 1.0
        return self.bars - 1.0


class _MeanOf:
    """The mean of a window whose length differs from bar to bar."""

    __slots__ = ("window",)

    def __init__(self, longest: float) -> None:
        self.window = _Sum(longest)

    def copy(self) -> Any:
        other = type(self)(1)
        other.window = self.window.copy()
        return other

    def push(self, x: float, bars: float) -> float:
        if math.isnan(self.window.push(x)):
            return math.nan
        values = self.window.values
        count = int(max(min(bars, len(values)), 1))
        return _sum(list(values)[-count:]) / count


class _Memory:
    """One number that stays from bar to bar."""

    __slots__ = ("value",)

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def copy(self) -> Any:
        return type(self)(self.value)

    def kept(self, value: float) -> float:
        """Keep a result, unless it overflows: then it is missing, and the bar left out."""
        if not math.isfinite(value):
            return math.nan
        self.value = value
        return value


class _After(_Memory):
    __slots__ = ()

    def push(self, x: float) -> float:
        if self.value > 0.0:
            self.value -= 1.0
            return math.nan
        return x


class _Previous(_Memory):
    __slots__ = ()

    def push(self, x: float) -> float:
        before, self.value = self.value, x
        return before


class _Total(_Memory):
    __slots__ = ()

    def push(self, x: float) -> float:
        return self.kept(self.value + x)


class _Product(_Memory):
    __slots__ = ()

    def __init__(self, value: float = 1.0) -> None:
        super().__init__(value)

    def push(self, x: float) -> float:
        return self.kept(self.value * x)


class _Hold(_Memory):
    __slots__ = ()

    def push(self, x: float, weight: float) -> float:
        if weight > 0.0:
            self.value = x
        return self.value


class _First(_Memory):
    __slots__ = ()

    def __init__(self, value: float = math.nan) -> None:
        super().__init__(value)

    def push(self, x: float, weight: float) -> float:
        if not math.isnan(self.value):
            return self.value
        if weight != 0.0:
            self.value = x
        return x


class _Smooth(Apart):
    __slots__ = ()

    def push(self, x: float) -> float:
        return x + super().push(x)


WINDOWS: Mapping[str, Any] = {
    "lag": _Lag,
    "sum": _Sum,
    "mean": _Mean,
    "variance": _Variance,
    "deviation": _Deviation,
    "mean_deviation": _MeanDeviation,
    "highest": _Highest,
    "lowest": _Lowest,
    "since_highest": _SinceHighest,
    "since_lowest": _SinceLowest,
    "bar_number": _BarNumber,
    "weighted": _Weighted,
    "slope": _Slope,
    "line": _Line,
    "correlation": _Correlation,
    "beta": _Beta,
    "mean_of": _MeanOf,
}
RECURRENCES: Mapping[str, Any] = {
    "after": _After,
    "previous": _Previous,
    "total": _Total,
    "product": _Product,
    "follow": Follow,
    "hold": _Hold,
    "first": _First,
    "apart": Apart,
    "smooth": _Smooth,
    "rises": Rises,
    **CYCLES,
    **STOPS,
}


def __getattr__(name: str) -> Any:
    """Names in pickles of earlier builds."""
    from python_fallback.indicators import earlier

    known = {"TickOperators": earlier.Earlier, "_Last": earlier.Number}
    if name in known:
        return known[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # too large for a float, or an earlier stage was
        return sum(values)
