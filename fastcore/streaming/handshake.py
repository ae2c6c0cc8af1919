"""A time limit on the head of a request, which uvicorn does not have.

``uvicorn --http fastcore.streaming.handshake:HeadTimeoutProtocol`` closes connections that take longer than ten seconds
to send the head of a request, so that nobody can hold them open one byte at a time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
else:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
    except ImportError:  # httptools is not installed
        Base = H11Protocol

__all__ = ["HeadTimeoutProtocol"]


class HeadTimeoutProtocol(Base):
    """uvicorn's HTTP protocol, which waits for the head of a request no longer than `head_timeout` seconds."""

    head_timeout = 10.0
    _timer: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:  # there is one for each request, made when its head is whole
            self._stop_timer()
        elif self._timer is None and self._between_requests() and not self._upgraded:
            self._start_timer()

    def handle_websocket_upgrade(self, *args: Any) -> None:
        self._upgraded = True
        self._stop_timer()
        super().handle_websocket_upgrade(*args)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _between_requests(self) -> bool:
        """Whether what comes is part of a head, and not of a body."""
        return not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.head_timeout, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        if self._between_requests():
            self.transport.close()
