"""The output is read by the strict parsers in this folder, which share no code with fastcore."""

from __future__ import annotations

import struct
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore import _ext
from fastcore.dispatch import backends
from tests.framing import strict

LENGTHS = [0, 1, 124, 125, 126, 127, 255, 256, 65534, 65535, 65536, 65537, 200_000]
EDGES = sorted(
    {n + d for n in (0, 2**7, 2**8, 2**15, 2**16, 2**31, 2**32, 2**63) for d in (-1, 0, 1)}
    | {-n + d for n in (2**5, 2**7, 2**15, 2**31) for d in (-1, 0, 1)}
    | {-(2**63), 2**64 - 1}
)
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 255, 256, 65535, 65536]


@pytest.mark.parametrize("n", LENGTHS)
def test_frames_of_every_length(twin, n):
    f = twin("framing")
    for payload in (b"x" * n, bytearray(b"x" * n), memoryview(b"x" * n)):
        assert strict.frames(f.frame_packed(payload)) == [(2, b"x" * n)]
        assert strict.frames(f.frame_packed(payload, text=True)) == [(1, b"x" * n)]
    obj = "x" * max(0, n - 5)
    ((opcode, payload),) = strict.frames(f.frame(obj))
    assert (opcode, strict.message(payload)) == (2, obj)


@pytest.mark.parametrize("n", LENGTHS)
def test_deflated_frames_of_every_length(twin, n):
    noise = np.random.default_rng(n).bytes(n)  # deflated, its length stays near the boundary
    for payload in (noise, b"x" * n, noise + b"x" * 100):
        data = twin("framing").frame_packed(payload, compress=True, threshold=0)
        assert strict.frames(data, deflate=True) == [(2, payload)]


@pytest.mark.parametrize("n", [119, 120, 121, 122, 123, 124, 65520, 65530, 65531, 65532, 65533, 65534, 65535])
def test_frames_of_rows(twin, n):
    rows = twin("framing").RowPacker(("a",), rows="array")
    ((_, payload),) = strict.frames(rows.frame({"a": ["x" * n]}))
    assert strict.message(payload) == [["x" * n]]


@pytest.mark.parametrize("n", [60, 90, 100, 110, 120, 126, 65490, 65500, 65510, 65520, 65536])
@pytest.mark.parametrize("window", [None, 12])
def test_frames_of_a_fanout(twin, n, window):
    fan = twin("framing").Fanout()
    fan.connect("ann", deflate=window)
    fan.subscribe("ann", ["*"])
    for extra in range(40):
        fan.publish(f"t{extra}", "x" * (n + extra))
    sent = strict.frames(b"".join(fan.tick()["ann"]), deflate=window is not None)
    texts = [text for _, payload in sent for text in strings(strict.message(payload)) if text.startswith("xx")]
    assert [len(text) for text in texts] == [n + extra for extra in range(40)]


def strings(obj: Any) -> list[str]:
    if isinstance(obj, str):
        return [obj]
    parts = list(obj.values()) if isinstance(obj, dict) else obj if isinstance(obj, list) else []
    return [text for part in parts for text in strings(part)]


@pytest.mark.parametrize("value", EDGES)
def test_integers_use_the_shortest_form(twin, value):
    assert strict.message(twin("framing").packb(value)) == value
    assert strict.message(twin("framing").packb([value, {value: value}])) == [value, {value: value}]


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_integers_in_columns_use_the_shortest_form(twin, dtype):
    info = np.iinfo(dtype)
    values = [value for value in EDGES if info.min <= value <= info.max]
    packed = twin("framing").RowPacker(("a",), rows="array").pack({"a": np.array(values, dtype=dtype)})
    assert strict.message(packed) == [[value] for value in values]


@pytest.mark.parametrize("size", SIZES)
def test_sizes_use_the_shortest_form(twin, size):
    f = twin("framing")
    for obj in ("x" * size, b"x" * size, [None] * size, dict.fromkeys(range(size))):
        assert strict.message(f.packb(obj)) == obj
    assert strict.message(f.packb(msgpack.ExtType(5, b"x" * size))) == (5, b"x" * size)
    packer = f.Packer()
    head = packer.pack_array_header(size)
    assert strict.message(head + b"\xc0" * size) == [None] * size
    head = packer.pack_map_header(size)
    assert strict.message(head + b"".join(f.packb(n) + b"\xc0" for n in range(size))) == dict.fromkeys(range(size))
    assert strict.message(packer.pack_ext_type(7, b"x" * size)) == (7, b"x" * size)
    rows = f.RowPacker(("a", "b"), rows="array").pack({"a": ["x" * size], "b": [b"x" * size]})
    assert strict.message(rows) == [["x" * size, b"x" * size]]
    many = f.RowPacker(("a",), rows="array").pack({"a": np.zeros(size, dtype=bool)})
    assert strict.message(many) == [[False]] * size


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text() | st.integers(-99, 999), inner, max_size=20),
    max_leaves=30,
)


@pytest.mark.skipif(_ext.probe("framing").module is None, reason="there is one twin only")
@settings(max_examples=150, deadline=None)
@given(values, st.booleans())
def test_any_object(obj, compress):
    for name in backends.BACKENDS:
        f = backends.twin("framing", name)
        assert strict.message(f.packb(obj)) == obj
        ((opcode, payload),) = strict.frames(f.frame(obj, compress=compress, threshold=0), deflate=compress)
        assert (opcode, strict.message(payload)) == (2, obj)


REFUSED_FRAMES = {
    "two bytes for a length that needs none": b"\x82\x7e\x00\x7d" + b"x" * 125,
    "eight bytes for a length that needs two": b"\x82\x7f" + struct.pack(">Q", 65535) + b"x" * 65535,
    "a length of 64 bits": b"\x82\x7f" + b"\xff" * 8,
    "a reserved bit is set": b"\xa2\x00",
    "masked": b"\x82\x80abcd",
    "a fragment": b"\x02\x00",
    "it ends within a frame": b"\x82\x02x",
    "opcode 3": b"\x83\x00",
}


@pytest.mark.parametrize("text", REFUSED_FRAMES)
def test_the_parser_of_frames_refuses(text):
    with pytest.raises(strict.Refused, match=text):
        strict.frames(REFUSED_FRAMES[text])


@pytest.mark.parametrize(
    "data",
    [
        b"\xcc\x7f",
        b"\xcd\x00\xff",
        b"\xce\x00\x00\xff\xff",
        b"\xcf" + b"\x00" * 4 + b"\xff" * 4,
        b"\xd0\x05",
        b"\xd0\xe0",
        *(b"\xd1\xff\x80", b"\xd3" + b"\x00" * 8, b"\xd9\x01x", b"\xda\x00\xff" + b"x" * 255, b"\xdc\x00\x01\xc0"),
        *(b"\xde\x00\x00", b"\xc7\x01\x05x", b"\xc5\x00\x01x", b"\xc1", b"\xc0\xc0", b"\x92\x01", b"\xcd\x01"),
    ],
)
def test_the_parser_of_messages_refuses(data):
    with pytest.raises(strict.Refused):
        strict.message(data)


def test_the_parser_reads_masked_frames():
    masked = b"\x82\x83abcd" + bytes(byte ^ key for byte, key in zip(b"xyz", b"abc"))
    assert strict.frames(masked, masked=True) == [(2, b"xyz")]
    with pytest.raises(strict.Refused, match="not masked"):
        strict.frames(b"\x82\x00", masked=True)
