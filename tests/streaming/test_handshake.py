"""Every upgrade request is answered at once, however invalid it is."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, WebSocket

from fastcore.streaming import Hub
from tests.streaming.raw_client import BINARY, PING, PONG, TEXT, TIMEOUT, RawClient, frame
from tests.streaming.running import Running

HEAD = (
    "GET /stream?topics=a HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)

# (what is sent, statuses that may be answered); RFC 9110 and RFC 6585 name them.
REQUESTS = {
    "as it should be": (HEAD + "\r\n", {101}),
    "a line of 7 KB": (HEAD + "Cookie: " + "a" * 7000 + "\r\n\r\n", {101}),
    "an empty body": (HEAD + "Content-Length: 0\r\n\r\n", {101}),
    "a line of 9 KB": (HEAD + "Cookie: " + "a" * 9000 + "\r\n\r\n", {431}),
    "a line of 40 KB": (HEAD + "Cookie: " + "a" * 40_000 + "\r\n\r\n", {431}),
    "a target of 9 KB": (HEAD.replace("topics=a", "token=" + "a" * 9000) + "\r\n", {414}),
    "200 lines": (HEAD + "".join(f"X-{n}: a\r\n" for n in range(200)) + "\r\n", {431}),
    "a body": (HEAD + "Content-Length: 5\r\n\r\nhello", {400}),
    "a body that never comes": (HEAD + "Content-Length: 5\r\n\r\n", {400}),
    "chunks": (HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", {400}),
    "chunks that never come": (HEAD + "Transfer-Encoding: chunked\r\n\r\n", {400}),
    "100-continue": (HEAD + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", {400}),
    "POST": (HEAD.replace("GET", "POST", 1) + "\r\n", {400, 405}),
    "HEAD": (HEAD.replace("GET", "HEAD", 1) + "\r\n", {400, 405}),
    "OPTIONS": (HEAD.replace("GET", "OPTIONS", 1) + "\r\n", {400, 405}),
    "POST with a body": (HEAD.replace("GET", "POST", 1) + "Content-Length: 5\r\n\r\nhello", {400}),
    "no key": (HEAD.replace("Sec-WebSocket-Key", "X-Key") + "\r\n", {400}),
    "two keys": (HEAD + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", {400}),
    "version 8": (HEAD.replace("Version: 13", "Version: 8") + "\r\n", {400, 426}),
    "a name with a space": (HEAD + "X a: b\r\n\r\n", {400}),
    "a line without a name": (HEAD + ": b\r\n\r\n", {400}),
    "bytes beyond ASCII in the target": (HEAD.replace("topics=a", "topics=\xe9") + "\r\n", {400}),
}

PARSERS = ["httptools", "h11", "fastcore.streaming.handshake:HeadTimeoutProtocol"]


@pytest.fixture(scope="module", params=PARSERS)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    app = FastAPI()
    hub = Hub()
    hub.route(app)
    app.state.hub = hub

    @app.websocket("/echo")
    async def echo(ws: WebSocket) -> None:
        await ws.accept()
        while True:
            await ws.send_text(await ws.receive_text())

    with Running(app, http=request.param) as running:
        yield running


def answer(port: int, request: str) -> int:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(TIMEOUT)
        sock.sendall(request.encode("latin-1"))
        line = b""
        while not line.endswith(b"\n"):
            byte = sock.recv(1)
            assert byte, f"closed after {line!r}"
            line += byte
        status = int(line.split()[1])
        if status != 101:  # and the connection ends
            try:
                while sock.recv(1 << 16):
                    pass
            except ConnectionResetError:
                pass
        return status


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_to_upgrade_is_answered(server: Running, name: str) -> None:
    request, statuses = REQUESTS[name]
    assert answer(server.port, request) in statuses
    hub = server.app.state.hub
    server.until(lambda: hub.clients.seats.taken == 0)
    server.until(lambda: not server.server.server_state.connections)


def test_a_head_that_grows_without_an_end_is_refused(server: Running) -> None:
    """httptools alone has no limit, the two others have."""
    if server.server.config.http == "httptools":
        pytest.skip("uvicorn's own protocol with httptools")
    assert answer(server.port, HEAD + "Cookie: " + "a" * 100_000) in {400, 431}


# -- frames before the application has them ------------------------------------------------------------------------


def test_a_flood_of_pings_does_not_hide_an_echo(server: Running) -> None:
    with RawClient(server.port, "/echo") as client:
        client.write(frame(PING, b"") * 5000 + frame(TEXT, b"here"))
        pongs = 0
        while (found := client.read()).opcode == PONG:
            pongs += 1
        assert (pongs, found.data) == (5000, b"here")


def test_messages_of_one_read_are_echoed_in_order(server: Running) -> None:
    with RawClient(server.port, "/echo") as client:
        client.write(b"".join(frame(TEXT, b"%d" % n) for n in range(1000)))
        assert [int(client.read().data) for _ in range(1000)] == list(range(1000))


def test_a_large_message_among_small_ones_is_whole(server: Running) -> None:
    with RawClient(server.port, "/echo") as client:
        large = b"0123456789" * 50_000
        client.write(frame(TEXT, b"a") + frame(TEXT, large) + frame(TEXT, b"b"))
        assert [client.read().data for _ in range(3)] == [b"a", large, b"b"]


@pytest.mark.parametrize("one", [frame(PONG), frame(PING), frame(BINARY, b"\x91\x06"), frame(BINARY, b"", fin=False)])
def test_after_a_close_a_flood_is_not_parsed(server: Running, one: bytes) -> None:
    """The kernel's buffers fill, for reading has stopped; a bystander is still answered."""
    hub = server.app.state.hub
    with RawClient(server.port) as flooder:
        flooder.hear()
        server.until(lambda: len(hub) == 1)
        [session] = server.call(hub.clients.all)
        with RawClient(server.port) as bystander:
            flood(flooder, one)
            bystander.say(3, 1, ["t"])
            assert bystander.hear_kind(3)[1] == 1
        server.until(lambda: session.closed)
        server.until(lambda: session.link._intake._stopped)


def flood(flooder: RawClient, one: bytes) -> None:
    """Send until nothing is taken any more."""
    flooder.sock.setblocking(False)
    blob, sent = one * 20_000, 0
    try:
        while sent < 64 << 20:
            sent += flooder.sock.send(blob)
        raise AssertionError("everything was taken")
    except (BlockingIOError, ConnectionError):
        pass


def test_heads_are_counted_each_for_itself(server: Running) -> None:
    """A connection that is kept may send any number of small ones, in pieces."""
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.settimeout(TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(20):
            sock.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 7000)
            time.sleep(0.01)  # so that they come in pieces
            sock.sendall(b"\r\n\r\n")
            got = b""
            while b'{"detail":"Not Found"}' not in got:
                part = sock.recv(1 << 16)
                assert part, got
                got += part
            assert got.startswith(b"HTTP/1.1 404")
