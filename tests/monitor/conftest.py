"""What the monitor's tests share: clocks that the test moves, and flags that end as they began."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from fastcore.dispatch import flags
from fastcore.monitor.triggers import FLAGS


class Clock:
    """Seconds, and the same as a date."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def own_flags() -> Iterator[list[str]]:
    """Names appended here are cleared and resumed at the end, and so are those of the triggers."""
    used = [*FLAGS.values()]
    yield used
    for name in used:
        if name in flags.snapshot():
            flags.resume(name)
            flags.clear(name)
