"""A clock that moves every 15.6 ms, as Windows' does up to Python 3.12.

``time.time()`` read GetSystemTimeAsFileTime and ``time.monotonic()`` GetTickCount64, which the timer interrupt moves 64
times a second; ``time.perf_counter()`` is fine. Source: PEP 418, "Windows: GetTickCount64"; Python 3.13's What's New,
"time": both use finer clocks there since. The clocks of the C sources are not reached from here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

__all__ = ["SECONDS_A_TICK", "coarse"]

SECONDS_A_TICK = 1 / 64
_TICK_NS = 10**9 // 64


def coarse() -> None:
    """Let ``time.time`` and ``time.monotonic`` stand still between ticks."""
    time_ns, monotonic_ns, info = time.time_ns, time.monotonic_ns, time.get_clock_info

    def quantised(ns: int) -> int:
        return ns - ns % _TICK_NS

    def get_clock_info(name: str) -> object:
        found = info(name)
        if name not in ("time", "monotonic"):
            return found
        kept = {key: getattr(found, key) for key in ("implementation", "monotonic", "adjustable")}
        return SimpleNamespace(**kept, resolution=SECONDS_A_TICK)

    changed: dict[str, Callable[..., object]] = {
        "time_ns": lambda: quantised(time_ns()),
        "monotonic_ns": lambda: quantised(monotonic_ns()),
        "time": lambda: time_ns() // _TICK_NS / 64,
        "monotonic": lambda: monotonic_ns() // _TICK_NS / 64,
        "get_clock_info": get_clock_info,
    }
    for name, function in changed.items():
        function.__module__, function.__name__, function.__qualname__ = "time", name, name  # as pickles name them
        setattr(time, name, function)
    vars(threading)["_time"] = time.monotonic
