"""Admission by the application: its dependencies, its hooks, and the log."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocketException
from starlette.applications import Starlette
from starlette.routing import Mount, Router

from fastcore.streaming import Caller, Grant, Hub
from fastcore.streaming.admission import asking
from fastcore.streaming.caller import takes_caller
from fastcore.streaming.redaction import TokenFilter, without_token
from tests.streaming.raw_client import RawClient, Refused
from tests.streaming.running import Running
from tests.streaming.starlette_servers import Serve, serve, serve_direct, status_of

__all__ = ["serve", "serve_direct"]


def deny() -> None:
    raise WebSocketException(1008)


# -- where the hub is routed ---------------------------------------------------------------------------------------


def guarded_app() -> Any:
    app = FastAPI(dependencies=[Depends(deny)])
    Hub().route(app)
    return app


def guarded_router() -> Any:
    app, router = FastAPI(), APIRouter(dependencies=[Depends(deny)])
    Hub().route(router)
    app.include_router(router)
    return app


def guarded_inclusion() -> Any:
    app, router = FastAPI(), APIRouter()
    Hub().route(router)
    app.include_router(router, dependencies=[Depends(deny)])
    return app


def guarded_after_inclusion() -> Any:
    app, router = FastAPI(), APIRouter(dependencies=[Depends(deny)])
    app.include_router(router)
    Hub().route(router)
    return app


@pytest.mark.parametrize("make", [guarded_app, guarded_router, guarded_inclusion, guarded_after_inclusion])
def test_dependencies_of_the_application_hold_for_the_stream(make: Any) -> None:
    with Running(make()) as server:
        assert status_of(server.port) in {403, 404}


def test_a_dependency_sees_the_request_and_accepts_it() -> None:
    seen: list[str] = []

    def note(token: str) -> None:
        seen.append(token)

    app = FastAPI(dependencies=[Depends(note)])
    Hub().route(app)
    with Running(app) as server:
        with RawClient(server.port, "/stream?topics=a&token=t") as client:
            assert client.hear()[0] == 0
        assert seen == ["t"]


@pytest.mark.parametrize("kind", ["direct", "asgi"])
def test_prefixes_hold_for_the_stream(kind: str) -> None:
    app, inner, plain = FastAPI(), APIRouter(prefix="/v1"), Router()
    hub = Hub()
    hub.route(inner)
    hub.route(plain, "/events")
    app.include_router(inner, prefix="/api")
    app.mount("/mounted", plain)
    with Running(app, **({} if kind == "direct" else {"ws": "websockets-sansio"})) as server:
        for path in ("/api/v1/stream", "/mounted/events"):
            with RawClient(server.port, path + "?topics=a") as client:
                assert client.hear()[0] == 0
                hub.publish("a", 1)
                assert client.hear_kind(1)[3] == 1
        assert status_of(server.port, "/stream") in {403, 404}


def test_non_applications_are_refused() -> None:
    with pytest.raises(TypeError, match="expected a FastAPI or Starlette application or router, got object"):
        Hub().route(object())
    Hub().route(Starlette(routes=[Mount("/x", routes=[])]))


def test_the_test_client_of_fastapi_connects_and_closes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the HTTP client it should be used with
        from fastapi.testclient import TestClient

    app = FastAPI()
    hub = Hub()
    hub.route(app)
    with TestClient(app) as client, client.websocket_connect("/stream?topics=a") as ws:
        assert ws.receive_bytes()
        hub.publish("a", 1)
        assert ws.receive_bytes()
    assert len(hub) == 0


# -- hooks ---------------------------------------------------------------------------------------------------------


def test_which_hooks_are_given_the_caller() -> None:
    class Sessions:
        def check(self, token: str) -> None: ...
        def check_caller(self, token: str, caller: Caller) -> None: ...

    assert not takes_caller(lambda token: None)
    assert not takes_caller(lambda token, sessions={}: None)
    assert not takes_caller(lambda token, *, caller=None: None)
    assert not takes_caller(Sessions().check)
    assert not takes_caller({}.get)
    assert takes_caller(lambda token, request: None)
    assert takes_caller(lambda token, caller=None: None)
    assert takes_caller(lambda *given: None)
    assert takes_caller(Sessions().check_caller)


def test_a_hook_may_look_at_cookies_headers_and_address(serve: Serve) -> None:
    seen: list[Any] = []

    async def authenticate(token: str | None, caller: Caller) -> Grant | None:
        seen.append((token, caller.cookies, caller.headers.get("x-team"), caller.address, caller.path))
        return Grant(user="ann") if caller.cookies.get("session") == "good" or token == "good" else None

    _, server = serve(authenticate=authenticate)
    with RawClient(server.port, headers={"Cookie": "a=1; session=good", "X-Team": "desk"}) as client:
        assert client.hear()[0] == 0
    assert seen == [(None, {"a": "1", "session": "good"}, "desk", "127.0.0.1", "/stream")]
    with RawClient(server.port, headers={"Cookie": "session=bad"}) as client:
        client.say(0, {"token": "good"})
        assert client.hear()[0] == 0
    assert seen[-1][:2] == ("good", {"session": "bad"})
    with RawClient(server.port, "/stream?token=bad") as client:
        assert client.closed() == 3500


@pytest.mark.parametrize(
    ("cookie", "found"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1;b=2; c = 3", {"a": "1", "b": "2", "c": "3"}),
        ('a="x y"; b=%20', {"a": "x y", "b": " "}),
        ("a=1; a=2", {"a": "1"}),
        ("flag; =x; a==", {"": "x", "a": "="}),
        ("a=" + "x" * 60_000, {"a": "x" * 60_000}),
        (";" * 60_000, {}),
    ],
)
def test_cookies_are_read_as_browsers_write_them(cookie: str, found: dict[str, str]) -> None:
    assert Caller({"cookie": cookie}, None, "/").cookies == found


def test_a_caller_does_not_show_its_secrets() -> None:
    assert "secret" not in repr(Caller({"cookie": "session=secret"}, "10.0.0.1", "/stream"))


# -- what is logged ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("/stream?token=SECRET", "/stream?token=***"),
        ("/stream?topics=a&token=SECRET&newest=1", "/stream?topics=a&token=***&newest=1"),
        ("/stream?%74oken=SECRET", "/stream?%74oken=***"),
        ("/stream?TOKEN=SECRET", "/stream?TOKEN=***"),
        ("/stream?token=SECRET&token=SECRET", "/stream?token=***&token=***"),
        ("/stream?to+ken=1&tokens=2", "/stream?to+ken=1&tokens=2"),
        ("/stream", "/stream"),
    ],
)
def test_tokens_are_redacted(text: str, redacted: str) -> None:
    assert without_token(text) == redacted


@pytest.mark.parametrize("ws", ["fastcore.streaming.uvicorn:HubProtocol", "websockets-sansio"])
def test_tokens_are_not_in_uvicorns_logs(ws: str, caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    Hub(authenticate=lambda token: True).route(app)
    with Running(app, ws=ws, log_level="info") as server:
        for name in ("uvicorn.access", "uvicorn.error"):
            logging.getLogger(name).addHandler(caplog.handler)
        try:
            with RawClient(server.port, "/stream?topics=a&token=SECRET") as client:
                client.hear()
            with pytest.raises(Refused):
                RawClient(server.port, "/stream?token=SECRET", headers={"Origin": "https://evil.example"})
            with pytest.raises(Refused):
                RawClient(server.port, "/other?token=SECRET", headers={"Upgrade": "other"})
        finally:
            for name in ("uvicorn.access", "uvicorn.error"):
                logging.getLogger(name).removeHandler(caplog.handler)
    assert "token=***" in caplog.text
    assert "SECRET" not in caplog.text


def test_the_filter_leaves_other_records_alone() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "%d %s %r", (1, "/a?b=c", None), None)
    assert TokenFilter().filter(record)
    assert record.getMessage() == "1 /a?b=c None"


def test_a_refused_origin_is_logged_with_both_values_and_not_each_time(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    hub, server = serve()
    for _ in range(20):
        assert status_of(server.port, Origin="https://evil.example", Host="desk.example.com") == 403
    lines = [record.getMessage() for record in caplog.records if "evil.example" in record.getMessage()]
    assert 1 <= len(lines) < 20
    assert lines[0] == "a page of origin 'https://evil.example' was refused: the Host header says 'desk.example.com'"
    assert hub.stats().refused == {403: 20}


@pytest.mark.parametrize(
    ("query", "since"),
    [
        ("epoch=e&since=a:3", ("e", {"a": 3})),
        ("epoch=e&since=a:3,b:c:4", ("e", {"a": 3, "b:c": 4})),
        ("epoch=e&since=a:3&since=b:0", ("e", {"a": 3, "b": 0})),
        ("epoch=e", ("e", {})),
        ("since=a:3", None),
        ("epoch=e&since=a%3A3", ("e", {"a": 3})),
    ],
)
def test_positions_are_read_from_the_query(query: str, since: object) -> None:
    """The offset stands behind the last colon: topics may have colons."""
    asked = asking({"headers": [], "query_string": f"topics=a&{query}".encode(), "path": "/stream"})
    assert (asked.problem, asked.handshake.topics and asked.handshake.topics.since) == ("", since)
