"""The installed queue: the one that `submit_background_task` uses."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastcore.tasks.queue import TaskQueue

__all__ = ["install", "installed", "remove", "submit_background_task"]

_lock = threading.Lock()
_queue: TaskQueue | None = None


def install(queue: TaskQueue, *, unless_there: bool = False) -> None:
    """Make a queue the installed one. The first queue that starts is installed by that.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue, install, installed
    >>> queue = TaskQueue()
    >>> install(queue)
    >>> installed() is queue
    True
    """
    global _queue
    with _lock:
        if _queue is None or not unless_there:
            _queue = queue


def remove(queue: TaskQueue) -> None:
    """Uninstall this queue, if it is installed."""
    global _queue
    with _lock:
        if _queue is queue:
            _queue = None


def installed() -> TaskQueue:
    """Return the installed queue.

    Raises
    ------
    RuntimeError
        If there is none.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue, install, installed
    >>> queue = TaskQueue()
    >>> install(queue)
    >>> installed() is queue
    True
    """
    if _queue is None:
        raise RuntimeError(
            "submit_background_task: expected an installed queue, got none: start one, or queue.install()"
        )
    return _queue


async def submit_background_task(name: str, /, *args: Any, **kwargs: Any) -> str:
    """Queue a call of a registered task, by name, on the installed queue; returns its id once it is durable.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.tasks import TaskQueue, install, submit_background_task
    >>> queue = TaskQueue()
    >>> @queue.task(name="report")
    ... def report(symbol):
    ...     return symbol
    >>> install(queue)
    >>> id = asyncio.run(submit_background_task("report", "AAPL"))
    >>> str(queue.status(id).state)
    'queued'
    """
    return await installed().asubmit(name, *args, **kwargs)
