"""The optimised fan-out: a message is framed once, and every client of the same topics is given the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from fastapi import WebSocket, WebSocketDisconnect

from examples.market_desk.connection_manager import ConnectionManager, Message
from fastcore.framing import frame, packb
from fastcore.streaming.uvicorn import HubProtocol

__all__ = ["SharedFrameProtocol", "SharedFrames"]

EXTENSION = "market_desk.connection"
BURST = 256  # writes between two turns of the event loop: about 2 ms


class SharedFrameProtocol(HubProtocol):
    """The hub's WebSocket protocol, which also shows the application the connection it runs on.

    Handshake, ping, pong, close and fragments stay with the ``websockets`` core underneath.
    """

    async def run_asgi(self) -> None:
        """Run the application with this connection in its scope."""
        extensions = cast(dict[str, Any], self.scope["extensions"])
        extensions[EXTENSION] = self
        await super().run_asgi()

    def is_open(self) -> bool:
        """Whether a frame may be written: after the handshake and before any close frame."""
        return self.handshake_complete and not self.close_sent and not self.transport.is_closing()


class SharedFrames:
    """Broadcasts over the subscriptions of a `ConnectionManager`.

    Parameters
    ----------
    manager : ConnectionManager
    limit : int, default 1 MiB
        A client with more unsent bytes than this is disconnected, so that one stuck reader cannot fill the memory.

    Attributes
    ----------
    closed_slow : int
        Clients disconnected for not reading.
    """

    def __init__(self, manager: ConnectionManager, limit: int = 1 << 20) -> None:
        self._manager = manager
        self._limit = limit
        self._version = -1
        self._groups: list[tuple[frozenset[str], list[tuple[WebSocket, SharedFrameProtocol | None]]]] = []
        self.closed_slow = 0

    async def broadcast(self, messages: Sequence[tuple[str, Message]]) -> None:
        """Send `messages`: one write for each client, of bytes shared by all clients with its topics."""
        frames = [(topic, frame(message)) for topic, message in messages]
        written = 0
        for topics, clients in self._current_groups():
            wanted = [data for topic, data in frames if topic in topics]
            if not wanted:
                continue
            data = b"".join(wanted)
            for client, connection in clients:
                if connection is None:
                    await self._send_plain(client, [message for topic, message in messages if topic in topics])
                elif connection.is_open():
                    connection.transport.write(data)
                    self._manager.sent += len(wanted)
                    if connection.transport.get_write_buffer_size() > self._limit:
                        self._drop(client, connection)
                written += 1
                if written % BURST == 0:
                    await asyncio.sleep(0)

    def _current_groups(self) -> list[tuple[frozenset[str], list[tuple[WebSocket, SharedFrameProtocol | None]]]]:
        if self._version != self._manager.version:
            groups: dict[frozenset[str], list[tuple[WebSocket, SharedFrameProtocol | None]]] = {}
            for client, topics in self._manager.subscriptions.items():
                connection = client.scope["extensions"].get(EXTENSION)
                groups.setdefault(topics, []).append((client, connection))
            self._groups, self._version = list(groups.items()), self._manager.version
        return self._groups

    async def _send_plain(self, client: WebSocket, messages: Sequence[Message]) -> None:
        """Send through ASGI: what is left under a server whose connections cannot be reached."""
        try:
            for message in messages:
                await client.send_bytes(packb(message))
                self._manager.sent += 1
        except (WebSocketDisconnect, RuntimeError):
            self._manager.unsubscribe(client)

    def _drop(self, client: WebSocket, connection: SharedFrameProtocol) -> None:
        self._manager.unsubscribe(client)
        self.closed_slow += 1
        connection.transport.abort()
