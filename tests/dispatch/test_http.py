"""Assignment by request and the flags over HTTP: plain ASGI, driven without a server."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fastcore import Switch, assignment_key, flags
from fastcore.rollout import AdminApp, AssignmentMiddleware, exposures

TOKEN = "0123456789abcdef-secret"
_numbers = itertools.count()


@pytest.fixture
def desk() -> Iterator[Switch[..., str]]:
    switch: Switch[..., str] = Switch(f"test.desk{next(_numbers)}", lambda: "control", lambda: "candidate")
    yield switch
    flags.clear(switch.flag, everywhere=True)
    flags.resume(switch.flag)


def call(app: Any, scope: dict[str, Any], *chunks: bytes) -> list[dict[str, Any]]:
    """One request; returns what was sent."""
    sent: list[dict[str, Any]] = []
    messages = [
        {"type": "http.request", "body": chunk, "more_body": i < len(chunks) - 1} for i, chunk in enumerate(chunks)
    ] or [{"type": "http.request"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


# ---- assignment ----


async def says_key(scope: Any, receive: Any, send: Any) -> None:
    kind = "http.response.start" if scope["type"] == "http" else "websocket.accept"
    await send({"type": kind, "status": 200, "headers": [(b"x-kept", b"1")], "key": assignment_key.get()})


def ask(
    *headers: tuple[str, str], user: Any = None, kind: str = "http", scheme: str = "http", **options: Any
) -> dict[str, Any]:
    scope: dict[str, Any] = {"type": kind, "scheme": scheme, "headers": [(k.encode(), v.encode()) for k, v in headers]}
    if user is not None:
        scope["user"] = user
    return call(AssignmentMiddleware(says_key, **options), scope)[0]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_key_comes_from_the_user_a_header_or_a_cookie(kind: str) -> None:
    header, cookie = ("x-assignment-key", "from-header"), ("cookie", 'a=b; fastcore_id="from-cookie"; c=d')
    user = SimpleNamespace(is_authenticated=True, identity=42)
    guest = SimpleNamespace(is_authenticated=False, identity="nobody")
    assert ask(kind=kind)["key"] is None
    assert ask(cookie, kind=kind)["key"] == "from-cookie"
    assert ask(("cookie", "x=1"), cookie, kind=kind)["key"] == "from-cookie"
    assert ask(cookie, header, kind=kind)["key"] == "from-header"
    assert ask(cookie, header, user=user, kind=kind)["key"] == "42"
    assert ask(cookie, user=guest, kind=kind)["key"] == "from-cookie"
    assert ask(header, user=user, kind=kind, key=lambda scope: "of its own")["key"] == "of its own"
    assert ask(header, kind=kind, key=lambda scope: None)["key"] == "from-header"
    assert ask(cookie, header, kind=kind, header="", cookie="")["key"] is None
    assert ask(("x-user", "u"), kind=kind, header="X-User")["key"] == "u"
    assert assignment_key.get() is None


def test_hostile_headers() -> None:
    assert len(ask(("x-assignment-key", "x" * 100_000))["key"]) == 256
    assert ask(("cookie", "fastcore_id=" + "y" * 5000))["key"] == "y" * 256
    for value in ("", ";;;", "fastcore_id", "fastcore_id=", "=;=", '"', "\xff\xfe=1", "a[b]=c"):
        assert ask(("cookie", value))["key"] is None
    scope = {"type": "http", "headers": [(b"x-assignment-key", b"\xff\x00\xc3(")]}
    assert call(AssignmentMiddleware(says_key), scope)[0]["key"] == "\xff\x00\xc3("


@pytest.mark.parametrize(("kind", "scheme", "secure"), [("http", "https", True), ("websocket", "ws", False)])
def test_a_cookie_is_issued_once(kind: str, scheme: str, secure: bool) -> None:
    answer = ask(issue=True, kind=kind, scheme=scheme)
    headers = dict(answer["headers"])
    assert headers[b"x-kept"] == b"1"
    line = headers[b"set-cookie"].decode()
    assert line.startswith(f"fastcore_id={answer['key']}; Path=/; ")
    assert ("Secure" in line) == secure
    again = ask(("cookie", f"fastcore_id={answer['key']}"), issue=True, kind=kind)
    assert again["key"] == answer["key"]
    assert b"set-cookie" not in dict(again["headers"])
    with pytest.raises(ValueError, match="cookie: expected a name"):
        AssignmentMiddleware(says_key, issue=True, cookie="")


def test_exposures_are_counted_by_arm(desk: Switch[..., str]) -> None:
    flags.set(desk.flag, "ramp:30")
    served = {"control": 0, "candidate": 0}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        served[desk()] += 1

    middleware = AssignmentMiddleware(app)
    for i in range(400):
        call(middleware, {"type": "http", "headers": [(b"x-assignment-key", f"user{i}".encode())]})
    assert exposures()[desk.flag] == served
    assert 70 < served["candidate"] < 170
    flags.set(desk.flag, "candidate")
    call(middleware, {"type": "http", "headers": [(b"x-assignment-key", b"user0")]})
    call(middleware, {"type": "http", "headers": []})
    assert sum(exposures()[desk.flag].values()) == 400


def test_other_scopes_pass_through() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "seen", "scope": scope["type"]})

    assert call(AssignmentMiddleware(app), {"type": "lifespan"})[0]["scope"] == "lifespan"


# ---- the admin API ----


class Client:
    def __init__(self, app: AdminApp, token: str = TOKEN, root: str = "") -> None:
        self.app, self.token, self.root = app, token, root
        self.headers: dict[bytes, bytes] = {}

    def __call__(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "method": method, "path": self.root + path, "root_path": self.root,
            "query_string": query.encode(), "headers": [(b"authorization", f"Bearer {self.token}".encode())],
        }  # fmt: skip
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        start, rest = call(self.app, scope, data)
        self.headers = dict(start["headers"])
        text = rest["body"]
        return start["status"], json.loads(text) if text and b"json" in self.headers[b"content-type"] else text


@pytest.fixture(params=["", "/admin"])
def client(request: pytest.FixtureRequest) -> Client:
    return Client(AdminApp(TOKEN), root=request.param)


def test_flags_are_read_set_and_cleared(client: Client, desk: Switch[..., str]) -> None:
    path = f"/flags/{desk.flag}"
    status, body = client("GET", path)
    assert (status, body["mode"], body["source"]) == (200, "control", "default")
    status, body = client("PUT", path, {"mode": "candidate", "reason": "go", "who": "alice"})
    assert (status, body["mode"], body["source"], body["reason"]) == (200, "candidate", "everywhere", "go")
    assert desk() == "candidate"
    status, body = client("GET", "/flags")
    assert body[desk.flag]["mode"] == "candidate"
    assert body["cache"]["mode"] == "auto"
    status, body = client("POST", path + "/ramp", {"percent": 12.5})
    assert (status, body["mode"]) == (200, "ramp:12.5")
    status, body = client("POST", path + "/rollback", {"reason": "wrong"})
    assert (status, body["mode"], body["source"], body["reason"]) == (200, "control", "rollback", "wrong")
    assert desk() == "control"
    status, body = client("POST", path + "/resume")
    assert body["mode"] == "ramp:12.5"
    status, body = client("DELETE", path)
    assert (status, body["source"]) == (200, "default")
    status, body = client("GET", f"/journal?flag={desk.flag}&limit=50")
    assert [entry["what"] for entry in body] == ["set", "set", "rollback", "resume", "clear"]
    assert body[0]["who"] == "admin:alice"
    assert body[1]["who"] == "admin:token"


def test_without_the_token_every_request_is_refused(client: Client, desk: Switch[..., str]) -> None:
    for token in ("", "wrong", TOKEN[:-1], TOKEN + "x", "\xff"):
        client.token = token
        for method, path in (("GET", "/flags"), ("PUT", f"/flags/{desk.flag}"), ("GET", "/journal"), ("GET", "/no")):
            assert client(method, path, {"mode": "candidate"})[0] == 401
            assert client.headers[b"www-authenticate"] == b"Bearer"
            assert client.headers[b"content-type"] == b"application/problem+json"
    assert flags.get(desk.flag).mode == "control"


def test_reading_may_be_open_to_all(desk: Switch[..., str]) -> None:
    client = Client(AdminApp(TOKEN, public=True), token="")
    assert client("GET", "/flags")[0] == 200
    assert client("HEAD", "/flags") == (200, b"")
    assert client("POST", f"/flags/{desk.flag}/rollback", {})[0] == 401


def test_reports(client: Client, desk: Switch[..., str]) -> None:
    desk()
    status, body = client("GET", f"/switches/{desk.name}")
    assert (status, body["control"]["calls"], body["verdict"]) == (200, 1, "inconclusive")
    assert client("GET", "/switches")[1][desk.name]["mode"] == "control"
    status, page = client("GET", f"/switches/{desk.name}.html")
    assert status == 200
    assert page.startswith(b"<!doctype html>")
    assert client.headers[b"content-security-policy"].startswith(b"default-src 'none'")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/nothing", None, 404, "expected /flags"),
        ("GET", "/flags/test.never", None, 404, "expected a declared flag"),
        ("GET", "/flags/cahce", None, 404, "expected a declared flag; did you mean cache?"),
        ("GET", "/switches/test.never", None, 404, "expected a Switch"),
        ("POST", "/flags", {}, 405, "expected GET, got POST"),
        ("PATCH", "/flags/{}", {}, 405, "expected GET, PUT, DELETE"),
        ("GET", "/flags/{}/rollback", None, 405, "expected POST"),
        ("POST", "/journal", None, 405, "expected GET"),
        ("GET", "/journal?limit=0", None, 400, "limit: expected"),
        ("GET", "/journal?limit=x", None, 400, "limit: expected"),
        ("PUT", "/flags/{}", {"mode": "sideways"}, 400, "expected one of control"),
        ("PUT", "/flags/{}", {}, 400, "mode: expected"),
        ("PUT", "/flags/{}", {"mode": 3}, 400, "mode: expected"),
        ("PUT", "/flags/{}", {"mode": "control", "reason": 3}, 400, "reason: expected a str"),
        ("PUT", "/flags/{}", {"mode": "control", "who": "x" * 2000}, 400, "who: expected a str"),
        ("POST", "/flags/{}/ramp", {"percent": 101}, 400, "expected one of"),
        ("POST", "/flags/{}/ramp", {}, 400, "expected one of"),
        ("PUT", "/flags/cache", {"mode": "canary"}, 400, "expected one of auto"),
        ("PUT", "/flags/{}", [1], 400, "expected a JSON object"),
    ],
)
def test_wrong_requests_are_refused(
    client: Client, desk: Switch[..., str], method: str, path: str, body: Any, status: int, said: str
) -> None:
    before = flags.get(desk.flag)
    got, answer = client(method, path.format(desk.flag), body)
    assert (got, said in answer["detail"]) == (status, True), answer
    assert client.headers[b"content-type"] == b"application/problem+json"
    assert (answer["status"], answer["type"]) == (status, "about:blank")
    assert answer["title"] in ("Bad Request", "Not Found", "Method Not Allowed")
    assert flags.get(desk.flag) == before


def test_hostile_bodies(client: Client, desk: Switch[..., str]) -> None:
    path = f"/flags/{desk.flag}"
    assert client("PUT", path, raw=b"{" * 60_000)[0] == 400
    assert client("PUT", path, raw=b"[" * 60_000)[0] == 400
    assert client("PUT", path, raw=b"\xff\xfe")[0] == 400
    assert client("PUT", path, raw=b"x" * 70_000)[0] == 413


@pytest.mark.parametrize("token", ["", "short", None])
def test_a_token_is_needed(monkeypatch: pytest.MonkeyPatch, token: str | None) -> None:
    monkeypatch.delenv("FASTCORE_ADMIN_TOKEN", raising=False)
    with pytest.raises(ValueError, match="token: expected at least 16 characters"):
        AdminApp(token)
    monkeypatch.setenv("FASTCORE_ADMIN_TOKEN", TOKEN)
    AdminApp()
    with pytest.raises(TypeError, match="token: expected a str"):
        AdminApp(3)  # type: ignore[arg-type]


def test_a_change_that_is_cut_off_is_not_made(client: Client, desk: Switch[..., str]) -> None:
    """Without its body, a change would be one without a reason, or of everything."""
    for begun in (b"", b"{}"):
        messages = [{"type": "http.request", "body": begun, "more_body": True}, {"type": "http.disconnect"}]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)  # noqa: B023

        async def send(message: Any) -> None:
            sent.append(message)  # noqa: B023

        headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
        scope = {"type": "http", "method": "POST", "path": f"/flags/{desk.flag}/rollback", "headers": headers}
        asyncio.run(client.app({**scope, "query_string": b"", "root_path": ""}, receive, send))
        assert sent[0]["status"] == 400
        assert flags.get(desk.flag).mode == "control"
        assert flags.get(desk.flag).source == "default"


def test_lifespan_and_websockets(client: Client) -> None:
    assert call(client.app, {"type": "websocket"})[0] == {"type": "websocket.close", "code": 1003}
    sent: list[Any] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(client.app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
