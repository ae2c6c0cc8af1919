"""The event loop: uvloop where it is installed, asyncio's own elsewhere; and waiting on the precise clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run", "sleep_until"]

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def sleep_until(moment: int) -> None:
    """Sleep until ``time.perf_counter_ns()`` has reached `moment`."""
    while (left := moment - time.perf_counter_ns()) > 0:  # timers count milliseconds and may fire early
        await asyncio.sleep(left / 1e9)
