"""map_async: a thousand items through a coroutine, and through a function on threads."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from benchmarks.features import feature, needs

map_async = feature("fastcore.concurrency:map_async")
ITEMS = range(1_000)


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


async def later(item: int) -> int:
    await asyncio.sleep(0)
    return item


def now(item: int) -> int:
    return item


def run(fn: Callable[[int], Any], **options: Any) -> None:
    loop().run_until_complete(map_async(fn, ITEMS, **options))


@needs(map_async)
def time_map_1000_coroutines() -> None:
    run(later, limit=16)


@needs(map_async)
def time_map_1000_calls_on_threads() -> None:
    run(now, limit=4, on="thread")
