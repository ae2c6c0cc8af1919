"""Error bounds of float32 for a column's values and for their differences.

A bound on values says next to nothing: float32 keeps every price to 6e-8, and yet one tick of 0.01 at a price of 65 432
comes out wrong by 22 %. What indicators are made of is differences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["decimals_of", "difference_error", "indicator_error", "same_bits", "value_error"]

Floats = NDArray[np.float64]

_SMALLEST = float(np.finfo(np.float32).tiny)
_NOISE = 8  # values this many units in the last place of float64 apart are one value with two roundings
_MAX_DECIMALS = 9


def value_error(values: Floats) -> float:
    """Return the largest relative error of a value as float32; infinite where float32 overflows or underflows."""
    finite = values[np.isfinite(values) & (values != 0)]
    if not finite.size:
        return 0.0
    size = np.abs(finite)
    with np.errstate(over="ignore", under="ignore"):
        narrow = finite.astype(np.float32).astype(np.float64)
    if size.min() < _SMALLEST or not np.isfinite(narrow).all():
        return float("inf")
    return float((np.abs(narrow - finite) / size).max())


def difference_error(values: Floats) -> float:
    """Return a bound on the relative error that float32 causes in the difference of any two values of the column.

    The values are sorted and the differences of neighbours compared with what float32 makes of them. Any other
    difference is a sum of those, all of one sign, so its relative error is at most the largest of theirs: the bound
    holds between any two rows, at any distance, in any group of rows. Values within 8 units in the last place of
    float64 count as equal.
    """
    finite = np.unique(values[np.isfinite(values)])
    if finite.size < 2:
        return 0.0
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        noise = _NOISE * np.spacing(np.maximum(np.abs(finite[1:]), np.abs(finite[:-1])))
        breaks = np.flatnonzero(np.diff(finite) > noise)
        if not breaks.size:
            return 0.0
        # Equal values form a cluster, which float32 may still split: from any of one to any of the next counts.
        narrow = finite.astype(np.float32).astype(np.float64)
        first, last = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [finite.size - 1]))
        gap = finite[first[1:]] - finite[last[:-1]]
        widest = narrow[last[1:]] - narrow[first[:-1]] - gap
        closest = (finite[last[1:]] - finite[first[:-1]]) - (narrow[first[1:]] - narrow[last[:-1]])
        worst = float((np.maximum(np.abs(widest), np.abs(closest)) / gap).max())
    return worst if np.isfinite(worst) else float("inf")


def decimals_of(values: Floats, narrow: NDArray[np.float32]) -> int | None:
    """Return to how many decimals float32 is rounded to give the float64 column back bit by bit; None if that fails."""
    wide = narrow.astype(np.float64)
    for decimals in range(_MAX_DECIMALS):
        if same_bits(np.round(wide, decimals), values):
            return decimals
    return None


def same_bits(left: Floats, right: Floats) -> bool:
    """Say whether two columns hold the same numbers, zeros of either sign told apart, any NaN equal to any other."""
    bits = np.ascontiguousarray(left).view(np.int64) == np.ascontiguousarray(right).view(np.int64)
    return bool((bits | (np.isnan(left) & np.isnan(right))).all())


def indicator_error(indicators: Any, before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Return the largest relative error of what `indicators` compute from `after` instead of `before`.

    Parameters
    ----------
    indicators : callable or iterable of callables
        Each takes a DataFrame and returns an array, a Series, a DataFrame, or a tuple or mapping of those.
    before, after : DataFrame

    Returns
    -------
    float
        The largest ``|after - before| / max(|before|, typical)`` over all outputs and rows, `typical` being the median
        of ``|before|`` of that output: an oscillator that crosses zero is judged by its usual size there. Infinite if
        a value is missing in one of the two only.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from fastcore import indicators as ta
    >>> from fastcore.memory import indicator_error
    >>> before = pd.DataFrame({"close": np.linspace(100, 110, 200)})
    >>> after = before.astype("float32")
    >>> indicator_error(lambda frame: ta.sma(frame["close"], 20), before, after) < 1e-6
    True
    """
    functions: Sequence[Callable[[pd.DataFrame], Any]]
    functions = [indicators] if callable(indicators) else list(indicators)
    worst = 0.0
    for function in functions:
        if not callable(function):
            raise TypeError(f"certify: expected a callable or callables, got {type(function).__name__}")
        olds, news = list(_outputs(function(before))), list(_outputs(function(after)))
        if [old.shape for old in olds] != [new.shape for new in news]:
            return float("inf")
        worst = max([worst, *(_relative(old, new) for old, new in zip(olds, news))])
    return worst


def _outputs(result: Any) -> Iterable[Floats]:
    if isinstance(result, Mapping):
        result = tuple(result.values())
    if isinstance(result, (tuple, list)) and not all(np.isscalar(item) for item in result):
        for item in result:
            yield from _outputs(item)
        return
    values = np.asarray(result)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"certify: expected numbers as the result of an indicator, got {values.dtype}")
    if values.ndim == 2:
        yield from (column.astype(np.float64) for column in values.T)
    else:
        yield values.astype(np.float64).reshape(-1)


def _relative(old: Floats, new: Floats) -> float:
    finite = np.isfinite(old)
    if not (finite == np.isfinite(new)).all():
        return float("inf")
    if not finite.any():
        return 0.0
    old, new = old[finite], new[finite]
    size = np.abs(old)
    scale = np.maximum(size, np.median(size))
    error = np.abs(new - old)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / scale)
    return float(ratio.max())
