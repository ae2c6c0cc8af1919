"""Pacing: what costs much is done less often, so that the dashboard never takes more than a share of a core."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["SHARE", "Paced"]

SHARE = 0.002  # of a core, for each thing that is paced

T = TypeVar("T")


class Paced(Generic[T]):
    """Calls a function again once its last call has cost at most a share of the time since; else gives its last result.

    Parameters
    ----------
    function : callable
    share : float, default 0.002
        Of a core.
    clock, cpu : callable, optional
        Seconds that only grow, and the thread's seconds of CPU.
    """

    def __init__(
        self,
        function: Callable[[], T],
        share: float = SHARE,
        *,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._function, self._share, self._clock, self._cpu = function, share, clock, cpu
        self._due = float("-inf")
        self.last: T | None = None
        self.every = 0.0
        """Seconds between two calls that the last one allows."""

    @property
    def due(self) -> bool:
        """Whether it may be called again."""
        return self._clock() >= self._due

    def __call__(self) -> T:
        """Return the function's result, or its last one where it is too early for another."""
        if self.last is not None and not self.due:
            return self.last
        began, start = self._cpu(), self._clock()
        try:
            self.last = self._function()
        finally:
            self.every = (self._cpu() - began) / self._share
            self._due = start + self.every
        return self.last
