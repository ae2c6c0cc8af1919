"""Arguments and results of tasks as bytes: msgpack with the types of market data, or pickle where that is asked for."""

from __future__ import annotations

from fastcore.tasks.codec.codec import Codec
from fastcore.tasks.codec.errors import CodecError, TooLarge, Unserializable

__all__ = ["Codec", "CodecError", "TooLarge", "Unserializable"]
