"""Limits on the head of a request, answers in one write, and answers to half-closed connections: uvicorn has none.

``uvicorn --http fastcore.streaming.handshake:HeadTimeoutProtocol`` closes connections that take longer than ten seconds
to send the head of a request, so that no client can hold them open one byte at a time, and answers 431 to heads above
64 KiB. A client that shuts down its sending side after a request still gets the answer. The head of an answer goes with
its body in one write.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

try:
    from uvicorn.protocols.http.h11_impl import H11Protocol
except ImportError as error:
    _text = 'HeadTimeoutProtocol: expected uvicorn to be installed; pip install "fastcore-native[service]"'
    raise ImportError(_text, name=error.name) from error

from fastcore.streaming.joined_writes import JoinedWrites

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

    Notes
    -----
    The end of what a client sends looks the same whether it waits for the answer (``shutdown(SHUT_WR)``, ``nc -N``) or
    has closed its socket. So an answer that has not begun may begin within `half_closed_timeout` seconds and is sent
    whole; the application learns that late of a client that has gone. One that has begun is sent whole if it has a
    Content-Length. In all other cases, and over TLS, the connection is closed at once, as by uvicorn.
    """

    head_timeout = 10.0
    head_size = 1 << 16
    half_closed_timeout = 5.0
    _half_closed = False
    _head = 0  # bytes of a head that is not whole yet
    _timer: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.transport = cast(asyncio.Transport, JoinedWrites(transport, self.loop))
        self._start_timer(self.head_timeout)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:  # there is one for each request, made when its head is whole
            self._stop_timer()
            self._head = 0
        elif self._between_requests() and not self._upgraded:
            if self._timer is None:
                self._start_timer(self.head_timeout)
            self._head += len(data)
            if self._head > self.head_size:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Return whether the connection stays open for the answers to what was received."""
        cycle = self.cycle
        if self.transport.is_closing() or cycle is None or cycle.more_body or cycle.response_complete:
            return False
        if self.transport.get_extra_info("sslcontext") is not None:
            return False
        if cycle.response_started and getattr(cycle, "chunked_encoding", None) is not False:
            return False
        self._half_closed = True
        self._stop_timer()
        self._start_timer(self.half_closed_timeout)
        return True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._half_closed and self._between_requests():  # no answer is left
            self.transport.close()

    def handle_websocket_upgrade(self, *args: Any) -> None:
        self._upgraded = True
        self._stop_timer()
        joined = cast(JoinedWrites, self.transport)
        joined.flush()
        self.transport = joined.transport
        super().handle_websocket_upgrade(*args)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _between_requests(self) -> bool:
        """Whether what comes is part of a head, and not of a body."""
        return not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete)

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        if self._between_requests() or (self._half_closed and not self.cycle.response_started):
            self.transport.close()
