"""Clients that shut down their sending side after a request, and wait for the answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, StreamingResponse

from fastcore.streaming.handshake import HeadTimeoutProtocol
from tests.loops import STANDARD_LOOPS
from tests.streaming.raw_client import TIMEOUT
from tests.streaming.running import Running

PART = b"0123456789" * 1000
PARTS = 50


class Brief(HeadTimeoutProtocol):
    half_closed_timeout = 0.05


class Patient(HeadTimeoutProtocol):
    half_closed_timeout = 10 * TIMEOUT


def build() -> FastAPI:
    app = FastAPI()
    app.state.gate = asyncio.Event()
    app.state.told = []

    @app.api_route("/echo", methods=["GET", "POST"])
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(b"echo " + await request.body())

    @app.get("/held")
    async def held() -> PlainTextResponse:
        await app.state.gate.wait()
        return PlainTextResponse("held")

    @app.get("/parts")
    async def parts(known: bool) -> StreamingResponse:
        async def each() -> AsyncIterator[bytes]:
            try:
                yield PART
                await app.state.gate.wait()
                for _ in range(PARTS - 1):
                    yield PART
            finally:
                app.state.told.append("parts ended")

        return StreamingResponse(each(), headers={"Content-Length": str(PARTS * len(PART))} if known else {})

    @app.get("/disconnect")
    async def disconnect(request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        app.state.told.append("disconnected")

    return app


@pytest.fixture(params=STANDARD_LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(loop: str) -> Iterator[Running]:
    with Running(build(), http=Patient, loop=loop) as running:
        yield running


@pytest.fixture
def brief(loop: str) -> Iterator[Running]:
    with Running(build(), http=Brief, loop=loop) as running:
        yield running


def connect(server: Running, data: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", server.port))
    sock.settimeout(TIMEOUT)
    sock.sendall(data.encode())
    return sock


def rest(sock: socket.socket) -> bytes:
    found = b""
    while part := sock.recv(1 << 16):
        found += part
    return found


def closed(server: Running) -> None:
    server.until(lambda: not server.server.server_state.connections)


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        ("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", b"echo "),
        ("GET /echo HTTP/1.0\r\n\r\n", b"echo "),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", b"echo hello"),
    ],
)
def test_the_answer_comes_and_the_connection_ends(server: Running, request_: str, body: bytes) -> None:
    with connect(server, request_) as sock:
        sock.shutdown(socket.SHUT_WR)
        answer = rest(sock)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(body)
    closed(server)


def test_an_answer_that_takes_a_while_comes(server: Running) -> None:
    with connect(server, "GET /held HTTP/1.1\r\nHost: x\r\n\r\n") as sock:
        sock.shutdown(socket.SHUT_WR)
        server.until(lambda: any(each._half_closed for each in server.server.server_state.connections))
        server.call(server.app.state.gate.set)
        assert rest(sock).endswith(b"held")
    closed(server)


def test_all_answers_of_a_pipeline_come(server: Running) -> None:
    with connect(server, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n" * 3) as sock:
        sock.shutdown(socket.SHUT_WR)
        assert rest(sock).count(b"HTTP/1.1 200") == 3
    closed(server)


def test_an_answer_of_known_length_that_has_begun_is_sent_whole(server: Running) -> None:
    with connect(server, "GET /parts?known=1 HTTP/1.1\r\nHost: x\r\n\r\n") as sock:
        begun = b""
        while len(begun) < len(PART):
            begun += sock.recv(1 << 16)
        sock.shutdown(socket.SHUT_WR)
        server.until(lambda: any(each._half_closed for each in server.server.server_state.connections))
        server.call(server.app.state.gate.set)
        assert (begun + rest(sock)).partition(b"\r\n\r\n")[2] == PART * PARTS
    closed(server)


def test_a_stream_ends_with_its_client(server: Running) -> None:
    """Its length is not known: without the next write, nothing else would say that the client has gone."""
    with connect(server, "GET /parts?known=0 HTTP/1.1\r\nHost: x\r\n\r\n") as sock:
        sock.recv(1 << 16)
        sock.shutdown(socket.SHUT_WR)
        rest(sock)
    server.until(lambda: server.app.state.told == ["parts ended"])
    closed(server)


def test_a_client_that_has_gone_is_noticed_after_a_while(brief: Running) -> None:
    connect(brief, "GET /disconnect HTTP/1.1\r\nHost: x\r\n\r\n").close()
    brief.until(lambda: brief.app.state.told == ["disconnected"])
    closed(brief)


@pytest.mark.parametrize(
    "begun",
    ["", "GET /echo HTTP/1.1\r\nHo", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel"],
    ids=["nothing", "half a head", "half a body"],
)
def test_without_a_whole_request_the_connection_ends_at_once(server: Running, begun: str) -> None:
    with connect(server, begun) as sock:
        sock.shutdown(socket.SHUT_WR)
        assert rest(sock) == b""
    closed(server)


def test_an_idle_connection_ends_at_once(server: Running) -> None:
    with connect(server, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n") as sock:
        answer = b""
        while not answer.endswith(b"echo "):
            answer += sock.recv(1 << 16)
        sock.shutdown(socket.SHUT_WR)
        assert rest(sock) == b""
    closed(server)
