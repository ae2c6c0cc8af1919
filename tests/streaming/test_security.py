"""Who is let in, for how long, and how much each may ask for; most of it over real connections."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fastcore.streaming import Grant, Hub, Limits
from fastcore.streaming.handshake import HeadTimeoutProtocol
from fastcore.streaming.limits import Bucket, Seats
from fastcore.streaming.security import Origins, covers
from fastcore.streaming.session import EXPIRY_DUE
from python_fallback.shared.framing.topics import matches
from tests.streaming.raw_client import BINARY, CONT, PING, PONG, TIMEOUT, RawClient, Refused, deflated, frame
from tests.streaming.running import HUB, Running

KINDS = {"direct": {"ws": HUB, "http": "h11"}, "asgi": {"ws": "websockets-sansio", "http": "httptools"}}

Serve = Callable[..., tuple[Hub, Running]]


def make(kept: dict[str, Running], kind: str) -> Serve:
    def start(**options: Any) -> tuple[Hub, Running]:
        if kind not in kept:
            kept[kind] = Running(Starlette(), **KINDS[kind]).__enter__()
        kept[kind].app.router.routes.clear()
        hub = Hub(**options)
        hub.route(kept[kind].app)
        return hub, kept[kind]

    return start


@pytest.fixture(params=list(KINDS))
def serve(request: pytest.FixtureRequest, kept: dict[str, Running]) -> Serve:
    return make(kept, request.param)


@pytest.fixture
def serve_direct(kept: dict[str, Running]) -> Serve:
    return make(kept, "direct")


def status_of(port: int, path: str = "/stream", **headers: str) -> int:
    try:
        RawClient(port, path, headers=headers).close()
    except Refused as refused:
        return refused.status
    return 101


# -- origins -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "origins", "good"),
    [
        (None, [], True),
        (None, ["http://desk.example.com:8000"], True),
        (None, ["https://desk.example.com:8000"], True),
        (None, ["https://desk.example.com"], False),
        (None, ["https://evil.example"], False),
        (None, ["null"], False),
        (["https://desk.example.com"], ["https://DESK.example.com"], True),
        (["https://desk.example.com"], ["http://desk.example.com"], False),
        (["https://desk.example.com"], ["https://desk.example.com.evil.example"], False),
        (["https://desk.example.com"], ["https://desk.example.com:8000"], False),
        (["https://desk.example.com"], [], True),
        (["https://desk.example.com"], ["https://desk.example.com", "https://evil.example"], False),
        (["https://*.example.com"], ["https://a.b.example.com"], True),
        (["https://*.example.com"], ["https://example.com"], False),
        (["https://*.example.com"], ["https://evilexample.com"], False),
        ("*", ["https://evil.example"], True),
        (None, ["http://desk.example.com:8000."], False),
        (None, ["ftp://desk.example.com:8000"], False),
        (None, ["http://desk.example.com:80"], False),
        (None, ["http://desk.example.com:99999"], False),
        (None, ["http://desk.example.com:x"], False),
        (None, ["http://[::1"], False),
        (None, [""], False),
        (None, ["http://desk.example.com:8000", "http://desk.example.com:8000"], False),
        (["https://desk.example.com:443"], ["https://desk.example.com"], True),
        (["https://desk.example.com"], ["https://desk.example.com:443"], True),
        (["http://desk.example.com:80"], ["http://desk.example.com"], True),
        (["https://desk.example.com:80"], ["https://desk.example.com"], False),
        (["https://*.example.com"], ["https://a.example.com:443"], True),
        (["https://*.example.com"], ["https://a.example.com:8443"], False),
        (["https://*.example.com:8443"], ["https://a.example.com:8443"], True),
    ],
)
def test_origins(allowed: Any, origins: list[str], good: bool) -> None:
    assert Origins(allowed).allow(origins, "desk.example.com:8000") is good


@pytest.mark.parametrize(
    ("host", "origin", "good"),
    [
        ("desk.example.com", "https://desk.example.com", True),
        ("desk.example.com:443", "https://desk.example.com", True),
        ("desk.example.com", "https://desk.example.com:443", True),
        ("desk.example.com:80", "http://desk.example.com", True),
        ("desk.example.com:80", "https://desk.example.com", False),
        ("DESK.example.com", "https://desk.example.com", True),
        ("desk.example.com", "https://desk.example.com:8443", True),  # nginx's $host drops the port
        ("desk.example.com", "https://desk.example.com.evil.example", False),
        ("desk.example.com", "https://evil.example/desk.example.com", False),
        ("127.0.0.1:8000", "http://127.0.0.1:5173", True),  # a development server in front
        ("localhost:8000", "http://localhost:5173", True),
        ("[::1]:8000", "http://[::1]:5173", True),
        ("localhost:8000", "http://127.0.0.1:8000", False),
        ("evil.example@desk.example.com", "https://evil.example", False),
        ("desk.example.com:x", "https://desk.example.com", False),
        (None, "https://desk.example.com", False),
        ("", "https://desk.example.com", False),
    ],
)
def test_without_a_list_a_page_of_the_same_host_is_accepted(host: str | None, origin: str, good: bool) -> None:
    assert Origins(None).allow([origin], host) is good


@pytest.mark.parametrize("bad", ["desk.example.com", "https://", "https://a/b", "", "https://a:x", "https://a:99999"])
def test_origins_are_checked(bad: str) -> None:
    with pytest.raises(ValueError, match="expected scheme://host"):
        Origins([bad])
    with pytest.raises(TypeError):
        Origins(bad or "x")


def test_a_page_of_another_host_is_refused_before_the_upgrade(serve: Serve) -> None:
    hub, server = serve(origins=["https://desk.example.com"])
    assert status_of(server.port, Origin="https://evil.example") == 403
    assert status_of(server.port, Origin="https://desk.example.com") == 101
    assert status_of(server.port) == 101
    assert hub.stats().refused == {403: 1}
    _, server = serve()
    assert status_of(server.port, Origin="https://evil.example") == 403
    assert status_of(server.port, Origin=f"http://127.0.0.1:{server.port}") == 101


# -- the handshake -------------------------------------------------------------------------------------------------


class Impatient(HeadTimeoutProtocol):
    head_timeout = 0.3


@pytest.fixture(scope="module")
def impatient() -> Iterator[int]:
    hub = Hub()

    async def slow(request: Request) -> PlainTextResponse:
        body = await request.body()
        return PlainTextResponse(str(len(body)))

    app = Starlette(routes=[Route("/", slow, methods=["GET", "POST"])])
    hub.route(app)
    with Running(app, http=Impatient) as server:
        yield server.port


def test_the_head_of_a_request_has_its_time(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient), timeout=TIMEOUT) as never:
        assert never.recv(1) == b""
    with socket.create_connection(("127.0.0.1", impatient), timeout=TIMEOUT) as drop:
        drop.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n")
        assert drop.recv(1) == b""


def test_bodies_and_websockets_may_take_longer(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient), timeout=TIMEOUT) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        time.sleep(0.6)
        client.sendall(b"b")
        answer = b""
        while not answer.endswith(b"\r\n\r\n2"):
            answer += client.recv(1000)
        client.sendall(b"GET / HT")  # a second one, that is not finished
        assert client.recv(1) == b""
    with RawClient(impatient) as client:
        client.hear()
        time.sleep(0.6)
        client.say(3, 1, ["t"])
        assert client.hear()[:2] == [3, 1]


# -- tokens --------------------------------------------------------------------------------------------------------


def by_token(token: str) -> Grant | None:
    return {
        "good": Grant("ann"),
        "short": Grant("bob", expires=time.time() + 1.0),
        "hour": Grant("bob", expires=time.time() + 3600),
        "old": Grant("bob", expires=time.time() - 1),
        "prices": Grant("cyd", topics=("prices.>",)),
    }.get(token)


async def by_token_later(token: str) -> Grant | None:
    await asyncio.sleep(0.01)
    return by_token(token)


@pytest.fixture(params=[by_token, by_token_later], ids=["sync", "async"])
def guarded(request: pytest.FixtureRequest, serve: Serve) -> tuple[Hub, Running]:
    return serve(authenticate=request.param, limits=Limits(token=30.0), beat=0.05)


def test_a_token_in_the_handshake(guarded: tuple[Hub, Running]) -> None:
    _, server = guarded
    bearer = {"Authorization": "Bearer good"}
    with RawClient(server.port, "/stream?topics=t", headers=bearer) as client:
        assert client.hear()[0] == 0
        assert client.hear()[0] == 3
    with RawClient(server.port, "/stream?topics=t&token=good") as client:
        assert [client.hear()[0], client.hear()[0]] == [0, 3]
    with RawClient(server.port, "/stream?topics=t&token=bad") as client:
        assert client.closed() == 3500


def test_a_token_in_the_first_message(guarded: tuple[Hub, Running]) -> None:
    hub, server = guarded
    with RawClient(server.port, "/stream?topics=a") as client:
        client.say(0, {"token": "good", "topics": ["b"]})
        client.say(3, 7, ["c"])  # without waiting for the answer
        assert client.hear()[0] == 0
        assert [[e[0] for e in client.hear()[2]] for _ in range(3)] == [["a"], ["b"], ["c"]]
        assert len(hub) == 1
    with RawClient(server.port) as client:
        client.say(0, {"token": "bad"})
        assert client.closed() == 3500
    with RawClient(server.port) as client:
        client.say(0, {"token": "old"})
        assert client.closed() == 3500


def test_nothing_is_sent_before_a_valid_token(guarded: tuple[Hub, Running]) -> None:
    hub, server = guarded
    with RawClient(server.port, "/stream?topics=t") as client:
        client.say(3, 5, ["t"])
        hub.publish("t", "secret")
        client.say(0, {"topics": ["t"]})
        first = client.hear()
        assert first[0] == 5
        assert "token" in first[3]
        assert len(hub) == 0
        assert hub.stats().waiting == 1


def test_a_client_without_a_token_is_closed(serve: Serve) -> None:
    hub, server = serve(authenticate=by_token, limits=Limits(token=0.3), beat=0.05)
    with RawClient(server.port, "/stream?topics=t") as client:
        assert client.closed() == 3502
    server.until(lambda: hub.stats().closed == {3502: 1})


def test_a_token_expires(guarded: tuple[Hub, Running]) -> None:
    _, server = guarded
    with RawClient(server.port, "/stream?token=short") as client:
        assert 0 < client.hear()[1]["ttl"] <= 1
        assert client.closed() == 3005


def test_a_new_token_replaces_the_old_one(guarded: tuple[Hub, Running]) -> None:
    hub, server = guarded
    with RawClient(server.port, "/stream?token=hour") as client:
        assert 3000 < client.hear()[1]["ttl"] <= 3600
        [session] = server.call(hub.clients.all)
        client.say(8, 1, "bad")
        assert client.hear()[:3] == [5, 1, 104]
        client.say(8, 2, "good")
        assert client.hear() == [8, 2, None]
        server.call(lambda: session.due(EXPIRY_DUE))  # of the old one
        client.say(8, 3, "hour")
        assert client.hear()[:2] == [8, 3]
        server.call(lambda: session.due(EXPIRY_DUE))  # too early
        hub.clients.expired = lambda grant: grant.expires is not None  # type: ignore[method-assign]
        server.call(lambda: session.due(EXPIRY_DUE))
        assert client.closed() == 3005


def test_a_grant_bounds_what_may_be_subscribed_to(guarded: tuple[Hub, Running]) -> None:
    _, server = guarded
    with RawClient(server.port, "/stream?token=prices&topics=prices.AAPL") as client:
        assert client.hear_kind(3)[2][0][0] == "prices.AAPL"
        client.say(3, 1, ["prices.*", "orders.1"])
        assert client.hear()[:3] == [5, 1, 103]
        client.say(3, 2, [">"])
        assert client.hear()[:3] == [5, 2, 103]
        client.say(3, 3, ["prices.*"])
        assert client.hear()[:2] == [3, 3]


def test_authorize_decides_and_its_errors_refuse(serve: Serve) -> None:
    def authorize(grant: Grant, name: str) -> bool:
        if name in errors:
            raise errors[name]
        return name == f"orders.{grant.user}"

    errors = {"boom": RuntimeError(), "cancelled": asyncio.CancelledError(), "exit": SystemExit(3)}

    _, server = serve(authenticate=by_token, authorize=authorize)
    with RawClient(server.port, "/stream?token=good") as client:
        client.hear()
        for name, answer in [("orders.ann", 3), ("orders.bob", 5), *((error, 5) for error in errors)]:
            client.say(3, 1, [name])
            assert client.hear()[0] == answer


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("answer", [RuntimeError("no"), "a user", 7, asyncio.CancelledError(), SystemExit(3)])
def test_a_failing_hook_closes_with_try_again_later(serve: Serve, answer: Any, asynchronous: bool) -> None:
    def authenticate(token: str) -> Any:
        if token == "good":
            return True
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def authenticate_later(token: str) -> Any:
        return authenticate(token)

    _, server = serve(authenticate=authenticate_later if asynchronous else authenticate)
    with RawClient(server.port, "/stream?token=x") as client:
        assert client.closed() == 1013
    with RawClient(server.port) as client:
        client.say(0, {"token": "x"})
        assert client.closed() == 1013
    with RawClient(server.port, "/stream?token=good") as client:
        client.hear_kind(0)
        for token, reply in [("x", [5, 105]), ("good", [8, None])]:
            client.say(8, 1, token)
            kind, ref, code, *_ = client.hear()
            assert (ref, [kind, code]) == (1, reply)


def test_a_hanging_hook_closes_with_try_again_later(serve: Serve) -> None:
    async def authenticate(token: str) -> bool:
        await asyncio.sleep(600)
        return True

    _, server = serve(authenticate=authenticate, limits=Limits(token=0.2), beat=0.05)
    with RawClient(server.port, "/stream?token=x") as client:
        assert client.closed() == 1013
    with RawClient(server.port) as client:
        client.say(0, {"token": "x"})
        assert client.closed() == 1013, "it has shown a token in time"


def test_too_many_messages_before_the_answer(serve: Serve) -> None:
    async def authenticate(token: str) -> bool:
        await asyncio.sleep(600)
        return True

    _, server = serve(authenticate=authenticate, limits=Limits(token=30))
    with RawClient(server.port) as client:
        client.say(0, {"token": "x"})
        for n in range(17):
            client.say(3, n, ["t"])
        assert client.closed() == 3501


# -- how much ------------------------------------------------------------------------------------------------------


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


# -- the counting itself ---------------------------------------------------------------------------------------------


def test_a_bucket_fills_at_its_rate_and_no_further() -> None:
    bucket = Bucket(3, 0.0)
    assert [bucket.take(2.0, 3, 0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(2.0, 3, 0.5) for _ in range(2)] == [True, False]
    assert [bucket.take(2.0, 3, 100.0) for _ in range(4)] == [True, True, True, False]


def test_seats() -> None:
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


NAMES = ["a", "a.b", "a.c", "b", "a.b.c", "a.*", "*.b", "*", "a.>", ">", "*.*", "a.*.>", "a.b.>", "*.>"]


@pytest.mark.parametrize("allowed", NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_covers_another_if_all_topics_of_it_match(allowed: str, name: str) -> None:
    words = ["a", "b", "c", "z"]
    topics = (
        words
        + [f"{v}.{w}" for v in words for w in words]
        + [f"{u}.{v}.{w}" for u in words for v in words for w in words]
    )
    assert covers(allowed, name) == all(matches(allowed, topic) for topic in topics if matches(name, topic))


def test_grants_are_checked() -> None:
    with pytest.raises(ValueError, match="expires"):
        Grant(expires=math.nan)
    with pytest.raises(TypeError, match="topics"):
        Grant(topics="prices.*")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="topic"):
        Grant(topics=("a..b",))
