"""The operators on whole series: arrays with the bars along the last axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from python_fallback.indicators.operators import Array
from python_fallback.indicators.recurrences import Apart, Rises

Parts = tuple[Array, ...]
Merge = Callable[[Parts, int, Parts, int], Parts]


class SeriesOperators:
    """Operators[Array]."""

    def complete(self, *values: Array) -> tuple[Array, ...]:
        missing = np.logical_or.reduce([np.isnan(x) for x in values])
        return tuple(np.where(missing, np.nan, x) for x in values)

    def previous(self, x: Array, start: float = math.nan) -> Array:
        at = np.where(np.isnan(x), -1, np.arange(x.shape[-1]))
        latest = np.maximum.accumulate(at, axis=-1)
        before = np.concatenate([np.full((*x.shape[:-1], 1), -1), latest[..., :-1]], axis=-1)[..., : x.shape[-1]]
        found = np.take_along_axis(x, np.maximum(before, 0), axis=-1)
        return np.where(before < 0, start, found)

    def sign(self, x: Array) -> Array:
        return np.sign(x)

    def greatest(self, x: Array, y: Array, z: Array) -> Array:
        return np.maximum(np.maximum(x, y), z)

    def ratio(self, x: Array, y: Array) -> Array:
        quotient = np.divide(x, y, out=np.zeros_like(x), where=y != 0)
        return np.where(np.isnan(x), np.nan, quotient)

    def hold(self, x: Array, weight: Array) -> Array:
        held = self.previous(np.where(weight > 0, x, np.nan), start=0.0)
        return np.where(weight > 0, x, np.where(np.isnan(weight), np.nan, held))

    def mean(self, x: Array, period: float) -> Array:
        first, distance, _ = _moments(x, int(period))
        return _aligned(first + distance, x)

    def deviation(self, x: Array, period: float) -> Array:
        n = int(period)
        return _aligned(np.sqrt(_moments(x, n)[2] / n), x)

    def highest(self, x: Array, period: float) -> Array:
        return _aligned(_windows((x,), int(period), lambda a, _, b, __: (np.maximum(a[0], b[0]),))[0], x)

    def lowest(self, x: Array, period: float) -> Array:
        return _aligned(_windows((x,), int(period), lambda a, _, b, __: (np.minimum(a[0], b[0]),))[0], x)

    def apart(self, x: Array, period: float, keep: float, skip: float = 0) -> Array:
        return _each_row(x, lambda: Apart(period, keep, skip).push)

    def smooth(self, x: Array, period: float, keep: float, skip: float = 0) -> Array:
        return x + self.apart(x, period, keep, skip)

    def rises(self, x: Array, period: float) -> Array:
        return _each_row(x, lambda: Rises(period).push)

    def first(self, x: Array, weight: Array) -> Array:
        bars = np.arange(x.shape[-1])
        weighs = (weight != 0) & ~np.isnan(x)
        at = np.where(weighs, bars, x.shape[-1]).min(axis=-1, initial=x.shape[-1], keepdims=True)
        found = np.where(bars == at, x, 0.0).sum(axis=-1, keepdims=True)
        return np.where(np.isnan(x) | (bars < at), x, found)

    def total(self, x: Array) -> Array:
        missing = np.isnan(x)
        return np.where(missing, np.nan, np.cumsum(np.where(missing, 0.0, x), axis=-1))


def _each_row(x: Array, make: Callable[[], Callable[[float], float]]) -> Array:
    """Give each row's values that are there, in turn, to what `make` returns."""
    result = np.full(x.shape, np.nan)
    for row in np.ndindex(x.shape[:-1]):
        there = ~np.isnan(x[row])
        result[row][there] = list(map(make(), x[row][there].tolist()))
    return result


def _moments(x: Array, n: int) -> Parts:
    zero = np.where(np.isnan(x), np.nan, 0.0)
    return _windows((x, zero, zero), n, _merge_moments)


def _windows(parts: Parts, n: int, merge: Merge) -> Parts:
    """Merge the parts of every `n` neighbours, by doubling.

    A result depends only on the values in its window, so that a gap or a spike has no effect after it.
    Takes O(bars * log n) steps; sums are pairwise.
    """
    bars = parts[0].shape[-1]
    if n > bars:
        return tuple(part[..., :0] for part in parts)
    power, width = parts, 1  # power[i] merges parts[i : i + width]
    whole, done = parts, 0  # whole[i] merges parts[i : i + done]
    while True:
        if n & width:
            whole = power if done == 0 else _neighbours(whole, done, power, width, merge)
            done += width
        if done == n:
            return whole
        power = _neighbours(power, width, power, width, merge)
        width *= 2


def _neighbours(a: Parts, a_width: int, b: Parts, b_width: int, merge: Merge) -> Parts:
    """Merge each a[i] with the b that begins where it ends."""
    count = b[0].shape[-1] - a_width
    return merge(tuple(x[..., :count] for x in a), a_width, tuple(x[..., a_width:] for x in b), b_width)


def _merge_moments(a: Parts, a_count: int, b: Parts, b_count: int) -> Parts:
    """Join the moments of two neighbours (Chan, Golub, LeVeque 1979).

    Moments are a first value, the mean's distance from it, and the sum of squares about the mean. A distance keeps
    its digits where the mean itself, at a large offset, would not.
    """
    count = a_count + b_count
    delta = (b[0] - a[0]) + (b[1] - a[1])
    squares = a[2] + b[2] + delta * delta * (a_count * b_count / count)
    return a[0], a[1] + delta * (b_count / count), squares


def _aligned(windows: Array, x: Array) -> Array:
    """Put each window's value at the bar the window ends with."""
    result = np.full(x.shape, np.nan)
    if windows.shape[-1]:
        result[..., x.shape[-1] - windows.shape[-1] :] = windows
    return result
