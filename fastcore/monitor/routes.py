"""Routes of Starlette and FastAPI: one by one, and the template of the one that answered a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastcore.dispatch.middleware import Scope

__all__ = ["UNMATCHED", "each_route", "route_template"]

UNMATCHED = "unmatched"


def each_route(routes: Iterable[Any]) -> Iterator[Any]:
    """Yield the routes, those of included routers one by one, where FastAPI keeps them together."""
    for route in routes:
        candidates = getattr(route, "effective_candidates", None)
        if callable(candidates):
            yield from each_route(candidates())
        else:
            yield route


def route_template(scope: Scope, root: str, app: object) -> str:
    """Return the template of the route that answered; routers leave it in the scope.

    Parameters
    ----------
    scope : dict
        After the answer.
    root : str
        Its root path before.
    app : ASGI application
        Whose routes have the mounts. What they do not have is ``*``: a text that a client chose is in no template.
    """
    route = scope.get("route")
    path = getattr(_included(scope, route), "path", None)
    inner = scope.get("root_path", "")
    if inner == root:
        return path if isinstance(path, str) else UNMATCHED
    prefix = _mounts(_routes(app), inner.removeprefix(root))
    if prefix is None:
        prefix = "*"
    if not isinstance(path, str) or hasattr(route, "routes"):  # a mounted application that is no router, or found none
        return f"{prefix}/*"
    return prefix + path


def _mounts(routes: Iterable[Any], path: str) -> str | None:
    """The template of the mounts that a path consists of; None if there are none."""
    for route in each_route(routes):
        mount = getattr(route, "starlette_route", None) or route
        if hasattr(mount, "host_regex"):
            found = _mounts(_routes(mount), path)
        elif hasattr(mount, "routes") and (match := mount.path_regex.match(f"{path}/")):
            template = mount.path_format.removesuffix("/{path}")
            rest = match["path"].rstrip("/")
            below = _mounts(_routes(mount.app), f"/{rest}") if rest else ""
            found = None if below is None else template + below
        else:
            continue
        if found is not None:
            return found
    return None


def _routes(app: object) -> Iterable[Any]:
    """The routes of an application, which middleware may be around."""
    while app is not None:
        routes: Iterable[Any] | None = getattr(app, "routes", None)
        if routes is not None:
            return routes
        app = getattr(app, "app", None)
    return ()


def _included(scope: Scope, route: Any) -> Any:
    """The route with the prefixes of the routers it was included by, which FastAPI since 0.137 keeps apart from it."""
    told = scope.get("fastapi")
    found = told.get("effective_route_context") if isinstance(told, dict) else None
    return found if found is not None and getattr(found, "original_route", None) is route else route
