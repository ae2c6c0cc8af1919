"""A short answer over HTTP: CPU time of the server with fastcore's protocol for uvicorn, compared with uvicorn's own.

Run ``python benchmarks/peers/answers.py``. Every server runs in a separate process (uvloop, httptools) and they take
turns, in an order shuffled each round; eight connections ask for one answer after the other. Times are processor time
of the server, user and system, for one answer. fastcore's protocol limits heads and the time for them, and sends an
answer in one write: the goal is that the one costs no more than the other saves.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from contextlib import ExitStack
from typing import Any

import uvicorn
import uvloop
from fanout import Child
from fastapi import FastAPI
from harness import Ratio, Report, interleave_phases, versions

PROTOCOLS = {"uvicorn": "httptools", "fastcore": "fastcore.streaming.handshake:HeadTimeoutProtocol"}
CLIENTS = 8
ANSWERS = 8000  # a round
BODY = json.dumps({"symbol": "AAPL", "rows": [187.2] * 100}).encode()
REQUEST = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Answer without a framework."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/route")
    async def route() -> dict[str, Any]:
        return {"symbol": "AAPL", "price": 187.2}

    return app


def serve(protocol: str) -> None:
    """Serve, and answer each line of standard input with the processor time used so far."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)

    def tell() -> None:
        for _ in sys.stdin:
            print(json.dumps({"cpu": time.process_time()}), flush=True)

    threading.Thread(target=tell, daemon=True).start()
    app: Any = application()

    async def root(scope: Any, receive: Any, send: Any) -> None:
        await (bare if scope["path"] == "/bare" else app)(scope, receive, send)

    config = uvicorn.Config(root, http=protocol, lifespan="off", access_log=False, log_level="warning")
    uvloop.run(uvicorn.Server(config).serve(sockets=[listener]))


class Client(asyncio.Protocol):
    """Asks again as soon as an answer is whole."""

    def __init__(self, request: bytes, count: int, ended: asyncio.Future[None]) -> None:
        self.request, self.left, self.ended = request, count, ended
        self.got = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.ended.set_exception(ValueError(f"expected 200, got {head[:40]!r}"))
            return
        self.got = b""
        self.left -= 1
        if self.left:
            self.transport.write(self.request)
        else:
            self.ended.set_result(None)
            self.transport.close()


async def ask(port: int, path: bytes) -> None:
    loop = asyncio.get_running_loop()
    waited = []
    for _ in range(CLIENTS):
        ended = loop.create_future()
        await loop.create_connection(lambda: Client(REQUEST % path, ANSWERS // CLIENTS, ended), "127.0.0.1", port)  # noqa: B023
        waited.append(ended)
    await asyncio.gather(*waited)


class Server:
    def __init__(self, stack: ExitStack, protocol: str) -> None:
        command = [sys.executable, __file__, "serve", protocol]
        self.child = stack.enter_context(Child(command))
        self.port = int(self.child.hello["port"])
        time.sleep(0.5)

    def answer(self, path: bytes) -> float:
        """Return the processor seconds of an answer."""
        before = self.child.ask("used")["cpu"]
        uvloop.run(ask(self.port, path))
        return float(self.child.ask("used")["cpu"] - before) / ANSWERS


def main() -> None:
    report = Report("answers", "Short answers over HTTP", versions("uvloop", "uvicorn", "httptools", "fastapi"))
    with ExitStack() as stack:
        servers = {name: Server(stack, protocol) for name, protocol in PROTOCOLS.items()}
        for case, path, goal in (("an ASGI application", b"bare", 1.0), ("a route of FastAPI", b"route", None)):
            for server in servers.values():
                server.answer(path)
            found = interleave_phases(
                {name: (lambda s=server, p=path: {"cpu": s.answer(p)}) for name, server in servers.items()}, rounds=9
            )["cpu"]
            report.add(
                case, found, {"uvicorn / fastcore": Ratio(found["uvicorn"].median / found["fastcore"].median, goal)}
            )
    report.write()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        main()
