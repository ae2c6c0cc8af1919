"""Who is let in, and for how long: origins, the handshake, tokens and grants; most of it over real connections."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fastcore.streaming import Grant, Hub, Limits
from fastcore.streaming.handshake import HeadTimeoutProtocol
from fastcore.streaming.security import Origins, covers
from fastcore.streaming.session import EXPIRY_DUE
from python_fallback.shared.framing.topics import matches
from tests.streaming.raw_client import TIMEOUT, RawClient
from tests.streaming.running import Running
from tests.streaming.starlette_servers import Serve, serve, serve_direct, status_of

__all__ = ["serve", "serve_direct"]


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


def test_a_refusal_is_no_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    Hub().route(app)
    with Running(app, log_level="error", log_config=None) as server:
        assert status_of(server.port, Origin="https://evil.example") == 403
    assert [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"] == []


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


def test_too_many_messages_before_the_answer_close_the_connection(serve: Serve) -> None:
    async def authenticate(token: str) -> bool:
        await asyncio.sleep(600)
        return True

    _, server = serve(authenticate=authenticate, limits=Limits(token=30))
    with RawClient(server.port) as client:
        client.say(0, {"token": "x"})
        for n in range(17):
            client.say(3, n, ["t"])
        assert client.closed() == 3501


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
