"""An HTTP/1.1 client over kept-alive connections, cheap: it shares the cores with the server that it measures."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, NamedTuple

__all__ = ["PREFER", "Answer", "Connection", "HttpClient", "connect", "get_request"]

PREFER = "Prefer: respond-async\r\n"  # a header: the answer is 202 and a task
IDLE = 2.0  # seconds after which a connection is not used again


class Answer(NamedTuple):
    """A status and a body, and the bytes of the request and the whole answer."""

    status: int
    body: bytes
    bytes: int

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)


class Connection(asyncio.Protocol):
    """One connection, and the request that waits for its answer."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.used = 0.0  # when it was used last
        self.closed = self._last = False  # the server closes it after its last answer
        self._waiter: asyncio.Future[Answer] | None = None
        self._sent = 0  # bytes of the request
        self._received = bytearray()
        self._head = self._whole = 0  # bytes of the answer's head, and with its body; 0 until the head is there

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; the future has its answer."""
        self._waiter = asyncio.get_running_loop().create_future()
        self._sent = len(request)
        self.transport.write(request)
        return self._waiter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer; the last one ends the wait."""
        received = self._received
        received += data
        try:
            if not self._whole and not self._read_head():
                return
            if len(received) < self._whole:
                return
            answer = Answer(int(received[9:12]), bytes(received[self._head : self._whole]), self._sent + self._whole)
        except ValueError as error:
            self._fail(error)
            return
        received.clear()
        self._head = self._whole = 0
        self.used = time.monotonic()
        if self._last:
            self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that waits."""
        self.closed = True
        self._fail(
            error or EOFError(f"connection: closed by the server after {len(self._received)} bytes of an answer")
        )

    def close(self) -> None:
        """Close the connection."""
        self.closed = True
        self.transport.close()

    def _read_head(self) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._received[: end + 2].lower()
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            raise ValueError(f"answer: expected a Content-Length, got {bytes(head)!r}")
        self._head = end + 4
        self._whole = self._head + int(head[at + 17 : head.index(b"\r\n", at + 2)])
        self._last = b"\r\nconnection: close\r\n" in head
        return True

    def _fail(self, error: Exception) -> None:
        self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)


def head_of(method: str, port: int, path: str) -> str:
    """Return the head of a request without its end."""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n"


def get_request(port: int, path: str) -> bytes:
    """Return a whole GET request."""
    return f"{head_of('GET', port, path)}\r\n".encode()


async def connect(port: int) -> Connection:
    """Open a connection on loopback."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


class HttpClient:
    """At most so many connections to one server on loopback; further requests wait for one, first come first served."""

    def __init__(self, port: int, most: int = 1 << 20) -> None:
        self._port = port
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(most)

    async def get(self, path: str, headers: str = "") -> Answer:
        """Send a GET request; `headers` are further lines of its head."""
        return await self._request("GET", path, b"", headers)

    async def post(self, path: str, body: Any, headers: str = "") -> Answer:
        """Send `body` as JSON."""
        return await self._request("POST", path, json.dumps(body).encode(), headers)

    async def put(self, path: str, body: Any, headers: str = "") -> Answer:
        """Send `body` as JSON."""
        return await self._request("PUT", path, json.dumps(body).encode(), headers)

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _request(self, method: str, path: str, content: bytes, headers: str) -> Answer:
        head = head_of(method, self._port, path) + headers
        if content:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        async with self._places:
            return await self._ask(f"{head}\r\n".encode() + content)

    async def _ask(self, request: bytes) -> Answer:
        connection = self._take_idle()
        if connection is None:
            connection = await connect(self._port)
        try:
            answer = await connection.send(request)
        except BaseException:
            connection.close()  # an answer may be half read
            raise
        if not connection.closed:
            self._idle.append(connection)
        return answer

    def _take_idle(self) -> Connection | None:
        now = time.monotonic()
        while self._idle:
            connection = self._idle.pop()
            # The server closes connections that were idle for long.
            if not connection.closed and now - connection.used < IDLE:
                return connection
            connection.close()
        return None
