"""Arguments of the heap that are numbers: checked, and brought to the one form that is kept."""

from __future__ import annotations

import math
import operator
from typing import Any

DEEPEST = 100  # tuples within tuples that are looked into


def number(name: str, given: Any) -> float | int:
    """Return `given` as an exact int or float; NaN has no place in an order."""
    kind = type(given)
    try:
        if hasattr(kind, "__index__"):
            return operator.index(given)
        value = float(given) if hasattr(kind, "__float__") else None
    except TypeError:  # an array of several, for instance
        value = None
    if value is None:
        raise TypeError(f"{name}: expected a number, got {kind.__name__}") from None
    if math.isnan(value):
        raise ValueError(f"{name}: expected a number, got nan")
    return value + 0.0  # -0.0 ties with 0.0


def real(name: str, given: Any) -> float:
    """Return `given` as a float."""
    try:
        return float(number(name, given))
    except OverflowError:
        raise ValueError(f"{name}: expected a number within the range of a float") from None


def exact(name: str, given: Any) -> float | int:
    """Return the int or float that equals `given`; rounding would change its place in an order."""
    value = number(name, given)
    if isinstance(value, float) and not isinstance(given, float):
        kind: Any = type(given)
        equal = kind.__eq__(given, value)
        if equal is not NotImplemented and not equal:  # NotImplemented: its float is all that is known of it
            raise ValueError(
                f"{name}: expected a number that equals an int or a float, got {given!r}: "
                "priorities='any' compares it as it is"
            )
    return canonical(value)


def canonical(value: float | int) -> float | int:
    """Return the float that equals `value` exactly, or `value` where there is none."""
    try:
        nearest = float(value)
    except OverflowError:
        return value
    return nearest if nearest == value else value


def ordered(name: str, given: Any) -> Any:
    """Return `given` unless it is a NaN, or a tuple or list that begins with one: NaN has no order."""
    first = given
    for _ in range(DEEPEST):
        if not (_is_sequence(first) and first):
            break
        first = first[0]
    # What can be subtracted and has no length is a number, or a time: NaN and NaT do not equal themselves.
    kind = type(first)
    if kind is not int and hasattr(kind, "__sub__") and not hasattr(kind, "__len__") and first != first:
        where = "" if first is given else f" first in the {'tuple' if isinstance(given, tuple) else 'list'}"
        raise ValueError(f"{name}: expected a number{where}, got nan")
    return given


def _is_sequence(given: Any) -> bool:
    """Whether it compares as a tuple or a list; a subclass with comparisons of its own does not."""
    base: Any = tuple if isinstance(given, tuple) else list if isinstance(given, list) else None
    return base is not None and type(given).__lt__ is base.__lt__ and type(given).__eq__ is base.__eq__


def count(name: str, given: Any) -> int:
    """Return `given` as an int of 0 or more."""
    if not hasattr(type(given), "__index__"):
        raise TypeError(f"{name}: expected an int, got {type(given).__name__}")
    value = operator.index(given)
    if value < 0:
        raise ValueError(f"{name}: expected an int of 0 or more, got {value}")
    return value


def limit(given: Any) -> int:
    """Return the size of a queue; 0, no limit, where it is not above 0 or beyond what a heap can hold."""
    size = real("maxsize", given)
    return 0 if size <= 0 or size > 1 << 28 else math.ceil(size)
