"""One process of several, by a lock that the system frees when its holder dies."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from fastcore._filelock import open_lock, try_lock

__all__ = ["Leader"]

_made: weakref.WeakSet[Leader] = weakref.WeakSet()


class Leader:
    """Holds the lock of a file from the first time that it could be had, until :meth:`resign`."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._held: int | None = None
        _made.add(self)

    @property
    def held(self) -> bool:
        """Whether this process holds the lock."""
        return self._held is not None

    def leads(self) -> bool:
        """Whether this process leads; it tries to take the lock if no process holds it."""
        if self._held is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = open_lock(str(self._path))
        if not try_lock(descriptor):
            os.close(descriptor)
            return False
        self._held = descriptor
        return True

    def resign(self) -> None:
        """Release the lock, so that another process may lead."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _after_fork() -> None:
    for leader in _made:
        leader.resign()  # the lock is the parent's, and a copy of it in the child would outlive the parent


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
