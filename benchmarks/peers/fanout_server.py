"""One server of many clients, driven by `fanout.py`: it prints its port, then executes commands from its input.

Usage: ``python benchmarks/peers/fanout_server.py NAME [DEFLATE]``

``send TICKS MESSAGES SIZE`` sends that many messages to every client at each tick and answers with the processor time
used; ``pace TICKS PER_SECOND MESSAGES SIZE STUCK`` does so in real time, and says when so many clients took no more;
``memory`` and ``statistics`` are answered at once.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

GAP = 0.02  # seconds between ticks: the clients are done by then, so that no tick meets the one before
TOPIC = "prices"


def message(size: int, rng: random.Random) -> dict[str, Any]:
    """A quote of 141 bytes in msgpack, or rows of them up to `size`, stamped with the time."""
    quote = {"symbol": "AAPL", "price": rng.random(), "bid": rng.random(), "ask": rng.random(), "volume": 123456}
    body: dict[str, Any] = {"ts": time.monotonic(), **quote}
    if size <= 200:
        body["venue"] = "x" * (size - 86)
    else:
        body["rows"] = [
            {**quote, "price": round(100 * rng.random(), 2), "bid": 1.5, "ask": 2.5} for _ in range((size - 86) // 66)
        ]
    return body


def accept_key(request: bytes) -> bytes:
    key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    digest = hashlib.sha1(key.split(b":", 1)[1].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + base64.b64encode(digest)
        + b"\r\n\r\n"
    )


def framed(data: bytes) -> bytes:
    head = bytes((0x82, len(data))) if len(data) < 126 else b"\x82\x7e" + len(data).to_bytes(2, "big")
    return head + data


class Server:
    """What every contender can do: listen, and send some messages to all of its clients."""

    def __init__(self, deflate: bool) -> None:
        import msgpack

        self.deflate = deflate
        self.pack = msgpack.Packer().pack
        self.rng = random.Random(1)

    async def start(self) -> int:
        raise NotImplementedError

    async def tick(self, messages: int, size: int) -> None:
        raise NotImplementedError

    def statistics(self) -> dict[str, Any]:
        return {}


class BareSend(Server):
    """A loop of `socket.send`: the least that Python can do."""

    def __init__(self, deflate: bool) -> None:
        super().__init__(deflate)
        self.clients: list[socket.socket] = []

    async def start(self) -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.send(accept_key(client.recv(65536)))
            client.setblocking(False)
            self.clients.append(client)

    async def tick(self, messages: int, size: int) -> None:
        for _ in range(messages):
            data = framed(self.pack(message(size, self.rng)))
            for client in self.clients:
                client.send(data)


class TransportWrite(Server):
    """`transport.write` of a shared frame under uvloop."""

    async def start(self) -> int:
        clients = self.clients = []

        class Connection(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def data_received(self, data: bytes) -> None:
                if data.startswith(b"GET "):
                    self.transport.write(accept_key(data))
                    clients.append(self.transport)

            def connection_lost(self, error: Exception | None) -> None:
                clients.remove(self.transport)

        server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=1024)
        return int(server.sockets[0].getsockname()[1])

    async def tick(self, messages: int, size: int) -> None:
        for _ in range(messages):
            data = framed(self.pack(message(size, self.rng)))
            for client in self.clients:
                client.write(data)


class Websockets(Server):
    """`websockets.broadcast`, with its own compression if asked for."""

    async def start(self) -> int:
        from websockets.asyncio.server import serve

        self.clients: set[Any] = set()

        async def handler(connection: Any) -> None:
            self.clients.add(connection)
            try:
                await connection.wait_closed()
            finally:
                self.clients.discard(connection)

        compression = "deflate" if self.deflate else None
        self.server = await serve(
            handler, "127.0.0.1", 0, compression=compression, ping_interval=None, backlog=1024, max_queue=None
        )
        return int(next(iter(self.server.sockets)).getsockname()[1])

    async def tick(self, messages: int, size: int) -> None:
        from websockets.asyncio.server import broadcast

        for _ in range(messages):
            broadcast(self.clients, self.pack(message(size, self.rng)))


class Picows(Server):
    """picows: a frame for each client, built in Cython."""

    async def start(self) -> int:
        import picows

        self.kind = picows.WSMsgType.BINARY
        clients = self.clients = []

        class Listener(picows.WSListener):  # type: ignore[misc]
            def on_ws_connected(self, transport: Any) -> None:
                clients.append(transport)

            def on_ws_disconnected(self, transport: Any) -> None:
                clients.remove(transport)

        server = await picows.ws_create_server(lambda request: Listener(), "127.0.0.1", 0, backlog=1024)
        return int(server.sockets[0].getsockname()[1])

    async def tick(self, messages: int, size: int) -> None:
        for _ in range(messages):
            data = self.pack(message(size, self.rng))
            for client in self.clients:
                client.send(self.kind, data)


class Uvicorn(Server):
    """An ASGI application under uvicorn, in this loop."""

    ws: Any = "websockets-sansio"
    path = "/stream"

    def application(self) -> Any:
        raise NotImplementedError

    async def start(self) -> int:
        import uvicorn

        config = uvicorn.Config(
            self.application(),
            host="127.0.0.1",
            port=0,
            ws=self.ws,
            http="httptools",
            log_level="warning",
            ws_per_message_deflate=self.deflate,
            ws_ping_interval=None,
            ws_ping_timeout=None,
            lifespan="on",
            backlog=1024,
        )
        self.server = uvicorn.Server(config)
        self.task = asyncio.ensure_future(self.server.serve())
        while not self.server.started:
            await asyncio.sleep(0.01)
            if self.task.done():
                self.task.result()
        return int(self.server.servers[0].sockets[0].getsockname()[1])


class Starlette(Uvicorn):
    """`await websocket.send_bytes(...)` for each client."""

    def application(self) -> Any:
        from starlette.applications import Starlette as Application
        from starlette.routing import WebSocketRoute
        from starlette.websockets import WebSocket, WebSocketDisconnect

        self.clients: set[WebSocket] = set()

        async def endpoint(websocket: WebSocket) -> None:
            await websocket.accept()
            self.clients.add(websocket)
            try:
                while True:
                    await websocket.receive_bytes()
            except WebSocketDisconnect:
                pass
            finally:
                self.clients.discard(websocket)

        return Application(routes=[WebSocketRoute("/stream", endpoint)])

    async def tick(self, messages: int, size: int) -> None:
        for _ in range(messages):
            data = self.pack(message(size, self.rng))
            for client in list(self.clients):
                await client.send_bytes(data)


class FastcoreHub(Uvicorn):
    """`hub.publish(...)` under `fastcore.streaming.uvicorn:HubProtocol`."""

    ws = "fastcore.streaming.uvicorn:HubProtocol"

    def application(self) -> Any:
        from fastapi import FastAPI

        from fastcore.streaming import Hub, Limits

        options: dict[str, Any] = json.loads(os.environ.get("FANOUT_HUB", "{}"))
        self.hub = Hub(**{**options, "limits": Limits(**options.get("limits", {}))})
        app = FastAPI()
        self.hub.route(app, "/stream")
        return app

    async def tick(self, messages: int, size: int) -> None:
        for n in range(messages):
            self.hub.publish(TOPIC, message(size, self.rng), key=n)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def statistics(self) -> dict[str, Any]:
        stats = self.hub.stats()
        names = ("clients", "delivered", "conflated", "bytes_out", "backlog_bytes", "blocked", "closed")
        return {name: getattr(stats, name) for name in names}


SERVERS: dict[str, Callable[[bool], Server]] = {
    "socket.send loop": BareSend,
    "transport.write, uvloop": TransportWrite,
    "websockets.broadcast": Websockets,
    "picows": Picows,
    "Starlette": Starlette,
    "fastcore": FastcoreHub,
}


async def obey(server: Server, words: list[str]) -> dict[str, Any]:
    if words[0] == "send":
        ticks, messages, size = map(int, words[1:])
        await asyncio.sleep(GAP)
        gc.collect()
        used = time.process_time()
        for _ in range(ticks):
            await server.tick(messages, size)
            await asyncio.sleep(GAP)
        return {"cpu": time.process_time() - used}
    if words[0] == "pace":
        ticks, rate, messages, size, stuck = map(int, words[1:])
        used, start = time.process_time(), time.monotonic()
        most = {"blocked": 0, "blocked_after": 0.0, "backlog_bytes": 0}
        for n in range(ticks):
            await asyncio.sleep(max(0.0, start + n / rate - time.monotonic()))
            await server.tick(messages, size)
            found = server.statistics()
            if found.get("blocked", 0) >= stuck > most["blocked"]:
                most |= {"blocked": found["blocked"], "blocked_after": time.monotonic() - start}
            most["backlog_bytes"] = max(most["backlog_bytes"], found.get("backlog_bytes", 0))
        await asyncio.sleep(0.5)
        return {"cpu": time.process_time() - used, "seconds": time.monotonic() - start, **most}
    if words[0] == "memory":
        gc.collect()
        await asyncio.sleep(0.1)
        return {"uss": psutil.Process().memory_full_info().uss}
    if words[0] == "statistics":
        return server.statistics()
    raise ValueError(f"expected send, pace, memory or statistics, got {words!r}")


async def main() -> None:
    name, deflate = sys.argv[1], sys.argv[2:] == ["1"]
    server = SERVERS[name](deflate)
    port = await server.start()
    print(json.dumps({"port": port}), flush=True)
    loop = asyncio.get_running_loop()
    gc.freeze()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await obey(server, line.split())), flush=True)
    os._exit(0)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
