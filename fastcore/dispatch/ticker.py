"""A daemon thread for what changes without a call: files, breakers. Started at need, and again after a fork."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

__all__ = ["Ticker"]

_log = logging.getLogger("fastcore.ticker")


class Ticker:
    """Calls each of its jobs every `interval` seconds. A job that raises is logged and called again."""

    def __init__(self, interval: float = 0.25, name: str = "fastcore-flags") -> None:
        self.interval = interval
        self.name = name
        self._jobs: list[Callable[[], object]] = []
        self._next: list[Callable[[], object]] = []
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    @property
    def running(self) -> bool:
        return self._thread is not None

    def add(self, job: Callable[[], object]) -> None:
        """Call `job` from now on, in the thread of the ticker."""
        with self._lock:
            if job not in self._jobs:
                self._jobs = [*self._jobs, job]

    def once(self, job: Callable[[], object]) -> None:
        """Call `job` once, in the thread of the ticker, which is started."""
        with self._lock:
            self._next = [*self._next, job]
        self.start()

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._lock:
            if self._thread is None:
                self._stop = threading.Event()
                thread = threading.Thread(target=self._run, args=(self._stop,), name=self.name, daemon=True)
                thread.start()
                self._thread = thread

    def stop(self, timeout: float | None = None) -> None:
        """End the thread, and wait for it, at most `timeout` seconds."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self.interval):
            with self._lock:
                jobs, self._next = [*self._next, *self._jobs], []
            for job in jobs:
                try:
                    job()
                except BaseException:  # an exit would end the thread
                    _log.exception("a job of the ticker raised")

    def _after_fork(self) -> None:
        """Threads are not copied into a child: those that ran in the parent are started in it too."""
        self._lock = threading.Lock()
        if self._thread is not None:
            self._thread = None
            self.start()
