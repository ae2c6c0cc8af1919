"""A hub over TLS: nothing goes past what encrypts it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from fastcore.streaming import Client, Hub, Limits
from tests.loops import STANDARD_LOOPS
from tests.streaming.running import WAIT, Running
from tests.tls import server_certificate, trusting

pytestmark = pytest.mark.backend_independent


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    made = server_certificate()
    made.private_key_pem.write_to_path(key)
    made.cert_chain_pems[0].write_to_path(cert)
    return key, cert


@pytest.mark.parametrize("loop", STANDARD_LOOPS)
def test_messages_are_encrypted(certificate: tuple[Path, Path], loop: str) -> None:
    key, cert = certificate
    hub = Hub()
    app = Starlette()
    hub.route(app)

    async def read(server: Running) -> list[object]:
        found: list[object] = []
        async with Client(
            f"wss://127.0.0.1:{server.port}/stream", ["t"], connect_options={"ssl": trusting()}
        ) as client:
            await asyncio.to_thread(server.until, lambda: hub.subscribers("t"))
            for n in range(20):
                hub.publish("t", {"n": n, "text": "x" * 5000})
                async with asyncio.timeout(WAIT):
                    found.append((await anext(aiter(client))).data)
        return found

    with Running(app, loop=loop, ssl_keyfile=str(key), ssl_certfile=str(cert)) as server:
        assert asyncio.run(read(server)) == [{"n": n, "text": "x" * 5000} for n in range(20)]


@pytest.mark.parametrize("loop", STANDARD_LOOPS)
def test_a_client_that_stops_reading_is_detected(certificate: tuple[Path, Path], loop: str) -> None:
    key, cert = certificate
    hub = Hub(limits=Limits(backlog=1 << 17, stalled=600.0, linger=1.0), ping=600, pong=60)
    app = Starlette()
    hub.route(app)
    request = (
        "GET /stream?topics=t HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with Running(app, loop=loop, ssl_keyfile=str(key), ssl_certfile=str(cert)) as server, socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(WAIT)
        plain.connect(("127.0.0.1", server.port))
        with trusting().wrap_socket(plain, server_hostname="127.0.0.1") as stuck:
            stuck.sendall(request.encode())
            server.until(lambda: hub.subscribers("t"))
            sent = 0
            while hub.stats().closed != {3008: 1}:
                server.call(lambda: hub.publish("t", b"x" * 10_000))
                sent += 10_000
                assert sent < 20_000_000, "nothing is held back"
            assert hub.stats().backlog_bytes == 0


@pytest.mark.parametrize("loop", STANDARD_LOOPS)
def test_a_half_closed_connection_ends_without_a_word(
    certificate: tuple[Path, Path], loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    """TLS cannot be half closed: asyncio would log that it was asked to."""
    key, cert = certificate
    held = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            held.set()

    with Running(
        app, http="fastcore.streaming.handshake:HeadTimeoutProtocol", loop=loop, ssl_keyfile=key, ssl_certfile=cert
    ) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            plain.settimeout(WAIT)
            with trusting().wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=True) as secret:
                secret.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                server.until(held.is_set)
                secret.shutdown(socket.SHUT_WR)
                server.until(lambda: not server.server.server_state.connections)
    assert not caplog.records
