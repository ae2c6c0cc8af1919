"""Reports made in the background, the most urgent first."""

from __future__ import annotations

import threading
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fastcore.cache import TTLCache
from fastcore.heap import PriorityQueue

__all__ = ["QueueFull", "ReportQueue", "Task"]

Work = Callable[[Sequence[str]], dict[str, Any]]


class QueueFull(RuntimeError):
    """More reports wait than the queue takes."""


@dataclass
class Task:
    """One report on order."""

    symbols: tuple[str, ...]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    status: Literal["processing", "completed", "failed"] = "processing"
    result: dict[str, Any] | None = None
    error: str = ""


class ReportQueue:
    """A worker thread behind a priority queue.

    Parameters
    ----------
    work : callable
        Makes the report of some symbols.
    limit : int, default 1000
        Reports that may wait at a time.
    keep : float, default 3600
        Seconds for which a finished task can be asked for.
    """

    def __init__(self, work: Work, limit: int = 1000, keep: float = 3600.0) -> None:
        self._work = work
        self._limit = limit
        self._queue: PriorityQueue = PriorityQueue()
        self._open: dict[str, Task] = {}
        self._finished: TTLCache[str, Task] = TTLCache(maxsize=limit, ttl=keep)
        self._seconds = 1.0  # a first guess, then the running mean of what reports take
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def submit(self, symbols: Sequence[str], priority: float = 5) -> Task:
        """Order a report; lower priorities run first, equal ones in the order they came.

        Raises
        ------
        QueueFull
            If `limit` reports wait already.
        """
        if len(self._open) >= self._limit:
            raise QueueFull(f"reports: expected fewer than {self._limit} waiting, try again later")
        task = Task(tuple(symbols))
        self._open[task.id] = task
        self._queue.put(task, priority=priority)
        return task

    def find(self, task_id: str) -> Task | None:
        """Return the task of that id; None when unknown, or finished too long ago."""
        return self._open.get(task_id) or self._finished.get(task_id)

    def estimate(self) -> float:
        """Return the seconds until a report ordered last would be ready, by what earlier ones took."""
        return self._seconds * max(1, len(self._open))

    def close(self, timeout: float = 5.0) -> None:
        """Stop after the report in hand."""
        self._queue.put(None, priority=float("-inf"))
        self._thread.join(timeout)

    def _run(self) -> None:
        while (task := self._queue.get()) is not None:
            started = time.monotonic()
            try:
                task.result = self._work(task.symbols)
                task.status = "completed"
            except Exception as error:
                traceback.print_exc()
                task.error, task.status = f"{type(error).__name__}: {error}", "failed"
            self._seconds += 0.2 * (time.monotonic() - started - self._seconds)
            self._finished[task.id] = task
            del self._open[task.id]
