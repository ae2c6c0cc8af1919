"""Tasks for executors to run: importable, as children must find them. Each comes as a coroutine function too."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastcore.tasks import TaskQueue, checkpoint, current, progress

__all__ = ["CASES", "queue"]

queue = TaskQueue()


class OddError(Exception):
    """An error with a custom text."""


def echo(*args: Any, **kwargs: Any) -> Any:
    return [list(args), kwargs]


def fail(text: str) -> None:
    raise ValueError(text)


def leave() -> None:
    raise SystemExit(3)


def sleep(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


def report(fraction: float, note: str) -> str:
    progress(fraction, note)
    return "reported"


def who() -> list[Any]:
    found = current()
    return [] if found is None else list(found)


def until_told() -> None:
    """Run until asked to stop, and no longer than a minute."""
    for _ in range(6000):
        time.sleep(0.01)
        checkpoint()


def stamp(value: int) -> list[float]:
    return [value, time.monotonic()]


async def aecho(*args: Any, **kwargs: Any) -> Any:
    await asyncio.sleep(0)
    return echo(*args, **kwargs)


async def afail(text: str) -> None:
    fail(text)


async def aleave() -> None:
    leave()


async def asleep(seconds: float, value: Any = None) -> Any:
    await asyncio.sleep(seconds)
    return value


async def areport(fraction: float, note: str) -> str:
    await asyncio.sleep(0)
    return report(fraction, note)


async def awho() -> list[Any]:
    await asyncio.sleep(0)
    return who()


async def auntil_told() -> None:
    for _ in range(6000):
        await asyncio.sleep(0.01)
        checkpoint()


async def astamp(value: int) -> list[float]:
    return stamp(value)


CASES = {
    "echo": (queue.task(echo), queue.task(aecho)),
    "fail": (queue.task(fail), queue.task(afail)),
    "leave": (queue.task(leave), queue.task(aleave)),
    "sleep": (queue.task(sleep), queue.task(asleep)),
    "report": (queue.task(report), queue.task(areport)),
    "who": (queue.task(who), queue.task(awho)),
    "until_told": (queue.task(until_told), queue.task(auntil_told)),
    "stamp": (queue.task(stamp), queue.task(astamp)),
}
"""Name -> the task as a plain function, and as a coroutine function."""
