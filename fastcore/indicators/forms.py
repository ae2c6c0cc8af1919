"""Input types of a series, and results of the same type: Series of pandas and polars, and masked arrays."""

from __future__ import annotations

import functools
import math
import numbers
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from fastcore.indicators.symbols import SymbolRows, rows_of

__all__ = ["Form", "plain_series", "unwrap"]

_FLOAT = np.dtype(np.float64)


class Form:
    """What a Series has apart from its values, which a result takes over."""

    __slots__ = ("index", "kind", "name", "symbols")

    def __init__(self, kind: str, name: Any, index: Any = None, symbols: SymbolRows | None = None) -> None:
        self.kind = kind
        self.name = name
        self.index = index
        self.symbols = symbols

    def agrees(self, other: Form) -> bool:
        """Whether a Series of the form `other` has a value for the same bars, as far as the two can tell."""
        if self.kind != other.kind or self.kind == "polars" or self.index is other.index:
            return True
        return bool(self.index.equals(other.index))

    @property
    def bars(self) -> str:
        """Which bars it has, for an error."""
        count = len(self.index)
        return f"{count} bars from {self.index[0]} to {self.index[-1]}" if count else "no bars"

    def wrap(self, values: Any, name: str | None) -> Any:
        """Return `values` as a Series of this form, called `name` or as the one it was made of."""
        title = self.name if name is None else name
        if self.kind == "polars":
            return sys.modules["polars"].Series(title, values)
        return _series_maker()(values, self.index, title)


def unwrap(name: str, value: Any, apart: bool = True) -> tuple[Any, Form | None]:
    """Return what numpy makes an array of, and the form of `value` where it is a Series.

    With `apart` a Series of several symbols says which bar is of which.
    """
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None:
        if isinstance(value, pandas.Series):
            index = value.index
            symbols = rows_of(name, index) if apart and isinstance(index, pandas.MultiIndex) else None
            return _pandas_values(pandas, name, value), Form("pandas", value.name, index, symbols)
        if isinstance(value, pandas.DataFrame):
            raise TypeError(f"{name}: expected a Series or an array, got a DataFrame: give one column, or use Plan")
        if isinstance(value, pandas.Index):
            return _pandas_values(pandas, name, value), None
    if polars is not None:
        if isinstance(value, polars.Series):
            return _polars_values(polars, name, value), Form("polars", value.name)
        if isinstance(value, (polars.DataFrame, polars.LazyFrame, polars.Expr)):
            kind = type(value).__name__
            instead = "give one column, or use Plan"
            if isinstance(value, polars.Expr):
                instead = "map_batches() of the expression takes a function of its Series"
            raise TypeError(f"{name}: expected a Series or an array, got a polars {kind}: {instead}")
    if isinstance(value, np.ma.MaskedArray) and value.dtype.kind in "iuf":
        return np.ma.filled(value.astype(np.float64), np.nan), None
    return value, None


def plain_series(values: Sequence[Any]) -> tuple[tuple[Any, ...], Form] | None:
    """Return the arrays and the form of pandas Series of float64 with one index; None for anything else.

    It is what `unwrap` gives for them, in a fraction of the time.
    """
    pandas, first = sys.modules.get("pandas"), values[0]
    if pandas is None or type(first) is not pandas.Series:
        return None
    index, found = first.index, []
    if isinstance(index, pandas.MultiIndex):
        return None
    for value in values:
        if type(value) is not pandas.Series or not (value is first or index.equals(value.index)):
            return None
        x = getattr(value, "_values", None)
        if type(x) is not np.ndarray or x.dtype is not _FLOAT or not (x.flags.c_contiguous and x.flags.aligned):
            return None
        found.append(x)
    return tuple(found), Form("pandas", first.name, index)


def _pandas_values(pandas: Any, name: str, value: Any) -> Any:
    values = getattr(value, "_values", None)  # what to_numpy() takes five times as long to give
    if type(values) is np.ndarray and values.dtype is _FLOAT:
        return values
    dtype = value.dtype
    if dtype.kind == "O":  # objects, and what Arrow has no number of numpy's for
        found = _numbers(value.to_numpy(dtype=object), pandas.NA)
        if found is not None:
            return found
    if dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected numbers, got a {type(value).__name__} of dtype {dtype}")
    if isinstance(dtype, np.dtype):
        return value.to_numpy()
    return value.to_numpy(dtype=np.float64, na_value=np.nan)


def _polars_values(polars: Any, name: str, value: Any) -> Any:
    dtype = value.dtype
    if dtype.is_decimal() or dtype == polars.Null:
        value = value.cast(polars.Float64)
    elif not dtype.is_numeric():
        raise TypeError(f"{name}: expected numbers, got a Series of dtype {dtype}")
    return value.to_numpy()  # null becomes NaN


def _numbers(values: Any, missing: Any) -> Any:
    """Return objects as floats, None and `missing` as NaN; None if there is anything but numbers among them."""
    found = np.empty(len(values))
    for i, value in enumerate(values):
        if value is None or value is missing:
            found[i] = math.nan
        elif isinstance(value, bool) or not isinstance(value, (Decimal, numbers.Real)):
            return None
        else:
            try:
                found[i] = float(value)
            except (OverflowError, ValueError):  # out of range, or a Decimal that signals
                found[i] = math.nan
    return found


@functools.cache
def _series_maker() -> Callable[[Any, Any, Any], Any]:
    """Return what makes a pandas Series of values, index and name.

    The constructor looks for much that is known here; past it is a third of the time. Where pandas has other insides
    than expected the constructor is used.
    """
    pandas = sys.modules["pandas"]

    def usual(values: Any, index: Any, name: Any) -> Any:
        return pandas.Series(values, index=index, name=name, copy=False)

    def direct(values: Any, index: Any, name: Any) -> Any:
        block = block_type(values, placement(slice(0, len(values))), ndim=1)
        made = from_mgr(manager_type(block, index), [index])
        object.__setattr__(made, "_name", name)
        return made

    try:
        manager = usual(np.array([1.0]), None, None)._mgr
        manager_type, block_type, placement = type(manager), type(manager.blocks[0]), type(manager.blocks[0].mgr_locs)
        from_mgr = pandas.Series._from_mgr
        index = pandas.Index(["a", "b"])
        made, wanted = (make(np.array([1.0, 2.0]), index, "x") for make in (direct, usual))
        pandas.testing.assert_series_equal(made, wanted)
        pandas.testing.assert_series_equal(made["b":] * 2, wanted["b":] * 2)
    except Exception:
        return usual
    return direct
