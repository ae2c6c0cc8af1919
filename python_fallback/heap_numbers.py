"""Arguments of the heap that are numbers: checked, and brought to the one form that is kept."""

from __future__ import annotations

import math
import operator
from typing import Any


def number(name: str, given: Any) -> float | int:
    """Return `given` as an exact int or float; NaN has no place in an order."""
    if hasattr(type(given), "__index__"):
        return operator.index(given)
    if not hasattr(type(given), "__float__"):
        raise TypeError(f"{name}: expected a number, got {type(given).__name__}")
    value = float(given)
    if math.isnan(value):
        raise ValueError(f"{name}: expected a number, got nan")
    return value + 0.0  # -0.0 ties with 0.0


def real(name: str, given: Any) -> float:
    """Return `given` as a float."""
    try:
        return float(number(name, given))
    except OverflowError:
        raise ValueError(f"{name}: expected a number within the range of a float") from None


def canonical(value: float | int) -> float | int:
    """Return the float that equals `value` exactly, or `value` where there is none."""
    try:
        nearest = float(value)
    except OverflowError:
        return value
    return nearest if nearest == value else value


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
