"""Runs one of the three applications under uvicorn, the same way for each."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from examples.market_desk.data.market import Market
from examples.market_desk.open_files import raise_limit
from examples.market_desk.parent import end_with_parent

__all__ = ["PROTOCOLS", "run_arm", "serve_app", "uvicorn_server"]

PROTOCOLS = {
    "ws": "fastcore.streaming.uvicorn:HubProtocol",
    "http": "fastcore.streaming.handshake:HeadTimeoutProtocol",
}


def run_arm(arm: str, port: int, folder: Path) -> int:
    """Serve until standard input ends; the port is told as a JSON line.

    Parameters
    ----------
    arm : {"plain", "tuned", "fast"}
    port : int
        On loopback; 0 takes a free one.
    folder : Path
        Where its SQLite files are; one that was used before continues.
    """
    return serve_app(lambda: application(arm, folder), port, PROTOCOLS if arm == "fast" else {})


def serve_app(build: Callable[[], FastAPI], port: int, protocols: Mapping[str, Any]) -> int:
    """Serve the application that `build` returns until standard input ends."""
    raise_limit()
    with socket.create_server(("127.0.0.1", port), backlog=2048) as listener:
        server = uvicorn_server(build(), protocols)

        def stop() -> None:
            server.should_exit = True

        end_with_parent(stop)
        print(json.dumps({"event": "listening", "port": listener.getsockname()[1]}), flush=True)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    return 0


def uvicorn_server(app: FastAPI, protocols: Mapping[str, Any]) -> uvicorn.Server:
    """Return a server of `app`, with other protocols than uvicorn's own where they are named."""
    config = uvicorn.Config(
        app,
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
        **protocols,
    )
    return uvicorn.Server(config)


def application(arm: str, folder: Path) -> FastAPI:
    """Return an arm's application; only what it needs is imported."""
    path = folder / f"{arm}.db"
    if arm == "plain":
        from examples.market_desk.plain.app import build_app as build_plain
        from examples.market_desk.plain.services import Services

        return build_plain(Services(Market(), path))
    if arm == "tuned":
        from examples.market_desk.tuned.app import build_app as build_tuned
        from examples.market_desk.tuned.services import TunedServices

        return build_tuned(TunedServices(Market(), path))
    from examples.market_desk.fast.app import build_app
    from examples.market_desk.fast.optimizations import choose
    from examples.market_desk.fast.services import OptimizedServices

    choose("after")
    return build_app(OptimizedServices(Market(), path, store=f"sqlite:///{folder / 'tasks.db'}"))
