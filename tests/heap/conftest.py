"""Heaps and queues under test check their invariants when a test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest


class Clock:
    """A clock that only moves when it is advanced."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(twin: Callable[[str], ModuleType]) -> Iterator[Callable[..., Any]]:
    """``make("PriorityHeap", order="max")`` on the backend under test."""
    made: list[Any] = []

    def build(name: str, *args: Any, **kwargs: Any) -> Any:
        made.append(getattr(twin("heap"), name)(*args, **kwargs))
        return made[-1]

    yield build
    for each in made:
        each._check()


@pytest.fixture
def queue(make: Any) -> Callable[..., Any]:
    """``queue(...)`` is an AsyncPriorityQueue on the backend under test."""
    return lambda *args, **kwargs: make("AsyncPriorityQueue", *args, **kwargs)
