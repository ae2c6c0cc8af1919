"""Task: a function under a name, and how it is run unless a submission says otherwise."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from fastcore.tasks.records import Encoded

__all__ = ["Task", "find_task"]


class Task:
    """A registered function."""

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        self.name = name
        self.fn = fn

    def decode(self, data: Encoded) -> Any:
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return find_task, (self.fn.__module__, self.fn.__qualname__)


def find_task(module: str, qualname: str) -> Any:
    """Return what stands under a name in a module: the task, or its function."""
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return found
