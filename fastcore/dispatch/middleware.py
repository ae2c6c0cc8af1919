"""ASGI middleware: every request gets an assignment key, so that a user always gets the same arm."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastcore import metrics
from fastcore.dispatch import process
from fastcore.dispatch.assignment import Key, assignment_key, belongs, plain

__all__ = ["AssignmentMiddleware", "exposures"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SCOPE_KEY = "fastcore.assignment_key"  # where middleware around this one finds the key of a request
LONGEST = 256  # characters of a key: it comes from outside
_YEAR = 365 * 24 * 3600


class AssignmentMiddleware:
    """Sets the assignment key of each HTTP request and WebSocket, and counts who was exposed to which arm.

    The first of these that there is: what `key` returns, the authenticated user, the header, the cookie. A request
    without any draws at each call, unless `issue` gives it a cookie.

    Parameters
    ----------
    app : ASGI application
    header : str, default "x-assignment-key"
        The name of a header with the key; the empty string for none. A client chooses its arm with it, so a service
        open to all may want none.
    cookie : str, default "fastcore_id"
        The name of a cookie with the key; the empty string for none.
    issue : bool, default False
        Give a request without a key a random one, and send it as the cookie.
    key : callable, optional
        Given the scope, returns a key (see :func:`fastcore.assigned`) or None.

    Examples
    --------
    >>> from starlette.applications import Starlette
    >>> from fastcore.rollout import AssignmentMiddleware
    >>> app = Starlette()
    >>> app.add_middleware(AssignmentMiddleware, header="x-user")
    """

    def __init__(
        self,
        app: App,
        *,
        header: str = "x-assignment-key",
        cookie: str = "fastcore_id",
        issue: bool = False,
        key: Callable[[Scope], Key | None] | None = None,
    ) -> None:
        if issue and not cookie:
            raise ValueError("cookie: expected a name, because issue sends it, got ''")
        self.app = app
        self._header = header.lower().encode("latin-1")
        self._cookie = cookie
        self._issue = issue
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        key = self._find(scope)
        if key is None and self._issue:
            key = secrets.token_urlsafe(16)
            send = self._sending_cookie(send, key, secure=scope.get("scheme") in ("https", "wss"))
        if key is not None:
            _expose(key)
        scope[SCOPE_KEY] = key
        token = assignment_key.set(key)
        try:
            await self.app(scope, receive, send)
        finally:
            assignment_key.reset(token)

    def _find(self, scope: Scope) -> str | bytes | int | None:
        if self._key is not None:
            given = plain(self._key(scope))
            if given or given == 0:
                return given if isinstance(given, int) else given[:LONGEST]
        user = scope.get("user")
        if user is not None and getattr(user, "is_authenticated", False):
            identity = getattr(user, "identity", None) or getattr(user, "display_name", None)
            if identity:
                return str(identity)[:LONGEST]
        cookies = []
        for name, value in scope.get("headers", ()):
            if self._header and name == self._header and value:
                return str(value[:LONGEST].decode("latin-1"))
            if name == b"cookie" and self._cookie:
                cookies.append(value)
        for value in cookies:
            found = _cookie(value.decode("latin-1"), self._cookie)
            if found:
                return found[:LONGEST]
        return None

    def _sending_cookie(self, send: Send, key: str, secure: bool) -> Send:
        line = f"{self._cookie}={key}; Path=/; Max-Age={_YEAR}; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                headers = [*message.get("headers", ()), (b"set-cookie", line.encode("latin-1"))]
                message = {**message, "headers": headers}
            await send(message)

        return sending


def _cookie(header: str, name: str) -> str:
    """The value of a cookie; http.cookies takes seconds for a long header that is not one."""
    for pair in header.split(";"):
        key, found, value = pair.partition("=")
        if found and key.strip() == name:
            return value.strip().removeprefix('"').removesuffix('"')
    return ""


def _expose(key: Key) -> None:
    for name, mode in process.store.ramping():
        arm = "candidate" if belongs(name, mode.threshold, key) else "control"
        metrics.counter("fastcore_exposures_total", flag=name, arm=arm).add()


def exposures() -> dict[str, dict[str, int]]:
    """Return, for every flag that has ramped, how many requests with a key belonged to which arm.

    Examples
    --------
    >>> from fastcore.rollout import exposures
    >>> exposures().get("a flag that never ramped")
    """
    found: dict[str, dict[str, int]] = {}
    for sample in metrics.snapshot():
        if sample.name == "fastcore_exposures_total" and isinstance(sample.value, int):
            labels = dict(sample.labels)
            if "flag" in labels:
                found.setdefault(labels["flag"], {"control": 0, "candidate": 0})[labels["arm"]] = sample.value
    return found
