"""The content of pandas' frames, Series, indexes and extension arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from fastcore.cache.keys import numpy_content
from fastcore.cache.keys.content import NoContent, Update, feed_columns
from fastcore.cache.keys.objects import encode, feed_cells, name_of, state_of, write_attributes

__all__ = ["feed"]

_OF_NUMPY = (np.ndarray, pd.arrays.NumpyExtensionArray)
_INTERNAL = ("_mgr", "_item_cache", "_attrs", "_flags", "_is_copy", "_cacher", "_name")


def feed(value: Any, update: Update) -> None:
    """Feed a frame, Series, index or extension array; ``attrs``, flags and the frequency of an index do not count."""
    if isinstance(value, pd.DataFrame):
        _feed_class(value, pd.DataFrame, update)
        update(encode("frame", *value.shape))
        _feed_index(value.index, update, "the index")
        _feed_index(value.columns, update, "the columns")
        feed_columns(zip(value.columns, _column_arrays(value), strict=True), _feed_values, update)
    elif isinstance(value, pd.Series):
        _feed_class(value, pd.Series, update)
        update(encode("series", value.name))
        _feed_index(value.index, update, "the index")
        _feed_values(value.array, update)
    elif isinstance(value, pd.Index):
        _feed_index(value, update, "the index")
    else:
        update(name_of(type(value)))
        _feed_values(value, update)


def _column_arrays(frame: Any) -> Iterable[Any]:
    """Return the arrays of the columns; what pandas offers to all costs ten times as much for a small frame."""
    arrays = getattr(frame, "_iter_column_arrays", None)
    return (frame.iloc[:, n].array for n in range(frame.shape[1])) if arrays is None else arrays()


def _feed_class(value: Any, base: type, update: Update) -> None:
    """Feed what tells an object of a subclass from one of pandas' own: its class and its attributes."""
    if type(value) is not base:
        update(b"subclass" + name_of(type(value)))
        names = {*vars(value), *value._metadata} - {*_INTERNAL}
        update(write_attributes(type(value), {name: getattr(value, name, None) for name in names}))


def _feed_index(index: Any, update: Update, place: str) -> None:
    try:
        if isinstance(index, pd.MultiIndex):
            update(encode("levels", index.nlevels, *index.names))
            for level in range(index.nlevels):
                _feed_level(index.get_level_values(level).array, update, level)
        elif isinstance(index, pd.RangeIndex):
            update(encode("range", index.name, index.start, index.stop, index.step))
        else:
            update(encode("index", index.name))
            _feed_values(index.array, update)
    except NoContent as error:
        error.where.append(place)
        raise


def _feed_level(array: Any, update: Update, level: int) -> None:
    try:
        _feed_values(array, update)
    except NoContent as error:
        error.where.append(f"level {level}")
        raise


def _feed_values(array: Any, update: Update) -> None:
    """Feed the values of a column, level or index."""
    if type(array) in _OF_NUMPY:  # arrays of text are subclasses
        numpy_content.feed(np.asarray(array), update, "row")
        return
    dtype = array.dtype
    if isinstance(dtype, np.dtype):  # times and durations
        numpy_content.feed(array.asi8.view(dtype), update, "row")
        return
    update(b"extension" + name_of(type(dtype)) + encode(len(array)))
    if isinstance(dtype, pd.StringDtype):
        update(encode(dtype.storage, dtype.na_value))
        feed_cells(array.tolist(), update)
    elif isinstance(dtype, pd.CategoricalDtype):
        update(encode(dtype.ordered))
        _feed_index(dtype.categories, update, "the categories")
        numpy_content.feed(np.asarray(array.codes), update)
    elif isinstance(dtype, pd.DatetimeTZDtype):
        update(encode(dtype.unit, dtype.tz))
        numpy_content.feed(array.asi8, update)
    elif isinstance(dtype, pd.PeriodDtype):
        update(encode(str(dtype)))
        numpy_content.feed(array.asi8, update)
    elif isinstance(dtype, pd.IntervalDtype):
        update(encode(dtype.closed))
        _feed_index(array.left, update, "the left ends")
        _feed_index(array.right, update, "the right ends")
    elif isinstance(dtype, pd.SparseDtype):
        update(encode(dtype.fill_value))
        numpy_content.feed(array.sp_index.to_int_index().indices, update)
        numpy_content.feed(array.sp_values, update, "value")
    elif isinstance(dtype, pd.ArrowDtype):
        from fastcore.cache.keys import pyarrow_content

        pyarrow_content.feed(array.__arrow_array__(), update)
    elif hasattr(dtype, "numpy_dtype") and dtype.numpy_dtype.kind in "iufb":
        _feed_nullable(array, update)
    else:  # another library's
        update(encode(str(dtype)) + state_of(dtype))
        feed_cells(array.astype(object).tolist(), update)


def _feed_nullable(array: Any, update: Update) -> None:
    kind = array.dtype.numpy_dtype
    missing = np.asarray(array.isna())
    update(encode(kind.str))
    numpy_content.feed(missing, update)
    numpy_content.feed(array.to_numpy(dtype=kind, na_value=kind.type(0)), update)
