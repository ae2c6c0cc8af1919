"""The protocol in JSON: what the hub has framed as msgpack, written as text once for all who want text."""

from __future__ import annotations

import base64
import json
import logging
import math
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

from fastcore.framing import Timestamp, Unpacker, frame_packed
from fastcore.streaming import messages

__all__ = ["SUBPROTOCOL", "Memo", "frames", "payloads", "texts", "to_json", "values"]

SUBPROTOCOL: Final = "fastcore.v1.json"

T = TypeVar("T")

_log = logging.getLogger("fastcore.streaming")


class Memo(Generic[T]):
    """Remembers the JSON of the newest payloads, so that many clients share it; cleared when full."""

    def __init__(self, make: Callable[..., T], limit: int = 8 << 20) -> None:
        self._make = make
        self._limit = limit
        self._size = 0
        self._made: dict[Any, T] = {}

    def __call__(self, payload: bytes, *more: Any) -> T:
        key = (payload, *more)
        made = self._made.get(key)
        if made is None:
            made = self._make(payload, *more)
            self._size += 200 + 3 * len(payload)  # as far as it can be told
            if self._size > self._limit:
                self._made.clear()
                self._size = 0
            self._made[key] = made
        return made


def payloads(data: bytes) -> Iterable[bytes]:
    """The payloads of whole, unmasked frames, one after the other."""
    at, end = 0, len(data)
    while at < end:
        length = data[at + 1]
        at += 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        yield data[at : at + length]
        at += length


def values(payload: bytes) -> list[Any]:
    """The messages that a payload holds."""
    unpacker = Unpacker(strict_map_key=False, max_buffer_size=max(len(payload), 1))
    unpacker.feed(payload)
    return list(unpacker)


def to_json(value: Any) -> str:
    """Return a value of msgpack as JSON without spaces.

    bytes become base64, timestamps ISO 8601 in UTC, NaN and infinities null, other extension types
    ``[code, base64]``, keys of maps str.
    """
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_other)
    except (ValueError, TypeError):  # a NaN, or a key that is no str
        return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _other(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, Timestamp):
        try:
            text = value.to_datetime().strftime("%Y-%m-%dT%H:%M:%S")
        except (ValueError, OverflowError):  # beyond the years of datetime
            return value.seconds
        fraction = f".{value.nanoseconds:09d}".rstrip("0").rstrip(".")
        return f"{text}{fraction}Z"
    raise TypeError(f"expected a value of msgpack, got {type(value).__name__}")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _key(key): _plain(one) for key, one in value.items()}
    return _other(value)


def _key(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else to_json(plain)


def _texts(payload: bytes) -> tuple[str, ...]:
    try:
        return tuple(map(to_json, values(payload)))
    except Exception:
        _log.exception("a message could not be written as JSON")
        return (to_json([messages.ERROR, 0, messages.BAD_MESSAGE, "a message could not be written as JSON"]),)


texts = Memo(_texts)
"""The messages of a payload, each as JSON."""


def _frames(payload: bytes) -> bytes:
    return b"".join(frame_packed(text.encode(), text=True) for text in _texts(payload))


frames = Memo(_frames)
"""The messages of a payload, each as a WebSocket text frame."""
