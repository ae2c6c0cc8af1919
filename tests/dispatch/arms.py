"""Arms of Switches: some tell which of them answered, some are wrong or fail."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from fastcore import Guard, Switch

EAGER = Guard(min_samples=20, min_seconds=0.0, sample=100, verify=50, slowdown=1e6)


def freed_without_collector(held: list[Any]) -> bool:
    """Whether the one object of a list is freed as soon as the list lets go of it."""
    freed = weakref.ref(held[0])
    gc.disable()
    try:
        held.clear()
        return freed() is None
    finally:
        gc.enable()


def control(x: int, y: int = 2, *, k: int = 3) -> tuple[Any, ...]:
    """The slow one."""
    return "control", x, y, k


def fast(x: int, y: int = 2, *, k: int = 3) -> tuple[Any, ...]:
    return "candidate", x, y, k


def double(x: int) -> int:
    return 2 * x


def wrong(x: int) -> int:
    return 2 * x if x % 7 else -1


class Boom(Exception):
    pass


def failing(x: int) -> int:
    if x % 7 == 0:
        raise Boom(x)
    return 2 * x


def run(switch: Switch[..., Any], calls: int = 30_000) -> list[int]:
    """Call until the canary has ended; returns the arguments that got a wrong answer."""
    bad = []
    for i in range(1, calls):
        if switch(i) != 2 * i:
            bad.append(i)
        if switch.mode in ("control", "candidate"):
            return bad
    raise AssertionError(f"still {switch.mode}: {switch.report()}")
