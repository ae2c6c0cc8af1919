"""Routes of the application that fastcore's would shadow: the first match answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from fastcore.monitor.routes import each_route

__all__ = ["check_hidden", "hidden_routes", "mark"]

_MARK = "fastcore_installed"


def mark(routes: Iterable[Any]) -> None:
    """Record the routes of fastcore."""
    for route in routes:
        setattr(route, _MARK, True)


def check_hidden(ours: Sequence[Any], theirs: Sequence[Any]) -> None:
    """Refuse to shadow routes.

    Raises
    ------
    ValueError
        If there is one; the text names it, and what would answer.
    """
    mark(ours)
    found = _hidden(ours, theirs)
    if found:
        raise ValueError(f"app: expected no route that install() would hide, got {found}; other paths can be given")


def hidden_routes(app: Any) -> str:
    """Return the later routes that fastcore's shadow, as text; the empty string if there are none."""
    routes = app.router.routes
    ours = [route for route in routes if getattr(route, _MARK, False)]
    found = _hidden(ours, [route for route in routes if not getattr(route, _MARK, False)])
    return f"expected no route behind one of install()'s, got {found}: it is never reached" if found else ""


def _hidden(ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    from starlette.routing import Match

    for route in each_route(theirs):
        path = getattr(route, "path", None)
        if not isinstance(path, str) or not path.startswith("/"):
            continue
        for method in getattr(route, "methods", None) or ("GET",):
            scope: dict[str, Any] = {
                "type": _kind(route),
                "method": method,
                "path": _example(path),
                "root_path": "",
                "headers": [],
            }
            for answers in each_route(ours):
                if answers.matches(dict(scope))[0] is Match.FULL:
                    return f"{method} {path}, which {getattr(answers, 'path', '') or 'another route'} would answer"
    return ""


def _kind(route: Any) -> str:
    from starlette.routing import WebSocketRoute

    return "websocket" if isinstance(route, WebSocketRoute) else "http"


def _example(path: str) -> str:
    """A path that the template matches, with parts that ours hardly have."""
    return re.sub(r"\{[^}]*\}", "0", path)
