"""Results of decorated functions: which can be cached, and how each caller gets its own copy."""

from __future__ import annotations

import copy
import functools
import inspect
import sys
import types
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Literal

from fastcore.cache.libraries import library_of, record_state

__all__ = ["Copy", "checked_copy", "copy_of", "is_awaitable", "is_coroutine_function", "is_generator_function", "owned"]

Copy = bool | Literal["on-write"]

_SHARED = (str, int, float, bool, bytes, complex, type(None))
_ONCE = (types.GeneratorType, types.AsyncGeneratorType)


def checked_copy(mode: Any) -> Copy:
    """Return the option ``copy=`` of a decorator, or raise."""
    if mode is True or mode is False or mode == "on-write":
        return mode  # type: ignore[no-any-return]
    raise ValueError(f'copy: expected "on-write", True or False, got {mode!r}')


# ---- what a function returns ----


def is_coroutine_function(function: Any) -> bool:
    """Whether calling it returns a coroutine: `async def`, a partial of one, an object with such a ``__call__``."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(_call_method(function))


def is_generator_function(function: Any) -> bool:
    """Whether calling it returns a generator, synchronous or asynchronous."""
    return any(
        inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each)
        for each in (function, _call_method(function))
    )


def _call_method(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return None if isinstance(function, type) else getattr(type(function), "__call__", None)  # noqa: B004


def is_awaitable(value: Any) -> bool:
    """Whether it is a coroutine or an asyncio future: what the caller of a plain function awaits."""
    if isinstance(value, Coroutine):
        return True
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(value, asyncio.Future)


def refuse_single_use(value: Any, name: str) -> None:
    """Raise TypeError for generators, iterators of builtins and itertools, and coroutines: they serve one caller."""
    kind = type(value)
    if kind in _SHARED:
        return
    once = isinstance(value, (*_ONCE, Coroutine)) or (
        kind.__module__ in ("builtins", "itertools") and hasattr(kind, "__next__") and hasattr(kind, "__iter__")
    )
    if once:
        if isinstance(value, Coroutine):
            value.close()
        raise TypeError(
            f"{name}: expected a result that can be used more than once, got a {kind.__name__}; "
            "return a list, or do not cache it"
        )


# ---- copies ----


def owned(value: Any, mode: Copy, name: str) -> tuple[Any, bool]:
    """Return what the cache keeps of a result, and whether each caller is to get a copy of that.

    Parameters
    ----------
    value : object
        The result as the function returned it, which the function may go on to change.
    mode : {"on-write", True, False}
    name : str
        The function's, for the error.

    Raises
    ------
    TypeError
        If `mode` is True and the result cannot be copied.
    """
    if mode is False or type(value) in _SHARED or (mode == "on-write" and not _holds_data(value)):
        return value, False
    if mode == "on-write":
        return _rebuild(value, _own_leaf, _same, {}), True
    try:
        return copy_of(value, True), True
    except Exception as error:
        raise TypeError(
            f"{name}: expected a result that can be copied, as copy=True asks, got {type(value).__name__}: {error}"
        ) from error


def copy_of(value: Any, mode: Copy) -> Any:
    """Return a caller's copy of what `owned` kept: edits of it reach no other caller."""
    return (
        _rebuild(value, _lend_leaf, _same, {}) if mode == "on-write" else _rebuild(value, _copy_leaf, copy.deepcopy, {})
    )


def _same(value: Any) -> Any:
    return value


def _holds_data(value: Any) -> bool:
    """Whether it is an array, Series or DataFrame, or a container or record that holds one."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        item = todo.pop()
        if type(item) in _SHARED or id(item) in seen:
            continue
        if library_of(type(item)):
            return True
        seen.add(id(item))
        held = _held(item)
        if held and not set(map(type, held)) <= set(_SHARED):
            todo.extend(held)
    return False


def _held(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    if isinstance(item, (list, tuple, deque)):
        return list(item)
    state = record_state(item)
    return [] if state is None else list(state.values())


def _rebuild(value: Any, leaf: Callable[[Any], Any], other: Callable[[Any], Any], memo: dict[int, Any]) -> Any:
    """Return containers and records rebuilt, arrays and frames replaced by ``leaf`` of them, all else by ``other``."""
    kind = type(value)
    if kind in _SHARED:
        return value
    if id(value) in memo:
        return memo[id(value)]

    def rebuilt(item: Any) -> Any:
        return _rebuild(item, leaf, other, memo)

    new: Any
    if library_of(kind):
        new = leaf(value)
    elif isinstance(value, tuple):
        new = tuple.__new__(kind, map(rebuilt, value))
        if hasattr(value, "__dict__"):
            vars(new).update(vars(value))
    elif isinstance(value, list):
        new = memo[id(value)] = copy.copy(value)  # known before its items are, which may hold it
        list.__setitem__(new, slice(None), list(map(rebuilt, value)))
    elif isinstance(value, deque):
        new = memo[id(value)] = copy.copy(value)
        for position, item in enumerate(value):
            deque.__setitem__(new, position, rebuilt(item))
    elif isinstance(value, dict):
        new = memo[id(value)] = copy.copy(value)
        for key, item in value.items():
            dict.__setitem__(new, key, rebuilt(item))
    else:
        state = record_state(value)
        if state is None:
            return other(value)
        new = memo[id(value)] = copy.copy(value)
        for name, item in {**state, **getattr(value, "__dict__", {})}.items():
            copied = rebuilt(item)
            if copied is not item:
                object.__setattr__(new, name, copied)
    memo[id(value)] = new
    return new


def _own_leaf(value: Any) -> Any:
    """Return the cache's own copy of an array or frame, apart from what the function may hold on to."""
    if type(value) is _ndarray():
        array = value.copy(order="K")
        array.flags.writeable = False
        return array
    return _lend_leaf(value)


def _lend_leaf(value: Any) -> Any:
    """Return a caller's copy: cheap where the library copies on write, or can make it read-only."""
    if type(value) is _ndarray():
        return value.view()
    if _copies_on_write() and hasattr(value, "axes"):  # a Series or DataFrame of pandas
        return value.copy(deep=False)
    return _copy_leaf(value)


def _copy_leaf(value: Any) -> Any:
    library = library_of(type(value))
    if library == "pyarrow":  # nothing of it can be edited
        return value
    if library == "polars":  # copies on write by itself
        return value.clone()
    return value.copy() if library == "pandas" or type(value) is _ndarray() else _copy_subclass(value)


def _copy_subclass(array: Any) -> Any:
    """Return a copy of an ndarray subclass with the attributes that its ``__array_finalize__`` does not hand on."""
    new = array.copy(order="K")
    for name, attribute in getattr(array, "__dict__", {}).items():
        vars(new).setdefault(name, attribute)
    return new


@functools.cache
def _ndarray() -> Any:
    import numpy as np

    return np.ndarray


@functools.cache
def _copies_on_write() -> bool:
    import pandas as pd

    return int(pd.__version__.partition(".")[0]) >= 3
