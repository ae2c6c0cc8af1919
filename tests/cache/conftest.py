"""Caches of the twin under test, whose invariants are checked when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import fastcore.cache  # gives pickles their way to the public classes
from fastcore import flags
from fastcore.cache import refresh


class Clock:
    """A timer that only moves when it is advanced."""

    def __init__(self, time: float = 0) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time

    def tick(self, by: float = 1) -> None:
        self.time += by


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the waits between refreshes, whose jitter is taken away."""
    clock = Clock()
    monkeypatch.setattr(refresh, "_monotonic", clock)
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    return clock


@pytest.fixture
def on_backend(backend: str) -> Iterator[None]:
    """Decorators made in a test use the twin under test."""
    with flags.override("cache", backend):
        yield


@pytest.fixture
def calls() -> list[Any]:
    """What the decorated functions of a test were called with."""
    return []


@pytest.fixture
def make(twin: Callable[[str], Any]) -> Iterator[Callable[..., Any]]:
    """``make("TTLCache", 10, 5)``: a cache of the twin under test."""
    assert fastcore.cache is not None
    made: list[Any] = []

    def build(name: str, *args: Any, **kwargs: Any) -> Any:
        cache = getattr(twin("cache"), name)(*args, **kwargs)
        made.append(cache)
        return cache

    yield build
    for cache in made:
        cache._check()
