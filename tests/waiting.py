"""Waiting for a condition that another thread or process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float = 100.0, every: float = 0.005) -> T:
    """Return what `condition()` returns as soon as that is true; fail if it is not true in time."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"the condition was false for {seconds} s"
        time.sleep(every)
    return found
