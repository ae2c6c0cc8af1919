"""The head of an answer and its body in one write: uvicorn makes two, each a call of the system and a packet."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["JoinedWrites"]


_COPIED = 1 << 14  # bytes of a body that are copied behind the head; of a larger one the system takes both


class JoinedWrites:
    """A transport that keeps the head of an answer until what follows is written, or until the turn of the loop ends.

    Parameters
    ----------
    transport : asyncio.Transport
        Where everything goes.
    loop : asyncio.AbstractEventLoop
        The loop in which it is written.
    """

    __slots__ = ("_call_soon", "_head", "_write", "is_closing", "transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self.is_closing = transport.is_closing
        self._write = transport.write
        self._call_soon = loop.call_soon
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Write `data`, after the head that waits."""
        head = self._head
        if head is None:
            if data[:5] == b"HTTP/":
                self._head = data
                self._call_soon(self._end_turn)
            else:
                self._write(data)
            return
        self._head = None
        if len(data) <= _COPIED:
            self._write(head + data)
        else:
            self.transport.writelines((head, data))

    def writelines(self, lines: Any) -> None:
        """Write the lines as one."""
        self.write(b"".join(lines))

    def flush(self) -> None:
        """Write the head that waits."""
        if self._head is not None:
            self.write(b"")

    def close(self) -> None:
        """Close the transport once everything is written."""
        if not self.transport.is_closing():
            self.flush()
        self.transport.close()

    def abort(self) -> None:
        """Close the transport at once."""
        self._head = None
        self.transport.abort()

    def write_eof(self) -> None:
        """Close the sending side once everything is written."""
        self.flush()
        self.transport.write_eof()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait."""
        return self.transport.get_write_buffer_size() + len(self._head or b"")

    def _end_turn(self) -> None:
        if self._head is not None and not self.is_closing():
            self.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)
