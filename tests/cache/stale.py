"""A function whose result is stale, and what it asks."""

from __future__ import annotations

import threading
from typing import Any

from fastcore.cache import cached
from tests.cache.conftest import Clock


class Source:
    """What a function asks; it is down while `error` is set."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.answered = threading.Semaphore(0)

    def ask(self) -> int:
        self.calls += 1
        try:
            if self.error is not None:
                raise self.error
            return self.calls
        finally:
            self.answered.release()

    def wait(self) -> None:
        assert self.answered.acquire(timeout=10), "no refresh within 10 s"


def stale_function(source: Source, **options: Any) -> tuple[Any, Clock]:
    clock = Clock()

    @cached(ttl=10, stale=1000, timer=clock, **options)
    def price(symbol: str) -> int:
        return source.ask()

    assert price("A") == 1
    source.wait()
    clock.time = 20
    return price, clock
