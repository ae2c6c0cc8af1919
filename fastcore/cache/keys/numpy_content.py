"""The content of numpy's arrays and of their subclasses."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastcore.cache.keys.content import NoContent, Update
from fastcore.cache.keys.objects import encode, feed_cells, name_of, state_of

__all__ = ["feed"]

_MAP_STATE = ("_mmap", "filename", "offset", "mode")  # location, not content
_MASKED_STATE = (  # what is fed by itself, or follows from it
    *("_mask", "_fill_value", "_hardmask", "_sharedmask", "_baseclass", "_basedict", "_isfield", "_optinfo"),
)


def feed(array: Any, update: Update, unit: str = "item") -> None:
    """Feed an array: its class, dtype, shape and elements, independent of its layout in memory."""
    kind = type(array)
    if kind is not np.ndarray and kind is not np.memmap:  # a memmap is an array in a file
        update(b"subclass" + name_of(kind))
        if isinstance(array, np.ma.MaskedArray):
            _feed_masked(array, update)
            return
        update(state_of(array, _MAP_STATE if isinstance(array, np.memmap) else ()))
        array = np.asarray(array)
    dtype = array.dtype
    update(_label(dtype, array.shape))
    if dtype.names is not None:
        for name in dtype.names:  # not the bytes of the records, which may have gaps
            try:
                feed(np.asarray(array[name]), update, unit)
            except NoContent as error:
                error.where.append(f"field {name!r}")
                raise
    elif dtype.hasobject or dtype.kind == "T":  # texts of varying length are kept elsewhere, as objects are
        feed_cells(array.reshape(-1), update, unit)
    elif dtype.char in "gG":
        _feed_long_doubles(array, update)
    elif dtype.kind in "biufc":
        update(np.ascontiguousarray(array))
    elif array.size:  # what has no buffer of its own kind
        update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def _feed_masked(array: Any, update: Update) -> None:
    update(state_of(array, _MASKED_STATE) + encode(bool(array._hardmask), array._optinfo))
    feed(np.ma.getmaskarray(array), update)
    fill = array._fill_value  # `fill_value` would write the default into the caller's array
    feed(np.asarray(np.ma.default_fill_value(array.dtype) if fill is None else fill, dtype=array.dtype), update)
    feed(array.data, update)  # of the class that is masked, with its attributes


def _label(dtype: Any, shape: tuple[int, ...]) -> bytes:
    """Return the bytes of a shape and a dtype; fields are fed with their own."""
    if dtype.names is not None:
        return encode(shape, "record", dtype.names, dtype.type.__name__)
    if dtype.kind == "T":
        return encode(shape, "text", getattr(dtype, "na_object", None), hasattr(dtype, "na_object"), dtype.coerce)
    if dtype.kind == "V":  # raw bytes, or a number of another library
        return encode(shape, dtype.str, str(dtype), dtype.type.__module__)
    return _plain_label(dtype, shape)


@functools.lru_cache(maxsize=1024)
def _plain_label(dtype: Any, shape: tuple[int, ...]) -> bytes:
    return encode(shape, dtype.str)


def _feed_long_doubles(array: Any, update: Update) -> None:
    """Feed the bytes that count: six of the sixteen of an extended double may be anything."""
    parts = np.ascontiguousarray(array).reshape(-1).view(array.real.dtype)
    data = parts.view(np.uint8).reshape(len(parts), -1)
    if np.finfo(np.longdouble).nmant == 63:
        data = data[:, :10] if array.dtype.isnative else data[:, 6:]
    update(np.ascontiguousarray(data).data)
