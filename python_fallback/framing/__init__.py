"""The readable twin of message framing: msgpack as the ``msgpack`` package writes it, in WebSocket frames."""

from __future__ import annotations

from python_fallback.framing.decode import message_size, unpackb
from python_fallback.framing.encode import frame, packb
from python_fallback.framing.fanout import Fanout
from python_fallback.framing.packer import Packer
from python_fallback.framing.rows import RowPacker
from python_fallback.framing.unpacker import Unpacker
from python_fallback.shared.framing.websocket_frame import frame_packed

__all__ = ["Fanout", "Packer", "RowPacker", "Unpacker", "frame", "frame_packed", "message_size", "packb", "unpackb"]
