"""Who may reach what `install` serves: nothing is open that a token, a dependency or `public=` was not asked about."""

from __future__ import annotations

import inspect
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from starlette.requests import HTTPConnection

from fastcore import flags
from fastcore.framing import packb
from fastcore.service import install
from fastcore.service.access import PARTS, Access
from fastcore.service.dashboard.sections import read
from fastcore.service.guarded_routes import stream_router, task_router
from fastcore.service.hosts import AllowedHosts
from fastcore.streaming import Grant, Hub
from fastcore.tasks import TaskQueue

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks for another HTTP client
    from starlette.testclient import TestClient, WebSocketDenialResponse

TOKEN = "sixteen characters or more"
BEARER = {"authorization": f"Bearer {TOKEN}"}
USER = {"x-user": "me"}
EVIL = {"host": "evil.example"}
CALLS = {
    "list": ("GET", "/api/tasks"),
    "submit": ("POST", "/api/tasks"),
    "status": ("GET", f"/api/tasks/task/{'0' * 32}"),
    "result": ("GET", f"/api/tasks/task/{'0' * 32}/result"),
    "events": ("GET", f"/api/tasks/task/{'0' * 32}/events"),
    "cancel": ("DELETE", f"/api/tasks/task/{'0' * 32}"),
    "figures": ("GET", "/fastcore/api/snapshot"),
    "line": ("GET", "/fastcore/api/lines/AAPL"),
    "change": ("POST", "/fastcore/api/whoami"),
    "flags": ("GET", "/fastcore/admin/flags"),
    "journal": ("GET", "/fastcore/admin/journal"),
    "flip": ("PUT", "/fastcore/admin/flags/cache"),
}
TASKS = ("list", "submit", "status", "result", "events", "cancel")


def user(connection: HTTPConnection) -> None:
    if connection.headers.get("x-user") != "me":
        raise HTTPException(403, "who?")


@pytest.fixture(autouse=True)
def no_flag_stays_set() -> Iterator[None]:
    yield
    flags.clear("cache", everywhere=True)


def served(hub: Hub | None = None, app: FastAPI | None = None, root: str = "", **options: Any) -> TestClient:
    app, queue = app or FastAPI(), TaskQueue("memory", workers={"async": 1})

    @queue.task(name="refund")
    async def refund(account: str) -> str:
        return account

    install(app, tasks=queue, hub=Hub() if hub is None else hub, alerts=False, triggers=False, **options)
    return TestClient(app, root_path=root)


def status(client: TestClient, call: str, headers: dict[str, str], prefix: str = "") -> int:
    method, path = CALLS[call]
    body: dict[str, Any] = {"task": "refund", "args": ["a"]} if call == "submit" else {"mode": "auto"}
    sent = {"json": body} if method in ("POST", "PUT") else {}
    return int(client.request(method, prefix + path, headers=headers, **sent).status_code)


def socket_status(client: TestClient, path: str, headers: dict[str, str], protocol: str = "fastcore.v1") -> int:
    try:
        with client.websocket_connect(path, headers=headers, subprotocols=[protocol]) as socket:
            socket.close()
        return 101
    except WebSocketDenialResponse as refused:
        return int(refused.status_code)


@pytest.mark.parametrize("call", CALLS)
def test_with_a_token_every_call_asks_for_it(call: str) -> None:
    with served(token=TOKEN) as client:
        assert status(client, call, {}) == 401
        assert status(client, call, {"authorization": f"Bearer {TOKEN}x"}) == 401
        assert status(client, call, {"authorization": f"Basic {TOKEN}"}) == 401
        assert status(client, call, {"authorization": "Bearer "}) == 401
        assert status(client, call, BEARER) in (200, 202, 404)
        refused = client.request(*CALLS[call])
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("prefix", ["", "/desk"], ids=["prefix removed", "prefix kept"])
@pytest.mark.parametrize("guard", ["token", "dependencies"])
@pytest.mark.parametrize("call", CALLS)
def test_behind_a_root_path_every_call_is_answered_and_guarded(call: str, guard: str, prefix: str) -> None:
    token = guard == "token"
    options: dict[str, Any] = {"token": TOKEN} if token else {"dependencies": [Depends(user)]}
    with served(root="/desk", **options) as client:
        assert status(client, call, {}, prefix) == (401 if token else 403)
        expected = 404 if CALLS[call][1].startswith("/api/tasks/task/") else 202 if call == "submit" else 200
        assert status(client, call, BEARER if token else USER, prefix) == expected


@pytest.mark.parametrize("prefix", ["", "/desk"], ids=["prefix removed", "prefix kept"])
def test_behind_a_root_path_pages_probes_and_streams_are_served(prefix: str) -> None:
    with served(root="/desk", token=TOKEN) as client:
        for path in ("/livez", "/readyz", "/metrics", "/fastcore/", "/fastcore/api.js"):
            assert client.get(prefix + path).status_code == 200, path
        assert client.get(f"{prefix}/fastcore/no-such-file").status_code == 404
        for path in ("/stream", "/fastcore/stream"):
            assert socket_status(client, prefix + path, {}) == 101


@pytest.mark.parametrize("prefix", ["", "/desk"], ids=["prefix removed", "prefix kept"])
@pytest.mark.parametrize(
    "guard", [{"token": TOKEN}, {"dependencies": [Depends(user)]}, {}], ids=["token", "dependencies", "no guard"]
)
def test_the_path_of_the_dashboard_gets_its_slash_by_a_relative_redirect(prefix: str, guard: dict[str, Any]) -> None:
    app = FastAPI()

    @app.get("/{path:path}")
    def everything(path: str) -> str:
        return "a page of the application"

    with served(app=app, root="/desk", path="/ops/fast", **guard) as client:
        answer = client.get(f"{prefix}/ops/fast", headers=USER, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "./fast/")  # with no prefix and no host
        assert client.post(f"{prefix}/ops/fast", headers=USER).status_code == 405
        assert client.get(f"{prefix}/ops/faster", headers=USER).json() == "a page of the application"


def test_the_token_has_a_header_of_its_own() -> None:
    with served(token=TOKEN) as client:
        assert status(client, "figures", {"x-fastcore-token": TOKEN}) == 200
        assert status(client, "figures", {"x-fastcore-token": TOKEN, "authorization": "Basic YW5uOnNlY3JldA=="}) == 200
        assert status(client, "figures", {"x-fastcore-token": f"{TOKEN}x"}) == 401
        assert status(client, "figures", {"x-fastcore-token": f"Bearer {TOKEN}"}) == 401


@pytest.mark.parametrize("call", [*TASKS, "figures", "line"])
def test_without_a_guard_the_parts_are_closed_and_name_the_options(call: str) -> None:
    with served() as client:
        refused = client.request(*CALLS[call], headers=BEARER)
        assert refused.status_code == 503
        assert "token=, dependencies= or public=" in refused.json()["detail"]


def test_without_a_guard_probes_metrics_and_pages_are_open_and_closed_parts_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "fastcore.service"), served() as client:
        for path in ("/livez", "/readyz", "/metrics", "/fastcore/", "/fastcore/api.js"):
            assert client.get(path).status_code == 200, path
        assert socket_status(client, "/stream", {}) == 503
        assert socket_status(client, "/fastcore/stream", {}) == 503
        assert client.get("/fastcore/admin/flags").status_code == 404
    assert "tasks, stream, dashboard" in caplog.text


@pytest.mark.parametrize("call", CALLS)
def test_an_applications_dependency_replaces_the_token(call: str) -> None:
    with served(dependencies=[Depends(user)]) as client:
        assert status(client, call, {}) == 403
        assert status(client, call, BEARER) == 403
        assert status(client, call, USER) in (200, 202, 404)


@pytest.mark.parametrize("path", ["/stream", "/fastcore/stream"])
def test_streams_are_guarded_by_the_dependency_and_by_the_host(path: str) -> None:
    with served(dependencies=[Depends(user)]) as client:
        assert socket_status(client, path, {}) == 403
        assert socket_status(client, path, USER) == 101
        assert socket_status(client, path, {**USER, **EVIL}) == 421


@pytest.mark.parametrize(
    ("options", "headers", "expected"),
    [
        ({}, {}, 503),
        ({"token": TOKEN}, {}, 401),
        ({"token": TOKEN}, {"authorization": "Bearer another"}, 401),
        ({"token": TOKEN}, {**BEARER, **EVIL}, 421),
        ({"dependencies": [Depends(user)]}, {}, 403),
        ({"dependencies": [Depends(user)], "token": TOKEN}, BEARER, 403),
        ({"dependencies": [Depends(user)]}, {**USER, **EVIL}, 421),
        ({"public": True}, EVIL, 421),
    ],
)
def test_server_sent_events_are_guarded_as_the_stream(
    options: dict[str, Any], headers: dict[str, str], expected: int
) -> None:
    with served(**options) as client:
        assert client.get("/stream/events?topics=a", headers=headers).status_code == expected


@pytest.mark.parametrize(("options", "headers"), [({"dependencies": [Depends(user)]}, USER), ({"public": True}, {})])
def test_server_sent_events_are_open_to_admitted_users(options: dict[str, Any], headers: dict[str, str]) -> None:
    with served(**options) as client:
        assert client.get("/stream/events", headers=headers).status_code == 400  # of the hub itself: no topics


@pytest.mark.parametrize(("options", "expected"), [({}, 401), ({"token": TOKEN}, 401)])
def test_events_that_were_routed_by_hand_are_not_open(options: dict[str, Any], expected: int) -> None:
    app, hub = FastAPI(), Hub()
    hub.sse(app, "/stream/events")
    with served(hub, app, **options) as client:
        hub.sse(app, "/other")
        for path in ("/stream/events", "/other"):
            assert client.get(f"{path}?topics=a").status_code == expected


@pytest.mark.parametrize("protocol", ["fastcore.v1", "fastcore.v1.json"])
def test_each_protocol_of_the_stream_is_guarded(protocol: str) -> None:
    with served(dependencies=[Depends(user)]) as client:
        assert socket_status(client, "/stream", {}, protocol) == 403
        assert socket_status(client, "/stream", USER, protocol) == 101
    with served() as client:
        assert socket_status(client, "/stream", {}, protocol) == 503


def test_dependencies_of_the_application_hold_for_tasks_and_stream_too() -> None:
    with served(app=FastAPI(dependencies=[Depends(user)]), public=True) as client:
        assert status(client, "list", {}) == 403
        assert status(client, "list", USER) == 200
        assert socket_status(client, "/stream", {}) == 403
        assert socket_status(client, "/stream", USER) == 101


@pytest.mark.parametrize(
    "path", ["/fastcore//api/snapshot", "/fastcore/api/../api/snapshot", "/fastcore/%61pi/snapshot"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "TRACE", "PROPFIND"])
def test_other_spellings_and_methods_bypass_no_guard(path: str, method: str) -> None:
    for options in ({"token": TOKEN}, {"dependencies": [Depends(user)]}, {}):
        with served(**options) as client:
            assert client.request(method, path).status_code in (401, 403, 404, 405, 503)


def test_with_both_the_dependency_guards_reading_and_the_token_guards_changes() -> None:
    with served(dependencies=[Depends(user)], token=TOKEN) as client:
        assert {status(client, call, USER) for call in (*TASKS, "figures")} <= {200, 202, 404}
        assert {status(client, call, BEARER) for call in (*TASKS, "figures")} == {403}
        assert {status(client, call, USER) for call in ("change", "flags", "journal", "flip")} == {401}
        assert {status(client, call, {**USER, **BEARER}) for call in ("change", "flags", "flip")} == {200}


@pytest.mark.parametrize("path", ["/stream", "/fastcore/stream"])
def test_a_hub_asks_for_the_token_over_the_link(path: str) -> None:
    hub = Hub()
    with served(hub, token=TOKEN) as client:
        installed = client.app.state.fastcore  # type: ignore[attr-defined]
        clients = hub.clients if path == "/stream" else installed.dashboard.feed.hub.clients
        assert clients.asks_for_tokens
        for token, good in ((TOKEN, True), ("another", False), (None, False)):
            grant = client.portal.call(clients.grant, token)  # type: ignore[union-attr]
            assert (grant is not None) is good


def test_a_hub_with_tokens_of_its_own_keeps_them() -> None:
    hub = Hub(authenticate=lambda token: Grant(user="me") if token == "mine" else None)
    with served(hub, token=TOKEN) as client:
        assert client.portal.call(hub.clients.grant, TOKEN) is None  # type: ignore[union-attr]
        assert client.portal.call(hub.clients.grant, "mine") == Grant(user="me")  # type: ignore[union-attr]
        assert socket_status(client, "/stream", EVIL) == 421


def test_dependencies_of_the_router_guard_the_tasks() -> None:
    with served(router={"dependencies": [Depends(user)]}) as client:
        assert status(client, "list", {}) == 403
        assert status(client, "list", USER) == 200
        assert status(client, "list", {**USER, **EVIL}) == 421
        assert status(client, "figures", USER) == 503


def test_public_parts_are_open_and_the_others_are_not() -> None:
    with served(public=["tasks"], token=TOKEN) as client:
        assert status(client, "submit", {}) == 202
        assert status(client, "figures", {}) == 401
        assert status(client, "flags", {}) == 401
    with served(public=True, token=TOKEN) as client:
        assert {status(client, call, {}) for call in (*TASKS, "figures", "flags", "journal")} <= {200, 202, 404}
        assert {status(client, call, {}) for call in ("change", "flip")} == {401}  # changes of flags never are
        assert socket_status(client, "/stream", {}) == 101
    with served(public=True) as client:
        assert status(client, "change", {}) == 403
        assert status(client, "flip", {}) in (404, 405)


@pytest.mark.parametrize("options", [{"public": True}, {"token": TOKEN}, {"dependencies": [Depends(user)]}])
def test_a_foreign_host_is_refused_on_every_path(options: dict[str, Any]) -> None:
    with served(**options) as client:
        calls = CALLS if "public" not in options else [*TASKS, "figures", "line", "change"]
        assert {status(client, call, {**USER, **BEARER, **EVIL}) for call in calls} == {421}
        assert client.get("/livez", headers=EVIL).status_code == 200
        assert client.get("/fastcore/", headers=EVIL).status_code == 421


@pytest.mark.parametrize(
    ("hosts", "host", "allowed"),
    [
        (None, "localhost:8000", True),
        (None, "127.0.0.1", True),
        (None, "[::1]:8000", True),
        (None, "10.1.2.3:80", True),
        (None, "desk", True),
        (None, "desk.localhost", True),
        (None, "", True),
        (None, "evil.example", False),
        (None, "127.0.0.1.evil.example", False),
        (None, "localhost.evil.example:8000", False),
        (None, "evil.example.", False),
        (["desk.example.com"], "desk.example.com:443", True),
        (["desk.example.com"], "DESK.example.com.", True),
        (["desk.example.com"], "localhost", False),
        (["desk.example.com"], "xdesk.example.com", False),
        (["*.example.com"], "a.b.example.com", True),
        (["*.example.com"], "example.com", False),
        (["*.example.com"], "evilexample.com", False),
        (["*"], "evil.example", True),
    ],
)
def test_hosts(hosts: list[str] | None, host: str, allowed: bool) -> None:
    assert (host in AllowedHosts(hosts)) is allowed


def test_public_parts_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCORE_PUBLIC", "dashboard, stream")
    ways = {part: Access(TOKEN).way(part) for part in PARTS}
    assert ways == {"tasks": "token", "stream": "public", "dashboard": "public", "admin": "token"}
    assert Access(TOKEN, public=False).way("dashboard") == "token"
    monkeypatch.setenv("FASTCORE_PUBLIC", "everything")
    with pytest.raises(ValueError, match="FASTCORE_PUBLIC: expected"):
        Access(TOKEN)


def test_hosts_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCORE_ALLOWED_HOSTS", "desk.example.com, *.desk.example.com")
    hosts = AllowedHosts()
    assert "a.desk.example.com" in hosts
    assert "localhost" not in hosts


def test_hosts_that_clients_make_up_are_logged_a_few_times(caplog: pytest.LogCaptureFixture) -> None:
    hosts = AllowedHosts()
    for number in range(1000):
        assert f"h{number}.example" not in hosts
    assert 0 < len(caplog.records) <= 20


def test_another_sites_page_changes_nothing_with_its_visitors_cookies() -> None:
    origin = {**USER, "origin": "http://evil.example", "host": "testserver"}
    with served(dependencies=[Depends(user)]) as client:
        assert status(client, "change", origin) == 403
        assert status(client, "flip", origin) == 403
        assert status(client, "flip", {**origin, "origin": "http://testserver"}) == 200


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"token": "x" * 15}, "token: expected at least 16 characters, got 15"),
        ({"token": "x" * 15 + "\ud800"}, "token: expected text that UTF-8 has"),
        ({"public": "tasks"}, "public: expected"),
        ({"public": ["task"]}, "public: expected"),
        ({"allowed_hosts": ["http://desk"]}, "allowed_hosts: expected"),
    ],
)
def test_wrong_options_say_what_was_expected(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        served(**options)


def test_submissions_over_http_are_bounded_by_default_and_the_queues_own_bound_goes_first() -> None:
    with served(public=True, router={"max_queued": 3}) as client:
        delayed = {"task": "refund", "args": ["a"], "delay": 1000}
        found = [client.post("/api/tasks", json=delayed).status_code for _ in range(5)]
        assert found == [202, 202, 202, 503, 503]


def test_invalid_utf8_breaks_no_page() -> None:
    flags.declare("access-test")
    with served(token=TOKEN) as client:
        body = {"reason": "caf\udce9"}
        asked = client.post("/fastcore/api/flags/access-test/rollback", content=json.dumps(body), headers=BEARER)
        assert asked.json()["reason"] == "caf\\udce9"
        sources = client.app.state.fastcore.dashboard._sources  # type: ignore[attr-defined]
        packb(client.portal.call(read, "switches", sources))  # type: ignore[union-attr]
        assert flags.journal("access-test", limit=1)[0].why == "caf\\udce9"
        flags.resume("access-test")


@pytest.mark.parametrize("body", ["[" * 60_000, '{"mode":' * 5_000, "1" * 5_000, "\xff"])
def test_a_body_that_is_no_object_in_json_is_a_bad_request(body: str) -> None:
    with served(token=TOKEN) as client:
        for method, path in (CALLS["change"], CALLS["flip"]):
            answer = client.request(method, path, content=body.encode("latin-1"), headers=BEARER)
            assert answer.status_code == 400, path


def test_guards_of_routes_take_no_thread() -> None:
    access = Access(TOKEN, public=True)
    routers = (stream_router(Hub(), access, "/stream", None), task_router(TaskQueue(), access, (), {}))
    for router in routers:
        assert router.dependencies
        assert all(inspect.iscoroutinefunction(guard.dependency) for guard in router.dependencies)
