"""A request with a larger body than `install(max_body=)` is answered 413, before the application reads it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from fastcore.service import body_limit, install
from fastcore.service.body_limit import BodyLimitMiddleware, BodyTooLarge
from tests.service.in_process import served
from tests.streaming.running import Running

pytestmark = pytest.mark.backend_independent

LIMIT = 1000
EXPECTED = {"status": 413, "detail": "body: expected at most 1,000 bytes, got more"}


def service(read: list[int]) -> FastAPI:
    """Return an application that notes how many bytes its routes read."""
    app = FastAPI()

    @app.post("/sum")
    async def total(numbers: list[int]) -> int:
        read.append(len(numbers))
        return sum(numbers)

    @app.post("/chunks")
    async def chunks(request: Request) -> int:
        async for chunk in request.stream():
            read.append(len(chunk))
        return sum(read)

    @app.post("/unread")
    async def unread() -> str:
        return "ok"

    @app.post("/forgiving")
    async def forgiving(request: Request) -> str:
        for _ in range(2):
            try:
                await request.body()
            except Exception:
                read.append(-1)
        return "ok"

    install(app, watch=False, alerts=False, triggers=False, max_body=LIMIT)
    return app


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield size * b"1"


def ask(path: str, read: list[int], **options: Any) -> httpx.Response:
    async def main() -> httpx.Response:
        async with served(service(read)) as client:
            return await client.post(path, **options)

    return asyncio.run(main())


def assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert answer.json().items() >= EXPECTED.items()


@pytest.mark.parametrize("path", ["/sum", "/chunks", "/unread", "/forgiving", "/nothing", "/readyz"])
def test_a_body_that_says_it_is_too_large_does_not_reach_the_application(path: str) -> None:
    read: list[int] = []
    assert_refused(ask(path, read, content=(LIMIT + 1) * b"1"))
    assert read == []


@pytest.mark.parametrize("path", ["/sum", "/chunks", "/forgiving"])
@pytest.mark.parametrize("sizes", [(LIMIT + 1,), (600, 400, 1), (600, 600, 600)])
def test_a_body_of_unknown_size_is_read_up_to_the_limit(path: str, sizes: tuple[int, ...]) -> None:
    read: list[int] = []
    assert_refused(ask(path, read, content=pieces(*sizes), headers={"content-type": "application/json"}))
    assert sum(read) <= LIMIT


def test_bodies_up_to_the_limit_are_the_applications() -> None:
    read: list[int] = []
    assert ask("/chunks", read, content=pieces(600, 400)).json() == LIMIT
    assert ask("/chunks", [], content=LIMIT * b"1").json() == LIMIT
    assert ask("/sum", [], json=[1, 2]).json() == 3
    assert ask("/sum", [], json="no list").status_code == 422
    assert ask("/unread", []).json() == "ok"
    assert ask("/unread", [], content=pieces(600, 600)).json() == "ok"  # what is not read has no size


@pytest.mark.parametrize("size", [True, -1, 1.5, "1"])
def test_a_limit_is_a_number_of_bytes(size: Any) -> None:
    with pytest.raises(ValueError, match="max_body: expected an int >= 0 or None"):
        install(FastAPI(), max_body=size)


def send_in_pieces(app: Any, version: str, told: list[Any]) -> None:
    """Give an application behind the limit two pieces of 600 bytes, and note its answer in `told`."""
    coming = iter([{"type": "http.request", "body": 600 * b"1", "more_body": True} for _ in range(2)])

    async def receive() -> Any:
        return next(coming, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        told.append(message)

    headers = [] if version == "2" else [(b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "http_version": version, "method": "POST", "headers": headers}
    asyncio.run(BodyLimitMiddleware(app, max_body=LIMIT)(scope, receive, send))


def test_http_2_needs_no_content_length() -> None:
    """Neither does it have Transfer-Encoding, and an answer must not have Connection."""
    told: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass

    send_in_pieces(app, "2", told)
    assert told[0]["status"] == 413
    assert b"connection" not in dict(told[0]["headers"])
    assert told[-1]["more_body"] is False


def test_an_answer_that_has_begun_is_cut_off() -> None:
    told: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": (await receive())["body"], "more_body": True})

    with pytest.raises(BodyTooLarge):
        send_in_pieces(app, "1.1", told)
    assert [message.get("status", len(message.get("body", b""))) for message in told] == [200, 600]


def test_errors_of_the_application_are_its_own() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise OSError("its own")

    with pytest.raises(OSError, match="its own"):
        send_in_pieces(app, "1.1", [])


@pytest.mark.parametrize("http", ["h11", "httptools", "fastcore.streaming.handshake:HeadTimeoutProtocol"])
def test_a_client_that_sends_everything_first_gets_the_answer(http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "LINGER", 60.0)  # a busy machine may take longer than a second
    read: list[int] = []
    body = 3_000_000
    with Running(service(read), http=http, lifespan="on") as server:
        for head in (f"content-length: {body}", "transfer-encoding: chunked"):
            with socket.create_connection(("127.0.0.1", server.port)) as sock:
                sock.sendall(f"POST /chunks HTTP/1.1\r\nhost: localhost\r\n{head}\r\n\r\n".encode())
                if "chunked" in head:
                    sock.sendall(f"{body:x}\r\n".encode())
                sock.sendall(body * b"1")
                if "chunked" in head:
                    sock.sendall(b"\r\n0\r\n\r\n")
                answer = b"".join(iter(lambda: sock.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert json.loads(answer.partition(b"\r\n\r\n")[2]).items() >= EXPECTED.items()
    assert sum(read) <= LIMIT


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_client_that_waits_for_100_continue_sends_no_body(http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "LINGER", 1e6)
    head = b"POST /chunks HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5000\r\n\r\n"
    with Running(service([]), http=http) as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(head)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
