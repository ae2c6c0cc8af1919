"""The lock of a live process: the operating system releases it the moment that process is dead."""

from __future__ import annotations

import os
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Collection
from glob import escape
from pathlib import Path
from typing import Final

from fastcore._filelock import try_lock

__all__ = ["OwnerLock", "is_alive", "is_inherited", "remove_dead"]

_SUFFIX: Final = ".owner"
_SECONDS_YOUNG: Final = 60.0
_guard = threading.Lock()
_held: weakref.WeakSet[OwnerLock] = weakref.WeakSet()
_inherited: set[Path] = set()  # databases that a parent process had open at the fork


def _is_free(fd: int) -> bool:
    """Take the lock if it is free; a file system without locks refuses it."""
    try:
        return try_lock(fd)
    except OSError:
        return False


class OwnerLock:
    """A locked file next to the database, one for every opening of it; its name is in every row of a running task.

    A process that can take the lock knows that its holder is dead, and may take back its tasks at once.
    """

    def __init__(self, database: Path) -> None:
        self.name = uuid.uuid4().hex[:16]
        self._database = database
        self._path = _path_of(database, self.name)
        fd = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        # It cannot have been found free before this: no row has its name yet, and new files are not removed.
        if not _is_free(fd):
            os.close(fd)
            self._path.unlink(missing_ok=True)
            raise OSError(f"store: expected to lock {self._path}, got a refusal from the file system")
        self._fd: int | None = fd
        with _guard:
            _held.add(self)

    def release(self) -> None:
        """Let go and remove the file."""
        with _guard:
            _held.discard(self)
            fd, self._fd = self._fd, None
        if fd is None:
            return
        if sys.platform != "win32":  # Windows removes no file that is open
            self._path.unlink(missing_ok=True)
        os.close(fd)
        if sys.platform == "win32":
            self._path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Close the descriptor only: in a forked child, which must not keep its parent's lock alive."""
        _inherited.add(self._database)
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def is_inherited(database: Path) -> bool:
    """Whether a parent process had a database open when this one was forked.

    SQLite would take the parent's locks for its own, write without any, and lose the log when the parent closes it.
    """
    return database in _inherited


def is_alive(database: Path, name: str) -> bool:
    """Whether a process still holds the lock of that name."""
    if not name:
        return False
    try:
        fd = os.open(_path_of(database, name), os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:  # there, and not ours to open: believed alive, the lease decides
        return True
    try:
        return not _is_free(fd)
    finally:
        os.close(fd)


def remove_dead(database: Path, keep: Collection[str] = ()) -> None:
    """Remove the files that dead owners left, except those still named in rows."""
    for path in database.parent.glob(f"{escape(database.name)}-*{_SUFFIX}"):
        name = path.name[len(database.name) + 1 : -len(_SUFFIX)]
        try:
            young = time.time() - path.stat().st_mtime < _SECONDS_YOUNG
            if not young and name not in keep and not is_alive(database, name):
                path.unlink(missing_ok=True)
        except OSError:  # removed, or another process is looking at it
            pass


def _path_of(database: Path, name: str) -> Path:
    return database.with_name(f"{database.name}-{name}{_SUFFIX}")


def _forget_all() -> None:
    global _guard
    _guard = threading.Lock()  # another thread of the parent may have held it
    for lock in list(_held):
        lock.forget()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
