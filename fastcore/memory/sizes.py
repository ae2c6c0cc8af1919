"""How many bytes a column holds, each object counted once.

pandas' ``memory_usage(deep=True)`` counts a string again for every row that refers to it, so it reports savings that
do not exist. Here a string that a thousand rows share is one string.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["frame_bytes", "holds_objects", "index_bytes", "owner", "values_bytes"]


def values_bytes(values: Any) -> int:
    """Return the bytes of the values behind a Series or Index: ``series._values``, or any array."""
    if isinstance(values, np.ndarray):
        return int(values.nbytes) + (_objects_bytes(values) if values.dtype == object else 0)
    dtype = getattr(values, "dtype", None)
    if hasattr(values, "codes") and hasattr(values, "categories"):
        return int(values.codes.nbytes) + values_bytes(values.categories._values)
    if getattr(dtype, "storage", None) == "python":  # pandas' str without pyarrow: an array of Python's strings
        return values_bytes(np.asarray(values, dtype=object))
    return int(values.nbytes)


def _objects_bytes(values: NDArray[np.object_]) -> int:
    import pandas as pd

    if not values.size:
        return 0
    flat = np.ascontiguousarray(values).reshape(-1)
    addresses = np.frombuffer(flat, dtype=np.intp)
    # The first row of each address; the objects themselves are neither hashed nor compared.
    first = ~pd.Series(addresses).duplicated().to_numpy()
    return sum(map(sys.getsizeof, flat[first].tolist()))


def index_bytes(index: pd.Index[Any]) -> int:
    """Return the bytes of an index; a RangeIndex takes hardly any."""
    levels = getattr(index, "levels", None)
    if levels is not None:
        codes = sum(int(np.asarray(part).nbytes) for part in index.codes)  # type: ignore[attr-defined,unused-ignore]
        return codes + sum(index_bytes(level) for level in levels)
    if hasattr(index, "start") and hasattr(index, "step"):
        return 0
    return values_bytes(index._values)


def frame_bytes(df: pd.DataFrame) -> int:
    """Return the bytes of a DataFrame's columns and index, each object of a column counted once.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastcore.memory import frame_bytes
    >>> frame_bytes(pd.DataFrame({"close": [1.0] * 1000})) >= 8000
    True
    """
    columns = sum(values_bytes(df.iloc[:, at]._values) for at in range(df.shape[1]))
    return columns + index_bytes(df.index)


def holds_objects(dtype: Any) -> bool:
    """Say whether it is numpy's dtype of objects; pandas' str is none, whatever holds its text."""
    return isinstance(dtype, np.dtype) and dtype.kind == "O"


def owner(values: Any) -> Any:
    """Return the array whose memory the values of a column are a view of; what they are in where that is none."""
    values = getattr(values, "_ndarray", values)  # pandas' str and datetimes are wrapped around one
    while isinstance(values, np.ndarray) and isinstance(values.base, np.ndarray):
        values = values.base
    return values
