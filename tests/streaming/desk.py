"""A server process for tests: a hub that counts upwards on some topics, on a port it prints.

``n`` of each topic counts 1, 2, 3 ... through one life of the process, so that a listener can tell what is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route

from fastcore.streaming import Assets, Hub, Limits
from fastcore.streaming.uvicorn import HubProtocol

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>desk</title>
<p id="state">new</p><script type="module">
import { Client } from "/static/client.js";
window.Client = Client;
window.ready = true;
</script>"""


def application(hub: Hub, topics: int, rate: float, life: str) -> Starlette:
    counts = {f"count.t{i}": 0 for i in range(topics)}

    async def publish() -> None:
        due, loop = 0.0, asyncio.get_running_loop()
        while True:
            for topic in counts:
                counts[topic] += 1
                hub.publish(topic, {"n": counts[topic], "life": life}, key="k")
            due = max(due, loop.time()) + 1 / rate  # of the schedule: a loop may wake a tick of its clock early
            await asyncio.sleep(due - loop.time())

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        if hub.backplane is not None:
            await hub.start()
        task = asyncio.create_task(publish()) if rate else None
        yield
        if task is not None:
            task.cancel()
        await hub.aclose()

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(PAGE)

    async def stats(request: Request) -> JSONResponse:
        return JSONResponse({"clients": len(hub), "epoch": hub.epoch, "counts": counts})

    async def say(request: Request) -> JSONResponse:
        body = await request.json()
        for message in body["messages"]:
            hub.publish(*message)
        return JSONResponse(len(body["messages"]))

    async def drain(request: Request) -> JSONResponse:
        await hub.drain(grace=2.0, spread=float(request.query_params.get("spread", "0.2")))
        return JSONResponse("drained")

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/stats", stats),
            Route("/say", say, methods=["POST"]),
            Route("/drain", drain, methods=["POST"]),
            Mount("/static", Assets()),
        ],
        lifespan=lifespan,
    )
    hub.route(app, "/stream")
    return app


class Server(uvicorn.Server):
    """uvicorn without its signal handlers, for servers that run inside tests."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def made(arguments: list[str], *, alone: bool = False) -> tuple[uvicorn.Server, socket.socket]:
    """Build the server that the arguments ask for, and its listener."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--topics", type=int, default=3)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--history", type=int, default=1000)
    parser.add_argument("--ping", type=float, default=15.0)
    parser.add_argument("--pong", type=float, default=8.0)
    parser.add_argument("--token", default="")
    parser.add_argument("--ttl", type=float, default=0.0)
    parser.add_argument("--bus", default="")
    parser.add_argument("--nats", default="")
    options = parser.parse_args(arguments)
    given: dict[str, Any] = {}
    if options.token:
        given["authenticate"] = lambda token: _grant(token, options.token, options.ttl)
    if options.bus:
        from fastcore.streaming.backplanes.unixbus.bus import UnixBus

        given["backplane"] = UnixBus(options.bus)
    if options.nats:
        from fastcore.streaming.backplanes.nats import NatsBackplane

        given["backplane"] = NatsBackplane(options.nats.split(","), replicas=1)
    hub = Hub(
        history=options.history,
        ping=options.ping,
        pong=options.pong,
        limits=Limits(connections=10_000, per_address=10_000),
        beat=min(1.0, options.pong / 4),
        **given,
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(
        application(hub, options.topics, options.rate, str(os.getpid())),
        ws=HubProtocol,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
    return (uvicorn.Server if alone else Server)(config), listener


def main(arguments: list[str]) -> None:
    server, listener = made(arguments, alone=True)
    print(listener.getsockname()[1], flush=True)
    asyncio.run(server.serve(sockets=[listener]))


def _grant(token: str, expected: str, ttl: float) -> Any:
    import time

    from fastcore.streaming import Grant

    if not token.startswith(expected):
        return None
    return Grant(expires=time.time() + ttl) if ttl else True


if __name__ == "__main__":
    main(sys.argv[1:])
