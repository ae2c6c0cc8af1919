"""Shared argument checks with one wording of errors."""

from __future__ import annotations

import functools
import inspect
import math
from typing import Any

__all__ = ["called", "count", "is_async", "is_generator", "number", "one_of"]


def count(name: str, value: Any) -> int:
    """Return an int of at least 1."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: expected an int >= 1, got {type(value).__name__}")
    found = int(value)
    if found < 1:
        raise ValueError(f"{name}: expected an int >= 1, got {found}")
    return found


def number(name: str, value: Any, *, zero: bool = False) -> float:
    """Return a finite number above 0, or from 0 on."""
    expected = "a finite number >= 0" if zero else "a finite number > 0"
    if isinstance(value, bool) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found) or found < 0 or (found == 0 and not zero):
        raise ValueError(f"{name}: expected {expected}, got {value!r}")
    return found


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return a word that is one of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")
    return str(value)


def called(name: str, value: Any, *, plain: bool = False) -> Any:
    """Return a callable; with `plain`, one that is no coroutine function."""
    if not callable(value):
        raise TypeError(f"{name}: expected a callable, got {type(value).__name__}")
    if plain and is_async(value):
        raise TypeError(f"{name}: expected a plain function, got a coroutine function")
    return value


def is_async(fn: Any) -> bool:
    """Whether calling it gives a coroutine: also partials, and objects with an ``async def __call__``."""
    return any(map(inspect.iscoroutinefunction, _called_by(fn)))


def is_generator(fn: Any) -> bool:
    """Whether calling it gives a generator of either kind, and runs nothing: also partials, and objects."""
    return any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in _called_by(fn))


def _called_by(fn: Any) -> tuple[Any, Any]:
    """Return a callable without the arguments that a partial binds, and its class's ``__call__``."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn, getattr(type(fn), "__call__", None)  # noqa: B004
