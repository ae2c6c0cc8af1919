"""An echo application, for conformance tests of `HubProtocol`.

``python examples/ws_echo.py --port 9001`` serves ``ws://127.0.0.1:9001/echo``; with ``--port 0`` it takes a free port.
The first line it prints is the address.
"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

if __name__ == "__main__":  # run from a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

MAX_SIZE = 64 << 20


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Send every message back, as the type it came in."""
    await receive()
    offered = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is not None:
            await send({"type": "websocket.send", "text": text})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


class Echo:
    """`echo` as an application: a route takes functions for another kind of endpoint."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await echo(scope, receive, send)


app = Starlette(routes=[WebSocketRoute("/echo", endpoint=Echo())])


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9001)
    parser.add_argument("--max-size", type=int, default=MAX_SIZE, help="bytes of a message, after inflation")
    parser.add_argument("--no-deflate", action="store_true")
    parser.add_argument("--log-level", default="warning")
    options = parser.parse_args()
    listener = socket.create_server((options.host, options.port), backlog=1024)
    print(f"ws://{options.host}:{listener.getsockname()[1]}/echo", flush=True)
    config = uvicorn.Config(
        app,
        ws="fastcore.streaming.uvicorn:HubProtocol",
        ws_max_size=options.max_size,
        ws_per_message_deflate=not options.no_deflate,
        log_level=options.log_level,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
