"""Access to the parts that `install` serves: by token, by the application's dependencies, or public."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from fastcore import _env
from fastcore._asgi import local_path
from fastcore.dispatch.bearer import BearerToken
from fastcore.dispatch.middleware import App, Receive, Scope, Send
from fastcore.service.hosts import AllowedHosts
from fastcore.streaming.security import Origins

if TYPE_CHECKING:
    from fastapi.params import Depends

__all__ = ["ADMITTED", "PARTS", "Access", "Guarded", "Refusal", "answer_of"]

PARTS = ("tasks", "stream", "dashboard", "admin")
ADMITTED = "fastcore.admitted"  # in the scope of a request that the application's dependencies have let through

Way: TypeAlias = Literal["public", "token", "dependencies", "closed"]

_log = logging.getLogger("fastcore.service")
_WAYS = "token=, dependencies= or public="


class Refusal(NamedTuple):
    """Why a request is not served."""

    status: int
    detail: str

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="fastcore"'} if self.status == 401 else {}


class Access:
    """The guards of the parts.

    Parameters
    ----------
    token : str, optional
        Given as ``Authorization: Bearer ...``.
    dependencies : sequence of fastapi.Depends
        Used instead of the token, except by changes of flags, which ask for the token where there is one.
    public : bool or collection of str, optional
        Parts that everybody may reach; by default those of ``FASTCORE_PUBLIC``, with commas between.
    allowed_hosts : iterable of str, optional
        As :class:`~fastcore.service.hosts.AllowedHosts` takes them.
    """

    def __init__(
        self,
        token: str | None = None,
        dependencies: Sequence[Depends] = (),
        public: bool | Collection[str] | None = None,
        allowed_hosts: Iterable[str] | None = None,
    ) -> None:
        self._token = None if token is None else BearerToken(token)
        self.dependencies = tuple(dependencies)
        self._public = _parts(public)
        self._hosts = AllowedHosts(allowed_hosts)

    def way(self, part: str) -> Way:
        """Return the guard of a part: "closed" if none is configured."""
        if part in self._public:
            return "public"
        if part == "admin" and self._token is not None:
            return "token"
        if self.dependencies:
            return "dependencies"
        return "closed" if self._token is None else "token"

    def accepts(self, token: str) -> bool:
        """Whether `token` is the configured one."""
        return self._token is not None and self._token.accepts(token)

    def refusal(self, part: str, scope: Scope, *, checked: bool = False) -> Refusal | None:
        """Return why a request for a part is refused; None for one that is served.

        `checked`: something else authorises the request, and only its Host is looked at.
        """
        way = self.way(part)
        if way == "closed" and not checked:
            text = f"{part}: closed, as install() was given none of {_WAYS}"
            return Refusal(503, text)  # the server is not set up: a client that comes back later is served
        host = _header(scope, b"host")
        if host not in self._hosts:
            return Refusal(421, f"Host: expected one of allowed_hosts=, got {host[:100]!r}")
        if checked or way == "public":
            return None
        if way == "dependencies":
            return Refusal(403, f"{part}: expected a request that the application's dependencies admit")
        if self._token is not None and self._token.admits(scope):
            return None
        return Refusal(401, "token: expected Authorization: Bearer TOKEN, got another or none")

    def report(self, parts: Iterable[str]) -> None:
        """Log which of the parts are closed."""
        closed = [part for part in parts if self.way(part) == "closed"]
        if closed:
            _log.warning("closed until install() is given %s: %s (docs/security.md)", _WAYS, ", ".join(closed))


class Guarded:
    """An ASGI application that is reached through an `Access`; WebSockets ask for the token over the link.

    Parameters
    ----------
    app : callable
    access : Access
    part : str
    only : str, default ""
        The prefix of the guarded paths; of all others only the Host is looked at.
    """

    def __init__(self, app: App, access: Access, part: str, only: str = "") -> None:
        self._app = app
        self._access = access
        self._part = part
        self._only = only
        self._origins = Origins(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            refusal = self._access.refusal(self._part, scope, checked=self._is_checked(scope))
            if refusal is None and self._is_foreign(scope):
                refusal = Refusal(403, "Origin: expected a page of this host, got another's")
            if refusal is not None:
                await _refuse(refusal, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_checked(self, scope: Scope) -> bool:
        if scope.get(ADMITTED):
            return True
        if scope["type"] == "websocket":
            return self._access.way(self._part) == "token"
        return not local_path(scope).lstrip("/").startswith(self._only)

    def _is_foreign(self, scope: Scope) -> bool:
        """Whether a page of another site requests a change with its visitor's cookies."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return False
        origin = _header(scope, b"origin")
        return not self._origins.allow([origin] if origin else [], _header(scope, b"host"))


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem; a WebSocket with the status, or by closing it where the server can send none."""
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.detail[:120]})
            return
    for message in answer_of(refusal, scope):
        await send(message)


def answer_of(refusal: Refusal, scope: Scope) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the two messages of an answer to a refused request, a problem (RFC 9457)."""
    status, detail = refusal
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body = json.dumps(problem).encode()
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    headers.append((b"cache-control", b"no-store"))
    start = {"type": f"{kind}.start", "status": status, "headers": headers}
    return start, {"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body}


def _header(scope: Scope, wanted: bytes) -> str:
    found = [value for name, value in scope["headers"] if name.lower() == wanted]
    return str(found[-1].decode("utf-8", "surrogateescape")) if found else ""


def _parts(public: bool | Collection[str] | None) -> frozenset[str]:
    where = "public"
    if public is None:
        where = "FASTCORE_PUBLIC"
        public = _env.names(where)
    if isinstance(public, bool):
        return frozenset(PARTS if public else ())
    if isinstance(public, str) or not all(part in PARTS for part in public):
        raise ValueError(f"{where}: expected a bool or some of {', '.join(PARTS)}, got {public!r}")
    return frozenset(public)
