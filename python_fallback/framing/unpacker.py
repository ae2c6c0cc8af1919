"""Messages out of a stream of bytes, however it is cut."""

from __future__ import annotations

import struct
from typing import Any

from msgpack import BufferFull, OutOfData

from python_fallback.framing.decode import LENGTH, Engine, Walker
from python_fallback.framing.options import named, unpack_options
from python_fallback.shared.framing.checks import as_bytes, check_int
from python_fallback.shared.framing.errors import Incomplete

__all__ = ["Unpacker"]

MAX_BUFFER = 100 * 1024 * 1024


class Unpacker:
    """Takes bytes and gives messages; the public package documents it.

    The bytes of a message are walked over once, as they come; it is built when all of it is there.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_busy",
        "_engine",
        "_max_buffer_size",
        "_offset",
        "_options",
        "_read",
        "_read_size",
        "_start",
        "_walker",
    )

    def __init__(
        self, file_like: Any = None, *, read_size: Any = 0, max_buffer_size: Any = MAX_BUFFER, **options: Any
    ) -> None:
        if getattr(self, "_busy", False):
            self._enter()
        self._busy = False
        self._options = named("Unpacker", options, unpack_options)
        self._max_buffer_size = check_int("max_buffer_size", max_buffer_size, 0, 2**63 - 1) or 2**31 - 1
        read_size = check_int("read_size", read_size, 0, self._max_buffer_size)
        self._read_size = read_size or min(self._max_buffer_size, 16 * 1024)
        self._read = None
        if file_like is not None:
            self._read = getattr(file_like, "read", None)
            if not callable(self._read):
                raise TypeError(f"file_like: expected an object with a read method, got {type(file_like).__name__}")
        self._engine = Engine(self._options)
        self._buffer = bytearray()
        self._start = 0  # of the message that comes next
        self._offset = 0  # of that message in the whole stream
        self._next_message()

    def feed(self, data: Any) -> None:
        self._enter()
        try:
            if self._read is not None:
                raise TypeError("feed: expected an Unpacker without file_like")
            self._append(as_bytes("data", data))
        finally:
            self._busy = False

    def unpack(self) -> Any:
        self._enter()
        try:
            message = self._take(self._walk())
            return self._engine.build(message)
        finally:
            self._busy = False

    def skip(self) -> None:
        self._enter()
        try:
            self._take(self._walk())
        finally:
            self._busy = False

    def read_bytes(self, n: Any) -> bytes:
        self._enter()
        try:
            n = check_int("n", n, 0, 2**63 - 1)
            while self._waiting() < n and self._more():
                pass
            return self._take(min(n, self._waiting()))
        finally:
            self._busy = False

    def read_array_header(self) -> int:
        return self._read_header("an array", 0x90, 0xDC)

    def read_map_header(self) -> int:
        return self._read_header("a map", 0x80, 0xDE)

    def tell(self) -> int:
        return self._offset

    def __iter__(self) -> Unpacker:
        return self

    def __next__(self) -> Any:
        try:
            return self.unpack()
        except OutOfData:
            raise StopIteration from None

    def _enter(self) -> None:
        if self._busy:
            raise RuntimeError("Unpacker: expected no call while another is at work, from a hook or a thread")
        self._busy = True

    def _next_message(self) -> None:
        self._walker = Walker(self._options)

    def _waiting(self) -> int:
        return len(self._buffer) - self._start

    def _append(self, data: bytes) -> None:
        waiting = self._waiting() + len(data)
        if waiting > self._max_buffer_size:
            raise BufferFull(f"max_buffer_size: expected at most {self._max_buffer_size} bytes waiting, got {waiting}")
        del self._buffer[: self._start]
        self._start = 0
        self._buffer += data

    def _more(self) -> bool:
        """Read on, if there is something to read from; False at its end."""
        if self._read is None:
            return False
        room = self._max_buffer_size - self._waiting()
        if room == 0:
            raise BufferFull(f"max_buffer_size: expected a message that fits {self._max_buffer_size} bytes, got more")
        data = self._read(min(self._read_size, room))
        self._append(as_bytes("file_like", data))
        return len(data) > 0

    def _walk(self) -> int:
        """The length of the next message, all of which is there."""
        while True:
            with memoryview(self._buffer) as whole, whole[self._start :] as data:
                try:
                    return self._walker.walk(data, self._max_buffer_size)
                except Incomplete:
                    pass
            if not self._more():
                raise OutOfData(f"data: expected a whole message, got {self._waiting()} bytes of one")

    def _take(self, n: int) -> bytes:
        """The next `n` bytes, which are then done with."""
        taken = bytes(self._buffer[self._start : self._start + n])
        self._start += n
        self._offset += n
        self._next_message()
        return taken

    def _read_header(self, kind: str, short: int, long: int) -> int:
        self._enter()
        try:
            size = 1
            while True:
                while self._waiting() < size:
                    if not self._more():
                        raise OutOfData(f"data: expected a whole header, got {self._waiting()} bytes of one")
                head = self._buffer[self._start]
                if head & 0xF0 != short and head not in (long, long + 1):
                    raise ValueError(f"data: expected {kind}, got header 0x{head:02x}")
                if head & 0xF0 == short:
                    break
                if size > 1:
                    break
                size = 1 + struct.calcsize(LENGTH[head])
            n = head & 0x0F
            if size > 1:
                n = int.from_bytes(self._buffer[self._start + 1 : self._start + size], "big")
            self._check_header(kind, n)
            self._take(size)
            return n
        finally:
            self._busy = False

    def _check_header(self, kind: str, n: int) -> None:
        name, most = "max_array_len", self._options.max_array_len
        if kind == "a map":
            name, most = "max_map_len", self._options.max_map_len
        if n > most:
            raise ValueError(f"{name}: expected a length of at most {most} at byte 0, got {n}")
