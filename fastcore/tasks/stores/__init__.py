"""Where tasks are kept: in memory, or in a SQLite file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fastcore.tasks.stores.memory.store import MemoryStore

if TYPE_CHECKING:
    from fastcore.tasks.ports import TaskStore
    from fastcore.tasks.stores.sqlite.store import SqliteStore

__all__ = ["MemoryStore", "SqliteStore", "open_store"]

_SQLITE = "sqlite:///"


def open_store(url: str | TaskStore, *, max_queued: int | None = None) -> TaskStore:
    """Return the store that a URL names; a store is returned as it is.

    ``memory``; ``sqlite:///tasks.db`` (four slashes for an absolute path), with ``?durability=normal`` if so wished.

    Examples
    --------
    >>> from fastcore.tasks.stores import open_store
    >>> type(open_store("memory")).__name__
    'MemoryStore'
    """
    if not isinstance(url, str):
        if not hasattr(url, "claim"):
            hint = f"; write 'sqlite:///{url}'" if isinstance(url, os.PathLike) else ""
            raise TypeError(f"store: expected a str or a TaskStore, got {type(url).__name__}{hint}")
        return url
    if url == "memory":
        return MemoryStore(max_queued=max_queued)
    if url.startswith(_SQLITE):
        from fastcore.tasks.stores.sqlite.location import parsed
        from fastcore.tasks.stores.sqlite.store import SqliteStore

        path, durability = parsed(url)
        return SqliteStore(path, max_queued=max_queued, durability=durability)
    path = url.removeprefix("sqlite:").lstrip("/") if url.startswith("sqlite:") else url
    hint = f"; did you mean 'sqlite:///{path}'?" if path and ":" not in path else ""
    raise ValueError(f"store: expected 'memory' or 'sqlite:///path', got {url!r}{hint}")


def __getattr__(name: str) -> Any:
    if name == "SqliteStore":  # brings in sqlite3
        from fastcore.tasks.stores.sqlite.store import SqliteStore

        return SqliteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
