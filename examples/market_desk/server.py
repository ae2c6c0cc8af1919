"""Runs the desk under uvicorn, on uvloop where there is one."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI

from examples.market_desk import routers
from examples.market_desk.desk import MarketDesk
from examples.market_desk.flags import Arm, choose
from examples.market_desk.open_files import raise_limit
from examples.market_desk.parent import end_with_parent
from examples.market_desk.prices import load_market
from fastcore.service import install
from fastcore.service.dashboard import Prices
from fastcore.streaming.uvicorn import HubProtocol

__all__ = ["build_app", "serve"]


def build_app(
    desk: MarketDesk, failed: Callable[[BaseException], object] = lambda error: None, token: str | None = None
) -> FastAPI:
    """Return the application, fastcore installed on it.

    The replay runs while it does, and `failed` is called should it end by an error. `token` opens the dashboard's
    switches.
    """

    def ended(replay: asyncio.Task[None]) -> None:
        if not replay.cancelled() and (error := replay.exception()) is not None:
            failed(error)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        replay = asyncio.create_task(desk.replay.run())
        replay.add_done_callback(ended)
        try:
            yield
        finally:
            replay.cancel()
            await asyncio.wait([replay])

    app = FastAPI(title="Market desk", lifespan=lifespan)
    routers.install(app, desk)
    # A bar of the dashboard is a tick: a trading day.
    prices = Prices(bar=min(1.0, 1 / desk.replay.rate), length=200)
    open_parts = ("tasks", "stream", "dashboard")  # a demonstration on loopback; its flags ask for the token
    install(
        app,
        tasks=desk.tasks,
        hub=desk.hub,
        stream="/live",
        prices=prices,
        token=token,
        public=open_parts,
        arm="memory_optimization",
    )
    return app


class Server(uvicorn.Server):
    """uvicorn with the desk on it, the same for both arms; it ends when the replay fails.

    Attributes
    ----------
    failure : BaseException or None
        Why the replay ended.
    """

    def __init__(self, desk: MarketDesk, token: str | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                build_app(desk, self.fail, token),
                ws=HubProtocol,
                ws_per_message_deflate=False,
                access_log=False,
                log_level="warning",
                timeout_graceful_shutdown=2,
            )
        )
        self.failure: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Say why, and stop."""
        self.failure = error
        traceback.print_exception(error)
        self.stop()

    def stop(self) -> None:
        """Have the server end; may be called from any thread."""
        self.should_exit = True


def serve(port: int, arm: Arm, rate: float, *, supervised: bool = False) -> int:
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

    Returns
    -------
    int
        0; 1 when the port is taken or the replay failed.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    except OSError as error:
        print(f"port: expected a free one, got {port}: {error.strerror}; --port 0 takes one", file=sys.stderr)
        return 1
    with listener:
        raise_limit()
        choose(arm)
        token = None if supervised else os.environ.get("FASTCORE_ADMIN_TOKEN") or secrets.token_urlsafe(16)
        server = Server(MarketDesk(load_market(), rate), token)
        port = listener.getsockname()[1]
        if supervised:
            end_with_parent(server.stop)
            print(json.dumps({"event": "listening", "port": port}), flush=True)
        else:
            print(welcome(f"http://127.0.0.1:{port}", arm, token), flush=True)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    return 0 if server.failure is None else 1


def welcome(address: str, arm: Arm, token: str | None) -> str:
    """Return the information printed when the server starts."""
    return "\n".join(
        (
            f"The market desk runs at {address}, its flags set as {arm!r}. Ctrl-C ends it. Try:",
            f"  {address}/fastcore  the dashboard; its switches open with the token {token}",
            f"  curl {address}/technical-analysis/AAPL",
            f'  curl {address}/generate-report --json \'["AAPL", "FB"]\'',
            f"  python -m examples.market_desk watch --port {address.rpartition(':')[2]}",
            f"  {address}/docs  {address}/status  {address}/switches  {address}/readyz  {address}/metrics",
        )
    )
