"""Runs the desk under uvicorn, on uvloop where there is one."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI

from examples.market_desk import routers
from examples.market_desk.desk import MarketDesk
from examples.market_desk.flags import Arm, choose
from examples.market_desk.open_files import raise_limit
from examples.market_desk.parent import end_with_parent
from examples.market_desk.prices import load_market
from examples.market_desk.shared_frames import SharedFrameProtocol

__all__ = ["build_app", "serve"]


def build_app(desk: MarketDesk) -> FastAPI:
    """Return the application; the replay runs while it does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        replay = asyncio.create_task(desk.replay.run())
        replay.add_done_callback(report_failure)
        try:
            yield
        finally:
            replay.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await replay
            desk.close()

    app = FastAPI(title="Market desk", lifespan=lifespan)
    routers.install(app, desk)
    return app


def report_failure(replay: asyncio.Task[None]) -> None:
    """Say why the replay ended, if it was not told to."""
    if not replay.cancelled() and (error := replay.exception()) is not None:
        print(f"market desk: the replay failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def serve(port: int, arm: Arm, rate: float, *, supervised: bool = False) -> None:
    """Serve until SIGINT or SIGTERM.

    Parameters
    ----------
    port : int
        On loopback; 0 takes a free one.
    arm : {"before", "after"}
        How the flags are set.
    rate : float
        Ticks a second.
    supervised : bool, default False
        Whether a parent listens: it is told the port as a JSON line, and the end of standard input ends the server.
    """
    raise_limit()
    choose(arm)
    desk = MarketDesk(load_market(), rate)
    config = uvicorn.Config(
        build_app(desk),
        ws=SharedFrameProtocol,
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", port), backlog=2048) as listener:
        address = "http://{}:{}".format(*listener.getsockname())
        if supervised:
            end_with_parent(lambda: setattr(server, "should_exit", True))
            print(json.dumps({"event": "listening", "port": listener.getsockname()[1]}), flush=True)
        else:
            print(f"The market desk runs at {address} ({arm}): see {address}/docs; Ctrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
