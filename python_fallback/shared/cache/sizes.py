"""How many bytes a value keeps alive: arrays and frames with the memory they are views of, all else with its parts."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from types import MemberDescriptorType
from typing import Any

_CONTAINERS = (list, tuple, set, frozenset, deque)
# What holds the memory of pandas' arrays that are no single array of NumPy: with a mask, of intervals, sparse.
_PARTS = ("_data", "_mask", "_left", "_right", "_sparse_values")


def sizeof(value: Any) -> int:
    """Return the bytes that `value` keeps alive.

    Arrays, Series and DataFrames of numpy and pandas count the whole of the memory that they are views of: the last
    rows of a long frame keep all of it. Lists, tuples, sets, dicts, deques and plain objects count what they hold.
    Each object, and each array's memory, counts once. Of polars, whose slices do not tell what they share, what is
    visible counts.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcore.cache import sizeof
    >>> long = np.zeros(1_000_000)
    >>> sizeof(long[-10:]) > 8_000_000               # the view keeps all of it
    True
    """
    total = 0
    seen: set[int] = set()
    todo = [value]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        kind = type(item).__module__.partition(".")[0]
        if isinstance(item, memoryview):
            todo.append(item.obj)
        elif kind == "pandas" and hasattr(item, "memory_usage"):
            total += _pandas_size(item, seen)
            continue
        elif kind == "polars" and hasattr(item, "estimated_size"):
            total += int(item.estimated_size())
            continue
        elif hasattr(type(item), "__array_finalize__"):
            owner, size = _memory(item)
            if owner is not item and id(owner) not in seen:
                seen.add(id(owner))
                total += size
                if item.dtype == object:
                    todo += owner.ravel().tolist()
            elif item.dtype == object:
                todo += item.ravel().tolist()
        total += sys.getsizeof(item)
        todo += _held_by(item)
    return total


def _held_by(item: Any) -> list[Any]:
    """Return what a container or a plain object holds."""
    if isinstance(item, dict):
        return [*item, *item.values()]
    if isinstance(item, _CONTAINERS):
        return list(item)
    if isinstance(item, type) or callable(item):
        return []
    held = [vars(item)] if isinstance(getattr(item, "__dict__", None), dict) else []
    for base in type(item).__mro__:
        for field in vars(base).values() if getattr(base, "__slots__", None) else ():
            if isinstance(field, MemberDescriptorType):
                try:
                    held.append(field.__get__(item))
                except AttributeError:  # not set
                    continue
    return held


def _memory(array: Any) -> tuple[Any, int]:
    """Return the array that owns the memory of `array`, or is nearest to what does, and how many bytes that is."""
    owner = array
    while hasattr(type(owner.base), "__array_finalize__"):
        owner = owner.base
    base = owner.base
    if base is None:
        return owner, int(owner.nbytes)
    try:
        with memoryview(base) as memory:
            mapped = type(base).__module__ == "mmap"  # a file, of which the array shows a part
            return owner, int(array.nbytes) if mapped else memory.nbytes
    except TypeError:
        return owner, int(owner.nbytes)


def _pandas_size(item: Any, seen: set[int]) -> int:
    """Return pandas' own figure, and what its arrays keep alive beyond what they show."""
    usage = item.memory_usage(deep=True)
    total = int(usage.sum() if hasattr(usage, "sum") else usage)
    owners: dict[int, Any] = {}
    shown: dict[int, int] = {}
    for array in _arrays_of(item):
        owner, size = _memory(array)
        owners[id(owner)] = (owner, size)
        shown[id(owner)] = shown.get(id(owner), 0) + int(array.nbytes)
    for key, (owner, size) in owners.items():
        if key in seen:  # counted already, with another value
            total -= shown[key]
        elif size - shown[key] > 0.01 * size + 512:
            total += size - shown[key]
            if owner.dtype == object:
                total += sum(map(sys.getsizeof, owner.ravel().tolist())) * (size - shown[key]) // size
        seen.add(key)
    return max(total, 0)


def _arrays_of(item: Any) -> Iterable[Any]:
    """Yield the NumPy arrays that a Series, an Index or a DataFrame is made of."""
    todo: list[Any] = [column for _, column in item.items()] if hasattr(item, "columns") else [item]
    todo += [item.index] if hasattr(item, "index") else []
    while todo:
        part = todo.pop()
        if hasattr(part, "levels"):  # a MultiIndex
            todo += [*part.levels, *part.codes]
            continue
        part = getattr(part, "array", part)
        whole = getattr(part, "_ndarray", part)
        if hasattr(type(whole), "__array_finalize__"):
            yield whole
        else:
            todo += [found for name in _PARTS if (found := getattr(part, name, None)) is not None]
