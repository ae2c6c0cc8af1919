"""Requests at a fixed rate."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["open_loop"]


async def open_loop(
    rate: float, send: Callable[[float], Coroutine[Any, Any, None]], stop: asyncio.Event | None = None
) -> None:
    """Call `send` `rate` times a second until `stop`, whether or not earlier calls have ended; wait for the last.

    `send` gets the time at which the call is due, by `time.perf_counter`.
    """
    start, running = time.perf_counter(), set[asyncio.Task[None]]()
    for n in itertools.count():
        due = start + n / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if stop is not None and stop.is_set():
            break
        task = asyncio.create_task(send(due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
