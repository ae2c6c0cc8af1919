"""Packer and Unpacker on both twins."""

from __future__ import annotations

import io
import random
from typing import Any

import msgpack
import pytest

from fastcore import framing

MESSAGES: list[Any] = [
    {"symbol": "AAPL", "price": 187.25, "n": 5},
    [1, [2, [3, {"a": b"x" * 300}]]],
    "x" * 70000,
    None,
    [],
    {},
    [msgpack.ExtType(5, b"abc"), msgpack.Timestamp(5)],
    list(range(3000)),
    -5,
]
STREAM = b"".join(msgpack.packb(m) for m in MESSAGES)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 65536, len(STREAM)])
def test_messages_are_read_however_the_stream_is_split(twin, size):
    unpacker = twin("framing").Unpacker()
    found = []
    for start in range(0, len(STREAM), size):
        unpacker.feed(STREAM[start : start + size])
        found += unpacker
    assert found == MESSAGES
    assert unpacker.tell() == len(STREAM)
    with pytest.raises(framing.OutOfData, match=r"^data: expected a whole message, got 0 bytes of one$"):
        unpacker.unpack()


@pytest.mark.parametrize("read_size", [0, 1, 1000])
def test_reading_from_a_file(twin, read_size):
    assert list(twin("framing").Unpacker(io.BytesIO(STREAM), read_size=read_size)) == MESSAGES


def test_each_byte_is_scanned_once(twin):
    """A long message fed byte by byte: with a fresh start at each byte this would take minutes."""
    unpacker = twin("framing").Unpacker()
    data = msgpack.packb([1] * 60_000)
    for byte in data:
        assert list(unpacker) == []
        unpacker.feed(bytes((byte,)))
    assert unpacker.unpack() == [1] * 60_000


def test_skip_and_headers(twin):
    unpacker = twin("framing").Unpacker()
    unpacker.feed(msgpack.packb([1, {"a": 2}]) + msgpack.packb({"b": [3]}) + msgpack.packb(list(range(70000))) + b"abc")
    assert unpacker.read_array_header() == 2
    unpacker.skip()
    assert unpacker.read_map_header() == 1
    assert [unpacker.unpack(), unpacker.unpack()] == ["a", 2]
    with pytest.raises(ValueError, match=r"^data: expected an array, got header 0x81$"):
        unpacker.read_array_header()
    assert unpacker.unpack() == {"b": [3]}
    assert unpacker.read_array_header() == 70000
    for i in range(70000):
        if i % 1000:
            unpacker.skip()
        else:
            assert unpacker.unpack() == i
    assert unpacker.read_bytes(10) == b"abc"
    with pytest.raises(framing.OutOfData):
        unpacker.read_map_header()


def test_a_header_in_two_parts(twin):
    unpacker = twin("framing").Unpacker()
    unpacker.feed(b"\xdc\x01")
    with pytest.raises(framing.OutOfData, match=r"^data: expected a whole header, got 2 bytes of one$"):
        unpacker.read_array_header()
    unpacker.feed(b"\x00")
    assert unpacker.read_array_header() == 256


def test_limits_apply_before_the_message_is_complete(twin):
    f = twin("framing")
    for data, options, text in [
        (
            b"\xdb\x00\xff\xff\xff",
            {"max_str_len": 100},
            "max_str_len: expected a length of at most 100 at byte 0, got 16777215",
        ),
        (
            b"\x91\xdd\x00\xff\xff\xff",
            {"max_memory": 10**6},
            "max_memory: expected objects of at most 1000000 bytes, got more at byte 1",
        ),
        (b"\x91" * 40, {"max_depth": 32}, "max_depth: expected at most 32 nested levels, got more at byte 32"),
        (b"\x91\xc1", {}, "data: expected a msgpack header at byte 1, got 0xc1"),
    ]:
        unpacker = f.Unpacker(**options)
        unpacker.feed(b"\x05" + data)
        assert unpacker.unpack() == 5
        for _ in range(2):  # and it stays that way
            with pytest.raises(ValueError) as caught:
                unpacker.unpack()
            assert str(caught.value) == text


def test_messages_larger_than_the_buffer(twin):
    f = twin("framing")
    unpacker = f.Unpacker(max_buffer_size=10)
    with pytest.raises(framing.BufferFull, match=r"^max_buffer_size: expected at most 10 bytes waiting, got 11$"):
        unpacker.feed(b"x" * 11)
    unpacker.feed(b"\xd9\x09")
    with pytest.raises(
        framing.BufferFull, match=r"^max_buffer_size: expected a message that fits, got a longer one by byte 0$"
    ):
        unpacker.unpack()
    unpacker = f.Unpacker(max_buffer_size=10)
    unpacker.feed(b"\x92\x99")
    with pytest.raises(framing.BufferFull, match=r"by byte 1$"):
        unpacker.unpack()


def test_a_message_that_raises_while_it_is_built_is_skipped(twin):
    unpacker = twin("framing").Unpacker()
    unpacker.feed(b"\xa1\xff\x05")
    with pytest.raises(UnicodeDecodeError):
        unpacker.unpack()
    assert unpacker.unpack() == 5


def test_hooks_cannot_reenter_the_unpacker(twin):
    f = twin("framing")
    refused = []

    def hook(obj):
        for call in (unpacker.unpack, unpacker.skip, lambda: unpacker.feed(b"x"), unpacker.__init__):
            with pytest.raises(RuntimeError, match=r"^Unpacker: expected no call while another is at work"):
                call()
            refused.append(call)
        return obj

    unpacker = f.Unpacker(object_hook=hook)
    unpacker.feed(msgpack.packb({"a": {"b": 1}}))
    assert unpacker.unpack() == {"a": {"b": 1}}
    assert len(refused) == 8


@pytest.mark.parametrize("answer", [b"\x01" * 100, "text", None])
def test_files_that_return_wrong_sizes(twin, answer):
    class File:
        def read(self, n):
            return answer

    unpacker = twin("framing").Unpacker(File(), read_size=5, max_buffer_size=10)
    with pytest.raises((framing.BufferFull, TypeError), match=r"^(max_buffer_size|file_like): expected "):
        unpacker.unpack()


def test_a_packer_keeps_its_options(twin):
    packer = twin("framing").Packer(default=sorted, decimal="str", autoreset=True, buf_size=10)
    assert packer.pack({2, 1}) == msgpack.packb([1, 2])
    assert packer.pack_map_pairs([("a", 1), ("b", {5})]) == msgpack.packb({"a": 1, "b": [5]})
    assert packer.pack_array_header(70000) == msgpack.Packer().pack_array_header(70000)
    assert packer.pack_map_header(17) == msgpack.Packer().pack_map_header(17)
    assert packer.pack_ext_type(5, b"abc") == msgpack.packb(msgpack.ExtType(5, b"abc"))


def test_without_autoreset_there_is_a_buffer(twin):
    packer = twin("framing").Packer(autoreset=False)
    assert packer.pack([1]) is None
    assert packer.pack_array_header(1) is None
    with pytest.raises(TypeError):
        packer.pack([2, object()])
    assert packer.bytes() == b"\x91\x01\x91"
    with packer.getbuffer() as view:
        assert bytes(view) == b"\x91\x01\x91"
        with pytest.raises(BufferError):
            packer.pack(1)
    packer.reset()
    assert packer.bytes() == b""


def test_a_packer_can_pack_within_default(twin):
    packer = twin("framing").Packer(default=lambda o: packer.pack(sorted(o)))
    assert packer.pack([{1, 2}]) == msgpack.packb([msgpack.packb([1, 2])])


def test_reinitialising_within_default(twin):
    """Options that are replaced while they are in use live as long as they are used."""

    def default(obj):
        packer.__init__()
        return [1j] if obj == 2j else "end"

    packer = twin("framing").Packer(default=default, decimal="st" + "r")
    assert packer.pack(2j) == msgpack.packb(["end"])
    with pytest.raises(TypeError):
        packer.pack(2j)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda p: p.pack_array_header(-1), ValueError, "size: expected an int in 0..4294967295, got -1"),
        (lambda p: p.pack_map_header("x"), TypeError, "size: expected an int in 0..4294967295, got str"),
        (lambda p: p.pack_ext_type(128, b""), ValueError, "typecode: expected an int in 0..127, got 128"),
        (lambda p: p.pack_ext_type(1, "x"), TypeError, "data: expected bytes, got str"),
        (lambda p: p.pack_map_pairs([1]), TypeError, "items: expected pairs of key and value, got int"),
        (lambda p: type(p)(colour=1), TypeError, "Packer() got an unexpected keyword argument 'colour'"),
    ],
)
def test_packer_calls_are_checked(twin, call, error, text):
    with pytest.raises(error) as caught:
        call(twin("framing").Packer())
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"file_like": 5}, TypeError, "file_like: expected an object with a read method, got int"),
        ({"read_size": 11, "max_buffer_size": 10}, ValueError, "read_size: expected an int in 0..10, got 11"),
        ({"max_buffer_size": -1}, ValueError, f"max_buffer_size: expected an int in 0..{2**63 - 1}, got -1"),
        ({"colour": 1}, TypeError, "Unpacker() got an unexpected keyword argument 'colour'"),
    ],
)
def test_unpacker_options_are_checked(twin, options, error, text):
    with pytest.raises(error) as caught:
        twin("framing").Unpacker(**options)
    assert str(caught.value) == text


def test_feed_is_for_unpackers_without_a_file(twin):
    with pytest.raises(TypeError, match=r"^feed: expected an Unpacker without file_like$"):
        twin("framing").Unpacker(io.BytesIO(b"")).feed(b"")


def test_random_cuts(twin):
    rng = random.Random(5)
    for _ in range(20):
        unpacker = twin("framing").Unpacker()
        at, found = 0, []
        while at < len(STREAM):
            step = rng.choice((1, 5, 50, 5000))
            unpacker.feed(STREAM[at : at + step])
            at += step
            if rng.random() < 0.5:
                found += unpacker
        assert found + list(unpacker) == MESSAGES
