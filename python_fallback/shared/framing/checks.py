"""Checks of arguments, and the limits that options have by default."""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 128
DEPTH_LIMIT = 256  # what Python's own recursion limit leaves room for, and the engine's 511 levels
NO_LIMIT = 2**63 - 1
PACKING = frozenset(  # the options of packing, which a Fanout takes too
    (
        "default",
        "use_single_float",
        "use_bin_type",
        "strict_types",
        "datetime",
        "unicode_errors",
        "numpy",
        "decimal",
        "max_depth",
    )
)


def check_callable(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise TypeError(f"{name}: expected a callable or None, got {type(value).__name__}")
    return value


def check_errors(value: Any) -> str:
    if value is None:
        return "strict"
    if not isinstance(value, str):
        raise TypeError(f"unicode_errors: expected a str or None, got {type(value).__name__}")
    return value


def check_int(name: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}: expected an int in {low}..{high}, got {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name}: expected an int in {low}..{high}, got {value}")
    return value


def check_limit(name: str, value: Any) -> int:
    """A limit: None and -1 (as the msgpack package has it) mean none."""
    if value is None or value == -1:
        return NO_LIMIT
    return check_int(name, value, 0, NO_LIMIT)


def as_bytes(name: str, data: Any) -> bytes:
    if type(data) is bytes:
        return data
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"{name}: expected a bytes-like object, got {type(data).__name__}") from None
    with view:
        if view.itemsize != 1:
            raise ValueError(f"{name}: expected items of one byte, got items of {view.itemsize}")
        return view.tobytes()
