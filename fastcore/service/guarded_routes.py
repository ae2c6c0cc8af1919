"""The routes of the parts, each behind what guards it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response, WebSocket
from fastapi.routing import APIWebSocketRoute
from fastapi.security import HTTPBearer
from starlette.routing import Mount, WebSocketRoute

from fastcore.dispatch.asgi import App, Receive, Scope, Send
from fastcore.service.access import ADMITTED, Access, Guarded, Refusal, refuse
from fastcore.tasks.http.problems import Problem

__all__ = ["mounted", "stream_routes", "task_guard"]

_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
_BEARER = HTTPBearer(auto_error=False, scheme_name="fastcore", description="The token of install().")


def task_guard(access: Access, own: Sequence[Any]) -> list[Any]:
    """Return the dependencies of the routes of tasks; `own` are those that the router was given."""
    way = access.way("tasks")
    given = [*(access.dependencies if way == "dependencies" else ()), *own]

    def admitted(request: Request) -> None:
        scope = {**request.scope, ADMITTED: True}  # where there are dependencies, they are asked next
        refusal = access.foreign_host(scope) if own else access.refusal("tasks", scope)
        if refusal is not None:
            raise _problem(refusal)

    return [Depends(admitted), *given, *([Depends(_BEARER)] if way == "token" and not own else [])]


def _problem(refusal: Refusal) -> Problem:
    kinds = {401: "unauthorized", 421: "foreign-host", 503: "closed"}
    titles = {401: "The token is needed", 421: "The host is not served", 503: "Tasks are closed"}
    status = refusal.status
    problem = Problem(status, kinds.get(status, "forbidden"), titles.get(status, "Forbidden"), refusal.detail)
    problem.headers = refusal.headers
    return problem


def mounted(path: str, app: App, access: Access, part: str, *, only: str | None = None) -> list[Any]:
    """Return the routes of an application below a path; of one with `only`, all else than that is open."""
    mount = Mount(path, Guarded(app, access, part, only=only, own_tokens=True))
    if access.way(part) != "dependencies":
        return [mount]
    router = APIRouter()

    async def handed(request: Request) -> Response:
        return _Handed(mount.app, path)

    async def socket(websocket: WebSocket) -> None:
        await mount.app(_below(websocket.scope, path), websocket.receive, websocket.send)

    router.add_api_route(
        f"{path}/{only or ''}{{rest:path}}",
        handed,
        methods=_METHODS,
        dependencies=access.dependencies,
        include_in_schema=False,
    )
    router.add_api_websocket_route(f"{path}/{{rest:path}}", socket, dependencies=access.dependencies)
    return [*_answering(router.routes), mount]


def stream_routes(path: str, hub: Any, access: Access) -> list[Any]:
    """Return the route of a hub; one that asks for tokens itself is left to do so."""
    own = hub.clients.asks_for_tokens
    way = access.way("stream")
    if own or way == "public":
        return [WebSocketRoute(path, endpoint=_HostOnly(hub.asgi, access), name="fastcore_stream")]
    guarded = Guarded(hub.asgi, access, "stream", own_tokens=True)
    if way == "token":
        hub.clients.authenticate_by(access.accepts)
    if way != "dependencies":
        return [WebSocketRoute(path, endpoint=guarded, name="fastcore_stream")]
    router = APIRouter()

    async def socket(websocket: WebSocket) -> None:
        await guarded({**websocket.scope, ADMITTED: True}, websocket.receive, websocket.send)

    router.add_api_websocket_route(path, socket, dependencies=access.dependencies, name="fastcore_stream")
    return _answering(router.routes)


class _HostOnly:
    """A hub that says itself who may connect: only the Host is checked here."""

    def __init__(self, app: App, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._access.foreign_host(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refuse(refusal, scope, receive, send)


class _Handed(Response):
    """A response that another application gives, once the dependencies have admitted the request."""

    def __init__(self, app: App, path: str) -> None:
        super().__init__()
        self._app = app
        self._path = path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(_below(scope, self._path), receive, send)


def _below(scope: Any, path: str) -> Any:
    return {**scope, "root_path": scope.get("root_path", "") + path, ADMITTED: True}


def _answering(routes: Sequence[Any]) -> list[Any]:
    """Have WebSockets that a dependency refuses answered with its status."""
    for route in routes:
        if isinstance(route, APIWebSocketRoute):
            route.app = _answered(route.app)
    return list(routes)


def _answered(app: App) -> App:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except HTTPException as error:
            await refuse(Refusal(error.status_code, str(error.detail)), scope, receive, send)

    return call
