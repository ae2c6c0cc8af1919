"""The routes of the parts, each with its guard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response, WebSocket
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection
from starlette.routing import Mount, Route

from fastcore.dispatch.middleware import App
from fastcore.service.access import ADMITTED, Access, Guarded, Refusal
from fastcore.tasks.http.problems import Problem

if TYPE_CHECKING:
    from fastcore.streaming import Hub
    from fastcore.tasks import TaskQueue

__all__ = ["mounted", "stream_router", "task_router"]

_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
_BEARER = HTTPBearer(auto_error=False, scheme_name="fastcore", description="The token of install().")


def task_router(queue: TaskQueue, access: Access, own: Sequence[Any], options: dict[str, Any]) -> APIRouter:
    """Return the routes of tasks; `own` are dependencies used instead of those of `access`."""
    way = "own" if own else access.way("tasks")

    async def admit(request: Request) -> None:  # a plain function would take a thread for each request
        refusal = access.refusal("tasks", request.scope, checked=way in ("own", "dependencies"))
        if refusal is not None:
            raise _problem(refusal)

    asked = {"own": own, "dependencies": access.dependencies, "token": [Depends(_BEARER)]}.get(way, ())
    router: APIRouter = queue.router(dependencies=[Depends(admit), *asked], **options)
    return router


def stream_router(hub: Hub, access: Access, path: str, events: str | None) -> APIRouter:
    """Return the routes of a hub, which asks for tokens over the link; for its own, if it has an `authenticate`."""
    way = "own" if hub.clients.asks_for_tokens else access.way("stream")
    if way in ("token", "closed"):
        hub.clients.authenticate_by(access.accepts)  # holds for other routes of the hub too

    async def admit(connection: HTTPConnection) -> None:
        refusal = access.refusal("stream", connection.scope, checked=way in ("own", "dependencies", "token"))
        if refusal is not None:
            raise HTTPException(refusal.status, refusal.detail)

    router = APIRouter(dependencies=[Depends(admit), *(access.dependencies if way == "dependencies" else ())])
    hub.route(router, path)
    if events is not None:
        hub.sse(router, events)
    return router


def mounted(path: str, app: App, access: Access, part: str, only: str = "") -> list[Any]:
    """Return the routes of an application below a path, where paths that begin with `only` are guarded."""
    mount = Mount(path, Guarded(app, access, part, only))

    async def request(request: Request) -> Response:
        return _Handed(mount.app, path)

    routes: list[Any] = [mount]
    if part == "dashboard":  # adds the slash by itself: Starlette's redirect names a host, and no prefix of a proxy
        routes.insert(0, Route(path, request, include_in_schema=False))
    if access.way(part) != "dependencies":
        return routes
    router = APIRouter(dependencies=access.dependencies)  # the mount refuses requests that did not come through it

    async def socket(websocket: WebSocket) -> None:
        await mount.app(_admitted(websocket.scope, path), websocket.receive, websocket.send)

    router.add_api_route(f"{path}/{only}{{rest:path}}", request, methods=_METHODS, include_in_schema=False)
    router.add_api_websocket_route(f"{path}/{{rest:path}}", socket)
    return [*router.routes, *routes]


class _Handed(Response):
    """A response that another application gives, once the dependencies have admitted the request."""

    def __init__(self, app: App, path: str) -> None:
        super().__init__()
        self._app = app
        self._path = path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(_admitted(scope, self._path), receive, send)


def _admitted(scope: Any, path: str) -> Any:
    """The scope as a mount at `path` would hand it on."""
    root = scope.get("root_path", "")
    mounted = {"root_path": root + path, "app_root_path": scope.get("app_root_path", root)}
    return {**scope, **mounted, ADMITTED: True}


def _problem(refusal: Refusal) -> Problem:
    kinds = {401: "unauthorized", 421: "foreign-host", 503: "closed"}
    titles = {401: "The token is needed", 421: "The host is not served", 503: "Tasks are closed"}
    status = refusal.status
    problem = Problem(status, kinds[status], titles[status], refusal.detail)
    problem.headers = refusal.headers
    return problem
