"""``make serve``: the fast service with its dashboard, until interrupted."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from examples.market_desk.data.market import Market
from examples.market_desk.fast.app import build_app
from examples.market_desk.fast.optimizations import Arm, choose
from examples.market_desk.fast.services import OptimizedServices
from examples.market_desk.open_files import raise_limit
from examples.market_desk.serving import PROTOCOLS, uvicorn_server
from examples.market_desk.visitors import visit

__all__ = ["serve"]


def serve(port: int, arm: Arm, visitors: float = 0.0) -> int:
    """Serve until SIGINT or SIGTERM.

    Parameters
    ----------
    port : int
        On loopback; 0 takes a free one.
    arm : {"before", "after", "canary"}
        How the flags are set.
    visitors : float
        Requests a second that the service sends to itself; 0 for none.

    Returns
    -------
    int
        0; 1 when the port is taken.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    except OSError as error:
        print(f"port: expected a free one, got {port}: {error.strerror}; --port 0 takes one", file=sys.stderr)
        return 1
    with listener, tempfile.TemporaryDirectory(prefix="market-desk-") as folder:
        raise_limit()
        choose(arm)
        token = os.environ.get("FASTCORE_ADMIN_TOKEN") or secrets.token_urlsafe(16)
        services = OptimizedServices(
            Market(), Path(folder) / "desk.db", store=f"sqlite:///{folder}/tasks.db?durability=normal"
        )
        server = uvicorn_server(build_app(services, token=token), PROTOCOLS)
        print(welcome(f"http://127.0.0.1:{listener.getsockname()[1]}", arm, token), flush=True)
        if visitors:
            visit(listener.getsockname()[1], visitors)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    return 0


def welcome(address: str, arm: Arm, token: str) -> str:
    """Return the information printed when the server starts."""
    return "\n".join(
        (
            f"The market desk runs at {address}, its flags set as {arm!r}. Ctrl-C ends it. Try:",
            f"  {address}/fastcore  the dashboard; its switches open with the token {token}",
            f"  curl {address}/technical-analysis/AAPL",
            f"  curl {address}/technical-analysis/IBM -H 'Prefer: respond-async'",
            f'  curl {address}/generate-report --json \'["AAPL", "FB"]\'',
            f"  curl -X POST {address}/jobs/collect_prices",
            f"  python -m examples.market_desk watch --port {address.rpartition(':')[2]}",
            f"  {address}/docs  {address}/status  {address}/switches  {address}/readyz  {address}/metrics",
        )
    )
