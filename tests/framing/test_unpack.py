"""unpackb on both twins: what it builds, what it refuses, and in which words."""

from __future__ import annotations

import datetime as dt
import math
import struct
from typing import Any

import msgpack
import pytest

from fastcore import framing

ROUND = [
    None,
    [True, False, 0, 127, -1, -32],
    [128, 255, 256, 65535, 65536, 2**32, 2**64 - 1],
    [-33, -128, -129, -32768, -32769, -(2**31), -(2**63)],
    [1.5, math.inf, -0.0],
    ["", "a", "ab", "AAPL", "é", "日本", "x" * 31, "x" * 32, "x" * 255, "x" * 256, "x" * 65536, "é" * 40],
    [b"", b"x", b"x" * 255, b"x" * 256, b"x" * 65536],
    [[], {}, [[]], [{}]],
    {"a": 1, "b": {"c": [1, 2, {"d": None}]}, "longer than seven": 1, "x" * 40: 2, "ключ": 3, b"k": 4},
    dict.fromkeys((f"key{i}" for i in range(2000)), 1),
    list(range(70000)),
    [msgpack.ExtType(5, b"x" * n) for n in (0, 1, 2, 4, 8, 16, 17, 256, 65536)],
    [msgpack.Timestamp(0), msgpack.Timestamp(1, 5), msgpack.Timestamp(-1, 5), msgpack.Timestamp(2**40)],
]


@pytest.mark.parametrize("obj", ROUND, ids=lambda o: str(o)[:20])
def test_reads_what_the_msgpack_package_writes(twin, obj):
    f = twin("framing")
    data = msgpack.packb(obj)
    found = f.unpackb(data)
    assert found == obj
    assert str(found) == str(obj)
    for view in (bytearray(data), memoryview(data), memoryview(b"".join(bytes((b, 0)) for b in data))[::2]):
        assert f.unpackb(view) == obj


FORMS = [
    (b"\xcc\x05", 5),  # longer than need be
    (b"\xd3" + b"\xff" * 8, -1),
    (b"\xca\x3f\xc0\x00\x00", 1.5),
    (b"\xd9\x01a", "a"),
    (b"\xda\x00\x01a", "a"),
    (b"\xdb\x00\x00\x00\x01a", "a"),
    (b"\xc5\x00\x01a", b"a"),
    (b"\xdc\x00\x01\x05", [5]),
    (b"\xdd\x00\x00\x00\x01\x05", [5]),
    (b"\xde\x00\x01\xa1a\x05", {"a": 5}),
    (b"\xdf\x00\x00\x00\x01\xd9\x01a\x05", {"a": 5}),
    (b"\xc7\x01\x05a", msgpack.ExtType(5, b"a")),
    (b"\x82\xa1a\x01\xa1a\x02", {"a": 2}),  # the last of a repeated key
]


@pytest.mark.parametrize(("data", "obj"), FORMS, ids=lambda o: str(o))
def test_every_form(twin, data, obj):
    assert twin("framing").unpackb(data) == obj


def test_cached_keys_are_correct(twin):
    f = twin("framing")
    maps = [{f"{'k' * (i % 29)}{i}": i for i in range(start, start + 50)} for start in range(0, 5000, 7)]
    maps += [{"abcdefgh": 1, "abcdefgX": 2, "Xbcdefgh": 3, "abcdefg": 4}, {"abc\x00": 1, "abc": 2}]
    for _ in range(2):
        for obj in maps:
            assert f.unpackb(msgpack.packb(obj)) == obj


@pytest.mark.parametrize("raw", [b"\x81\xa1\xff\x01", b"\x81\xa2\xc3\xa9\x01"])
def test_raw_leaves_bytes(twin, raw):
    assert twin("framing").unpackb(raw, raw=True) == msgpack.unpackb(raw, raw=True)


def test_tuples(twin):
    found = twin("framing").unpackb(msgpack.packb([1, [2, []], {"a": [3]}]), use_list=False)
    assert found == (1, (2, ()), {"a": (3,)})


STAMPS = [
    (0, 0),
    (1, 500),
    (2**32, 0),
    (-1, 999999999),
    (253402300799, 999999999),
    (-62135596800, 0),
    (1732180000, 123456789),
]


@pytest.mark.parametrize("form", [0, 1, 2, 3])
@pytest.mark.parametrize("stamp", STAMPS)
def test_timestamps(twin, stamp, form):
    data = msgpack.packb(msgpack.Timestamp(*stamp))
    found = twin("framing").unpackb(data, timestamp=form)
    expected = msgpack.unpackb(data, timestamp=form)
    assert found == expected
    assert type(found) is type(expected)


def test_a_datetime_is_utc(twin):
    found = twin("framing").unpackb(msgpack.packb(msgpack.Timestamp(0)), timestamp=3)
    assert found.tzinfo is dt.UTC


def test_hooks(twin):
    f = twin("framing")
    data = msgpack.packb([{"a": [1, {"b": 2}]}, msgpack.ExtType(7, b"xy")])
    assert f.unpackb(data, object_hook=lambda d: sorted(d)) == [["a"], msgpack.ExtType(7, b"xy")]
    assert f.unpackb(data, object_pairs_hook=tuple)[0] == (("a", [1, (("b", 2),)]),)
    assert f.unpackb(data, list_hook=len) == 2
    assert f.unpackb(data, list_hook=type, use_list=False) is tuple
    assert f.unpackb(data, ext_hook=lambda code, body: (code, body))[1] == (7, b"xy")


def test_hooks_may_raise(twin):
    def hook(obj):
        raise KeyError("mine")

    data = msgpack.packb([{"a": 1}, msgpack.ExtType(7, b"xy")])
    for name in ("object_hook", "object_pairs_hook", "list_hook"):
        with pytest.raises(KeyError, match=r"mine"):
            twin("framing").unpackb(data, **{name: hook})
    with pytest.raises(KeyError, match=r"mine"):
        twin("framing").unpackb(data, ext_hook=lambda c, d: hook(d))


def test_hooks_are_not_called_for_invalid_messages(twin):
    seen: list[Any] = []
    with pytest.raises(framing.Incomplete):
        twin("framing").unpackb(b"\x92\x81\xa1a\x01", object_hook=seen.append)
    assert seen == []


def test_a_hook_cannot_change_what_is_being_read(twin):
    data = bytearray(msgpack.packb([{"a": 1}, "abc"]))

    def hook(obj):
        data[:] = b"\xc1" * len(data)
        return obj

    assert twin("framing").unpackb(data, object_hook=hook) == [{"a": 1}, "abc"]


REFUSED: list[tuple[bytes, dict[str, Any], type[Exception], str]] = [
    (b"", {}, framing.Incomplete, "data: expected a whole message, got one that lacks 1 bytes at byte 0"),
    (b"\x92\x01", {}, framing.Incomplete, "data: expected a whole message, got one that lacks 1 bytes at byte 0"),
    (b"\xcb\x00", {}, framing.Incomplete, "data: expected a whole message, got one that lacks 7 bytes at byte 0"),
    (b"\xd9", {}, framing.Incomplete, "data: expected a whole message, got one that lacks 1 bytes at byte 0"),
    (b"\xa5abc", {}, framing.Incomplete, "data: expected a whole message, got one that lacks 2 bytes at byte 0"),
    (
        b"\x93\x01\x02\xa5abc",
        {},
        framing.Incomplete,
        "data: expected a whole message, got one that lacks 2 bytes at byte 3",
    ),
    (
        b"\xdd\xff\xff\xff\xff",
        {},
        framing.Incomplete,
        "data: expected a whole message, got one that lacks 4294967295 bytes at byte 0",
    ),
    (b"\xc1", {}, framing.FormatError, "data: expected a msgpack header at byte 0, got 0xc1"),
    (b"\x91\xc1", {}, framing.FormatError, "data: expected a msgpack header at byte 1, got 0xc1"),
    (b"\xc7\x03\xffabc", {}, framing.FormatError, "data: expected a timestamp of 4, 8 or 12 bytes at byte 0, got 3"),
    (
        b"\xd7\xff" + struct.pack(">Q", 10**9 << 34),
        {},
        framing.FormatError,
        "data: expected a timestamp of at most 999999999 nanoseconds at byte 0, got 1000000000",
    ),
    (
        msgpack.packb(msgpack.Timestamp(2**60)),
        {"timestamp": 3},
        ValueError,
        f"timestamp: expected a datetime of the years 1 to 9999 at byte 0, got {2**60} seconds",
    ),
    (
        b"\x81\x01\x02",
        {},
        ValueError,
        "strict_map_key: expected a key of type str or bytes at byte 1, got header 0x01",
    ),
    (
        b"\x91" * 129 + b"\x01",
        {},
        framing.StackError,
        "max_depth: expected at most 128 nested levels, got more at byte 128",
    ),
    (
        b"\x91\x90",
        {"max_depth": 1},
        framing.StackError,
        "max_depth: expected at most 1 nested levels, got more at byte 1",
    ),
    (b"\x91\xa2ab", {"max_str_len": 1}, ValueError, "max_str_len: expected a length of at most 1 at byte 1, got 2"),
    (b"\xc4\x02ab", {"max_bin_len": 1}, ValueError, "max_bin_len: expected a length of at most 1 at byte 0, got 2"),
    (b"\xd5\x05ab", {"max_ext_len": 1}, ValueError, "max_ext_len: expected a length of at most 1 at byte 0, got 2"),
    (
        b"\x92\x01\x02",
        {"max_array_len": 1},
        ValueError,
        "max_array_len: expected a length of at most 1 at byte 0, got 2",
    ),
    (
        b"\x82\xa1a\x01\xa1b\x02",
        {"max_map_len": 1},
        ValueError,
        "max_map_len: expected a length of at most 1 at byte 0, got 2",
    ),
    (
        b"\x92\x01\x02",
        {"max_memory": 100},
        ValueError,
        "max_memory: expected objects of at most 100 bytes, got more at byte 1",
    ),
    (b"\x01\x02\x03", {}, framing.ExtraData, "data: expected one message, got 2 more bytes after it"),
]


@pytest.mark.parametrize(("data", "options", "error", "text"), REFUSED, ids=lambda x: str(x)[:30])
def test_invalid_messages_are_refused(twin, data, options, error, text):
    with pytest.raises(error) as caught:
        twin("framing").unpackb(data, **options)
    assert str(caught.value) == text
    assert type(caught.value) is error


def test_extra_data_is_attached_to_the_error(twin):
    with pytest.raises(msgpack.ExtraData) as caught:
        twin("framing").unpackb(b"\x01\x02\x03")
    assert (caught.value.unpacked, caught.value.extra) == (1, b"\x02\x03")


def test_structural_errors_come_before_invalid_utf8(twin):
    with pytest.raises(framing.Incomplete):
        twin("framing").unpackb(b"\x92\xa1\xff")
    with pytest.raises(UnicodeDecodeError, match=r"invalid start byte"):
        twin("framing").unpackb(b"\x91\xa1\xff")
    assert twin("framing").unpackb(b"\x91\xa1\xff", unicode_errors="replace") == ["\ufffd"]
    assert twin("framing").unpackb(b"\x81\xa1\xff\x01", unicode_errors="replace") == {"\ufffd": 1}


def test_keys_that_cannot_be_keys(twin):
    with pytest.raises(TypeError, match=r"unhashable type: 'list'|cannot use 'list' as a dict key"):
        twin("framing").unpackb(b"\x81\x90\x01", strict_map_key=False)
    assert twin("framing").unpackb(b"\x82\x90\x01\x05\x06", strict_map_key=False, use_list=False) == {(): 1, 5: 6}


@pytest.mark.parametrize("levels", [1, 50, 100])
def test_small_messages_cannot_allocate_much(twin, levels):
    """A level that promises as many items as there are bytes, in each level: 100 of them would want gigabytes."""
    data = b"".join(b"\xdd" + struct.pack(">I", 100_000) for _ in range(levels)) + b"\x01" * 100_000
    if levels > 1:
        with pytest.raises(framing.Incomplete):
            twin("framing").unpackb(data)
    else:
        assert len(twin("framing").unpackb(data)) == 100_000


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (5, TypeError, "data: expected a bytes-like object, got int"),
        ("abc", TypeError, "data: expected a bytes-like object, got str"),
        (memoryview(b"12345678").cast("Q"), ValueError, "data: expected items of one byte, got items of 8"),
    ],
)
def test_data_is_checked(twin, data, error, text):
    with pytest.raises(error) as caught:
        twin("framing").unpackb(data)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"timestamp": 4}, ValueError, "timestamp: expected an int in 0..3, got 4"),
        ({"timestamp": "x"}, TypeError, "timestamp: expected an int in 0..3, got str"),
        ({"list_hook": 5}, TypeError, "list_hook: expected a callable or None, got int"),
        ({"max_str_len": -2}, ValueError, f"max_str_len: expected an int in 0..{2**63 - 1}, got -2"),
        ({"max_memory": "x"}, TypeError, f"max_memory: expected an int in 0..{2**63 - 1}, got str"),
        (
            {"object_hook": len, "object_pairs_hook": len},
            TypeError,
            "object_pairs_hook: expected None together with an object_hook, got both",
        ),
        ({"colour": 1}, TypeError, "unpackb() got an unexpected keyword argument 'colour'"),
    ],
)
def test_options_are_checked(twin, options, error, text):
    with pytest.raises(error) as caught:
        twin("framing").unpackb(b"\x01", **options)
    assert str(caught.value) == text
