"""Limits: connections, subscriptions, rates and sizes."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import Any

import pytest

from fastcore.streaming import Hub, Limits
from fastcore.streaming.limits import Bucket, Seats
from tests.streaming.raw_client import BINARY, CONT, PING, PONG, TIMEOUT, RawClient, deflated, frame
from tests.streaming.starlette_servers import Serve, serve, serve_direct, status_of

__all__ = ["serve", "serve_direct"]


# -- over connections -------------------------------------------------------------------------------------------------


def test_connections_in_all(serve: Serve) -> None:
    hub, server = serve(limits=Limits(connections=2))
    with RawClient(server.port) as one, RawClient(server.port) as two:
        one.hear(), two.hear()
        assert status_of(server.port) in (503, 403)
    server.until(lambda: hub.clients.seats.taken == 0)
    assert status_of(server.port) == 101
    assert sum(hub.stats().refused.values()) == 1


def test_connections_of_an_address(serve_direct: Serve) -> None:
    hub, server = serve_direct(limits=Limits(per_address=1))
    with RawClient(server.port) as one:
        one.hear()
        assert status_of(server.port) == 429
    server.until(lambda: hub.clients.seats.taken == 0)
    assert status_of(server.port) == 101
    server.until(lambda: hub.clients.seats.taken == 0 and not hub.clients.seats._by_address)


def test_connection_slots_are_always_released(serve: Serve) -> None:
    def authenticate(token: str) -> Any:
        raise ValueError

    hub, server = serve(authenticate=authenticate)
    for _ in range(3):
        with RawClient(server.port, "/stream?token=boom") as client:
            client.closed()
    server.until(lambda: hub.clients.seats.taken == 0 and len(hub.clients) == 0)


def test_subscriptions_and_the_length_of_topics(serve: Serve) -> None:
    _, server = serve(limits=Limits(subscriptions=3, topic_length=10))
    with RawClient(server.port, "/stream?topics=a,b") as client:
        client.hear_kind(3)
        client.say(3, 1, ["c", "d"])
        assert client.hear()[:3] == [5, 1, 102]
        client.say(3, 2, ["t" * 11])
        assert client.hear()[:3] == [5, 2, 101]
        client.say(3, 3, ["t" * 10])
        assert client.hear()[:2] == [3, 3]
    with RawClient(server.port, "/stream?topics=a,b,c,d") as client:
        assert client.hear()[0] == 0
        assert client.hear()[:3] == [5, 0, 102]


def test_the_rate_of_messages(serve: Serve) -> None:
    hub, server = serve(limits=Limits(message_rate=0.001, message_burst=5))
    with RawClient(server.port) as client:
        for _ in range(6):
            client.say(6)
        assert client.closed() == 3013
    assert hub.stats().closed == {3013: 1}


@pytest.mark.parametrize(
    "flood",
    [
        frame(PING, b"x") * 21,
        frame(PONG, b"x") * 21,
        frame(PONG) * 11 + frame(PING) * 10,
        frame(BINARY, b"", fin=False) + frame(CONT, b"", fin=False) * 20,
    ],
)
def test_pings_pongs_and_fragments_count_as_well(serve_direct: Serve, flood: bytes) -> None:
    _, server = serve_direct(limits=Limits(message_rate=0.001, message_burst=20))
    with RawClient(server.port) as client:
        client.hear()
        client.write(flood)
        assert client.closed() == 3013


def test_the_size_of_a_message_binds_before_the_token_is_checked(serve_direct: Serve) -> None:
    ask = asyncio.Event()

    async def authenticate(token: str) -> bool:
        await ask.wait()
        return True

    hub, server = serve_direct(limits=Limits(message_size=1000), authenticate=authenticate)
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.settimeout(TIMEOUT)
        head = (
            "GET /stream?token=t HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        sock.sendall(head.encode())
        server.until(lambda: hub.clients.seats.taken)
        sock.setblocking(False)
        sent, large = 0, frame(BINARY, b"x" * (32 << 20))
        try:
            while sent < len(large):
                sent += sock.send(memoryview(large)[sent:])
        except BlockingIOError:
            pass
        assert sent < len(large)  # it is not read
        server.call(ask.set)
        sock.settimeout(TIMEOUT)
        got = b""
        while b"\x03\xf1" not in got:  # 1009
            got += sock.recv(1 << 16)
        assert b" 101 " in got


def test_the_size_of_a_message(serve_direct: Serve) -> None:
    _, server = serve_direct(limits=Limits(message_size=1000))
    with RawClient(server.port) as client:
        client.write(frame(BINARY, b"x" * 1001))
        assert client.closed() == 1009
    with RawClient(server.port) as client:
        client.write(frame(BINARY, b"x" * 600, fin=False) + frame(CONT, b"x" * 600))
        assert client.closed() == 1009
    bomb = deflated(bytes(100_000))
    assert len(bomb) < 1000
    with RawClient(server.port, deflate="permessage-deflate") as client:
        client.write(frame(BINARY, bomb, rsv=4))
        assert client.closed() == 1009
    with RawClient(server.port) as client:  # never agreed to
        client.write(frame(BINARY, deflated(b"\x91\x06"), rsv=4))
        assert client.closed() == 1002


def test_a_client_that_does_not_read_answers_is_closed(serve: Serve) -> None:
    hub, server = serve(limits=Limits(message_rate=None, backlog=50_000, linger=0.1), beat=0.05)
    for n in range(100):
        hub.publish(f"t.{n}", n)
    with RawClient(server.port, rcvbuf=4096) as client:
        try:
            for n in range(20_000):
                client.say(3, n, ["t.*"])
                if hub.stats().closed:
                    break
        except OSError:
            pass
        server.until(lambda: hub.stats().closed == {3008: 1})


# -- rules by themselves ---------------------------------------------------------------------------------------------


def test_a_bucket_fills_at_its_rate_and_no_further() -> None:
    bucket = Bucket(3, 0.0)
    assert [bucket.take(2.0, 3, 0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(2.0, 3, 0.5) for _ in range(2)] == [True, False]
    assert [bucket.take(2.0, 3, 100.0) for _ in range(4)] == [True, True, True, False]


def test_connections_are_limited_in_all_and_by_address() -> None:
    seats = Seats(Limits(connections=3, per_address=2))
    assert [seats.take("a"), seats.take("a"), seats.take("a"), seats.take("b"), seats.take("b")] == [0, 0, 429, 0, 503]
    seats.leave("a")
    assert seats.take(None) == 0
    assert seats.taken == 3


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"connections": 0}, ValueError),
        ({"subscriptions": None}, TypeError),
        ({"backlog": 1.5}, TypeError),
        ({"stalled": 0}, ValueError),
        ({"stalled": math.nan}, ValueError),
        ({"token": math.inf}, ValueError),
        ({"message_rate": "5"}, TypeError),
        ({"message_size": True}, TypeError),
    ],
)
def test_limits_are_checked(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"{next(iter(options))}: expected"):
        Limits(**options)


def test_pong_fits_into_ping() -> None:
    with pytest.raises(ValueError, match="pong: expected"):
        Hub(ping=5, pong=8)
