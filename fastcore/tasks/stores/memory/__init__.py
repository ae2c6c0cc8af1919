"""A store of tasks in memory."""

from __future__ import annotations

from fastcore.tasks.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
