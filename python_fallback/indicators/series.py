"""The operators with windows and memories on whole series: arrays with the bars along the last axis.

A missing value is NaN. Operators of several inputs get them complete: missing together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from python_fallback.indicators.counts import COUNTS
from python_fallback.indicators.cycles import CYCLES
from python_fallback.indicators.maps import Array
from python_fallback.indicators.recurrences import Apart, Follow, Rises
from python_fallback.indicators.stops import STOPS
from python_fallback.indicators.ticks import RECURRENCES
from python_fallback.shared.indicators.operators import OPERATORS

__all__ = ["SERIES"]

Parts = tuple[Array, ...]
Merge = Callable[[Parts, int, Parts, int], Parts]


def lag(x: Array, bars: float) -> Array:
    zero = np.where(np.isnan(x), np.nan, 0.0)
    oldest, gaps = _windows((x, zero), int(bars) + 1, lambda a, _, b, __: (a[0], a[1] + b[1]))
    return _aligned(oldest + gaps, x)


def total_of_window(x: Array, period: float) -> Array:
    first, distance, _ = _moments(x, int(period))
    return _aligned(first * period + distance * period, x)


def mean(x: Array, period: float) -> Array:
    first, distance, _ = _moments(x, int(period))
    return _aligned(first + distance, x)


def variance(x: Array, period: float) -> Array:
    n = int(period)
    return _aligned(_moments(x, n)[2] / n, x)


def deviation(x: Array, period: float) -> Array:
    return np.sqrt(variance(x, period))


def mean_deviation(x: Array, period: float) -> Array:
    n, count = int(period), x.shape[-1] - int(period) + 1
    if count < 1:
        return np.full(x.shape, np.nan)
    first, distance, _ = _moments(x, n)
    parts = (np.abs((x[..., i : i + count] - first) - distance) for i in range(n))
    return _aligned(sum(parts) / n, x)


def highest(x: Array, period: float) -> Array:
    return _aligned(_windows((x,), int(period), lambda a, _, b, __: (np.maximum(a[0], b[0]),))[0], x)


def lowest(x: Array, period: float) -> Array:
    return _aligned(_windows((x,), int(period), lambda a, _, b, __: (np.minimum(a[0], b[0]),))[0], x)


def since_highest(x: Array, period: float, ties: float) -> Array:
    return _since(x, int(period), int(ties), np.greater)


def since_lowest(x: Array, period: float, ties: float) -> Array:
    return _since(x, int(period), int(ties), np.less)


def _since(x: Array, n: int, ties: int, beyond: Callable[[Array, Array], Array]) -> Array:
    def newest(a: Parts, _: int, b: Parts, __: int) -> Parts:
        keep = beyond(a[0], b[0]) | np.isnan(a[0])
        return np.where(keep, a[0], b[0]), np.where(keep, a[1], b[1])

    def oldest(a: Parts, _: int, b: Parts, __: int) -> Parts:
        take = beyond(b[0], a[0]) | np.isnan(b[0])
        return np.where(take, b[0], a[0]), np.where(take, b[1], a[1])

    bars = bar_number(x)
    found, place = _windows((x, bars), n, oldest if ties else newest)
    since = bars - _aligned(np.where(np.isnan(found), np.nan, place), x)
    return _held(since, x == _aligned(found, x), n) if ties == 2 else since


def _held(oldest: Array, extreme: Array, n: int) -> Array:
    """Let each bar that is found stay until another is an extreme too, or it leaves the window of `n` bars."""
    result = np.full(oldest.shape, np.nan)
    for row in np.ndindex(oldest.shape[:-1]):
        age = math.inf
        for i, (since, newest) in enumerate(zip(oldest[row].tolist(), extreme[row].tolist())):
            age = math.inf if math.isnan(since) else since if age + 1 >= n else 0.0 if newest else age + 1
            result[row][i] = since if math.isnan(since) else age
    return result


def bar_number(x: Array) -> Array:
    return np.where(np.isnan(x), np.nan, np.arange(x.shape[-1], dtype=np.float64))


def weighted(x: Array, period: float) -> Array:
    n = int(period)
    first, _, rising = _rising(x, n)
    return _aligned(first + rising * (2.0 / (n * (n + 1))), x)


def slope(x: Array, period: float) -> Array:
    n = int(period)
    _, total, rising = _rising(x, n)
    return _aligned(_slope(total, rising, n), x)


def line(x: Array, period: float, at: float) -> Array:
    n = int(period)
    first, total, rising = _rising(x, n)
    return _aligned(first + (total / n + _slope(total, rising, n) * (at - (n - 1) / 2.0)), x)


def _slope(total: Array, rising: Array, n: int) -> Array:
    return (rising - total * ((n + 1) / 2.0)) / (n * (float(n) * n - 1.0) / 12.0)


def correlation(x: Array, y: Array, period: float) -> Array:
    squares_x, squares_y, products = _pairs(x, y, int(period))
    scale = squares_x * squares_y
    in_range = (scale > 2.0**-800) & (scale < np.inf)
    root = np.where(in_range, np.sqrt(scale), np.sqrt(squares_x) * np.sqrt(squares_y))
    found = np.where(root > 0.0, products / np.where(root > 0.0, root, 1.0), 0.0)
    return _aligned(np.where(np.isfinite(squares_x + squares_y), found, np.nan), x)


def beta(x: Array, y: Array, period: float) -> Array:
    squares, _, products = _pairs(x, y, int(period))
    found = np.where(squares > 0.0, products / np.where(squares > 0.0, squares, 1.0), 0.0)
    return _aligned(np.where(np.isfinite(squares), found, np.nan), x)


def mean_of(x: Array, bars: Array, longest: float) -> Array:
    n = int(longest)
    zero = np.where(np.isnan(x), np.nan, 0.0)
    found = _aligned(_windows((zero,), n, lambda a, _, b, __: (a[0] + b[0],))[0], x)  # whether the window is whole
    counts = np.clip(np.where(np.isnan(bars), 1.0, bars), 1, n).astype(int)
    for count in np.unique(counts):
        of_all = _aligned(_windows((x,), int(count), lambda a, _, b, __: (a[0] + b[0],))[0], x) / count
        found = np.where(counts == count, found + of_all, found)
    return np.where(np.isnan(bars), np.nan, found)


def after(x: Array, bars: float) -> Array:
    return np.where(np.cumsum(~np.isnan(x), axis=-1) > bars, x, np.nan)


def previous(x: Array, start: float) -> Array:
    at = np.where(np.isnan(x), -1, np.arange(x.shape[-1]))
    latest = np.maximum.accumulate(at, axis=-1)
    before = np.concatenate([np.full((*x.shape[:-1], 1), -1), latest[..., :-1]], axis=-1)[..., : x.shape[-1]]
    found = np.take_along_axis(x, np.maximum(before, 0), axis=-1)
    return np.where(np.isnan(x), np.nan, np.where(before < 0, start, found))


def total(x: Array) -> Array:
    return _running(x, "total", np.add)


def product(x: Array) -> Array:
    return _running(x, "product", np.multiply)


def _running(x: Array, name: str, merge: np.ufunc) -> Array:
    """What `merge` makes of all values so far. Where that overflows, bars are taken in turn: such a bar is left out."""
    missing = np.isnan(x)
    found = merge.accumulate(np.where(missing, merge.identity, x), axis=-1)
    return np.where(missing, np.nan, found) if np.isfinite(found).all() else _in_turn(name, RECURRENCES[name])(x)


def follow(x: Array, rate: Array, start: Array) -> Array:
    return _each_row((x, rate, start), lambda: Follow().push)


def hold(x: Array, weight: Array) -> Array:
    held = previous_of(np.where(weight > 0, x, np.nan))
    return np.where(weight > 0, x, np.where(np.isnan(weight), np.nan, held))


def previous_of(x: Array) -> Array:
    """The last value before this one that was not missing, whether this one is or not; 0 before there was any."""
    at = np.where(np.isnan(x), -1, np.arange(x.shape[-1]))
    latest = np.maximum.accumulate(at, axis=-1)
    before = np.concatenate([np.full((*x.shape[:-1], 1), -1), latest[..., :-1]], axis=-1)[..., : x.shape[-1]]
    return np.where(before < 0, 0.0, np.take_along_axis(x, np.maximum(before, 0), axis=-1))


def first(x: Array, weight: Array) -> Array:
    bars = np.arange(x.shape[-1])
    weighs = (weight != 0) & ~np.isnan(x)
    at = np.where(weighs, bars, x.shape[-1]).min(axis=-1, initial=x.shape[-1], keepdims=True)
    found = np.where(bars == at, x, 0.0).sum(axis=-1, keepdims=True)
    return np.where(np.isnan(x) | (bars < at), x, found)


def apart(x: Array, period: float, keep: float) -> Array:
    return _each_row((x,), lambda: Apart(period, keep).push)


def smooth(x: Array, period: float, keep: float) -> Array:
    return x + apart(x, period, keep)


def rises(x: Array, period: float) -> Array:
    return _each_row((x,), lambda: Rises(period).push)


def _each_row(inputs: Parts, make: Callable[[], Callable[..., float]], counts: bool = False) -> Array:
    """Give each row's bars, in turn, to what `make` returns; only those that are there, unless it counts them."""
    result = np.full(inputs[0].shape, np.nan)
    for row in np.ndindex(result.shape[:-1]):
        there = ~np.isnan(inputs[0][row]) | counts
        result[row][there] = list(map(make(), *(x[row][there].tolist() for x in inputs)))
    return result


def _in_turn(name: str, kind: Any) -> Callable[..., Array]:
    """The operator whose bars `kind` takes in turn."""
    count = OPERATORS[name].inputs
    return lambda *args: _each_row(args[:count], lambda: kind(*args[count:]).push, name in COUNTS)


# Called with the inputs, then the parameters.
SERIES: Mapping[str, Callable[..., Array]] = {
    "lag": lag,
    "sum": total_of_window,
    "mean": mean,
    "variance": variance,
    "deviation": deviation,
    "mean_deviation": mean_deviation,
    "highest": highest,
    "lowest": lowest,
    "since_highest": since_highest,
    "since_lowest": since_lowest,
    "bar_number": bar_number,
    "weighted": weighted,
    "slope": slope,
    "line": line,
    "correlation": correlation,
    "beta": beta,
    "mean_of": mean_of,
    "after": after,
    "previous": previous,
    "total": total,
    "product": product,
    "follow": follow,
    "hold": hold,
    "first": first,
    "apart": apart,
    "smooth": smooth,
    "rises": rises,
    **{name: _in_turn(name, kind) for name, kind in {**CYCLES, **COUNTS, **STOPS}.items()},
}


def _moments(x: Array, n: int) -> Parts:
    zero = np.where(np.isnan(x), np.nan, 0.0)
    return _windows((x, zero, zero), n, _merge_moments)


def _rising(x: Array, n: int) -> Parts:
    """Of each window a first value, the sum of all distances from it, and the sum with weights 1 to n."""
    zero = np.where(np.isnan(x), np.nan, 0.0)
    return _windows((x, zero, zero), n, _merge_rising)


def _pairs(x: Array, y: Array, n: int) -> Parts:
    """Of each window the sums of squares and of products about the means."""
    zero = np.where(np.isnan(x), np.nan, 0.0)
    return _windows((x, y, zero, zero, zero, zero, zero), n, _merge_pairs)[4:]


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


def _merge_rising(a: Parts, a_count: int, b: Parts, b_count: int) -> Parts:
    delta = b[0] - a[0]
    rising = a[2] + b[2] + a_count * b[1] + delta * (a_count * b_count + b_count * (b_count + 1) / 2.0)
    return a[0], a[1] + b[1] + b_count * delta, rising


def _merge_pairs(a: Parts, a_count: int, b: Parts, b_count: int) -> Parts:
    count = a_count + b_count
    dx, dy = (b[0] - a[0]) + (b[2] - a[2]), (b[1] - a[1]) + (b[3] - a[3])
    share, weight = b_count / count, a_count * b_count / count
    return (
        a[0],
        a[1],
        a[2] + dx * share,
        a[3] + dy * share,
        a[4] + b[4] + dx * dx * weight,
        a[5] + b[5] + dy * dy * weight,
        a[6] + b[6] + dx * dy * weight,
    )


def _aligned(windows: Any, x: Array) -> Array:
    """Put each window's value at the bar the window ends with."""
    result = np.full(x.shape, np.nan)
    if windows.shape[-1]:
        result[..., x.shape[-1] - windows.shape[-1] :] = windows
    return result
