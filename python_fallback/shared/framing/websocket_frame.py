"""WebSocket frames (RFC 6455) around messages, plain or deflated (RFC 7692) without context takeover."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from python_fallback.shared.framing.checks import check_int

__all__ = ["deflate", "frame_packed", "wrap"]

TEXT, BINARY = 0x1, 0x2
FIN, RSV1 = 0x80, 0x40
TAIL = b"\x00\x00\xff\xff"


def frame_packed(
    payload: Any, compress: Any = False, *, text: Any = False, level: Any = 6, wbits: Any = 12, threshold: Any = 256
) -> bytes:
    """One whole unmasked frame around bytes that are ready."""
    try:
        data = payload if type(payload) is bytes else memoryview(payload).tobytes()
    except TypeError:
        raise TypeError(f"payload: expected a bytes-like object, got {type(payload).__name__}") from None
    opcode = TEXT if text else BINARY
    if compress:
        small = deflate(data, level, wbits, threshold)
        if small is not None:
            return b"".join(wrap(small, opcode | RSV1))
    return b"".join(wrap(data, opcode))


def wrap(payload: bytes, head: int) -> tuple[bytes, bytes]:
    """Header and payload of a frame."""
    n = len(payload)
    if n < 126:
        return bytes((FIN | head, n)), payload
    if n <= 0xFFFF:
        return struct.pack(">BBH", FIN | head, 126, n), payload
    return struct.pack(">BBQ", FIN | head, 127, n), payload


def deflate(data: bytes, level: Any, wbits: Any, threshold: Any) -> bytes | None:
    """The payload of a compressed frame; None where it would not be smaller, or `data` is under the threshold."""
    check_int("level", level, 0, 9)
    check_int("wbits", wbits, 9, 15)  # zlib has no raw deflate with a window of 8 bits
    check_int("threshold", threshold, 0, 2**63 - 1)
    if len(data) < threshold:
        return None
    deflater = zlib.compressobj(level, zlib.DEFLATED, -wbits, min(wbits - 6, 9))
    small = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return small[: -len(TAIL)] if len(small) - len(TAIL) < len(data) else None
