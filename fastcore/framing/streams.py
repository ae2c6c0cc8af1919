"""Packer and Unpacker: options kept, and messages out of a stream however it is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

from fastcore.dispatch.twins import Twin

__all__ = ["Packer", "Unpacker"]


class Readable(Protocol):
    """What an Unpacker reads from."""

    def read(self, n: int, /) -> bytes: ...


class Packer(metaclass=Twin, path="framing"):
    """Packs objects by options given once.

    Parameters
    ----------
    default, use_single_float, use_bin_type, strict_types, datetime, unicode_errors, numpy, decimal, max_depth
        As for :func:`packb`.
    autoreset : bool, default True
        Return what is packed. Without it every call appends to a buffer, see :meth:`bytes`, and returns None; one that
        raises appends nothing.
    buf_size : int, optional
        Accepted for the sake of the msgpack package, and without effect.

    Examples
    --------
    >>> Packer(decimal="str").pack([1, 2]).hex()
    '920102'
    """

    def __init__(
        self,
        *,
        default: Callable[[Any], Any] | None = None,
        use_single_float: bool = False,
        autoreset: bool = True,
        use_bin_type: bool = True,
        strict_types: bool = False,
        datetime: bool = False,
        unicode_errors: str | None = None,
        buf_size: int | None = None,
        numpy: bool = False,
        decimal: Literal["str", "float"] | None = None,
        max_depth: int = 128,
    ) -> None: ...

    def pack(self, obj: Any) -> Any:
        """Pack an object."""

    def pack_map_pairs(self, pairs: Iterable[tuple[Any, Any]]) -> Any:
        """Pack pairs of key and value as a map."""

    def pack_array_header(self, size: int) -> Any:
        """Pack the header of an array whose items follow."""

    def pack_map_header(self, size: int) -> Any:
        """Pack the header of a map whose keys and values follow, in turn."""

    def pack_ext_type(self, typecode: int, data: bytes) -> Any:
        """Pack an extension with a code in 0..127."""

    def bytes(self) -> bytes:  # type: ignore[empty-body]
        """Return what is in the buffer, without `autoreset`."""

    def getbuffer(self) -> memoryview:  # type: ignore[empty-body]
        """Return a view of the buffer; while there is one, packing more raises BufferError."""

    def reset(self) -> None:
        """Empty the buffer."""


class Unpacker(metaclass=Twin, path="framing"):
    """Reads messages from a stream of bytes, however it is split.

    The bytes of a message are looked at once, as they come, and limits are applied as soon as a header tells of an
    excess; nothing is built before the message is whole. A message that is not msgpack or beyond a limit raises, again
    and again: there is no telling where the next one begins. One that raises in building (a hook's error, a str that
    is not UTF-8) is skipped.

    Parameters
    ----------
    file_like : object with a read method, optional
        Where to read from; without it, :meth:`feed` brings the bytes.
    read_size : int, default 0
        How much to ask of `file_like` at once; 0 is 16 KiB.
    max_buffer_size : int, default 100 MiB
        Most bytes that may wait to be unpacked, and so the longest message; 0 is 2 GiB.
    **options
        As for :func:`unpackb`.

    Examples
    --------
    >>> unpacker = Unpacker()
    >>> unpacker.feed(b"\\x92\\x01")
    >>> list(unpacker)
    []
    >>> unpacker.feed(b"\\x02\\x03")
    >>> list(unpacker)
    [[1, 2], 3]
    """

    def __init__(
        self,
        file_like: Readable | None = None,
        *,
        read_size: int = 0,
        max_buffer_size: int = 100 * 1024 * 1024,
        use_list: bool = True,
        raw: bool = False,
        timestamp: Literal[0, 1, 2, 3] = 0,
        strict_map_key: bool = True,
        object_hook: Callable[[dict[Any, Any]], Any] | None = None,
        object_pairs_hook: Callable[[list[tuple[Any, Any]]], Any] | None = None,
        list_hook: Callable[[Any], Any] | None = None,
        ext_hook: Callable[[int, bytes], Any] | None = None,
        unicode_errors: str | None = None,
        max_str_len: int | None = None,
        max_bin_len: int | None = None,
        max_array_len: int | None = None,
        max_map_len: int | None = None,
        max_ext_len: int | None = None,
        max_depth: int = 128,
        max_memory: int | None = None,
    ) -> None: ...

    def feed(self, data: Any) -> None:
        """Add bytes.

        Raises
        ------
        BufferFull
            If more than `max_buffer_size` would wait.
        """

    def unpack(self) -> Any:
        """Return the next message.

        Raises
        ------
        OutOfData
            If it is not whole yet. Nothing is lost.
        RuntimeError
            If called from one of its own hooks, or by two threads at once.
        """

    def skip(self) -> None:
        """Pass over the next message without building it."""

    def read_bytes(self, n: int) -> bytes:  # type: ignore[empty-body]
        """Return up to `n` bytes as they are."""

    def read_array_header(self) -> int:  # type: ignore[empty-body]
        """Return the length of the array that comes next; its items can then be unpacked one by one."""

    def read_map_header(self) -> int:  # type: ignore[empty-body]
        """Return the length of the map that comes next; its keys and values can then be unpacked one by one."""

    def tell(self) -> int:  # type: ignore[empty-body]
        """Return the position in the stream of the message that comes next."""

    def __iter__(self) -> Unpacker:  # type: ignore[empty-body]
        """Messages as long as there are whole ones; may be asked again after more was fed."""

    def __next__(self) -> Any: ...
