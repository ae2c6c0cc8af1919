"""How long a task will take: what its past runs took, and the work that stands before it."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Estimator", "phrase"]

_GAIN = 0.125  # the share of the newest run, as in TCP's estimate of a round trip
_GAIN_OF_DEVIATION = 0.25
_MAX_NAMES = 10_000
_UNITS = (("second", 1, 120), ("minute", 60, 120), ("hour", 3600, 48))


class Past(NamedTuple):
    """Moving averages of what runs took, in seconds: the mean, and the distance from it."""

    mean: float
    deviation: float


class Estimator:
    """Learns from finished runs; estimates when one that is submitted now would be done.

    Without a clock: durations come in, estimates go out. May be called from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._past: dict[str, Past] = {}

    def observe(self, task: str, seconds: float) -> None:
        """Record the seconds of one run of `task`."""
        with self._lock:
            past = self._past.get(task)
            if past is not None:
                deviation = past.deviation + _GAIN_OF_DEVIATION * (abs(seconds - past.mean) - past.deviation)
                self._past[task] = Past(past.mean + _GAIN * (seconds - past.mean), deviation)
            elif len(self._past) < _MAX_NAMES:
                self._past[task] = Past(seconds, seconds / 2)

    def mean(self, task: str) -> float | None:
        """Return what a run of `task` takes on average, or None before the first."""
        past = self._past.get(task)
        return None if past is None else past.mean

    def estimate(self, task: str, ahead: Mapping[str, int], slots: int, *, delay: float = 0.0) -> float | None:
        """Return the seconds from now until a run of `task` is done, or None before its first run.

        Parameters
        ----------
        task : str
        ahead : mapping of task to int
            What stands before it or runs now, and shares its slots. Tasks of which no run is known count as this one.
        slots : int
            How many run at a time.
        delay : float, default 0
            Seconds that it is held back for.
        """
        past = self._past.get(task)
        if past is None:
            return None
        work = sum(count * self._past.get(name, past).mean for name, count in ahead.items())
        # While fewer stand before it than there are slots, one of them is free for it.
        wait = work / slots if sum(ahead.values()) >= slots else 0.0
        return max(wait, delay) + past.mean + past.deviation


def phrase(seconds: float | None) -> str:
    """Return it in words, rounded up: "30 seconds", "2 minutes", "unknown"."""
    if seconds is None:
        return "unknown"
    for unit, size, below in _UNITS:
        count = max(1, math.ceil(seconds / size))
        if count < below:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{math.ceil(seconds / 86400):,} days"
