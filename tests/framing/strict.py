"""Parsers that refuse what a lenient reader takes: RFC 6455 frames, and msgpack in its shortest forms."""

from __future__ import annotations

import struct
import zlib
from typing import Any, NamedTuple


class Refused(Exception):
    """What is written breaks a rule."""


class Frame(NamedTuple):
    opcode: int
    payload: bytes


def frames(data: bytes, *, masked: bool = False, deflate: bool = False) -> list[Frame]:
    """The messages in what one side sends. Servers never mask, clients always do; RFC 6455 section 5.2."""
    found: list[Frame] = []
    at = 0
    while at < len(data):
        first, second = data[at], data[at + 1]
        at += 2
        opcode, length = first & 0x0F, second & 0x7F
        if not first & 0x80:
            raise Refused("a fragment")
        if first & 0x30 or (first & 0x40 and not deflate):
            raise Refused("a reserved bit is set")
        if opcode not in (1, 2, 8, 9, 10):
            raise Refused(f"opcode {opcode}")
        if bool(second & 0x80) is not masked:
            raise Refused("masked" if second & 0x80 else "not masked")
        if opcode >= 8 and (length > 125 or first & 0x40):
            raise Refused("a control frame that is long or deflated")
        if length == 126:
            (length,) = struct.unpack_from(">H", data, at)
            at += 2
            if length <= 125:
                raise Refused("two bytes for a length that needs none")
        elif length == 127:
            (length,) = struct.unpack_from(">Q", data, at)
            at += 8
            if length <= 65535:
                raise Refused("eight bytes for a length that needs two")
            if length >> 63:
                raise Refused("a length of 64 bits")
        key = b""
        if masked:
            key = data[at : at + 4]
            at += 4
        payload = data[at : at + length]
        if len(payload) != length:
            raise Refused("it ends within a frame")
        at += length
        if masked:
            payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
        if first & 0x40:
            inflater = zlib.decompressobj(-15)
            payload = inflater.decompress(payload + b"\x00\x00\xff\xff")
            if inflater.unconsumed_tail or inflater.unused_data:
                raise Refused("bytes after the deflated message")
        if opcode == 1:
            payload.decode("utf-8")
        found.append(Frame(opcode, payload))
    return found


def message(data: bytes) -> Any:
    """The one object in `data`; each part in the shortest form the format has for it."""
    found, at = _read(data, 0)
    if at != len(data):
        raise Refused(f"{len(data) - at} bytes after the object")
    return found


def _number(data: bytes, at: int, form: str) -> tuple[Any, int]:
    size = struct.calcsize(form)
    if at + size > len(data):
        raise Refused("it ends within a number")
    return struct.unpack_from(form, data, at)[0], at + size


def _sized(data: bytes, at: int, forms: dict[int, tuple[str, int]], code: int) -> tuple[int, int]:
    form, shorter = forms[code]
    size, at = _number(data, at, form)
    if size <= shorter:
        raise Refused(f"code {code:#x} for a size of {size}")
    return size, at


def _take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(data):
        raise Refused("it ends within a value")
    return data[at : at + size], at + size


INTS = {  # code: form, what the next shorter form still holds
    0xCC: (">B", 0, 127),
    0xCD: (">H", 0, 255),
    0xCE: (">I", 0, 65535),
    0xCF: (">Q", 0, 2**32 - 1),
    0xD0: (">b", -32, 2**63),
    0xD1: (">h", -128, 2**63),
    0xD2: (">i", -(2**15), 2**63),
    0xD3: (">q", -(2**31), 2**63),
}
STRINGS = {0xD9: (">B", 31), 0xDA: (">H", 255), 0xDB: (">I", 65535)}
BINARIES = {0xC4: (">B", -1), 0xC5: (">H", 255), 0xC6: (">I", 65535)}
ARRAYS = {0xDC: (">H", 15), 0xDD: (">I", 65535)}
MAPS = {0xDE: (">H", 15), 0xDF: (">I", 65535)}
EXTENSIONS = {0xC7: (">B", -1), 0xC8: (">H", 255), 0xC9: (">I", 65535)}
FIXED = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


def _read(data: bytes, at: int) -> tuple[Any, int]:
    code, at = _number(data, at, ">B")
    if code < 0x80:
        return code, at
    if code >= 0xE0:
        return code - 256, at
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code], at
    if code == 0xCB:
        return _number(data, at, ">d")
    if code in INTS:
        form, low, high = INTS[code]
        value, at = _number(data, at, form)
        if (low <= value <= high) or (form[1].islower() and value >= 0):
            raise Refused(f"code {code:#x} for {value}")
        return value, at
    if 0xA0 <= code < 0xC0 or code in STRINGS:
        size, at = (code & 31, at) if code < 0xC0 else _sized(data, at, STRINGS, code)
        raw, at = _take(data, at, size)
        return raw.decode("utf-8"), at
    if code in BINARIES:
        size, at = _sized(data, at, BINARIES, code)
        return _take(data, at, size)
    if 0x90 <= code < 0xA0 or code in ARRAYS:
        size, at = (code & 15, at) if code < 0xA0 else _sized(data, at, ARRAYS, code)
        items = []
        for _ in range(size):
            item, at = _read(data, at)
            items.append(item)
        return items, at
    if 0x80 <= code < 0x90 or code in MAPS:
        size, at = (code & 15, at) if code < 0x90 else _sized(data, at, MAPS, code)
        pairs = {}
        for _ in range(size):
            key, at = _read(data, at)
            pairs[key], at = _read(data, at)
        return pairs, at
    if code in FIXED or code in EXTENSIONS:
        size, at = (FIXED[code], at) if code in FIXED else _sized(data, at, EXTENSIONS, code)
        if code in EXTENSIONS and size in FIXED.values():
            raise Refused(f"code {code:#x} for {size} bytes")
        kind, at = _number(data, at, ">b")
        raw, at = _take(data, at, size)
        return (kind, raw), at
    raise Refused(f"code {code:#x}")
