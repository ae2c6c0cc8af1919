"""The flags over HTTP, for holders of the token: a plain ASGI application to mount."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from fastcore import _ext
from fastcore._asgi import local_path
from fastcore._threads import on_own_thread
from fastcore.dispatch import flags, process
from fastcore.dispatch.bearer import BearerToken
from fastcore.dispatch.formatting import meant
from fastcore.dispatch.middleware import Receive, Scope, Send, exposures
from fastcore.dispatch.store import Flag

__all__ = ["AdminApp"]

LARGEST = 1 << 16  # bytes of a request
_ACTIONS = ("rollback", "resume", "ramp")


class _Refused(Exception):
    def __init__(self, status: int, error: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers


class AdminApp:
    """``app.mount("/admin", AdminApp(token))``.

    ============================== =====================================================================
    ``GET /flags``                 every flag, and how many requests were exposed to each arm
    ``GET /flags/NAME``            one flag
    ``PUT /flags/NAME``            set it: ``{"mode": ..., "reason": ...}``
    ``DELETE /flags/NAME``         clear the setting
    ``POST /flags/NAME/ramp``      ``{"percent": ..., "reason": ...}``
    ``POST /flags/NAME/rollback``  ``{"reason": ...}``
    ``POST /flags/NAME/resume``    end a rollback
    ``GET /journal``               ``?flag=NAME&limit=100``
    ``GET /switches``              the report of every Switch of the process that answers
    ``GET /switches/NAME``         one of them; ``NAME.html`` as a page
    ============================== =====================================================================

    Settings are for every process that shares the journal; ``reaches`` of an answer says which those are, and ``note``
    that a setting does not act while the flag is rolled back. A request may name who makes it by ``"who"``. It is
    authorised by ``Authorization: Bearer TOKEN``. Refusals follow RFC 9457 (``application/problem+json``).

    Parameters
    ----------
    token : str, optional
        By default ``FASTCORE_ADMIN_TOKEN``. At least 16 characters.
    public : bool, default False
        Allow reading without the token; changes still need it.
    authorised : bool, default False
        Whether middleware around this application has authorised each request: then no token is required.

    Examples
    --------
    >>> from starlette.applications import Starlette
    >>> from fastcore.rollout import AdminApp
    >>> app = Starlette()
    >>> app.mount("/admin", AdminApp("sixteen characters or more"))
    """

    def __init__(self, token: str | None = None, *, public: bool = False, authorised: bool = False) -> None:
        if token is None and not authorised:
            token = os.environ.get("FASTCORE_ADMIN_TOKEN", "")
        self._token = None if token is None else BearerToken(token)
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        try:
            self._authorise(scope)
            body = await _body(receive)
            # Off the loop: the journal is a file under a lock.
            status, kind, answer = await on_own_thread(_answer, scope, body)
            headers: tuple[tuple[bytes, bytes], ...] = ()
        except _Refused as refused:
            status, kind, answer = refused.status, "application/problem+json", _problem(refused)
            headers = refused.headers
        fixed = [(b"content-type", kind.encode()), (b"content-length", str(len(answer)).encode())]
        fixed += [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
        if kind.startswith("text/html"):
            fixed.append((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"))
        await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer})

    def _authorise(self, scope: Scope) -> None:
        if self._token is None or (self._public and scope["method"] in ("GET", "HEAD")):
            return
        if not self._token.admits(scope):
            raise _Refused(401, "expected Authorization: Bearer TOKEN", ((b"www-authenticate", b"Bearer"),))


def _answer(scope: Scope, body: dict[str, Any]) -> tuple[int, str, bytes]:
    path = local_path(scope)
    collection, _, name = path.strip("/").partition("/")
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    if collection == "flags":
        return 200, "application/json", _json(_flags(method, name, body))
    if collection not in ("journal", "switches") or (collection == "journal" and name):
        raise _Refused(404, f"{path}: expected /flags, /journal or /switches")
    _allow(method, "GET")
    if collection == "journal":
        return 200, "application/json", _json(_journal(scope))
    if name.endswith(".html"):
        return 200, "text/html; charset=utf-8", _switch(name[: -len(".html")]).to_html().encode()
    if name:
        return 200, "application/json", _json(_switch(name).to_dict())
    from fastcore.dispatch.switch import live

    return 200, "application/json", _json({name: switch.report().to_dict() for name, switch in live().items()})


def _flags(method: str, name: str, body: dict[str, Any]) -> Any:
    if not name:
        _allow(method, "GET")
        counts = exposures()
        return {name: {**_said(flag), "exposures": counts.get(name, {})} for name, flag in flags.snapshot().items()}
    action = next((word for word in _ACTIONS if name.endswith(f"/{word}")), "")
    name = name.removesuffix(f"/{action}") if action else name
    known = flags.snapshot()
    if name not in known:
        raise _Refused(404, f"{name}: expected a declared flag{meant(name, known)}")
    who = f"admin:{_text(body, 'who', 'token')}"
    reason = _text(body, "reason", "")
    act: dict[str, Callable[[], Flag]]
    if action:
        _allow(method, "POST")
        act = {
            "POST": {
                "rollback": lambda: flags.rollback(name, reason or "no reason given", who=who),
                "resume": lambda: flags.resume(name, who=who),
                "ramp": lambda: flags.set(name, f"ramp:{body.get('percent')}", reason, everywhere=True, who=who),
            }[action]
        }
    else:
        _allow(method, "GET", "PUT", "DELETE")
        act = {
            "GET": lambda: flags.get(name),
            "PUT": lambda: flags.set(name, body.get("mode"), reason, everywhere=True, who=who),  # type: ignore[arg-type]
            "DELETE": lambda: flags.clear(name, everywhere=True, who=who),
        }
    try:
        flag = act[method]()
        body = {**_said(flag), "reaches": reach()}
        note = flags.not_acting(flag) if method == "PUT" or action == "ramp" else ""
        return {**body, "note": note} if note else body
    except (ValueError, TypeError) as error:
        raise _Refused(400, str(error)) from None
    except _ext.BackendUnavailable as error:
        raise _Refused(409, str(error)) from None


def reach() -> str:
    """The processes that a change made here reaches."""
    path = process.store.journal.path
    return f"every process that shares {path}" if path else "this process only: set FASTCORE_JOURNAL to reach others"


def _journal(scope: Scope) -> Any:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    limit = query.get("limit", ["100"])[-1]
    if not limit.isdecimal() or not 1 <= int(limit) <= 10_000:
        raise _Refused(400, f"limit: expected an int in 1..10000, got {limit!r}")
    found = flags.journal(query.get("flag", [""])[-1], int(limit))
    return [entry._asdict() for entry in found]


def _switch(name: str) -> Any:
    from fastcore.dispatch.switch import live

    switch = live().get(name)
    if switch is None:
        raise _Refused(404, f"{name}: expected a Switch of this process")
    return switch.report()


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        words = ", ".join(allowed)
        raise _Refused(405, f"expected {words}, got {method}", ((b"allow", words.encode()),))


def _text(body: dict[str, Any], field: str, default: str) -> str:
    value = body.get(field, default)
    if not isinstance(value, str) or len(value) > 1000:
        raise _Refused(400, f"{field}: expected a str of at most 1000 characters")
    return value


def _said(flag: Flag) -> dict[str, str]:
    return {**flag._asdict(), "since": flag.since.isoformat()}


def _problem(refused: _Refused) -> bytes:
    title = HTTPStatus(refused.status).phrase
    return _json({"type": "about:blank", "title": title, "status": refused.status, "detail": str(refused)})


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str).encode()


async def _body(receive: Receive) -> dict[str, Any]:
    data = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "expected the whole body, got a part before the client disconnected")
        data += message.get("body", b"")
        if len(data) > LARGEST:
            raise _Refused(413, f"expected at most {LARGEST} bytes")
        if not message.get("more_body"):
            break
    if not data:
        return {}
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise _Refused(400, "expected JSON") from None
    if not isinstance(body, dict):
        raise _Refused(400, f"expected a JSON object, got {type(body).__name__}")
    return body


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
