"""The stream: who subscribed to what, and one text a bar for each client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from examples.market_desk.data.market import Market, Quote

__all__ = ["Connections", "stream_routes"]

TIMEOUT = 5.0  # seconds after which a client that does not read is dropped


class Connections:
    """The clients of the stream.

    Attributes
    ----------
    sent, bytes : int
        Prices sent so far, and the bytes of their texts.
    """

    def __init__(self) -> None:
        self._clients: dict[WebSocket, tuple[str, ...]] = {}
        self.sent = self.bytes = 0

    def __len__(self) -> int:
        return len(self._clients)

    async def serve(self, socket: WebSocket, symbols: tuple[str, ...]) -> None:
        """Keep a client until it leaves."""
        await socket.accept()
        self._clients[socket] = symbols
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            self._clients.pop(socket, None)

    async def broadcast(self, quotes: Sequence[Quote]) -> None:
        """Send each client the prices that it asked for, as a JSON list."""
        texts = {quote.symbol: json.dumps(quote._asdict(), separators=(",", ":")) for quote in quotes}
        await asyncio.gather(*(self._send(client, names, texts) for client, names in list(self._clients.items())))

    async def _send(self, client: WebSocket, names: tuple[str, ...], texts: dict[str, str]) -> None:
        text = f"[{','.join([texts[name] for name in names])}]"
        try:
            async with asyncio.timeout(TIMEOUT):
                await client.send_text(text)
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            self._clients.pop(client, None)
            return
        self.sent += len(names)
        self.bytes += len(text)


def stream_routes(connections: Connections, market: Market) -> APIRouter:
    """Return the WebSocket endpoint: ``/stream?topics=prices.AAPL,prices.IBM``."""
    router = APIRouter()

    @router.websocket("/stream")
    async def stream(socket: WebSocket, topics: str) -> None:
        symbols = tuple(topic.removeprefix("prices.") for topic in topics.split(","))
        if any(symbol not in market.origin for symbol in symbols):
            await socket.close(1008, "unknown topic")
            return
        await connections.serve(socket, symbols)

    return router
