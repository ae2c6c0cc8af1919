"""The WebSocket of a client: how it is made, and what a failed attempt means."""

from __future__ import annotations

from typing import Any

from fastcore.streaming import messages as wire
from fastcore.streaming.client.session import PROTOCOL_ERROR

NO_CLOSE = 1006
ANSWER_WITHIN = 10.0  # seconds, for what a request is answered with, for the handshake and for the last close
_TERMINAL_HTTP = frozenset({400, 401, 403, 405, 426})


class NotConnected(Exception):
    """A failed attempt: a close code, a reason, and seconds that the server asks to wait."""

    def __init__(self, code: int, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.wait = wait


def websockets() -> tuple[Any, Any]:
    """Return ``connect`` and the module of exceptions of the package websockets."""
    try:
        from websockets import exceptions
        from websockets.asyncio.client import connect
    except ImportError as error:
        raise ImportError('Client: expected the package websockets; pip install "fastcore-native[service]"') from error
    return connect, exceptions


async def make(url: str, max_size: int, options: dict[str, Any]) -> Any:
    """Return a connection of websockets.

    Raises
    ------
    NotConnected
    """
    connect, exceptions = websockets()
    given: dict[str, Any] = {
        "max_size": max_size,
        "open_timeout": ANSWER_WITHIN,
        "close_timeout": 1.0,
        "ping_interval": None,  # the protocol has pings of its own, which a browser can answer too
        "subprotocols": [wire.SUBPROTOCOL],
        "max_queue": 16,
        **options,
    }
    try:
        return await connect(url, **given)
    except exceptions.InvalidStatus as error:
        status = int(error.response.status_code)
        code = NO_CLOSE if status not in _TERMINAL_HTTP else wire.CLOSE_REFUSED
        raise NotConnected(code, f"HTTP {status}", _seconds(error.response.headers.get("Retry-After"))) from error
    except (exceptions.InvalidURI, exceptions.NegotiationError) as error:
        raise NotConnected(PROTOCOL_ERROR, str(error)) from error
    except (OSError, TimeoutError, EOFError, exceptions.WebSocketException) as error:
        raise NotConnected(NO_CLOSE, str(error) or type(error).__name__) from error


def _seconds(value: str | None) -> float | None:
    try:
        return None if value is None else min(max(float(value), 0.0), 3600.0)
    except ValueError:
        return None
