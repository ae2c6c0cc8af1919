"""The head of an answer goes with its body in one write, and waits for nothing else."""

from __future__ import annotations

import asyncio
import http.client
import re
import select
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import pytest
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from starlette.routing import Route

from fastcore.streaming.handshake import HeadTimeoutProtocol
from fastcore.streaming.joined_writes import JoinedWrites
from tests.streaming.running import Running

LARGE = 3_000_000  # bytes: more than a socket takes at once


class Transport:
    """Notes every call that would be one of the system's."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed: str = ""

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def writelines(self, lines: Any) -> None:
        self.writes.append(b"".join(lines))

    def close(self) -> None:
        self.closed = self.closed or "closed"

    def abort(self) -> None:
        self.closed = "aborted"

    def write_eof(self) -> None:
        self.writes.append(b"EOF")

    def is_closing(self) -> bool:
        return bool(self.closed)

    def get_write_buffer_size(self) -> int:
        return 7


def after(*steps: Any, turns: int = 2) -> Transport:
    """Call methods of a transport, one after the other, and let the loop run."""

    async def main() -> Transport:
        transport = Transport()
        joined = JoinedWrites(transport, asyncio.get_running_loop())  # type: ignore[arg-type]
        for step in steps:
            if step is None:
                await asyncio.sleep(0)
            else:
                name, *given = step
                getattr(joined, name)(*given)
        for _ in range(turns):
            await asyncio.sleep(0)
        return transport

    return asyncio.run(main())


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("steps", "writes", "closed"),
    [
        ([("write", HEAD), ("write", b"body")], [HEAD + b"body"], ""),
        ([("write", HEAD), ("write", b"")], [HEAD], ""),
        ([("write", HEAD), ("write", memoryview(b"body"))], [HEAD + b"body"], ""),
        ([("write", HEAD), ("write", bytearray(100_000))], [HEAD + bytes(100_000)], ""),
        ([("write", HEAD)], [HEAD], ""),
        ([("write", HEAD), None, None, ("write", b"body")], [HEAD, b"body"], ""),
        ([("write", b"chunk"), ("write", b"chunk")], [b"chunk", b"chunk"], ""),
        ([("write", HEAD), ("write", b"a"), ("write", b"b")], [HEAD + b"a", b"b"], ""),
        ([("write", HEAD), ("write", HEAD), ("write", HEAD)], [HEAD + HEAD, HEAD], ""),
        ([("writelines", [HEAD, b"body"])], [HEAD + b"body"], ""),
        ([("write", HEAD), ("close",)], [HEAD], "closed"),
        ([("write", HEAD), ("abort",)], [], "aborted"),
        ([("write", HEAD), ("write_eof",)], [HEAD, b"EOF"], ""),
        ([("close",), ("write", HEAD)], [], "closed"),
        ([("flush",)], [], ""),
    ],
)
def test_what_is_written_and_when(steps: list[Any], writes: list[bytes], closed: str) -> None:
    transport = after(*steps)
    assert (transport.writes, transport.closed) == (writes, closed)


def test_bytes_that_wait_count() -> None:
    async def main() -> int:
        joined = JoinedWrites(Transport(), asyncio.get_running_loop())  # type: ignore[arg-type]
        joined.write(HEAD)
        return joined.get_write_buffer_size()

    assert asyncio.run(main()) == 7 + len(HEAD)


class Noted(HeadTimeoutProtocol):
    """Notes what goes to the transport."""

    writes: ClassVar[list[int]] = []

    def connection_made(self, transport: Any) -> None:
        super().connection_made(Spy(transport, self.writes))


class Spy:
    def __init__(self, transport: Any, writes: list[int]) -> None:
        self._transport, self._writes = transport, writes

    def write(self, data: bytes) -> None:
        self._writes.append(len(data))
        self._transport.write(data)

    def writelines(self, lines: Any) -> None:
        whole = b"".join(lines)
        self._writes.append(len(whole))
        self._transport.write(whole)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def answering() -> FastAPI:
    app = FastAPI()

    @app.get("/whole")
    async def whole() -> dict[str, int]:
        return {"price": 187}

    @app.get("/large")
    async def large() -> Response:
        return Response(b"x" * LARGE)

    return app


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    app = answering()
    go_on = asyncio.Event()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            await go_on.wait()
            yield b"late"

        return StreamingResponse(parts())

    @app.get("/empty")
    async def empty() -> Response:
        return Response(status_code=204)

    @app.get("/go-on")
    async def release() -> Response:
        go_on.set()
        return Response(status_code=204)

    with Running(app, http=Noted, loop=request.param) as running:
        yield running


def test_an_answer_is_one_write(server: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for _ in range(3):
        Noted.writes.clear()
        connection.request("GET", "/whole")
        assert connection.getresponse().read() == b'{"price":187}'
        assert len(Noted.writes) == 1
    for path, status, size in (("/large", 200, LARGE), ("/nothing", 404, 22), ("/empty", 204, 0), ("/whole", 200, 13)):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, len(answer.read())) == (status, size)
    connection.request("HEAD", "/whole")
    assert connection.getresponse().status == 405
    connection.close()


def test_the_head_of_a_stream_does_not_wait_for_its_first_part(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
        sock.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        assert head.startswith(b"HTTP/1.1 200")
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/go-on")
        assert connection.getresponse().status == 204
        connection.close()
        rest = head.partition(b"\r\n\r\n")[2]
        while not rest.endswith(b"0\r\n\r\n"):
            rest += sock.recv(4096)
        assert rest == b"4\r\nlate\r\n0\r\n\r\n"


def test_answers_to_pipelined_requests_come_in_order(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
        sock.sendall(
            b"".join(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"whole", b"nothing", b"whole"))
        )
        got = b""
        while got.count(b"HTTP/1.1") < 3 or not got.endswith(b"}"):
            got += sock.recv(4096)
        assert [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404", b"200"]


CLOSE = b"Host: x\r\nConnection: close\r\n"
UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SMALL = b"GET /whole HTTP/1.1\r\nHost: x\r\n\r\n"
# What is sent, one part after the other.
EXCHANGES = {
    "one that closes": [b"GET /whole HTTP/1.1\r\n" + CLOSE + b"\r\n"],
    "HTTP/1.0": [b"GET /whole HTTP/1.0\r\nHost: x\r\n\r\n"],
    "a large body": [b"GET /large HTTP/1.1\r\n" + CLOSE + b"\r\n"],
    "304": [b"GET /unchanged HTTP/1.1\r\n" + CLOSE + b"\r\n"],
    "100 first": [
        b"POST /echo HTTP/1.1\r\n" + CLOSE + b"Content-Length: 7\r\nExpect: 100-continue\r\n\r\n",
        b'{"a":1}',
    ],
    "parts": [b"GET /parts HTTP/1.1\r\n" + CLOSE + b"\r\n"],
    "a head and an error": [b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n"],
    "fifty requests at once": [SMALL * 50 + b"GET /large HTTP/1.1\r\n" + CLOSE + b"\r\n"],
    "no request": [b"GARBAGE\r\n\r\n"],
    "a WebSocket after an answer": [SMALL, UPGRADE, b"\x81\x82\0\0\0\0hi", b"\x88\x80\0\0\0\0"],
}


def exchanging() -> FastAPI:
    app = answering()

    async def send_parts(scope: Any, receive: Any, send: Any) -> None:
        length = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        if scope["path"].endswith("broken"):
            raise ValueError("after the head")
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"cd"})

    @app.get("/unchanged")
    async def unchanged() -> Response:
        return Response(status_code=304, headers={"etag": '"a"'})

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return Response(await request.body())

    @app.websocket("/socket")
    async def serve_socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text((await socket.receive_text()).upper())
        await socket.close()

    app.router.routes += [Route(f"/{name}", WithoutFramework(send_parts)) for name in ("parts", "broken")]
    return app


class WithoutFramework:
    """An ASGI application as the endpoint of a route."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


def all_of_now(sock: socket.socket) -> bytes:
    """Return what comes until nothing has come for a moment."""
    got = sock.recv(1 << 16)
    while select.select([sock], [], [], 0.2)[0] and (more := sock.recv(1 << 16)):
        got += more
    return got


def exchange(port: int, parts: list[bytes]) -> bytes:
    """Send the parts, and return all that comes until the server closes the connection, without dates."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        got = b""
        for n, part in enumerate(parts):
            sock.sendall(part)
            if n + 1 < len(parts):
                got += all_of_now(sock)
        while more := sock.recv(1 << 20):
            got += more
    return re.sub(rb"date: [^\r]*", b"date:", got)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_clients_get_the_same_bytes_as_from_uvicorn(loop: str) -> None:
    found: list[dict[str, bytes]] = []
    for protocol in ("httptools", "fastcore.streaming.handshake:HeadTimeoutProtocol"):
        with Running(exchanging(), http=protocol, loop=loop) as running:
            found.append({name: exchange(running.port, parts) for name, parts in EXCHANGES.items()})
    assert all(found[0].values())
    assert [name for name in EXCHANGES if found[0][name] != found[1][name]] == []
