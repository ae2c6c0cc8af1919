"""How a hub's endpoints come into an application, so that what the application demands of its routes holds for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["add_http", "add_websocket"]

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def _router(app: Any) -> Any:
    router = getattr(app, "router", app)
    if not isinstance(getattr(router, "routes", None), list):
        raise TypeError(f"app: expected a FastAPI or Starlette application or router, got {type(app).__name__}")
    return router


def _check_installed(part: str) -> None:
    try:
        import starlette.routing  # noqa: F401
    except ImportError as error:
        text = f'{part}: expected starlette to be installed; pip install "fastcore-native[service]"'
        raise ImportError(text, name=error.name) from error


def add_websocket(app: Any, path: str, endpoint: Asgi, name: str) -> None:
    """Add a WebSocket route; with FastAPI, under the dependencies and the prefix of `app`."""
    _check_installed("Hub.route")
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    router = _router(app)
    add = getattr(router, "add_api_websocket_route", None)
    if add is None:
        router.routes.append(WebSocketRoute(path, endpoint=endpoint, name=name))
        return

    async def stream(websocket: Any) -> None:
        await endpoint(websocket.scope, websocket.receive, websocket.send)

    stream.__annotations__["websocket"] = WebSocket  # FastAPI reads it
    add(path, stream, name=name)


def add_http(app: Any, path: str, endpoint: Asgi, name: str) -> None:
    """Add a route for GET; with FastAPI, under the dependencies, prefix, tags and responses of `app`."""
    _check_installed("Hub.sse")
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    class Passed(Response):
        """A response that the endpoint makes itself."""

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await endpoint(scope, receive, send)

    async def events(request: Any) -> Any:
        return Passed(media_type="text/event-stream")

    events.__annotations__ = {"request": Request, "return": Response}
    router = _router(app)
    add = getattr(router, "add_api_route", None)
    if add is None:
        router.routes.append(Route(path, endpoint=events, name=name, methods=["GET"]))
    else:
        described = {200: {"description": "Server-sent events", "content": {"text/event-stream": {}}}}
        add(path, events, name=name, methods=["GET"], response_class=Response, responses=described)
