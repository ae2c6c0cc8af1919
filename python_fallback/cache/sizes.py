"""How many bytes a value takes: arrays and frames by what they hold, all else by ``sys.getsizeof``."""

from __future__ import annotations

import sys
from typing import Any


def sizeof(value: Any) -> int:
    """Return the bytes that `value` keeps alive.

    Arrays, Series and DataFrames of numpy, pandas and polars count their data, views included; lists, tuples, sets,
    dicts and plain objects count what they hold, each object once.
    """
    total = 0
    seen: set[int] = set()
    todo = [value]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        data = _data_size(item)
        if data is not None:
            total += data
            continue
        total += sys.getsizeof(item)
        if isinstance(item, dict):
            todo.extend(list(item))
            todo.extend(list(item.values()))
        elif isinstance(item, (list, tuple, set, frozenset)):
            todo.extend(item)
        else:
            fields = getattr(item, "__dict__", None)
            if isinstance(fields, dict) and not isinstance(item, type) and not callable(item):
                todo.append(fields)
    return total


def _data_size(value: Any) -> int | None:
    kind = type(value).__module__.partition(".")[0]
    if kind == "numpy" and hasattr(value, "nbytes"):
        return int(value.nbytes) + sys.getsizeof(value) - (0 if value.base is not None else int(value.nbytes))
    if kind == "pandas" and hasattr(value, "memory_usage"):
        usage = value.memory_usage(deep=True)
        return int(usage if isinstance(usage, int) or not hasattr(usage, "sum") else usage.sum())
    if kind == "polars" and hasattr(value, "estimated_size"):
        return int(value.estimated_size())
    return None
