"""Who may reach what `install` serves: holders of the token, users that dependencies admit, or everybody."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import os
from collections.abc import Collection, Iterable, MutableMapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from fastcore.dispatch.admin import check_token
from fastcore.dispatch.asgi import App, Receive, Scope, Send

if TYPE_CHECKING:
    from fastapi.params import Depends

__all__ = ["PARTS", "Access", "Guarded", "Refusal", "refuse"]

PARTS = ("tasks", "stream", "dashboard", "admin")
ADMITTED = "fastcore.admitted"  # in the scope of a request that the application's dependencies have let through

_log = logging.getLogger("fastcore.service")
_LOGGED_HOSTS = 20
_WAYS = "token=, dependencies= or public="


class Refusal(NamedTuple):
    """Why a request is not served."""

    status: int
    detail: str

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="fastcore"'} if self.status == 401 else {}


class Access:
    """What guards each part.

    Parameters
    ----------
    token : str, optional
        Given as ``Authorization: Bearer ...``.
    dependencies : sequence of fastapi.Depends
        In the place of the token for everything but changes of flags, which ask for the token where there is one.
    public : bool or collection of str
        Parts that everybody may reach.
    allowed_hosts : iterable of str, optional
        Names in the Host header that are served; by default addresses, ``localhost`` and names without a dot, which no
        outsider can have resolved to this machine.
    """

    def __init__(
        self,
        token: str | None = None,
        dependencies: Sequence[Depends] = (),
        public: bool | Collection[str] = False,
        allowed_hosts: Iterable[str] | None = None,
    ) -> None:
        self._digest = None if token is None else _digest(check_token(token))
        self.dependencies = tuple(dependencies)
        self._public = _parts(public)
        self._hosts = _hosts(allowed_hosts)
        self._logged: set[str] = set()

    def way(self, part: str) -> str:
        """Return what guards a part: "public", "dependencies", "token", or "closed" where nothing was given."""
        if part in self._public:
            return "public"
        if part == "admin" and self._digest is not None:
            return "token"
        if self.dependencies:
            return "dependencies"
        return "closed" if self._digest is None else "token"

    def accepts(self, token: str) -> bool:
        """Whether this is the token."""
        return self._digest is not None and hmac.compare_digest(_digest(token), self._digest)

    def refusal(self, part: str, scope: Scope) -> Refusal | None:
        """Return why a request for a part is refused; None for one that is served."""
        way = self.way(part)
        if way == "closed":
            text = f"{part}: closed, as install() was given none of {_WAYS}"
            return Refusal(503, text)  # the server is not set up: a client that comes back later is served
        foreign = self.foreign_host(scope)
        if foreign is not None:
            return foreign
        if way == "token":
            scheme, _, given = _header(scope, b"authorization").partition(" ")
            if scheme.lower() != "bearer" or not self.accepts(given.strip()):
                return Refusal(401, "token: expected Authorization: Bearer TOKEN, got another or none")
        elif way == "dependencies" and not scope.get(ADMITTED):
            return Refusal(403, f"{part}: expected a request that the application's dependencies admit")
        return None

    def foreign_host(self, scope: Scope) -> Refusal | None:
        """Return why the Host of a request is not served; a request without one comes from no browser."""
        host = _header(scope, b"host")
        name = _host_name(host)
        if not host or (_is_local(name) if self._hosts is None else any(_matches(name, one) for one in self._hosts)):
            return None
        if name not in self._logged and len(self._logged) < _LOGGED_HOSTS:  # clients choose the names
            self._logged.add(name)
            _log.warning("refused a request for the host %r; install(allowed_hosts=[...]) names what is served", name)
        return Refusal(421, f"Host: expected one of allowed_hosts=, got {host[:100]!r}")

    def report(self, parts: Iterable[str]) -> None:
        """Log which of the parts are closed."""
        closed = [part for part in parts if self.way(part) == "closed"]
        if closed:
            text = "closed until install() is given %s: %s (docs/security.md)"
            _log.warning(text, _WAYS, ", ".join(closed))


class Guarded:
    """An ASGI application that is reached through an `Access`.

    Parameters
    ----------
    app : callable
    access : Access
    part : str
    only : str, optional
        How the paths begin that are guarded; all others need no more than a Host that is served.
    own_tokens : bool
        The application asks for tokens over the WebSocket itself, as browsers can send no headers there.
    """

    def __init__(
        self, app: App, access: Access, part: str, *, only: str | None = None, own_tokens: bool = False
    ) -> None:
        self._app = app
        self._access = access
        self._part = part
        self._only = only
        self._own_tokens = own_tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            refusal = self._access.refusal(self._part, scope)
            if refusal is not None and not self._passes(refusal, scope):
                await refuse(refusal, scope, receive, send)
                return
            if refusal is None and self._foreign(scope):
                detail = "Origin: expected a page of this host, got another's"
                await refuse(Refusal(403, detail), scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _passes(self, refusal: Refusal, scope: Scope) -> bool:
        if refusal.status == 421:
            return False
        if scope["type"] == "websocket":
            return self._own_tokens and refusal.status == 401
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        return self._only is not None and not path.startswith(self._only)

    def _foreign(self, scope: Scope) -> bool:
        """Whether another site's page asks for a change with what its visitor's browser sends by itself."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return False
        origin = _header(scope, b"origin")
        return bool(origin) and origin.partition("://")[2].lower() != _header(scope, b"host").lower()


async def refuse(refusal: Refusal, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer with a problem; a WebSocket with the status, or by closing it where the server can send none."""
    body = json.dumps(
        {
            "type": "about:blank",
            "title": HTTPStatus(refusal.status).phrase,
            "status": refusal.status,
            "detail": refusal.detail,
        }
    ).encode()
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.detail[:120]})
            return
        kind = "websocket.http.response"
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    await send(
        {"type": f"{kind}.start", "status": refusal.status, "headers": [*headers, (b"cache-control", b"no-store")]}
    )
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _header(scope: Scope, wanted: bytes) -> str:
    found = [value for name, value in scope["headers"] if name.lower() == wanted]
    return str(found[-1].decode("utf-8", "surrogateescape")) if found else ""


def _parts(public: bool | Collection[str]) -> frozenset[str]:
    if isinstance(public, bool):
        return frozenset(PARTS if public else ())
    if isinstance(public, str) or not all(part in PARTS for part in public):
        raise ValueError(f"public: expected a bool or some of {', '.join(PARTS)}, got {public!r}")
    return frozenset(public)


def _hosts(allowed: Iterable[str] | None) -> tuple[str, ...] | None:
    if allowed is None:
        allowed = [name.strip() for name in os.environ.get("FASTCORE_ALLOWED_HOSTS", "").split(",") if name.strip()]
        if not allowed:
            return None
    if isinstance(allowed, str):
        raise TypeError("allowed_hosts: expected an iterable of str, got a str")
    names = []
    for name in allowed:
        if not isinstance(name, str) or not name or "/" in name or ("*" in name and name != "*" and name[:2] != "*."):
            raise ValueError(f"allowed_hosts: expected names such as desk.example.com or *.example.com, got {name!r}")
        names.append(name.lower() if name[:1] == "*" else _host_name(name))
    return tuple(names)


def _host_name(host: str) -> str:
    """Return the name in a Host header, without the port."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return (name.rpartition(":")[0] if name.count(":") == 1 else name).rstrip(".")


def _is_local(name: str) -> bool:
    if "." not in name and ":" not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.endswith(".localhost")
    return True


def _matches(name: str, allowed: str) -> bool:
    return allowed in ("*", name) or (allowed.startswith("*.") and name.endswith(allowed[1:]))
