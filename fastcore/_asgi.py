"""Paths of ASGI requests."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

__all__ = ["local_path"]


def local_path(scope: MutableMapping[str, Any]) -> str:
    """Return the path of a request below where the application that answers is mounted.

    A server that knows its root path gives paths that begin with it. A proxy that has removed the prefix gives paths
    without it, and the root path of ``FastAPI(root_path=...)`` then is in `root_path` alone.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if _is_below(path, root):
        return path[len(root) :]
    mounts = root.removeprefix(scope.get("app_root_path", root))
    return path[len(mounts) :] if _is_below(path, mounts) else path


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/")
