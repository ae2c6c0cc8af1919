"""ASGI middleware that counts and times requests and WebSocket connections, by the template of their route."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from fastcore import metrics
from fastcore._asgi import local_path
from fastcore.dispatch import flags
from fastcore.dispatch.assignment import assignment_key, belongs
from fastcore.dispatch.middleware import SCOPE_KEY, App, Receive, Scope, Send
from fastcore.monitor.routes import route_template

__all__ = ["MetricsMiddleware"]

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
_CANCELLED = 499  # nginx's code for a client that disconnected before the answer
_STATUSES = frozenset((*HTTPStatus, _CANCELLED))
_BODIES = ("http.response.body", "http.response.pathsend")

_Instruments = tuple[metrics.Counter, metrics.Sketch]


class MetricsMiddleware:
    """Counts requests as ``fastcore_http_requests_total{method,route,status,arm}`` and times them to the last byte.

    ``fastcore_http_request_duration_seconds{method,route,arm}``, ``fastcore_http_requests_in_flight``, and for
    WebSockets ``fastcore_websocket_connections`` and ``fastcore_websocket_connections_total{route,outcome}``. A route
    is its template (``/prices/{symbol}``); paths that match none share ``unmatched``, methods that a route does not
    take share ``OTHER``, and statuses that are not registered those of their class, ``5xx``: clients cannot add series.

    Parameters
    ----------
    app : ASGI application
    flag : str, optional
        The flag whose arm, ``control`` or ``candidate``, labels each request; without one the label is empty. While the
        flag ramps it goes by the assignment key, which :class:`~fastcore.rollout.AssignmentMiddleware` gives, around or
        within this one; a request without a key is ``unassigned``.
    skip : collection of str, default ("/metrics", "/livez", "/readyz")
        Paths that are not counted, with and without a slash after them: what asks is the monitoring itself.

    Examples
    --------
    >>> from starlette.applications import Starlette
    >>> from fastcore.monitor import MetricsMiddleware
    >>> app = Starlette()
    >>> app.add_middleware(MetricsMiddleware, skip=("/metrics",))
    """

    def __init__(
        self,
        app: App,
        *,
        flag: str | None = None,
        skip: frozenset[str] | tuple[str, ...] = ("/metrics", "/livez", "/readyz"),
    ) -> None:
        if flag is not None and flag not in flags.HOT_PATHS:
            flags.declare(flag)
        self.app = app
        self._flag = flag
        self._skip = frozenset(path for told in skip for path in (told, f"{told}/"))  # a mount answers there
        self._requests: dict[tuple[str, str, int, str], _Instruments] = {}
        self._in_flight = metrics.gauge("fastcore_http_requests_in_flight")
        self._open = metrics.gauge("fastcore_websocket_connections")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" and local_path(scope) not in self._skip:
            await self._http(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        root, app = scope.get("root_path", ""), scope.get("app", self.app)  # found behind any middleware
        status, begun, cut, over = 500, False, False, False  # 500 where the application raises before it answers

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status, begun, cut
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
            try:
                await send(message)
            except BaseException:
                cut = True  # the client has left, or the server ends
                raise
            if message["type"] in _BODIES and not message.get("more_body"):
                count()  # what runs after it, such as background tasks, is no part of the request

        def count() -> None:
            nonlocal over
            if over:
                return
            over, took = True, time.perf_counter() - began
            arm = "" if self._flag is None else _arm(self._flag, scope)
            self._in_flight.add(-1.0)
            key = (scope["method"], route_template(scope, root, app), status, arm)
            found = self._requests.get(key)
            if found is None:
                found = self._make(key)
            found[0].add()
            found[1].observe(took)

        self._in_flight.add(1.0)
        began = time.perf_counter()
        try:
            await self.app(scope, receive, noting)
        except asyncio.CancelledError:
            if not begun:
                status = _CANCELLED
            raise
        except Exception:
            if not cut:
                status = 500  # also in the middle of an answer, which then never ends
            raise
        finally:
            count()

    def _make(self, key: tuple[str, str, int, str]) -> _Instruments:
        method, route, status, arm = key
        answered = method in _METHODS and status != 405  # else any client could add a series for each route
        labels = {"method": method if answered else "OTHER", "route": route, "arm": arm}
        code = str(status) if status in _STATUSES else f"{status // 100}xx"
        made = (
            metrics.counter("fastcore_http_requests_total", status=code, **labels),
            metrics.latency("fastcore_http_request_duration_seconds", **labels),
        )
        if method in _METHODS and len(self._requests) < 10_000:
            self._requests[key] = made
        return made

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        root, app = scope.get("root_path", ""), scope.get("app", self.app)
        outcome = "refused"

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal outcome
            if message["type"] == "websocket.accept":
                outcome = "closed"
            await send(message)

        self._open.add(1.0)
        try:
            await self.app(scope, receive, noting)
        except Exception:
            outcome = "failed"
            raise
        finally:
            self._open.add(-1.0)
            labels = {"route": route_template(scope, root, app), "outcome": outcome}
            metrics.counter("fastcore_websocket_connections_total", **labels).add()


def _arm(flag: str, scope: Scope) -> str:
    mode = flags.mode_of(flag)
    if mode.word in ("ramp", "canary"):
        key = scope.get(SCOPE_KEY, assignment_key.get())
        if key is None:
            return "unassigned"
        return "candidate" if belongs(flag, mode.threshold, key) else "control"
    return "candidate" if mode.word in ("candidate", "compiled", "auto") else "control"
