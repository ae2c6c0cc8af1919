"""The bytes that represent Python objects in a content key: the same in every process, different for unlike objects."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

_INT = struct.Struct("<cq")
_FLOAT = struct.Struct("<cd")
_TEXT = struct.Struct("<cQ")
_NAN = _FLOAT.pack(b"d", math.nan)


def encode_cells(items: list[Any], other: Callable[[Any], bytes], /) -> bytes:
    """Return the bytes of `items`, one after the other.

    None, bools, floats, ints of 64 bits, str and bytes are written here; ``other(item)`` gives the bytes of what is
    none of them, subclasses included. Every NaN is one.
    """
    if type(items) is not list:
        raise TypeError(f"items: expected a list, got {type(items).__name__}")
    parts: list[bytes] = []
    for item in items:
        kind = type(item)
        if kind is str:
            data = item.encode("utf-8", "surrogatepass")
            parts += (_TEXT.pack(b"s", len(data)), data)
        elif item is None:
            parts.append(b"n")
        elif kind is float:
            parts.append(_FLOAT.pack(b"d", item) if item == item else _NAN)
        elif kind is bool:
            parts.append(b"t" if item else b"f")
        elif kind is int and -(2**63) <= item < 2**63:
            parts.append(_INT.pack(b"i", item))
        elif kind is bytes:
            parts += (_TEXT.pack(b"b", len(item)), item)
        else:
            data = other(item)
            if type(data) is not bytes:
                raise TypeError(f"other: expected a function that returns bytes, got {type(data).__name__}")
            parts.append(data)
    return b"".join(parts)
