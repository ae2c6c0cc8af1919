"""The content of pyarrow's tables, batches and arrays."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from fastcore.cache.keys import numpy_content
from fastcore.cache.keys.content import Update, feed_columns
from fastcore.cache.keys.objects import encode, feed_cells

__all__ = ["feed"]


def feed(value: Any, update: Update) -> None:
    """Feed a table, batch or array, however its chunks lie; metadata do not count."""
    if not hasattr(value, "column_names"):
        update(b"arrow array")
        _feed_values(value, update)
        return
    update(encode("arrow table", value.num_rows, *value.column_names))
    feed_columns(zip(value.column_names, value.columns, strict=True), _feed_values, update)


def _feed_values(array: Any, update: Update) -> None:
    """Feed the type, the places of nulls and the values; a value under a null does not count."""
    kind = array.type
    update(encode(str(kind), len(array), array.null_count))
    if isinstance(array, pa.ChunkedArray):
        if pa.types.is_dictionary(kind):
            array = array.unify_dictionaries()
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # too long for one
            for chunk in array.chunks:
                _feed_values(chunk, update)
            return
    if isinstance(kind, pa.BaseExtensionType):
        update(encode(kind.extension_name))
        _feed_values(array.storage, update)
    elif pa.types.is_dictionary(kind):
        _feed_values(array.indices, update)
        _feed_values(array.dictionary, update)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_temporal(kind):
        _feed_numbers(array, update)
    else:
        feed_cells(array.to_pylist(), update)


def _feed_numbers(array: Any, update: Update) -> None:
    if array.null_count:
        numpy_content.feed(array.is_null().to_numpy(zero_copy_only=False), update)
        array = array.drop_null()
    kind = array.type
    if pa.types.is_interval(kind):
        feed_cells([tuple(item) for item in array.to_pylist()], update)
        return
    if pa.types.is_temporal(kind):
        array = array.view(pa.int32() if kind.bit_width == 32 else pa.int64())
    numpy_content.feed(array.to_numpy(zero_copy_only=False), update)
