"""A service process for tests: fastcore installed on an application, on a port that it prints.

``/slow`` takes a while, ``record`` is a task that leaves a line in a file, and the hub publishes a count. Run under
uvicorn as ``python -m tests.service.deployed DATABASE DRAIN_DELAY``, or by another server as
``tests.service.deployed:app``.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from fastcore.service import install
from fastcore.streaming import Hub
from fastcore.tasks import TaskQueue


def build(database: str, *, drain_delay: float = 1.5) -> FastAPI:
    """Return the application over a file of tasks; the lines go into a file next to it."""
    queue = TaskQueue(f"sqlite:///{database}", workers={"async": 4})
    hub = Hub(spread=0.5)
    lines = Path(f"{database}.lines")

    @queue.task(name="record", retries=5)
    async def record(n: int) -> int:
        await asyncio.sleep(0.05)
        with lines.open("a") as file:
            file.write(f"{n}\n")
        return n

    async def count() -> None:
        n = 0
        while True:
            n += 1
            hub.publish("count.a", {"n": n, "pid": os.getpid()}, key="a")
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        counting = asyncio.create_task(count())
        yield
        counting.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.get("/fast")
    async def fast() -> int:
        return os.getpid()

    @app.get("/slow")
    async def slow() -> int:
        await asyncio.sleep(0.3)
        return os.getpid()

    @app.get("/slower")
    async def slower() -> int:
        await asyncio.sleep(3.0)
        return os.getpid()

    install(app, tasks=queue, hub=hub, metrics=False, public=True, drain_delay=drain_delay, drain_timeout=20.0)
    return app


def __getattr__(name: str) -> FastAPI:
    if name != "app":
        raise AttributeError(name)
    return build(os.environ["DATABASE"], drain_delay=float(os.environ.get("DRAIN_DELAY", "0.5")))


def main() -> None:
    """Serve until SIGTERM."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    app = build(sys.argv[1], drain_delay=float(sys.argv[2]))
    config = uvicorn.Config(app, ws="fastcore.streaming.uvicorn:HubProtocol", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    print(listener.getsockname()[1], flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
