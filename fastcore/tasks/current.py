"""The running attempt: progress and identity for a task's code."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from fastcore._text import storable
from fastcore.tasks.errors import TaskCancelled

__all__ = ["Current", "Running", "checkpoint", "current", "progress", "running"]


class Running(Protocol):
    """An attempt as its code sees it; each executor defines how reports are sent."""

    stop_requested: bool

    @property
    def id(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def attempt(self) -> int: ...

    def report(self, fraction: float | None, note: str) -> None: ...


class Current(NamedTuple):
    """The identity of the running task.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.tasks import TaskQueue, current
    >>> queue = TaskQueue(inline=True)
    >>> @queue.task(name="who")
    ... def who():
    ...     return current().kind, current().attempt
    >>> queue.result(queue.submit(who))
    ('who', 1)
    """

    id: str
    kind: str
    attempt: int
    """The number of the attempt; 1 for the first."""


running: ContextVar[Running | None] = ContextVar("fastcore_task", default=None)
"""Set by an executor around each attempt."""


def current() -> Current | None:
    """Return which task runs here, or None outside of one.

    Examples
    --------
    >>> from fastcore.tasks import current
    >>> current() is None                             # outside of a task
    True
    """
    found = running.get()
    return None if found is None else Current(found.id, found.kind, found.attempt)


def progress(fraction: float | None = None, note: str = "") -> None:
    """Report the progress of this task; its status shows the latest report. Outside of a task it does nothing.

    Parameters
    ----------
    fraction : float, optional
        From 0 to 1; values outside are clipped. None if unknown.
    note : str
        What it is doing.

    Raises
    ------
    TaskCancelled
        If the task was asked to stop, as :func:`checkpoint`.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue, progress
    >>> queue = TaskQueue(inline=True)
    >>> @queue.task
    ... def report(symbols):
    ...     for done, symbol in enumerate(symbols, 1):
    ...         progress(done / len(symbols), symbol)
    ...     return len(symbols)
    >>> queue.result(queue.submit(report, ["AAPL", "MSFT"]))
    2
    """
    found = running.get()
    if found is None:
        return
    if fraction is not None:
        fraction = _within(fraction)
    found.report(fraction, storable(str(note)))
    if found.stop_requested:
        raise TaskCancelled(f"task {found.id} was cancelled")


def checkpoint() -> None:
    """Raise TaskCancelled if this task was asked to stop: for functions on threads, which cannot be killed.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue, checkpoint
    >>> queue = TaskQueue(inline=True)
    >>> @queue.task
    ... def crawl(pages):
    ...     for page in range(pages):
    ...         checkpoint()                           # ends here if the task was cancelled
    ...     return pages
    >>> queue.result(queue.submit(crawl, 3))
    3
    """
    found = running.get()
    if found is not None and found.stop_requested:
        raise TaskCancelled(f"task {found.id} was cancelled")


def _within(fraction: Any) -> float:
    if isinstance(fraction, bool) or not (hasattr(fraction, "__float__") or hasattr(fraction, "__index__")):
        raise TypeError(f"fraction: expected a number from 0 to 1, got {type(fraction).__name__}")
    found = float(fraction)
    if math.isnan(found):
        raise ValueError("fraction: expected a number from 0 to 1, got nan")
    return min(1.0, max(0.0, found))
