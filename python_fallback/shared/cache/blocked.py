"""Whether another thread is blocked in waiting for the work that this thread does.

Context variables, which tell what a computation is part of, do not reach the threads of an executor. What those
threads have promised stands on their stack, and what a thread waits for stands on the stack of that one.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

_WAITING = frozenset({"threading", "concurrent.futures._base", "concurrent.futures.thread"})


def waits_for_this_thread(other: int) -> bool:
    """Whether the thread `other` waits for a future that this thread is to fulfil, or for this thread's end.

    Only waits of `threading` and `concurrent.futures` are seen.
    """
    promised = _promised()
    frame = sys._current_frames().get(other)
    while frame is not None and frame.f_globals.get("__name__") in _WAITING:
        if any(_refers(value, promised) for value in frame.f_locals.values()):
            return True
        frame = frame.f_back
    return False


def _promised() -> list[Any]:
    promised: list[Any] = [threading.current_thread()]
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "concurrent.futures.thread":
            future = getattr(frame.f_locals.get("self"), "future", None)
            if future is not None:
                promised.append(future)
        frame = frame.f_back
    return promised


def _refers(value: Any, promised: list[Any]) -> bool:
    if isinstance(value, (list, set, frozenset)):
        return any(item is one for item in list(value) for one in promised)
    return any(value is one for one in promised)
