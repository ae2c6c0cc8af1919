"""A WebSocket client that costs as little as it can: it notes when bytes came, and reads them afterwards.

A thousand of these share one process with the measurement, so the full protocol of a library would be what is
measured. The frames are still checked: opcode, length, msgpack, topic, and that no message of a topic is missing. Both
endpoints are understood: the plain messages of the original, and the hub's protocol.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import time
from collections import deque
from typing import Any, cast

from examples.market_desk.wire import HEARTBEAT, Reader

__all__ = ["ProtocolError", "TickClient", "connect"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10

Arrival = tuple[int, "TickClient", bytes]


class ProtocolError(Exception):
    """The server sent what it must not."""


class TickClient(asyncio.Protocol):
    """One connection.

    Parameters
    ----------
    path : str
        What to ask for.
    topics : tuple of str
        The topics that `path` subscribes to.
    inbox : deque
        Receives (perf_counter_ns, this client, bytes) as they come.
    """

    def __init__(self, path: str, topics: tuple[str, ...], inbox: deque[Arrival]) -> None:
        self.topics = topics
        self.closed = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.newest: dict[str, int] = {}
        self._path = path
        self._reader = Reader()
        self._inbox = inbox
        self._open = False
        self._rest = b""
        self._key = base64.b64encode(os.urandom(16))
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast(asyncio.Transport, transport)
        host = "{}:{}".format(*transport.get_extra_info("peername"))
        self._transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {self._key.decode()}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Note the time; everything else can wait."""
        if self._open:
            self._inbox.append((time.perf_counter_ns(), self, data))
        else:
            self._upgrade(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Store it, and wake the waiter for the upgrade."""
        self.closed = True
        if not self.ready.done():
            self.ready.set_exception(exc or ProtocolError("the server closed the connection before the upgrade"))

    def close(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _upgrade(self, data: bytes) -> None:
        self._rest += data
        head, end, rest = self._rest.partition(b"\r\n\r\n")
        if not end:
            return
        accept = base64.b64encode(hashlib.sha1(self._key + GUID).digest())
        status = head.split(b"\r\n", 1)[0].decode("latin-1")
        if " 101 " not in f"{status} " or accept not in head:
            self.ready.set_exception(ProtocolError(f"upgrade: expected 101, got {status!r}"))
            self.close()
            return
        self._open, self._rest = True, b""
        self.ready.set_result(None)
        if rest:
            self._inbox.append((time.perf_counter_ns(), self, rest))

    def read(self, data: bytes) -> list[dict[str, Any]]:
        """Return the messages that `data` completes; partial frames wait for their rest.

        Raises
        ------
        ProtocolError
            If it is not a sequence of whole, unmasked binary frames of msgpack maps, or a message is missing.
        """
        data = self._rest + data if self._rest else data
        found, at, size = [], 0, len(data)
        while size - at >= 2:
            opcode, length, start = data[at] & 0x0F, data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            elif length == 127:
                length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            elif length > 127:
                raise ProtocolError("frame: expected an unmasked one, got a masked one")
            if start + length > size:
                break
            payload, whole, at = data[start : start + length], data[at] & 0xF0 == 0x80, start + length
            if not whole:
                raise ProtocolError("frame: expected FIN and no reserved bit")
            if opcode == BINARY:
                found += self._messages(payload)
            elif opcode == PING:
                self._send(0x80 | PONG, payload)
            elif opcode == CLOSE:
                self.close()
            else:
                raise ProtocolError(f"frame: expected a binary one, got opcode {opcode}")
        self._rest = data[at:]
        return found

    def _messages(self, payload: bytes) -> list[dict[str, Any]]:
        try:
            messages = self._reader.read(payload)
        except ValueError as error:
            raise ProtocolError(str(error)) from error
        while self._reader.pinged:
            self._reader.pinged -= 1
            self._send(0x80 | BINARY, HEARTBEAT)
        for message in messages:
            self._check(message["topic"], message["seq"])
        return messages

    def _check(self, topic: str, seq: int) -> None:
        if topic not in self.topics:
            raise ProtocolError(f"message: expected one of {self.topics}, got {topic!r}")
        expected = self.newest.get(topic, seq - 1) + 1
        if seq != expected:
            raise ProtocolError(f"message: expected number {expected} of {topic}, got {seq}")
        self.newest[topic] = seq

    def _send(self, first: int, payload: bytes) -> None:
        if self._transport is not None:  # a mask of zeros leaves the payload as it is
            self._transport.write(bytes((first, 0x80 | len(payload), 0, 0, 0, 0)) + payload)


async def connect(port: int, topics: tuple[str, ...], inbox: deque[Arrival]) -> TickClient:
    """Return a client of the server on loopback that has completed its handshake."""
    path = f"/stream?topics={','.join(topics)}"
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: TickClient(path, topics, inbox), "127.0.0.1", port)
    await client.ready
    return client
