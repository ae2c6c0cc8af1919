"""The walk through the objects: msgpack does its own types, everything else goes through a table of kinds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from fastcore.framing import ExtType, packb, unpackb
from fastcore.tasks.codec.errors import CodecError, Unserializable
from fastcore.tasks.codec.message import Buffer

__all__ = ["FINDERS", "Decoder", "Encoder", "Kind", "read", "register"]

MAX_DEPTH = 64  # levels of kinds within kinds; msgpack's own nesting has its own bound
_SMALL = 256  # bytes of array data that stay in the body: a buffer of its own would cost about as much
_MEMORY = 64  # bytes of objects that a byte of a body may become: a list of one-byte ints has 8 + 48


class Kind(NamedTuple):
    """One type: what stands for it in a message, and back."""

    code: int
    encode: Callable[[Any, Encoder], Any]
    decode: Callable[[Any, Decoder], Any]


BY_TYPE: dict[type, Kind] = {}
BY_CODE: dict[int, Kind] = {}
FINDERS: list[Callable[[type], Kind | None]] = []  # for families of types: enums, named tuples, numpy's scalars


def register(kind: Kind, *types: type) -> None:
    """Enter a kind and the exact types it is for."""
    BY_CODE[kind.code] = kind
    for one in types:
        BY_TYPE[one] = kind


_FAMILIES = {"numpy": "fastcore.tasks.codec.arrays", "pandas": "fastcore.tasks.codec.frames"}
_loaded: set[str] = set()


def _load(package: str) -> None:
    import importlib

    importlib.import_module(_FAMILIES[package])
    _loaded.add(package)


def read(data: bytes | bytearray | memoryview, ext_hook: Callable[[int, bytes], Any]) -> Any:
    """Return the value of some msgpack, within memory that its length speaks for."""
    return unpackb(
        data,
        ext_hook=ext_hook,
        strict_map_key=False,
        unicode_errors="surrogatepass",
        max_memory=_MEMORY * len(data) + 4096,
    )


class Encoder:
    """Encodes one message and its buffers."""

    __slots__ = ("_depth", "buffers", "object_bytes")

    def __init__(self) -> None:
        self.buffers: list[Buffer] = []
        self.object_bytes = 0  # of lists of objects that lie outside of the body
        self._depth = 0

    def body(self, value: Any) -> bytes:
        """Return a value as msgpack."""
        return packb(value, default=self._stand_in, strict_types=True, unicode_errors="surrogatepass")

    def data(self, buffer: Buffer) -> Any:
        """Put raw data into the message, and return what refers to it."""
        if len(buffer) <= _SMALL:
            return bytes(buffer)
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def objects(self, values: list[Any]) -> Any:
        """Put a list of many objects into the message, and return what refers to it."""
        packed = self.body(values)
        self.object_bytes += len(packed)
        return self.data(packed)

    def _stand_in(self, value: Any) -> ExtType:
        kind = BY_TYPE.get(type(value)) or _find(type(value))
        if kind is None:
            raise Unserializable(f"expected a type that can be stored, got {_name(type(value))}")
        if self._depth >= MAX_DEPTH:
            raise Unserializable(f"expected at most {MAX_DEPTH} levels of nesting, got more")
        self._depth += 1
        try:
            return ExtType(kind.code, self.body(kind.encode(value, self)))
        finally:
            self._depth -= 1


class Decoder:
    """Decodes one message. Each buffer may be used once, so that a short message cannot become a large one."""

    __slots__ = ("_buffers", "_depth", "_left")

    def __init__(self, buffers: list[memoryview], max_objects: int) -> None:
        self._left = max_objects
        self._buffers: list[memoryview | None] = list(buffers)
        self._depth = 0

    def body(self, data: bytes | bytearray | memoryview, *, whole: bool = False) -> Any:
        """Return the value of some msgpack; `whole`, of what is not part of another body."""
        if whole:
            self._left -= len(data)
            if self._left < 0:
                raise CodecError("message: expected fewer bytes besides the data of arrays, got more")
        return read(data, self._stands_for)

    def data(self, reference: Any) -> memoryview:
        """Return raw data that was put into the message."""
        if isinstance(reference, bytes):
            return memoryview(reference)
        if not isinstance(reference, int) or not 0 <= reference < len(self._buffers):
            raise CodecError(f"buffer: expected one of {len(self._buffers)}, got {reference!r:.40}")
        found = self._buffers[reference]
        if found is None:
            raise CodecError(f"buffer {reference}: expected to be used once, got it twice")
        self._buffers[reference] = None
        return found

    def objects(self, reference: Any) -> list[Any]:
        """Return a list of many objects that was put into the message."""
        values = self.body(self.data(reference), whole=True)
        if not isinstance(values, list):
            raise CodecError(f"buffer: expected a list, got {type(values).__name__}")
        return values

    def _stands_for(self, code: int, data: bytes) -> Any:
        kind = BY_CODE.get(code)
        if kind is None:
            kind = _find_code(code)
        if self._depth >= MAX_DEPTH:
            raise CodecError(f"message: expected at most {MAX_DEPTH} levels of nesting, got more")
        self._depth += 1
        try:
            return kind.decode(self.body(data), self)
        finally:
            self._depth -= 1


def _find(kind_of: type) -> Kind | None:
    for package in _FAMILIES:
        # Only a program that has imported the package can have made one of its objects.
        if package in sys.modules and package not in _loaded:
            _load(package)
            return BY_TYPE.get(kind_of) or _find(kind_of)
    for finder in FINDERS:
        kind = finder(kind_of)
        if kind is not None:
            return kind
    return None


def _find_code(code: int) -> Kind:
    if 32 <= code < 64 and not _loaded.issuperset(_FAMILIES):
        package = "numpy" if code < 48 else "pandas"
        if package not in _loaded:
            try:
                _load(package)
            except ImportError as error:
                raise CodecError(f"message: expected {package} to be importable, got {error}") from error
            return BY_CODE.get(code) or _find_code(code)
    raise CodecError(f"message: expected a known kind, got {code}")


def _name(kind_of: type) -> str:
    module = kind_of.__module__
    return kind_of.__qualname__ if module == "builtins" else f"{module}.{kind_of.__qualname__}"
