"""The operators on one bar at a time, with their state between bars."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from python_fallback.indicators.recurrences import Apart, Rises


class TickOperators:
    """Operators[float].

    A definition calls its operators in the same order at every bar, so the n-th call of an operator with a memory
    finds its memory at the n-th place; the first bar makes the places.
    """

    __slots__ = ("_at", "_memories")

    def __init__(self) -> None:
        self._memories: list[Any] = []
        self._at = 0

    def step(self, calculate: Callable[..., tuple[float, ...]], bar: Iterable[float], params: Iterable[float]) -> Any:
        """Carry out the definition `calculate` at the next bar."""
        place, self._at = self._at, 0  # a finaliser may add a bar in the middle of this one
        try:
            return calculate(self, *[x if math.isfinite(x) else math.nan for x in bar], *params)
        finally:
            self._at = place

    def copy(self) -> TickOperators:
        """Return an independent copy of the operators in the same state."""
        other = TickOperators()
        other._memories = [memory.copy() for memory in self._memories]
        return other

    def _memory(self, make: Callable[..., Any], *args: float) -> Any:
        if self._at == len(self._memories):
            self._memories.append(make(*args))
        found = self._memories[self._at]
        self._at += 1
        return found

    def complete(self, *values: float) -> tuple[float, ...]:
        return (math.nan,) * len(values) if any(math.isnan(x) for x in values) else values

    def previous(self, x: float, start: float = math.nan) -> float:
        memory: _Last = self._memory(_Last, start)
        before = memory.value
        if not math.isnan(x):
            memory.value = x
        return before

    def sign(self, x: float) -> float:
        return x if math.isnan(x) else float((x > 0.0) - (x < 0.0))

    def greatest(self, x: float, y: float, z: float) -> float:
        return math.nan if math.isnan(x + y + z) else max(x, y, z)

    def ratio(self, x: float, y: float) -> float:
        return x / y if y != 0.0 else (math.nan if math.isnan(x) else 0.0)

    def hold(self, x: float, weight: float) -> float:
        memory: _Last = self._memory(_Last, 0.0)
        if math.isnan(weight):
            return math.nan
        if weight > 0.0:
            memory.value = x
        return memory.value

    def mean(self, x: float, period: float) -> float:
        memory: _Window = self._memory(_Window, period)
        return memory.mean() if memory.push(x) else math.nan

    def deviation(self, x: float, period: float) -> float:
        memory: _Window = self._memory(_Window, period)
        return memory.deviation() if memory.push(x) else math.nan

    def highest(self, x: float, period: float) -> float:
        memory: _Window = self._memory(_Window, period)
        return max(memory.values) if memory.push(x) else math.nan

    def lowest(self, x: float, period: float) -> float:
        memory: _Window = self._memory(_Window, period)
        return min(memory.values) if memory.push(x) else math.nan

    def apart(self, x: float, period: float, keep: float, skip: float = 0) -> float:
        memory: Apart = self._memory(Apart, period, keep, skip)
        return math.nan if math.isnan(x) else memory.push(x)

    def smooth(self, x: float, period: float, keep: float, skip: float = 0) -> float:
        return x + self.apart(x, period, keep, skip)

    def rises(self, x: float, period: float) -> float:
        memory: Rises = self._memory(Rises, period)
        return math.nan if math.isnan(x) else memory.push(x)

    def first(self, x: float, weight: float) -> float:
        memory: _Last = self._memory(_Last, math.nan)
        if math.isnan(x) or not math.isnan(memory.value):
            return x if math.isnan(x) else memory.value
        if weight != 0.0:
            memory.value = x
        return x

    def total(self, x: float) -> float:
        memory: _Last = self._memory(_Last, 0.0)
        if math.isnan(x):
            return x
        memory.value += x
        return memory.value


class _Last:
    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = value

    def copy(self) -> _Last:
        return _Last(self.value)


class _Window:
    """The last `period` values, and how many of the newest are there without a gap."""

    __slots__ = ("run", "values")

    def __init__(self, period: float) -> None:
        self.values: deque[float] = deque(maxlen=int(period))
        self.run = 0

    def copy(self) -> _Window:
        other = _Window(0)
        other.values = self.values.copy()
        other.run = self.run
        return other

    def push(self, x: float) -> bool:
        self.values.append(x)
        self.run = 0 if math.isnan(x) else self.run + 1
        return self.run >= (self.values.maxlen or 0)

    def mean(self) -> float:
        """The mean, counted from a value of the window: that of equal values is that value."""
        return self.values[0] + self._offset()

    def deviation(self) -> float:
        base, offset, n = self.values[0], self._offset(), len(self.values)
        return math.sqrt(_sum([_square((x - base) - offset) for x in self.values]) / n)

    def _offset(self) -> float:
        base = self.values[0]
        return _sum([x - base for x in self.values]) / len(self.values)


def _sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # too large for a float, or an earlier stage was
        return sum(values)


def _square(x: float) -> float:
    return x * x  # ``**`` raises where this is infinite
