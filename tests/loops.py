"""Event loops whose clocks differ."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

import pytest

STANDARD_LOOPS = ["asyncio"] if sys.platform == "win32" else ["asyncio", "uvloop"]
LOOPS = [*STANDARD_LOOPS, "still"]


class StillLoop(asyncio.SelectorEventLoop):
    """Its clock stands still for the length of a turn."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        self.now = time.monotonic()
        super()._run_once()  # type: ignore[misc]


def factory_of(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes loops of a name of LOOPS; None for the standard one."""
    if name == "uvloop":
        made: Callable[[], asyncio.AbstractEventLoop] = pytest.importorskip("uvloop").new_event_loop
        return made
    return StillLoop if name == "still" else None
