"""Middleware and tasks that processes find by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcore.tasks import TaskCall

__all__ = ["double", "label", "plain_sum"]


def double(call: TaskCall, call_next: Callable[[], Any]) -> Any:
    return 2 * call_next()


def label(call: TaskCall, call_next: Callable[[], Any]) -> list[Any]:
    return [call.task, call.attempt, list(call.args), dict(call.kwargs), call_next()]


def plain_sum(a: int, b: int = 0) -> int:
    return a + b
