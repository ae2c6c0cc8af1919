"""What the tests of the queue share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastcore.concurrency import Retry

LONG = 60.0  # seconds until a test gives up
SOON = Retry(3, base=0.01)


def run(scenario: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), LONG))


async def until(true: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0.005)
