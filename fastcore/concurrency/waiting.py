"""Waiting on an event loop."""

from __future__ import annotations

import asyncio

__all__ = ["happened"]


async def happened(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, at most so long; returns whether it came.

    Not by `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that comes together with the event.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
