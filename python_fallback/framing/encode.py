"""Objects to msgpack: the rules, written out; plain trees of builtin types go to the ``msgpack`` package at once."""

from __future__ import annotations

import functools
import struct
from typing import Any

import msgpack
from msgpack import ExtType, Timestamp

from python_fallback.framing.options import PackOptions, named, pack_options
from python_fallback.shared.framing.convert import convert, convert_rest
from python_fallback.shared.framing.websocket_frame import frame_packed

__all__ = ["Encoder", "frame", "packb"]

MAX_LENGTH = 2**32 - 1
LEAVES = frozenset({type(None), bool, float, str, bytes})


def packb(obj: Any, **options: Any) -> bytes:
    """Pack `obj`; the public package documents the options."""
    encoder = Encoder(named("packb", options, pack_options)) if options else DEFAULT
    return encoder.encode(obj)


def frame(
    obj: Any, compress: Any = False, *, level: Any = 6, wbits: Any = 12, threshold: Any = 256, **options: Any
) -> bytes:
    """One whole unmasked binary frame that holds `obj` as msgpack."""
    payload = Encoder(named("frame", options, pack_options)).encode(obj)
    return frame_packed(payload, compress, level=level, wbits=wbits, threshold=threshold)


class Encoder:
    """Packs objects by one set of options."""

    def __init__(self, options: PackOptions) -> None:
        self.options = options
        self.engine = functools.partial(
            msgpack.packb, use_bin_type=options.use_bin_type, unicode_errors=options.unicode_errors
        )

    def encode(self, obj: Any) -> bytes:
        """Return `obj` as msgpack."""
        if not self.options.use_single_float and is_plain(obj, self.options.max_depth):
            try:
                return self.engine(obj)  # type: ignore[no-any-return]
            except (OverflowError, UnicodeError):
                pass  # said in our words below
        out = bytearray()
        self.write(obj, out, self.options.max_depth)
        return bytes(out)

    def write(self, obj: Any, out: bytearray, room: int, converted: bool = False) -> None:
        """Append `obj` to `out`, with `room` levels of nesting left; `converted` if `default` made it."""
        options = self.options
        is_a = _is_exactly if options.strict_types else _is_a
        if obj is None:
            out.append(0xC0)
        elif obj is True or obj is False:
            out.append(0xC3 if obj else 0xC2)
        elif is_a(obj, int) and -(2**63) <= int.__index__(obj) < 2**64:
            out += pack_int(int.__index__(obj))
        elif is_a(obj, float):
            value = float.__float__(obj)
            out += struct.pack(">Bf", 0xCA, value) if options.use_single_float else struct.pack(">Bd", 0xCB, value)
        elif is_a(obj, str):
            data = str.encode(obj, "utf-8", options.unicode_errors)
            out += self.raw_header(check_length(obj, len(data))) + data
        elif is_a(obj, bytes, bytearray, memoryview):
            data = memoryview(obj).tobytes()
            out += self.bin_header(check_length(obj, len(data))) + data
        elif is_a(obj, dict):
            self.write_dict(obj, out, self.deeper(room))
        elif is_a(obj, ExtType):
            out += ext(obj)
        elif is_a(obj, Timestamp):
            out += timestamp(obj.seconds, obj.nanoseconds)
        elif is_a(obj, list) or (_is_a(obj, tuple) and not options.strict_types):
            self.write_sequence(obj, out, self.deeper(room))
        else:
            self.write_other(obj, out, room, converted)

    def write_sequence(self, obj: Any, out: bytearray, room: int) -> None:
        kind = list if isinstance(obj, list) else tuple
        n = kind.__len__(obj)
        out += array_header(check_length(obj, n))
        for i in range(n):
            if kind.__len__(obj) != n:
                raise RuntimeError("obj: expected a list that stays as it is while it is packed")
            self.write(kind.__getitem__(obj, i), out, room)
        if kind.__len__(obj) != n:
            raise RuntimeError("obj: expected a list that stays as it is while it is packed")

    def write_dict(self, obj: Any, out: bytearray, room: int) -> None:
        if type(obj) is not dict:
            self.write_pairs(list(obj.items()), out, room)
            return
        n = len(obj)
        out += map_header(check_length(obj, n))
        pairs = iter(obj.items())
        for _ in range(n):
            try:
                key, value = next(pairs)
            except (RuntimeError, StopIteration):
                raise RuntimeError("obj: expected a dict that stays as it is while it is packed") from None
            self.write(key, out, room)
            self.write(value, out, room)
        if len(obj) != n:
            raise RuntimeError("obj: expected a dict that stays as it is while it is packed")

    def write_pairs(self, pairs: list[Any], out: bytearray, room: int) -> None:
        out += map_header(len(pairs))
        for pair in pairs:
            if not isinstance(pair, tuple) or tuple.__len__(pair) != 2:
                raise TypeError(f"items: expected pairs of key and value, got {type(pair).__name__}")
            self.write(tuple.__getitem__(pair, 0), out, room)
            self.write(tuple.__getitem__(pair, 1), out, room)

    def write_other(self, obj: Any, out: bytearray, room: int, converted: bool) -> None:
        """What msgpack has no type for: by the options first, then by the caller's `default`, which is asked once."""
        options = self.options
        found = convert(obj, options.datetime, options.decimal, options.numpy)
        if found is not NotImplemented:
            if isinstance(found, list):
                self.write(found, out, room)
            else:
                self.write(found, out, self.deeper(room), converted)  # an array without dimensions may hold itself
        elif options.default is not None and not converted:
            self.write(options.default(obj), out, room, converted=True)
        else:
            self.write(convert_rest(obj, options.datetime, options.numpy), out, room)

    def deeper(self, room: int) -> int:
        if room == 0:
            raise ValueError(f"max_depth: expected at most {self.options.max_depth} nested levels, got more")
        return room - 1

    def raw_header(self, n: int) -> bytes:
        if n <= 0x1F:
            return bytes((0xA0 | n,))
        if n <= 0xFF and self.options.use_bin_type:
            return bytes((0xD9, n))
        return struct.pack(">BH", 0xDA, n) if n <= 0xFFFF else struct.pack(">BI", 0xDB, n)

    def bin_header(self, n: int) -> bytes:
        if not self.options.use_bin_type:
            return self.raw_header(n)
        if n <= 0xFF:
            return bytes((0xC4, n))
        return struct.pack(">BH", 0xC5, n) if n <= 0xFFFF else struct.pack(">BI", 0xC6, n)


DEFAULT = Encoder(PackOptions())


def is_plain(obj: Any, room: int) -> bool:
    """Whether `obj` is made of builtin types only, nested at most `room` deep: what the engine packs by our rules."""
    kind = type(obj)
    if kind in LEAVES or kind is int:
        return True
    if room == 0:
        return False
    room -= 1
    if kind is dict:
        for key in obj:
            if type(key) is not str and not is_plain(key, room):
                return False
        for value in obj.values():
            kind = type(value)
            if kind not in LEAVES and kind is not int and not is_plain(value, room):
                return False
        return True
    if kind is list:
        for value in obj:
            kind = type(value)
            if kind not in LEAVES and kind is not int and not is_plain(value, room):
                return False
        return True
    return False


def _is_a(obj: Any, *kinds: type) -> bool:
    return issubclass(type(obj), kinds)  # isinstance() would believe a `__class__` attribute


def _is_exactly(obj: Any, *kinds: type) -> bool:
    return type(obj) in kinds


def check_length(obj: Any, n: int) -> int:
    if n > MAX_LENGTH:
        raise ValueError(f"obj: expected a length of at most 2**32-1, got {type(obj).__name__} of {n}")
    return n


def pack_int(n: int) -> bytes:
    """The shortest form of `n`."""
    if n >= 0:
        if n < 0x80:
            return bytes((n,))
        if n <= 0xFF:
            return bytes((0xCC, n))
        if n <= 0xFFFF:
            return struct.pack(">BH", 0xCD, n)
        return struct.pack(">BI", 0xCE, n) if n <= 0xFFFFFFFF else struct.pack(">BQ", 0xCF, n)
    if n >= -0x20:
        return struct.pack("b", n)
    if n >= -0x80:
        return struct.pack(">Bb", 0xD0, n)
    if n >= -0x8000:
        return struct.pack(">Bh", 0xD1, n)
    return struct.pack(">Bi", 0xD2, n) if n >= -0x80000000 else struct.pack(">Bq", 0xD3, n)


def array_header(n: int) -> bytes:
    if n <= 0x0F:
        return bytes((0x90 | n,))
    return struct.pack(">BH", 0xDC, n) if n <= 0xFFFF else struct.pack(">BI", 0xDD, n)


def map_header(n: int) -> bytes:
    if n <= 0x0F:
        return bytes((0x80 | n,))
    return struct.pack(">BH", 0xDE, n) if n <= 0xFFFF else struct.pack(">BI", 0xDF, n)


def ext_header(code: int, n: int) -> bytes:
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(n)
    if fixed is not None:
        return struct.pack(">Bb", fixed, code)
    if n <= 0xFF:
        return struct.pack(">BBb", 0xC7, n, code)
    return struct.pack(">BHb", 0xC8, n, code) if n <= 0xFFFF else struct.pack(">BIb", 0xC9, n, code)


def ext(obj: Any) -> bytes:
    if tuple.__len__(obj) != 2:
        raise ValueError(f"ExtType: expected a code and data, got {tuple.__len__(obj)} items")
    code, data = tuple.__getitem__(obj, 0), tuple.__getitem__(obj, 1)
    if type(code) is not int or not -128 <= code <= 127:
        raise ValueError(f"ExtType: expected a code in -128..127, got {code!r}")
    if not isinstance(data, bytes):
        raise TypeError(f"ExtType: expected data of type bytes, got {type(data).__name__}")
    return ext_header(code, check_length(data, len(data))) + data


def timestamp(seconds: Any, nanoseconds: Any) -> bytes:
    """The timestamp extension, in the shortest of its three forms."""
    if type(seconds) is not int or not -(2**63) <= seconds < 2**63:
        raise ValueError(f"Timestamp: expected seconds as an int of 64 bits, got {seconds!r}")
    if type(nanoseconds) is not int or not 0 <= nanoseconds < 10**9:
        raise ValueError(f"Timestamp: expected nanoseconds as an int in 0..999999999, got {nanoseconds!r}")
    if 0 <= seconds < 2**34:
        if seconds < 2**32 and nanoseconds == 0:
            return ext_header(-1, 4) + struct.pack(">I", seconds)
        return ext_header(-1, 8) + struct.pack(">Q", nanoseconds << 34 | seconds)
    return ext_header(-1, 12) + struct.pack(">Iq", nanoseconds, seconds)
