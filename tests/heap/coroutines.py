"""Coroutines of a test, and turns of their loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), 30))


async def turns(n: int = 5) -> None:
    for _ in range(n):
        await asyncio.sleep(0)
