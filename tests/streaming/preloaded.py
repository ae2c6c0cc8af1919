"""An application that is loaded once and then forked: its hub is made before its workers are.

``python -m tests.streaming.preloaded`` forks two workers by itself; ``gunicorn --preload`` does so with `app` and
`Worker`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import warnings
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fastcore.streaming import Hub, Limits
from fastcore.streaming.backplanes.unixbus.bus import UnixBus
from fastcore.streaming.uvicorn import HubProtocol

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    with contextlib.suppress(ImportError):
        from uvicorn.workers import UvicornWorker

        class Worker(UvicornWorker):
            """A worker of gunicorn on the direct path."""

            CONFIG_KWARGS = {"ws": HubProtocol, "log_level": "warning"}  # noqa: RUF012


BUS = os.environ.get("PRELOADED_BUS", "")
hub = Hub(
    history=5000, limits=Limits(connections=1000, per_address=1000), backplane=UnixBus(BUS) if BUS else None, beat=0.2
)
if not BUS:
    hub.publish("early", "before the fork", key="k")


async def count() -> None:
    n = 0
    while True:
        n += 1
        hub.publish(f"count.{os.getpid()}", {"n": n, "life": str(os.getpid())}, key="k")
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    await hub.start()
    task = asyncio.create_task(count())
    yield
    task.cancel()
    await hub.aclose()


async def who(request: Request) -> JSONResponse:
    role = hub.backplane.state().role if hub.backplane is not None else ""
    told = {"pid": os.getpid(), "role": role, "clients": len(hub), "epoch": hub.epoch, "path": hub.readiness()["path"]}
    return JSONResponse(told, headers={"Connection": "close"})


app = Starlette(routes=[Route("/who", who)], lifespan=lifespan)
hub.route(app, "/stream")


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    alive = set()
    while True:
        while len(alive) < 2:
            pid = os.fork()
            if pid == 0:
                config = uvicorn.Config(app, ws=HubProtocol, log_level="warning", timeout_graceful_shutdown=1)
                uvicorn.Server(config).run(sockets=[listener])
                os._exit(0)
            alive.add(pid)
        alive.discard(os.wait()[0])


if __name__ == "__main__":
    main()
