"""Keys by content: of arrays, Series and DataFrames, and of arguments that hold them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from fastcore.cache.libraries import library_of
from python_fallback.cache.shape import Shape

__all__ = ["ContentKey", "arguments_key", "dataframe_key"]


class ContentKey:
    """128 bits that stand for a value; equal for equal content of one kind."""

    __slots__ = ("digest",)

    def __init__(self, digest: bytes) -> None:
        self.digest = digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContentKey) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"ContentKey({self.digest.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return ContentKey, (self.digest,)


def dataframe_key(frame: Any) -> ContentKey:
    """Return a key that stands for the content of a DataFrame, Series or array.

    Values, dtypes, shape, index, column names and their order count; the memory layout, the object's identity and
    ``attrs`` do not. Two different contents get the same key with a probability of 2**-128 (xxHash3); it is no defence
    against someone who searches for such a pair.

    Parameters
    ----------
    frame : DataFrame, Series, Index or array of pandas, polars or numpy

    Raises
    ------
    TypeError
        If `frame` is something else, or holds an object that has no content key.
    """
    key = _content(frame)
    if key is None:
        raise TypeError(f"frame: expected a DataFrame, a Series or an array, got {type(frame).__name__}")
    return key


_ANY = Shape()


def arguments_key(args: tuple[Any, ...], kwargs: dict[str, Any] | None, shape: Shape = _ANY) -> Any:
    """Return the key of a call: as `Shape.key` where everything can be hashed, by content where not.

    Raises
    ------
    TypeError
        If an argument can neither be hashed nor is made of what has content.
    """
    return shape.key(args, kwargs, _part)


def _part(value: Any) -> Any:
    """Return what stands for `value` in a key: itself if it can be hashed."""
    try:
        hash(value)
    except TypeError:
        pass
    else:
        return value
    if isinstance(value, (tuple, list)):
        return (type(value), *map(_part, value))
    if isinstance(value, dict):
        return (type(value), frozenset((key, _part(item)) for key, item in value.items()))
    if isinstance(value, (set, frozenset)):
        return (type(value), frozenset(map(_part, value)))
    if isinstance(value, (bytearray, memoryview)):
        return (type(value), bytes(value))
    key = _content(value)
    if key is None:
        raise TypeError(
            "key: expected arguments that can be hashed, containers of them, arrays or DataFrames, "
            f"got {type(value).__name__}; pass key= to say what counts"
        )
    return key


# ---- content of arrays and frames: none of these libraries is imported before its object comes in ----


def _content(value: Any) -> ContentKey | None:
    library = library_of(type(value))
    feed = {"numpy": _feed_numpy, "pandas": _feed_pandas, "polars": _feed_polars}.get(library)
    if feed is None or library not in sys.modules:
        return None
    import xxhash

    digest = xxhash.xxh3_128()
    feed(value, digest.update)
    return ContentKey(digest.digest())


Update = Callable[[Any], object]


def _label(update: Update, *words: object) -> None:
    text = "\x1f".join(map(repr, words)).encode()
    update(len(text).to_bytes(8, "little") + text)


def _feed_numpy(array: Any, update: Update) -> None:
    import numpy as np

    if array.dtype.hasobject:
        _label(update, "objects", array.dtype.str, array.shape)
        _feed_objects(array.ravel().tolist(), update)
        return
    _label(update, "array", array.dtype.descr if array.dtype.names else array.dtype.str, array.shape)
    if array.size:
        contiguous = np.ascontiguousarray(array)
        update(contiguous.reshape(-1).view(np.uint8).data)


def _feed_objects(items: Iterable[Any], update: Update) -> None:
    """Feed objects by their values: text in one piece, everything else by type and repr or content."""
    for item in items:
        if isinstance(item, str):
            data = item.encode("utf-8", "surrogatepass")
            update(b"s" + len(data).to_bytes(8, "little") + data)
        elif item is None or isinstance(item, (bool, int, float, complex, bytes)):
            _label(update, type(item).__name__, item)
        else:
            nested = _content(item)
            if nested is not None:
                update(b"c" + nested.digest)
            elif getattr(type(item), "__repr__", None) is object.__repr__:
                raise TypeError(f"frame: expected objects with content, got {type(item).__name__}")
            else:
                _label(update, type(item).__module__, type(item).__qualname__, item)


def _feed_pandas(value: Any, update: Update) -> None:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        _label(update, "frame", value.shape)
        _feed_pandas(value.index, update)
        _feed_pandas(value.columns, update)
        for position in range(value.shape[1]):
            _feed_column(value.iloc[:, position].array, update)
    elif isinstance(value, pd.Series):
        _label(update, "series", value.name)
        _feed_pandas(value.index, update)
        _feed_column(value.array, update)
    elif isinstance(value, pd.MultiIndex):
        _label(update, "levels", tuple(value.names), value.nlevels)
        for level in range(value.nlevels):
            _feed_column(value.get_level_values(level).array, update)
    elif isinstance(value, pd.RangeIndex):
        _label(update, "range", value.name, value.start, value.stop, value.step)
    elif isinstance(value, pd.Index):
        _label(update, "index", value.name)
        _feed_column(value.array, update)
    else:
        _feed_column(value, update)


def _feed_column(array: Any, update: Update) -> None:
    import numpy as np
    import pandas as pd

    dtype = array.dtype
    if isinstance(dtype, np.dtype):
        _feed_numpy(array.to_numpy(), update)
        return
    _label(update, "extension", str(dtype), len(array))
    if isinstance(dtype, pd.CategoricalDtype):
        _label(update, dtype.ordered)
        _feed_pandas(dtype.categories, update)
        _feed_numpy(np.asarray(array.codes), update)
    elif isinstance(dtype, pd.DatetimeTZDtype):
        _feed_numpy(array.tz_convert(None).to_numpy(), update)
    elif hasattr(dtype, "numpy_dtype") and dtype.numpy_dtype.kind in "iufb":
        missing = np.asarray(array.isna())
        _feed_numpy(missing, update)
        _feed_numpy(array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0)), update)
    else:
        _feed_objects(array.astype(object).tolist(), update)


def _feed_polars(value: Any, update: Update) -> None:
    if hasattr(value, "get_columns"):
        _label(update, "polars", value.shape)
        for column in value.get_columns():
            _feed_polars(column, update)
        return
    _label(update, "polars series", value.name, str(value.dtype), len(value))
    if value.dtype.is_numeric() or value.dtype.is_temporal():
        _feed_numpy(value.is_null().to_numpy(), update)
        _feed_numpy(value.to_physical().fill_null(0).to_numpy(), update)
    else:
        _feed_objects(value.to_list(), update)
