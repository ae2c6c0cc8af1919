"""Every type with every option against the msgpack package: the same bytes, objects and refusals."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections import OrderedDict, namedtuple
from typing import Any

import msgpack
import pytest

Point = namedtuple("Point", "x y")


class Text(str):
    pass


class Number(int):
    pass


UTC = dt.UTC
VALUES: dict[str, Any] = {
    "none": None,
    "bools": [True, False],
    "integers": [s * (2**n) + d for n in range(64) for s in (1, -1) for d in (-1, 0) if s * (2**n) + d >= -(2**63)],
    "integer, largest": 2**64 - 1,
    "integer, too large": 2**64,
    "integer, too small": -(2**63) - 1,
    "floats": [0.0, -0.0, 1.5, 1e300, -1e-300, math.inf, -math.inf],
    "float, nan": math.nan,
    "texts": ["", "a", "é" * 15, "x" * 31, "x" * 32, "x" * 255, "x" * 256, "x" * 65536, "\U0001f600"],
    "text, surrogate": "\ud800",
    "bytes": [b"", b"\xff" * 255, b"\xff" * 256, b"\xff" * 65536],
    "bytearray": bytearray(b"abc"),
    "memoryview": memoryview(b"abc"),
    "lists": [[], [1] * 15, [1] * 16],
    "list, long": [None] * 65536,
    "tuples": [(), (1, (2, 3))],
    "named tuple": Point(1, 2),
    "maps": [{}, {str(n): n for n in range(15)}, {str(n): n for n in range(16)}],
    "map of integers": {1: "a", -5: "b"},
    "map of bytes": {b"k": 1},
    "map of floats": {1.5: 1},
    "map of tuples": {(1, 2): 3},
    "ordered map": OrderedDict(b=1, a=2),
    "text, derived": Text("x"),
    "integer, derived": Number(3),
    "ext": [msgpack.ExtType(5, b"x" * n) for n in (0, 1, 2, 4, 8, 16, 17, 256)],
    "timestamps": [msgpack.Timestamp(s, n) for s in (0, 2**32, 2**34, -1) for n in (0, 5)],
    "time with a zone": dt.datetime(2024, 2, 29, 12, 0, 0, 5, UTC),
    "time without a zone": dt.datetime(2024, 2, 29),
    "set": {1},
    "complex": [1j],
    "class": int,
}
PACKING: dict[str, list[Any]] = {
    "use_single_float": [False, True],
    "use_bin_type": [True, False],
    "strict_types": [False, True],
    "datetime": [False, True],
    "default": [None, repr],
    "unicode_errors": [None, "surrogatepass"],
}
UNPACKING: dict[str, list[Any]] = {
    "raw": [False, True],
    "use_list": [True, False],
    "strict_map_key": [True, False],
    "timestamp": [0, 1, 2, 3],
    "hook": ["none", "object_hook", "object_pairs_hook", "list_hook"],
    "ext_hook": [None, lambda code, data: (code, data)],
    "unicode_errors": [None, "surrogatepass"],
}
HOOKS: dict[str, Any] = {
    "object_hook": lambda found: sorted(found.items(), key=repr),
    "object_pairs_hook": tuple,
    "list_hook": len,
}
RAISED = {  # where the msgpack package raises this, it is right that
    OverflowError: (OverflowError, ValueError),
    TypeError: (TypeError,),
    ValueError: (ValueError,),
    UnicodeEncodeError: (UnicodeEncodeError,),
    UnicodeDecodeError: (UnicodeDecodeError,),
}


def options(table: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(table, row)) for row in itertools.product(*table.values())]


def outcome(fn: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return fn(*args, **kwargs)
    except Exception as error:
        return error


def alike(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, Exception):
        return type(ours) in RAISED[type(theirs)]
    if isinstance(ours, Exception) or type(ours) is not type(theirs):
        return False
    if isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(theirs, dict):
        return alike(list(ours.items()), list(theirs.items()))
    if isinstance(theirs, float):
        return repr(ours) == repr(theirs)
    return bool(ours == theirs)


@pytest.mark.parametrize("name", list(VALUES))
def test_packed_with_every_option(twin, name: str) -> None:
    packb, value = twin("framing").packb, VALUES[name]
    for row in options(PACKING):
        ours, theirs = outcome(packb, value, **row), outcome(msgpack.packb, value, **row)
        assert alike(ours, theirs), (row, ours, theirs)


@pytest.mark.parametrize("name", [name for name in VALUES if name != "list, long"])
def test_unpacked_with_every_option(twin, name: str) -> None:
    unpackb = twin("framing").unpackb
    packed = {
        data
        for row in options({**PACKING, "unicode_errors": ["surrogatepass"]})
        if isinstance(data := outcome(msgpack.packb, VALUES[name], **row), bytes)
    }
    for data, row in itertools.product(sorted(packed), options(UNPACKING)):
        chosen = {key: value for key, value in row.items() if value is not None and key != "hook"}
        if row["hook"] != "none":
            chosen[row["hook"]] = HOOKS[row["hook"]]
        ours, theirs = outcome(unpackb, data, **chosen), outcome(msgpack.unpackb, data, **chosen)
        assert alike(ours, theirs), (data[:50], chosen, ours, theirs)
