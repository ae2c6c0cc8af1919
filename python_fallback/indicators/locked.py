"""State that threads share."""

from __future__ import annotations

import threading

__all__ = ["Locked"]


class Locked:
    """The base of objects that take one bar at a time, whichever thread brings it."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def hold(self) -> None:
        """Keep other threads from bringing bars, until :meth:`release`: for a fork."""
        self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Take a fresh lock, in a process where the holder of the old one does not run."""
        self._lock = threading.RLock()
