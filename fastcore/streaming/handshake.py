"""Limits on the head of a request, which uvicorn does not have: of time and of size.

``uvicorn --http fastcore.streaming.handshake:HeadTimeoutProtocol`` closes connections that take longer than ten seconds
to send the head of a request, so that no client can hold them open one byte at a time, and answers 431 to heads above
64 KiB.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

try:
    from uvicorn.protocols.http.h11_impl import H11Protocol
except ImportError as error:
    _text = 'HeadTimeoutProtocol: expected uvicorn to be installed; pip install "fastcore-native[service]"'
    raise ImportError(_text, name=error.name) from error

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
else:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
    except ImportError:  # httptools is not installed
        Base = H11Protocol

__all__ = ["HeadTimeoutProtocol"]


_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 20\r\n\r\nhead: is too large\r\n"
)


class HeadTimeoutProtocol(Base):
    """uvicorn's HTTP protocol, which waits for the head of a request no longer than `head_timeout` seconds.

    A head of more than `head_size` bytes is answered 431.
    """

    head_timeout = 10.0
    head_size = 1 << 16
    _head = 0  # bytes of a head that is not whole yet
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
            self._head = 0
        elif self._between_requests() and not self._upgraded:
            if self._timer is None:
                self._start_timer()
            self._head += len(data)
            if self._head > self.head_size:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

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
