"""msgpack to objects: a walk over the message that checks all of it, then the ``msgpack`` package to build it.

Nothing is built, and no hook is called, before the whole message is known to be well formed and within the limits.
"""

from __future__ import annotations

import struct
import sys
import threading
from typing import Any

import msgpack
from msgpack import BufferFull, ExtType, FormatError, StackError

from python_fallback.framing.options import UnpackOptions, named, unpack_options
from python_fallback.shared.framing.checks import as_bytes
from python_fallback.shared.framing.errors import ExtraData, Incomplete

__all__ = [
    "Engine",
    "Walker",
    "unpackb",
]

# Upper bounds of the size of an object in CPython, in bytes, so that `max_memory` is never exceeded.
INT_COST, FLOAT_COST, STR_COST, BIN_COST, EXT_COST, LIST_COST, DICT_COST = 48, 24, 80, 40, 250, 64, 64
STR_BYTE, LIST_ITEM, DICT_FIRST, DICT_ITEM = 4, 8, 176, 56

FIXED = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
LENGTH = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xC7: ">B", 0xC8: ">H", 0xC9: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
LENGTH |= {0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}
# By header: how long an item is, 0 where the header does not tell it all, and what it costs.
SIZES = [1 if head < 0x80 or head >= 0xE0 or head in (0xC0, 0xC2, 0xC3) else 0 for head in range(256)]
COSTS = [INT_COST if head < 0x80 or head >= 0xCC else 0 for head in range(256)]
for _head, _size in FIXED.items():
    SIZES[_head] = 1 + _size
    COSTS[_head] = FLOAT_COST if _head <= 0xCB else INT_COST
SIZES_AND_SHORT_STR = list(SIZES)
for _size in range(0x20):
    SIZES_AND_SHORT_STR[0xA0 | _size] = 1 + _size
    COSTS[0xA0 | _size] = STR_COST + STR_BYTE * _size
KEYS = frozenset([*range(0xA0, 0xC0), 0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB])
FIRST_SECOND, LAST_SECOND = -62135596800, 253402300799  # years 1 to 9999


DEFAULTS = UnpackOptions()


def unpackb(data: Any, **options: Any) -> Any:
    """Unpack the one message in `data`; the public package documents the options."""
    checked = named("unpackb", options, unpack_options) if options else DEFAULTS
    message = as_bytes("data", data)
    end = Walker(checked).walk(message)
    engine = Engine(checked) if options else DEFAULT_ENGINE
    result = engine.build(message if end == len(message) else message[:end])
    if end < len(message):
        raise ExtraData(result, message[end:])
    return result


def message_size(data: Any, **options: Any) -> int:
    """How many bytes the message takes that `data` begins with; the public package documents it."""
    checked = named("message_size", options, unpack_options) if options else DEFAULTS
    return Walker(checked).walk(as_bytes("data", data))


class Walker:
    """Validates one message, header by header. It stops where the data ends, and continues when there is more."""

    def __init__(self, options: UnpackOptions) -> None:
        self.options = options
        self.memory = 0
        self.owed = 1  # items that all the open containers lack
        self.left = 1  # items that the innermost of them lacks
        self.in_map = False
        self.outer: list[tuple[int, bool]] = []
        self.limit: int | None = None
        self.position = 0  # of the next item

    def walk(self, data: bytes | memoryview, limit: int | None = None) -> int:
        """Continue at `position`; return where the message ends.

        `limit` is where a stream's message must end at the latest; None says that `data` holds all there will be.

        Raises
        ------
        Incomplete
            If the data ends first. A stream continues when it has more.
        """
        size, self.limit = len(data), limit
        strict, max_memory = self.options.strict_map_key, self.options.max_memory
        sizes = SIZES_AND_SHORT_STR if limit is None and self.options.max_str_len >= 0x1F else SIZES
        position, left, owed, memory, in_map = self.position, self.left, self.owed, self.memory, self.in_map
        try:
            while True:
                while left == 0:
                    if not self.outer:
                        return position
                    left, in_map = self.outer.pop()
                if position >= size:
                    self.require(position, position + 1, size, owed)
                head = data[position]
                if strict and in_map and not left & 1 and head not in KEYS:
                    text = f"expected a key of type str or bytes at byte {position}, got header 0x{head:02x}"
                    raise ValueError(f"strict_map_key: {text}")
                length = sizes[head]
                if length:
                    cost, end = COSTS[head], position + length
                elif head == 0xC1:
                    raise FormatError(f"data: expected a msgpack header at byte {position}, got 0xc1")
                else:
                    self.left, self.owed, self.memory, self.in_map = left, owed, memory, in_map
                    if head < 0xA0 or 0xDC <= head <= 0xDF:
                        position = self.open(data, position, head, size)
                        left, owed, memory, in_map = self.left, self.owed, self.memory, self.in_map
                        continue
                    cost, end = self.sized(data, position, head, size)
                if memory + cost > max_memory:
                    self.refuse_memory(position)
                if end + owed > size:
                    self.require(position, end, size, owed)
                memory += cost
                left -= 1
                owed -= 1
                position = end
        finally:  # a stream continues here
            self.position, self.left, self.owed, self.memory, self.in_map = position, left, owed, memory, in_map

    def open(self, data: bytes | memoryview, position: int, head: int, size: int) -> int:
        """Enter the array or map at `position`; return where its first item is."""
        options = self.options
        is_map = head < 0x90 or head >= 0xDE
        n, begin = self.length(data, position, head, size, 0x0F)
        most = options.max_map_len if is_map else options.max_array_len
        if n > most:
            raise too_long("max_map_len" if is_map else "max_array_len", most, n, position)
        if len(self.outer) >= options.max_depth:
            raise StackError(
                f"max_depth: expected at most {options.max_depth} nested levels, got more at byte {position}"
            )
        cost = LIST_COST + n * LIST_ITEM
        if is_map:
            cost = DICT_COST + (DICT_FIRST + n * DICT_ITEM if n else 0)
        if self.memory + cost > options.max_memory:
            self.refuse_memory(position)
        items = 2 * n if is_map else n
        if self.limit is None:
            self.require(position, begin + items, size, self.owed)
        self.check_fits(position, begin + items)
        self.memory += cost
        self.owed += items - 1
        self.outer.append((self.left - 1, self.in_map))
        self.left, self.in_map = items, is_map
        return begin

    def sized(self, data: bytes | memoryview, position: int, head: int, size: int) -> tuple[int, int]:
        """What the str, bin or ext at `position` costs, and where it ends."""
        options = self.options
        is_ext = 0xC7 <= head <= 0xC9 or 0xD4 <= head <= 0xD8
        if 0xD4 <= head <= 0xD8:
            n, begin = 1 << (head - 0xD4), position + 1
        else:
            n, begin = self.length(data, position, head, size, 0x1F)
        if is_ext:
            name, most, cost, begin = "max_ext_len", options.max_ext_len, EXT_COST + n, begin + 1
        elif 0xC4 <= head <= 0xC6:
            name, most, cost = "max_bin_len", options.max_bin_len, BIN_COST + n
        else:
            name, most, cost = "max_str_len", options.max_str_len, STR_COST + STR_BYTE * n
        if n > most:
            raise too_long(name, most, n, position)
        self.check_fits(position, begin + n)
        if is_ext and begin <= size and data[begin - 1] == 0xFF:
            if n not in (4, 8, 12):
                raise FormatError(f"data: expected a timestamp of 4, 8 or 12 bytes at byte {position}, got {n}")
            if begin + n <= size:
                self.check_timestamp(data[begin : begin + n], position)
        return cost, begin + n

    def length(self, data: bytes | memoryview, position: int, head: int, size: int, mask: int) -> tuple[int, int]:
        """The length in the header at `position`, and where the header ends."""
        form = LENGTH.get(head)
        if form is None:
            return head & mask, position + 1
        end = position + 1 + struct.calcsize(form)
        self.require(position, end, size, self.owed)
        return struct.unpack_from(form, data, position + 1)[0], end

    def require(self, position: int, end: int, size: int, owed: int) -> None:
        """Ask for the bytes up to `end`; where no more will come, also for one byte for each item owed after that."""
        if self.limit is None:
            end += owed - 1
        if end > size:
            raise Incomplete(position, end - size)

    def check_fits(self, position: int, end: int) -> None:
        if self.limit is not None and end + self.owed - 1 > self.limit:
            raise BufferFull(f"max_buffer_size: expected a message that fits, got a longer one by byte {position}")

    def refuse_memory(self, position: int) -> None:
        raise ValueError(
            f"max_memory: expected objects of at most {self.options.max_memory} bytes, got more at byte {position}"
        )

    def check_timestamp(self, body: bytes | memoryview, position: int) -> None:
        """Refuse what no Timestamp, or no datetime where that is asked for, can hold."""
        stamp = decode_timestamp(body)
        if stamp[1] > 999_999_999:
            raise FormatError(
                f"data: expected a timestamp of at most 999999999 nanoseconds at byte {position}, got {stamp[1]}"
            )
        if self.options.timestamp == 3 and not FIRST_SECOND <= stamp[0] <= LAST_SECOND:
            raise ValueError(
                f"timestamp: expected a datetime of the years 1 to 9999 at byte {position}, got {stamp[0]} seconds"
            )


def decode_timestamp(body: bytes | memoryview) -> tuple[int, int]:
    """Seconds and nanoseconds of a timestamp of 4, 8 or 12 bytes."""
    if len(body) == 4:
        return struct.unpack(">I", body)[0], 0
    if len(body) == 8:
        both = struct.unpack(">Q", body)[0]
        return both & (2**34 - 1), both >> 34
    nanoseconds, seconds = struct.unpack(">Iq", body)
    return seconds, nanoseconds


def too_long(name: str, most: int, n: int, position: int) -> ValueError:
    return ValueError(f"{name}: expected a length of at most {most} at byte {position}, got {n}")


HOOKS = frozenset(["object_hook", "object_pairs_hook", "list_hook", "ext_hook"])
FRAME = 64 * 1024  # more stack than one call of the msgpack package takes, which is about 50 KiB
DEEPEST = 80 if sys.platform == "linux" else 8  # in threads of 8 MiB, of which macOS gives 512 KiB


class _Nested(threading.local):
    """How many messages this thread builds now, each in a hook of the one before."""

    depth = 0


_nested = _Nested()


class Engine:
    """Builds the objects of a message that a Walker has found good."""

    def __init__(self, options: UnpackOptions) -> None:
        list_hook = options.list_hook
        if list_hook is not None and not options.use_list:
            hook = list_hook
            list_hook = lambda items: hook(tuple(items))  # noqa: E731
        arguments = {
            "use_list": options.use_list or list_hook is not None,
            "raw": options.raw,
            "timestamp": options.timestamp,
            "object_hook": options.object_hook,
            "object_pairs_hook": options.object_pairs_hook,
            "list_hook": list_hook,
            "unicode_errors": options.unicode_errors,
            "ext_hook": options.ext_hook or ExtType,
        }
        self.arguments = {  # a hook is never asked whether it equals something
            name: value
            for name, value in arguments.items()
            if value is not ENGINE_DEFAULTS[name] and (callable(value) or value != ENGINE_DEFAULTS[name])
        }

    def build(self, message: bytes) -> Any:
        """Return what `message` holds."""
        if HOOKS.isdisjoint(self.arguments):
            return msgpack.unpackb(message, strict_map_key=False, **self.arguments)
        size = threading.stack_size()
        if _nested.depth >= (min(DEEPEST, size // FRAME) if size else DEEPEST):
            raise RecursionError("maximum recursion depth exceeded: too many messages unpacked in hooks of each other")
        _nested.depth += 1
        try:
            return msgpack.unpackb(message, strict_map_key=False, **self.arguments)
        finally:
            _nested.depth -= 1


ENGINE_DEFAULTS = {
    "use_list": True,
    "raw": False,
    "timestamp": 0,
    "object_hook": None,
    "object_pairs_hook": None,
    "list_hook": None,
    "unicode_errors": "strict",
    "ext_hook": ExtType,
}
DEFAULT_ENGINE = Engine(DEFAULTS)
