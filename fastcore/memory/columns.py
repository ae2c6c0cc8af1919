"""Conversions of each kind of column, and their inverses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcore.memory.bounds import decimals_of, difference_error, same_bits, value_error
from fastcore.memory.sizes import holds_objects, values_bytes

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DECIMALS",
    "Outcome",
    "as_category",
    "as_datetime",
    "as_float32",
    "as_int32",
    "as_shared_text",
    "as_ticks",
    "as_whole",
    "dates_of",
    "kept",
    "texts_of",
]

DECIMALS = tuple(float(f"1e-{decimals}") for decimals in range(7))  # the ticks that are tried where none is named

_INT32 = np.iinfo(np.int32)
_SUMMABLE = 2**30 - 1  # the sum and the difference of two such numbers fit into an int32
_EXACT_INTEGER = 2**53
_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%fZ",
)


@dataclass(frozen=True)
class Outcome:
    """What a rule made of a column; `values` is None where it leaves the column alone, and `reason` says why."""

    values: Any
    reason: str
    change: str = "none"
    value_error: float = 0.0
    difference_error: float = 0.0
    exact: bool = True
    tick: float | None = None
    span: tuple[float, float] | None = None  # of the values that became ticks
    restore: Callable[[Any], Any] | None = None


def kept(reason: str) -> Outcome:
    """The outcome of a column that stays as it is."""
    return Outcome(None, reason)


def as_int32(series: pd.Series[Any], limit: int) -> Outcome:
    """Integers of 64 bits as int32, never as less and never unsigned, where none is larger than `limit`."""
    if not len(series):
        return kept("no rows")
    values = series.dropna().to_numpy()
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if max(-low, high) > limit:
        return kept(f"values from {low} to {high}: their {_arithmetic(limit)} need 64 bits")
    target = "int32" if isinstance(series.dtype, np.dtype) else "Int32"
    reason = f"values from {low} to {high}"
    return Outcome(series.astype(target), reason, "int32", restore=functools.partial(_cast, dtype=series.dtype))


def _arithmetic(limit: int) -> str:
    return "sums" if limit == _SUMMABLE else "products"


def as_float32(series: pd.Series[Any], bound: float) -> Outcome:
    """Floats of 64 bits as float32 where the differences of any two values keep the bound; `inf` asks for no bound."""
    values = series.to_numpy()
    error = value_error(values)
    if error > bound or not np.isfinite(error):
        return kept(f"float32 would change its values by {error:.2g}")
    differences = difference_error(values)
    if differences > bound:
        return kept(f"float32 would change differences by up to {differences:.2g}")
    narrow = values.astype(np.float32)
    decimals = decimals_of(values, narrow)
    exact = decimals is not None
    return Outcome(
        series.astype("float32"),
        f"differences keep {differences:.2g}" + ("" if decimals is None else f", exact at {decimals} decimals"),
        "float32",
        error,
        differences,
        exact,
        restore=functools.partial(_widen, dtype=series.dtype, decimals=decimals),
    )


def as_whole(series: pd.Series[Any], limit: int) -> Outcome:
    """Floats that are all whole numbers as int32, where none is missing, and none larger than `limit`."""
    values = series.to_numpy()
    if not values.size or not np.isfinite(values).all() or np.abs(values).max() > limit:
        return kept("")
    whole = values.astype(np.int32)
    if not same_bits(whole.astype(np.float64), values):
        return kept("")
    reason = f"whole numbers from {int(whole.min())} to {int(whole.max())}"
    return Outcome(series.astype("int32"), reason, "int32", restore=functools.partial(_cast, dtype=series.dtype))


def as_ticks(series: pd.Series[Any], tick: float) -> Outcome:
    """Floats that are whole numbers of ticks as int32 counts of them, where that gives every bit back."""
    values = series.to_numpy()
    missing = np.isnan(values)
    if missing.all():
        return kept("no values")
    step = Fraction(str(tick))
    counts = np.rint(np.where(missing, 0.0, values) * (step.denominator / step.numerator))
    if not np.isfinite(counts).all() or np.abs(counts).max() > _SUMMABLE:
        return kept(f"more than {_SUMMABLE:,} ticks of {tick:g}")
    whole = counts.astype(np.int32)
    back = np.where(missing, np.nan, _from_ticks(whole, step))
    if not same_bits(back, values):
        at = int(np.flatnonzero((back != values) & ~missing)[0]) if (back != values)[~missing].any() else -1
        culprit = repr(float(values[at])) if at >= 0 else "a negative zero"
        return kept(f"not whole ticks of {tick:g}: {culprit}")
    import pandas as pd

    counted: Any = pd.array(whole, dtype="Int32") if missing.any() else whole
    if missing.any():
        counted[missing] = pd.NA
    made = pd.Series(counted, index=series.index, name=series.name)
    restore = functools.partial(_untick, dtype=series.dtype, step=step)
    span = float(np.nanmin(values)), float(np.nanmax(values))
    return Outcome(made, f"counts of {tick:g}", "ticks", tick=float(tick), span=span, restore=restore)


def _from_ticks(counts: NDArray[Any], step: Fraction) -> NDArray[np.float64]:
    # One exact product and one correctly rounded division: the double nearest to the decimal, as parsing gives it.
    product = counts.astype(np.float64) * step.numerator
    return product / step.denominator


def as_category(series: pd.Series[Any]) -> Outcome:
    """Text that repeats as a dictionary and codes, where that takes fewer bytes."""
    import pandas as pd

    if not len(series):
        return kept("no rows")
    values = np.asarray(series.array, dtype=object)
    missing = pd.isna(values)
    present = values[~missing]
    if not present.size:
        return kept("no values")
    if any(type(value) is not str for value in present.tolist()):
        return kept("objects that are not text")
    absent: Any = np.nan
    if holds_objects(series.dtype):
        kinds = {id(value): value for value in values[missing].tolist()}
        if len(kinds) > 1:
            return kept("more than one kind of missing value")
        absent = next(iter(kinds.values()), None)
    distinct = pd.unique(present)
    if len(distinct) > len(series) // 2:
        return kept(f"{len(distinct):,} different texts in {len(series):,} rows")
    made = series.astype("category")
    before, after = values_bytes(series._values), values_bytes(made._values)
    if after >= before:
        return kept(f"a dictionary would take {after:,} bytes, not {before:,}")
    if not (np.asarray(made.array, dtype=object)[~missing] == present).all():
        return kept("its texts do not come back from a dictionary")
    restore = functools.partial(_decode, dtype=series.dtype, absent=absent)
    return Outcome(made, f"{len(distinct):,} different texts", "category", restore=restore)


def as_shared_text(series: pd.Series[Any]) -> Outcome:
    """Text of which equal values become one object; the column's dtype and values stay."""
    import pandas as pd

    dtype: Any = series.dtype
    if not holds_objects(dtype) and getattr(dtype, "storage", None) != "python":
        return kept("text in a buffer of its own")
    values = np.asarray(series.array, dtype=object)
    texts = np.fromiter((type(value) is str for value in values.tolist()), bool, len(values))
    shared = values.copy()
    codes, distinct = pd.factorize(values[texts])
    shared[texts] = np.asarray(distinct, dtype=object)[codes]
    before, after = values_bytes(values), values_bytes(shared)
    if after >= before:
        return kept("no text that repeats as another object")
    held = pd.array(shared, dtype=dtype, copy=False)
    made = pd.Series(held, index=series.index, name=series.name, dtype=dtype, copy=False)  # else objects become str
    return Outcome(made, f"{len(distinct):,} different texts, each held once", "shared")


def as_datetime(series: pd.Series[Any]) -> Outcome:
    """ISO dates held as text as datetime64, where formatting them gives the same text back."""
    import pandas as pd

    values = np.asarray(series.array, dtype=object)
    missing = pd.isna(values)
    if holds_objects(series.dtype) and missing.any():
        return kept("objects, some missing")
    found = dates_of(values[~missing])
    if found is None:
        return kept("not dates of one ISO format")
    pattern, dates = found
    if missing.any():
        filled = pd.Series(pd.NaT, index=range(len(values)), dtype=dates.dtype)
        filled[~missing] = dates
        dates = pd.DatetimeIndex(filled)
    made = pd.Series(dates, index=series.index, name=series.name)
    restore = functools.partial(_format, dtype=series.dtype, pattern=pattern)
    return Outcome(made, f"dates as {pattern}", "datetime", restore=restore)


def dates_of(texts: NDArray[np.object_]) -> tuple[str, Any] | None:
    """Return the ISO format of `texts` and a DatetimeIndex of them, if formatting gives the same texts back."""
    import pandas as pd

    if not texts.size or any(type(text) is not str for text in texts.tolist()):
        return None
    for pattern in _FORMATS:
        try:
            pd.to_datetime(texts[0], format=pattern)
            made = pd.to_datetime(texts, format=pattern, utc=pattern.endswith("Z"))
        except (ValueError, OverflowError):
            continue
        if (np.asarray(made.strftime(pattern), dtype=object) == texts).all():
            return pattern, made
    return None


def texts_of(dates: pd.DatetimeIndex, pattern: str, name: str) -> pd.Index[Any]:
    """Return dates as text of a format.

    Raises
    ------
    ValueError
        If the format cannot write one of them, such as one with a time of day; the text begins with `name`.
    """
    import pandas as pd

    texts = dates.strftime(pattern)
    written = pd.to_datetime(texts.dropna(), format=pattern, utc=pattern.endswith("Z"))
    if not (written == dates.dropna()).all():
        raise ValueError(f"{name}: expected dates that {pattern} can write, got others")
    return texts


def _cast(series: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    return series.astype(dtype)


def _widen(series: pd.Series[Any], dtype: Any, decimals: int | None) -> pd.Series[Any]:
    wide = series.astype(dtype)
    if decimals is None:
        return wide
    rounded = wide.round(decimals)
    return rounded.where(rounded.astype(series.dtype) == series, wide)  # others were computed since: a mean, a quotient


def _untick(series: pd.Series[Any], dtype: Any, step: Fraction) -> pd.Series[Any]:
    import pandas as pd

    values = _from_ticks(series.to_numpy(dtype=np.float64, na_value=np.nan), step)
    return pd.Series(values, index=series.index, name=series.name, dtype=dtype)


def _decode(series: pd.Series[Any], dtype: Any, absent: Any) -> pd.Series[Any]:
    missing = series.isna()
    decoded = series.astype(dtype)
    return decoded.where(~missing, absent) if holds_objects(dtype) and missing.any() else decoded


def _format(series: pd.Series[Any], dtype: Any, pattern: str) -> pd.Series[Any]:
    import pandas as pd

    texts = texts_of(pd.DatetimeIndex(series), pattern, f"{series.name}")
    return pd.Series(texts.array, index=series.index, name=series.name).astype(dtype)
