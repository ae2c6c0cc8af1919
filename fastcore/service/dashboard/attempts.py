"""Attempts: the ends of attempts that did not succeed, which stores do not keep."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from fastcore.service.dashboard.values import masked

if TYPE_CHECKING:
    from fastcore.tasks import TaskEvent, TaskQueue

__all__ = ["Attempt", "Attempts"]

TASKS = 2000  # those that failed latest
EACH = 20  # attempts of one task, the latest


class Attempt(NamedTuple):
    """An attempt that did not succeed."""

    attempt: int
    started: float | None
    ended: float
    error: str
    again: float | None
    """When the next one was due."""


class Attempts:
    """What this process saw of attempts that failed, in memory and bounded. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, deque[Attempt]] = OrderedDict()

    def follow(self, queue: TaskQueue) -> Callable[[], None]:
        """Note the attempts of a queue; returns what ends that. Tasks that succeed at once cost nothing."""
        ends = [queue.on(event, self._heard) for event in ("retry", "failure")]

        def stop() -> None:
            for end in ends:
                end()

        return stop

    def _heard(self, event: TaskEvent) -> None:
        started = None if event.seconds is None else event.at - event.seconds
        again = None if event.delay is None else event.at + event.delay
        with self._lock:
            known = self._known.setdefault(event.id, deque(maxlen=EACH))
            self._known.move_to_end(event.id)
            known.append(Attempt(event.attempt, started, event.at, _text(event.error), again))
            if len(self._known) > TASKS:
                self._known.popitem(last=False)

    def of(self, id: str) -> list[dict[str, Any]]:
        """Return the known attempts of a task, the first one first."""
        with self._lock:
            return [one._asdict() for one in self._known.get(id, ())]


def _text(error: BaseException | None) -> str:
    if error is None:
        return ""
    try:
        return masked(f"{type(error).__name__}: {error}", 500)
    except Exception:  # its own text may fail
        return type(error).__name__
