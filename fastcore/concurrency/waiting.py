"""Waiting on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

__all__ = ["Outcome", "answer_of", "happened", "outcome"]

T = TypeVar("T")


class Outcome(NamedTuple):
    """What code of the application returned, or raised."""

    result: object
    error: BaseException | None


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


async def outcome(code: Awaitable[object], seconds: float) -> Outcome | None:
    """Run code of the application in a task of its own, at most so long; None if it takes longer.

    It is cancelled then and not waited for: what it catches is its own affair. A CancelledError or SystemExit that it
    raises is an error as others, and ends neither the task that waits here nor the loop.
    """
    task = asyncio.ensure_future(_contained(code))
    try:
        await asyncio.wait([task], timeout=seconds)
        return task.result() if task.done() else None
    finally:
        task.cancel()


async def answer_of(code: Awaitable[T], seconds: float) -> T:
    """Return what code of the application returns, see :func:`outcome`.

    Raises
    ------
    TimeoutError
        If it takes longer.
    Exception
        What it raises; a RuntimeError in place of what would end the task or the program.
    """
    found = await outcome(code, seconds)
    if found is None:
        raise TimeoutError(f"expected an answer in {seconds:g} s, got none")
    if isinstance(found.error, Exception):
        raise found.error
    if found.error is not None:
        raise RuntimeError(f"expected an answer, got {type(found.error).__name__}") from found.error
    return found.result  # type: ignore[return-value]


async def _contained(code: Awaitable[object]) -> Outcome:
    try:
        return Outcome(await code, None)
    except BaseException as error:
        return Outcome(None, error)
