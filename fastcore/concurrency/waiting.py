"""Waiting on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

__all__ = ["Outcome", "answer_of", "happened", "outcome"]

T = TypeVar("T")


class Outcome(NamedTuple):
    """The result or error of code of the application."""

    result: object
    error: BaseException | None


async def happened(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, with a timeout; return whether it was set.

    Not by `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that comes together with the event.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def outcome(code: Awaitable[object], seconds: float) -> Outcome | None:
    """Run code of the application in a separate task, with a timeout; None if it takes longer.

    It is then cancelled and not awaited. A CancelledError or SystemExit that it raises is an ordinary error and ends
    neither the waiting task nor the loop.
    """
    task = asyncio.ensure_future(_contained(code))
    try:
        await asyncio.wait([task], timeout=seconds)
        return task.result() if task.done() else None
    finally:
        task.cancel()


async def answer_of(code: Awaitable[T], seconds: float) -> T:
    """Return the result of code of the application, see :func:`outcome`.

    Raises
    ------
    TimeoutError
        If it takes longer.
    Exception
        Its error; a RuntimeError in place of one that would end the task or the program.
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
