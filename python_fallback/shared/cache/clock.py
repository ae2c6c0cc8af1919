"""Readings of a timer as plain numbers, so that expiries compare without running other code."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable
from typing import Any

_MICROSECOND = datetime.timedelta(microseconds=1)


class Timer:
    """A timer function that a ``with`` statement freezes; other attributes are the function's own."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._depth = 0
        self._frozen: Any = None

    def __call__(self) -> Any:
        return self._frozen if self._depth else self._function()

    def __enter__(self) -> Any:
        if not self._depth:
            self._frozen = self._function()
        self._depth += 1
        return self._frozen

    def __exit__(self, *exc: object) -> None:
        self._depth -= 1

    def __reduce__(self) -> tuple[Any, ...]:
        return Timer, (self._function,)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # an empty copy has no function to ask
            raise AttributeError(name)
        return getattr(self._function, name)


def monotonic() -> float:
    """Return the monotonic time: by way of the module, as tests that freeze the time replace the function there."""
    return time.monotonic()


MONOTONIC = Timer(monotonic)
_REAL = (time.monotonic,)  # in a tuple, where those tests do not replace it


def is_monotonic(timer: Any) -> bool:
    """Whether no timer was given, or the default clock."""
    return timer is None or timer is _REAL[0] or timer is time.monotonic


def as_timer(function: Any) -> Timer:
    """Return `function` as a timer that can be frozen."""
    return function if isinstance(function, Timer) else Timer(function)


def clock_number(reading: Any) -> tuple[float, float]:
    """Return a timer's reading as ``(number, units in a second)``.

    Numbers are seconds; a datetime becomes whole microseconds, which a float holds exactly for 285 years.
    """
    if isinstance(reading, datetime.datetime):
        origin = datetime.datetime(2000, 1, 1, tzinfo=reading.tzinfo)
        return float(round((reading - origin) / _MICROSECOND)), 1e6
    if not hasattr(reading, "__float__") and not hasattr(reading, "__index__"):
        raise TypeError(f"timer: expected a number or a datetime, got {type(reading).__name__}")
    return float(reading), 1.0


def ttl_seconds(ttl: Any, name: str = "ttl") -> float:
    """Return a time to live in seconds; None means forever."""
    if ttl is None:
        return math.inf
    if isinstance(ttl, datetime.timedelta):
        return ttl.total_seconds()
    if not hasattr(ttl, "__float__") and not hasattr(ttl, "__index__"):
        raise TypeError(f"{name}: expected a number of seconds, a timedelta or None, got {type(ttl).__name__}")
    seconds = float(ttl)
    if math.isnan(seconds):
        raise ValueError(f"{name}: expected a number of seconds, got nan")
    return seconds
