"""Message framing: objects to msgpack and to WebSocket frames, which all clients share.

::

    data = packb({"symbol": "AAPL", "price": 187.2})      # as the msgpack package writes it
    unpackb(data, max_depth=8, max_memory=1 << 20)        # bounded, for bytes from outside
    frame(obj), frame(obj, compress=True)                 # one whole WebSocket frame, ready for any client
"""

from __future__ import annotations

from msgpack import BufferFull, ExtType, FormatError, OutOfData, StackError, Timestamp

from fastcore.framing.fanout import SLOW, Closing, Fanout, FanoutStats, Subscription
from fastcore.framing.functions import frame, frame_packed, packb, unpackb
from fastcore.framing.rows import RowPacker
from fastcore.framing.streams import Packer, Unpacker
from python_fallback.shared.framing.errors import ExtraData, Incomplete

__all__ = [
    "SLOW",
    "BufferFull",
    "Closing",
    "ExtType",
    "ExtraData",
    "Fanout",
    "FanoutStats",
    "FormatError",
    "Incomplete",
    "OutOfData",
    "Packer",
    "RowPacker",
    "StackError",
    "Subscription",
    "Timestamp",
    "Unpacker",
    "frame",
    "frame_packed",
    "packb",
    "unpackb",
]
