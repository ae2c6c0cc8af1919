"""The hub: a message, and a tick of ten, to two hundred clients of an ASGI server that writes nowhere."""

from __future__ import annotations

import asyncio
import atexit
import functools
from typing import Any

from benchmarks.features import Skipped, cpu_timer, feature, needs

timer = cpu_timer

Hub = feature("fastcore.streaming:Hub")
QUOTE = {"symbol": "AAPL", "ts": 1_700_000_000_000, "price": 187.25, "volume": 1200, "venue": "x" * 80}
CLIENTS = 200
TURNS = 10_000  # of the loop, until all clients have subscribed


class Crowd:
    """A hub with `CLIENTS` clients that subscribe to all prices, and how many messages they were sent."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.hub = Hub()
        self.sent = 0
        self.loop.run_until_complete(self._connect())
        atexit.register(self.close)

    def close(self) -> None:
        """Let the clients end, each of which would complain that its loop is closed."""
        for task in self._tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self.loop.close()

    async def _connect(self) -> None:
        self._tasks = [asyncio.ensure_future(self._client(number)) for number in range(CLIENTS)]
        for _ in range(TURNS):
            if self.hub.subscribers("prices.AAPL") == CLIENTS:
                return
            await asyncio.sleep(0)
        raise Skipped("the hub of this commit lets these clients in only by other rules")

    async def _client(self, number: int) -> None:
        connected = False

        async def receive() -> dict[str, Any]:
            nonlocal connected
            if not connected:
                connected = True
                return {"type": "websocket.connect"}
            await asyncio.Event().wait()
            return {"type": "websocket.disconnect", "code": 1000}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "websocket.send":
                self.sent += 1

        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": "/stream",
            "raw_path": b"/stream",
            "root_path": "",
            "query_string": b"topics=prices.*",
            "headers": [(b"host", b"bench")],
            "client": (f"10.0.{number // 250}.{number % 250}", 1),
            "server": ("bench", 80),
            "subprotocols": [],
            "extensions": {},
        }
        await self.hub.asgi(scope, receive, send)

    def publish(self, messages: int) -> None:
        """Publish, and let the loop run until every client has been sent all of it."""
        self.loop.run_until_complete(self._publish(messages))

    async def _publish(self, messages: int) -> None:
        wanted = self.sent + messages * CLIENTS
        for key in range(messages):
            self.hub.publish("prices.AAPL", QUOTE, key=key)
        while self.sent < wanted:
            await asyncio.sleep(0)


@functools.cache
def crowd() -> Crowd:
    return Crowd()


@needs(Hub)
def time_publish_to_200_clients() -> None:
    crowd().publish(1)


@needs(Hub)
def time_publish_ten_to_200_clients() -> None:
    crowd().publish(10)


@functools.cache
def empty() -> Any:
    return Hub()


@needs(Hub)
def time_publish_1000_to_no_client() -> None:
    hub = empty()
    for key in range(1_000):
        hub.publish("prices.AAPL", QUOTE, key=key)
