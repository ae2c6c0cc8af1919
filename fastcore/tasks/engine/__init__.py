"""The engine: takes tasks from a store, runs them on executors and records how they end."""

from __future__ import annotations

from fastcore.tasks.engine.engine import Engine

__all__ = ["Engine"]
