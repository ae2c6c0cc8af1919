"""The content of polars' frames and Series."""

from __future__ import annotations

from typing import Any

import polars as pl

from fastcore.cache.keys import numpy_content
from fastcore.cache.keys.content import Update, feed_columns
from fastcore.cache.keys.objects import encode, feed_cells, name_of, write_attributes

__all__ = ["feed"]


def feed(value: Any, update: Update) -> None:
    """Feed a frame or Series, however its chunks lie."""
    base = pl.DataFrame if isinstance(value, pl.DataFrame) else pl.Series
    if type(value) is not base:
        attributes = {name: item for name, item in vars(value).items() if name not in ("_df", "_s", "_accessors")}
        update(b"subclass" + name_of(type(value)) + write_attributes(type(value), attributes))
    if base is pl.Series:
        update(encode("polars series", value.name))
        _feed_values(value, update)
        return
    update(encode("polars", *value.shape, *value.columns))
    feed_columns(zip(value.columns, value.get_columns(), strict=True), _feed_values, update)


def _feed_values(series: Any, update: Update) -> None:
    """Feed the dtype, the places of nulls and the values; a value under a null does not count."""
    dtype = series.dtype
    nulls = series.null_count()
    update(encode(str(dtype), len(series), nulls))
    if dtype == pl.Null:
        return
    if dtype == pl.Enum:
        update(encode(dtype.categories.to_list()))
    if isinstance(dtype, pl.Array):  # its width is in the dtype's name
        series = series.arr.to_list()
        dtype = series.dtype
    if isinstance(dtype, (pl.List, pl.Struct)):
        if nulls:
            _feed_physical(series.is_null(), update)
        series = series.drop_nulls()
        if isinstance(dtype, pl.Struct):
            for name in series.struct.fields:
                update(encode(name))
                _feed_values(series.struct.field(name), update)
        else:
            lengths = series.list.len()
            _feed_physical(lengths, update)
            _feed_values(series.filter(lengths > 0).explode(), update)
    elif dtype in _AS_TEXT:  # exact, where numpy has no such number or the codes are of this process
        feed_cells(series.cast(pl.String).to_list(), update)
    elif dtype.is_numeric() or dtype.is_temporal() or dtype == pl.Boolean:
        if nulls:
            _feed_physical(series.is_null(), update)
            series = series.drop_nulls()
        _feed_physical(series.to_physical(), update)
    else:
        feed_cells(series.to_list(), update)


_AS_TEXT = [
    getattr(pl, name)
    for name in ("Decimal", "Int128", "UInt128", "Categorical", "Enum")
    if hasattr(pl, name)  # the widest are not in the oldest versions
]


def _feed_physical(series: Any, update: Update) -> None:
    numpy_content.feed(series.to_numpy(), update)
