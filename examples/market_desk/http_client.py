"""An HTTP/1.1 client over one kept-alive connection, small enough not to affect the measurements."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

__all__ = ["PREFER", "Answer", "HttpClient"]

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


class HttpClient:
    """A pool of connections to one server on loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []  # and when it was used last

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
        for _, writer, _ in self._idle:
            writer.close()
        self._idle.clear()

    async def _request(self, method: str, path: str, content: bytes, headers: str) -> Answer:
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAccept: application/json\r\n{headers}"
        if content:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        async with self._connection() as (reader, writer):
            request = f"{head}\r\n".encode() + content
            writer.write(request)
            await writer.drain()
            answer = await reader.readuntil(b"\r\n\r\n")
            lines = answer.decode("latin-1").lower().split("\r\n")
            length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
            body = await reader.readexactly(length)
            if "connection: close" in lines:
                writer.close()
            return Answer(int(lines[0].split(" ")[1]), body, len(request) + len(answer) + length)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        while self._idle:
            reader, writer, used = self._idle.pop()
            # The server closes connections that were idle for long.
            if not reader.at_eof() and time.monotonic() - used < IDLE:
                break
            writer.close()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            yield reader, writer
        except BaseException:
            writer.close()  # an answer may be half read
            raise
        if not writer.is_closing():
            self._idle.append((reader, writer, time.monotonic()))
