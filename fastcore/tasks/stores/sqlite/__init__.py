"""A store of tasks in one SQLite file."""

from __future__ import annotations

from fastcore.tasks.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
