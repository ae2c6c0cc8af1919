"""Runs the desk under uvicorn, on uvloop where there is one."""

from __future__ import annotations

import asyncio
import json
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
from examples.market_desk.shared_frames import SharedFrameProtocol

__all__ = ["build_app", "serve"]


def build_app(desk: MarketDesk, failed: Callable[[BaseException], object]) -> FastAPI:
    """Return the application; the replay runs while it does, and `failed` is called should it end by an error."""

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
            desk.close()

    app = FastAPI(title="Market desk", lifespan=lifespan)
    routers.install(app, desk)
    return app


class Server(uvicorn.Server):
    """uvicorn with the desk on it, the same for both arms; it ends when the replay fails.

    Attributes
    ----------
    failure : BaseException or None
        Why the replay ended.
    """

    def __init__(self, desk: MarketDesk) -> None:
        super().__init__(
            uvicorn.Config(
                build_app(desk, self.fail),
                ws=SharedFrameProtocol,
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
        server = Server(MarketDesk(load_market(), rate))
        port = listener.getsockname()[1]
        if supervised:
            end_with_parent(server.stop)
            print(json.dumps({"event": "listening", "port": port}), flush=True)
        else:
            print(welcome(f"http://127.0.0.1:{port}", arm), flush=True)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    return 0 if server.failure is None else 1


def welcome(address: str, arm: Arm) -> str:
    """Return what someone who has just started the server may want to know."""
    return "\n".join(
        (
            f"The market desk runs at {address}, its flags set as {arm!r}. Ctrl-C ends it. Try:",
            f"  curl {address}/technical-analysis/AAPL",
            f'  curl {address}/generate-report --json \'["AAPL", "FB"]\'',
            f"  python -m examples.market_desk watch --port {address.rpartition(':')[2]}",
            f"  {address}/docs  {address}/status  {address}/switches",
        )
    )
