"""The envelope: a head with a version, one msgpack body, and the raw data of arrays.

``b"\\xfcT"``, version, serializer, number of buffers (u32), their lengths (u64 each), body, buffers. Arrays lie
outside of the body so that they are copied once on the way out and once on the way in, however deeply they are nested.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from fastcore.tasks.codec.errors import CodecError

__all__ = ["VERSION", "Message", "join", "overhead", "split"]

VERSION = 1
_MAGIC = b"\xfcT"
_HEAD = struct.Struct(">2sBcI")

# The head of most messages, which have no buffers: neither packed nor unpacked for each.
_PLAIN = {_HEAD.pack(_MAGIC, VERSION, serializer, 0): serializer for serializer in (b"m", b"p")}
_HEADS = {serializer: head for head, serializer in _PLAIN.items()}

Buffer = bytes | memoryview


class Message(NamedTuple):
    """A message split into its parts; nothing in it is decoded."""

    serializer: bytes
    body: memoryview
    buffers: list[memoryview]


def overhead(buffers: int) -> int:
    """Return the bytes a message has apart from its body and its buffers."""
    return _HEAD.size + 8 * buffers


def join(serializer: bytes, body: bytes, buffers: Sequence[Buffer]) -> bytes:
    """Return the message."""
    if not buffers and serializer in _HEADS:
        return _HEADS[serializer] + body
    lengths = struct.pack(f">{len(buffers)}Q", *(len(buffer) for buffer in buffers))
    return b"".join((_HEAD.pack(_MAGIC, VERSION, serializer, len(buffers)), lengths, body, *buffers))


def split(data: bytes | bytearray | memoryview) -> Message:
    """Split a message into its parts.

    Raises
    ------
    CodecError
        If it is none, of a later version, or not as long as it says.
    """
    view = memoryview(data)
    plain = _PLAIN.get(bytes(data[: _HEAD.size]))
    if plain is not None:
        return Message(plain, view[_HEAD.size :], [])
    if len(view) < _HEAD.size:
        raise CodecError(f"message: expected at least {_HEAD.size} bytes, got {len(view)}")
    magic, version, serializer, count = _HEAD.unpack_from(view)
    if magic != _MAGIC:
        raise CodecError(f"message: expected to begin with {_MAGIC!r}, got {magic!r}")
    if version != VERSION:
        raise CodecError(f"message: expected version {VERSION}, got {version}: written by another release of fastcore")
    start = overhead(count)
    if start > len(view):
        raise CodecError(f"message: expected {count} buffers, got {len(view)} bytes")
    lengths = struct.unpack_from(f">{count}Q", view, _HEAD.size)
    body = len(view) - start - sum(lengths)
    if body < 0:
        raise CodecError(f"message: expected buffers of {sum(lengths)} bytes, got {len(view) - start}")
    buffers = []
    at = start + body
    for length in lengths:
        buffers.append(view[at : at + length])
        at += length
    return Message(serializer, view[start : start + body], buffers)
