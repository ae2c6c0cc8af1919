"""Refreshing results in the background: when it is attempted, where it runs, and what is logged."""

from __future__ import annotations

import contextvars
import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["Attempts", "Outage", "in_background", "logger"]

logger = logging.getLogger("fastcore.cache")

FIRST_DELAY = 0.25  # seconds from a refresh that failed to the next try
LONGEST_DELAY = 60.0
OVER = 300.0  # seconds without a failure after which an outage is over
THREADS = 4
IDLE = 5.0  # seconds after which a thread without work ends

_monotonic = time.monotonic


class Attempts:
    """The refreshes of one record: at most one at a time, and after each that fails a longer wait."""

    __slots__ = ("_failures", "_not_before", "_running")

    def __init__(self) -> None:
        self._failures = 0
        self._not_before = 0.0
        self._running: Any = None  # what a refresh runs on: the threads, or an event loop

    def begin(self, where: Any) -> bool:
        """Whether the caller is to refresh now, on the loop `where`, or in the background if that is None."""
        with _lock:
            if _goes_on(self._running) or _monotonic() < self._not_before:
                return False
            self._running = _threads if where is None else where
            return True

    def failed(self) -> None:
        """End a refresh that gave nothing to keep: the next one waits, exponentially longer and with jitter."""
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._failures, 30)) * random.uniform(0.5, 1.0)
        self._failures += 1
        self._not_before = _monotonic() + delay
        self._running = None

    def ended(self) -> None:
        """End a refresh; the record it was of is replaced or of no interest."""
        self._running = None

    @property
    def failures(self) -> int:
        """The number of consecutive failures."""
        return self._failures


def _goes_on(running: Any) -> bool:
    """Whether a refresh that began may still end: its loop runs, or its threads are of this process."""
    if running is None:
        return False
    return running is _threads if isinstance(running, Threads) else bool(running.is_running())


class Outage:
    """The log of one function's refreshes: the first failure, until a failed result is refreshed.

    After some minutes without failures the next one starts another outage: callers may have computed the results
    meanwhile, or no longer request them.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._failed: float | None = None  # when one failed last

    def failed(self, error: BaseException) -> None:
        """Log the first failure of an outage."""
        last, self._failed = self._failed, _monotonic()
        if last is None or self._failed - last > OVER:
            logger.warning(
                "refreshing %s failed; old results are served and refreshing is tried again", self._name, exc_info=error
            )

    def recovered(self) -> None:
        """Log the end of an outage."""
        if self._failed is not None:
            self._failed = None
            logger.info("refreshing %s succeeds again", self._name)


class Threads:
    """A few daemon threads, started when there is work: the end of the process does not wait for them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._work: deque[Callable[[], object]] = deque()
        self._changed = threading.Condition()
        self._count = 0
        self._idle = 0

    def submit(self, work: Callable[[], object]) -> bool:
        """Run `work`; False if there is no thread and none can be started."""
        with self._changed:
            self._work.append(work)
            if self._idle >= len(self._work):
                self._changed.notify()
            elif self._count < self._most and not self._start() and not self._count:
                self._work.pop()
                return False
        return True

    def _start(self) -> bool:
        self._count += 1
        try:
            threading.Thread(target=self._run, name="fastcore-refresh", daemon=True).start()
        except RuntimeError:  # no thread can be started, or the interpreter ends
            self._count -= 1
            return False
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._work:
                    self._idle += 1
                    self._changed.wait_for(lambda: self._work, IDLE)
                    self._idle -= 1
                if not self._work:
                    self._count -= 1
                    return
                work = self._work.popleft()
            try:
                work()
            except BaseException:
                logger.exception("a refresh ended with an error")
            del work  # a thread without work holds nothing of the last one's


_lock = threading.RLock()  # reentrant: a finalizer may come here while it is held
_threads = Threads(THREADS)


def in_background(work: Callable[[], object]) -> bool:
    """Run `work` on one of a few threads, in a copy of the caller's context; False if no thread can be started."""
    context = contextvars.copy_context()
    return _threads.submit(lambda: context.run(work))


def _after_fork() -> None:
    """The threads are not in this process: refreshes that they ran will not end."""
    global _lock, _threads
    _lock, _threads = threading.RLock(), Threads(THREADS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
