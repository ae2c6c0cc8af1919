"""Functions that count their calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcore.cache import cached


class Counter:
    """A function that counts its calls."""

    def __init__(self, answer: Callable[..., Any] = lambda *args, **kwargs: (args, kwargs)) -> None:
        self.calls = 0
        self.answer = answer

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.answer(*args, **kwargs)


def counted(answer: Callable[..., Any] | None = None, **options: Any) -> tuple[Any, Counter]:
    counter = Counter(answer) if answer else Counter()

    def function(*args: Any, **kwargs: Any) -> Any:
        return counter(*args, **kwargs)

    return cached(**options)(function), counter
