"""Counters, gauges and latency sketches in plain Python.

A sketch is a DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
guarantees", VLDB 2019): a value falls into the bin ``ceil(log_gamma(value))``, so that every quantile is returned
within a fixed relative error.
"""

from __future__ import annotations

import math
import threading
from typing import Any, NoReturn

__all__ = ["Counter", "Gauge", "Sketch", "SketchState"]

ALPHA = 0.01
GAMMA = (1 + ALPHA) / (1 - ALPHA)
MAX_BINS = 2048  # at 1 % they span 17 decades; beyond that the lowest bins are folded together
SMALLEST = 1e-12  # below it a value counts as zero: a picosecond
LOWEST_KEY, HIGHEST_KEY = -1400, 36000  # what it and the largest float fall into, with room to spare

_PER_LOG = 1 / math.log(GAMMA)

SketchState = tuple[int, int, float, float, float, dict[int, int]]


class Counter:
    """A number that only grows.

    Examples
    --------
    >>> from fastcore import metrics
    >>> orders = metrics.counter("orders_total", side="buy")
    >>> orders.add(); orders.add(2)
    >>> orders.value
    3
    """

    __slots__ = ("__weakref__", "_lock", "_value")

    def __init__(self) -> None:
        self._value = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle 'fastcore.metrics.Counter' object")

    @property
    def value(self) -> int:
        return self._value

    def add(self, amount: int = 1) -> None:
        if not isinstance(amount, int):
            raise TypeError(f"amount: expected an int, got {type(amount).__name__}")
        if not 0 <= amount < 2**63:
            raise ValueError(f"amount: expected an int in 0..2**63-1, got {amount}")
        with self._lock:
            self._value = (self._value + amount) % 2**64


class Gauge:
    """A number that goes up and down.

    Examples
    --------
    >>> from fastcore import metrics
    >>> depth = metrics.gauge("depth")
    >>> depth.set(12); depth.add(-2)
    >>> depth.value
    10.0
    """

    __slots__ = ("__weakref__", "_lock", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._lock = threading.Lock()

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle 'fastcore.metrics.Gauge' object")

    @property
    def value(self) -> float:
        return self._value

    def set(self, value: float) -> None:
        value = _number(value, "value")
        with self._lock:
            self._value = value

    def add(self, amount: float = 1.0) -> None:
        amount = _number(amount, "amount")
        with self._lock:
            self._value += amount


class Sketch:
    """A distribution of numbers >= 0 whose quantiles are within 1 % of the true ones.

    Examples
    --------
    >>> from fastcore import metrics
    >>> seconds = metrics.latency("answer_seconds")
    >>> seconds.observe(0.010); seconds.observe(0.012)
    >>> seconds.count, round(seconds.total, 3)
    (2, 0.022)
    """

    __slots__ = ("__weakref__", "_bins", "_count", "_high", "_lock", "_low", "_total", "_zeros")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = self._zeros = 0
        self._total = 0.0
        self._low, self._high = math.inf, -math.inf
        self._bins: dict[int, int] = {}

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle 'fastcore.metrics.Sketch' object")

    @property
    def count(self) -> int:
        return self._count

    @property
    def total(self) -> float:
        return self._total

    def observe(self, value: float) -> None:
        value = _number(value, "value")
        if not 0 <= value < math.inf:
            raise ValueError(f"value: expected a finite number >= 0, got {value!r}")
        with self._lock:
            self._count += 1
            self._total += value
            self._low = min(self._low, value)
            self._high = max(self._high, value)
            if value < SMALLEST:
                self._zeros += 1
            else:
                self._put(math.ceil(math.log(value) * _PER_LOG), 1)

    def quantile(self, q: float) -> float:
        q = _number(q, "q")
        if not 0 <= q <= 1:
            raise ValueError(f"q: expected a number in 0..1, got {q!r}")
        with self._lock:
            if not self._count:
                return math.nan
            rank = q * (self._count - 1)
            if rank in (0, self._count - 1):
                return self._high if rank else self._low
            seen = self._zeros
            found = 0.0
            for key in sorted(self._bins):
                if seen > rank:
                    break
                seen += self._bins[key]
                found = 2 * math.exp(key / _PER_LOG) / (GAMMA + 1)
            return min(max(found, self._low), self._high)

    def merge(self, state: Sketch | SketchState) -> None:
        if isinstance(state, Sketch):
            state = state.state()
        count, zeros, total, low, high, bins = _checked(state)
        with self._lock:
            self._count += count
            self._zeros += zeros
            self._total += total
            self._low = min(self._low, low)
            self._high = max(self._high, high)
            for key, number in bins.items():
                self._put(key, number)

    def state(self) -> SketchState:
        with self._lock:
            return (self._count, self._zeros, self._total, self._low, self._high, dict(sorted(self._bins.items())))

    def clear(self) -> None:
        with self._lock:
            self._count = self._zeros = 0
            self._total = 0.0
            self._low, self._high = math.inf, -math.inf
            self._bins.clear()

    def _put(self, key: int, number: int) -> None:
        if not number:
            return
        if key not in self._bins and self._bins:
            floor = max(key, max(self._bins)) - MAX_BINS + 1
            for low in [low for low in self._bins if low < floor]:
                self._bins[floor] = self._bins.get(floor, 0) + self._bins.pop(low)
            key = max(key, floor)
        self._bins[key] = self._bins.get(key, 0) + number


def _number(value: object, name: str) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    to_float = getattr(type(value), "__float__", None)  # numpy's scalars, Decimal
    if to_float is None:
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    number: float = to_float(value)
    return number


def _checked(state: Any) -> SketchState:
    """A state as `state()` returns it, whose counts are sound."""
    try:
        count, zeros, total, low, high, bins = state
        bins = {int(key): int(number) for key, number in bins.items()}
        parsed = (int(count), int(zeros), float(total), float(low), float(high), bins)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        expected = "(count, zeros, total, low, high, {bin: count}) as state() returns it"
        raise ValueError(f"state: expected {expected}, got {type(state).__name__}") from error
    if any(not LOWEST_KEY <= key <= HIGHEST_KEY for key in bins):
        raise ValueError(f"state: expected bins in {LOWEST_KEY}..{HIGHEST_KEY}, got others")
    numbers = [parsed[1], *bins.values()]
    if any(not 0 <= number <= parsed[0] for number in numbers) or sum(numbers) != parsed[0] or parsed[0] >= 2**53:
        raise ValueError("state: expected counts >= 0 that add up to the first, got others")
    return parsed


# Where they are public: pickles name that place and outlive this one.
for _public in (Counter, Gauge, Sketch):
    _public.__module__ = "fastcore.metrics"
