"""A packer that keeps its options."""

from __future__ import annotations

from typing import Any

from msgpack import ExtType

from python_fallback.framing.encode import MAX_LENGTH, Encoder, array_header, ext, map_header
from python_fallback.framing.options import named, pack_options
from python_fallback.shared.framing.checks import check_int

__all__ = ["Packer"]


class Packer:
    """Packs objects by one set of options; the public package documents it."""

    __slots__ = ("__weakref__", "_autoreset", "_buffer", "_encoder")

    def __init__(self, *, autoreset: Any = True, buf_size: Any = None, **options: Any) -> None:
        self._encoder = Encoder(named("Packer", options, pack_options))
        self._autoreset = bool(autoreset)
        self._buffer = bytearray()
        if buf_size is not None:
            check_int("buf_size", buf_size, 0, 2**63 - 1)

    def pack(self, obj: Any) -> Any:
        return self._give(self._encoder.encode(obj))

    def pack_map_pairs(self, pairs: Any) -> Any:
        out = bytearray()
        self._encoder.write_pairs(list(pairs), out, self._encoder.deeper(self._encoder.options.max_depth))
        return self._give(bytes(out))

    def pack_array_header(self, size: Any) -> Any:
        return self._give(array_header(check_int("size", size, 0, MAX_LENGTH)))

    def pack_map_header(self, size: Any) -> Any:
        return self._give(map_header(check_int("size", size, 0, MAX_LENGTH)))

    def pack_ext_type(self, typecode: Any, data: Any) -> Any:
        if not isinstance(data, bytes):
            raise TypeError(f"data: expected bytes, got {type(data).__name__}")
        return self._give(ext(ExtType(check_int("typecode", typecode, 0, 127), data)))

    def bytes(self) -> bytes:
        return bytes(self._buffer)

    def getbuffer(self) -> memoryview:
        return memoryview(self._buffer).toreadonly()

    def reset(self) -> None:
        self._buffer = bytearray()  # a buffer handed out by getbuffer() stays as it is

    def _give(self, data: Any) -> Any:
        if self._autoreset:
            return data
        self._buffer += data
        return None
