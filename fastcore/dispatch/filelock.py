"""A lock that processes of one host share, and that the system frees when its holder dies."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import IO

__all__ = ["locked", "open_private", "sync_folder"]


def open_private(path: str, mode: str) -> IO[bytes]:
    """Open a file that only this user may read, if it is made by this; one that exists keeps its permissions."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def sync_folder(path: str) -> None:
    """Have a file that was moved into place survive a power cut, where the system syncs folders."""
    if os.name != "posix":
        return
    descriptor = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: str, seconds: float = 10.0) -> Iterator[None]:
    """Hold the lock of the file `path`, which is made if need be, for the length of a ``with`` block.

    Raises
    ------
    TimeoutError
        If another process holds it for longer than `seconds`.
    OSError
        If the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if hasattr(os, "fchmod"):
            with contextlib.suppress(OSError):  # another user's, in a folder of a group
                os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o660)  # who may only read could hold the lock
        end = time.monotonic() + seconds
        while not _try(descriptor):
            if time.monotonic() > end:
                raise TimeoutError(f"{path}: expected its lock within {seconds:g} s, another process holds it")
            time.sleep(0.001)
        yield
    finally:
        os.close(descriptor)  # frees the lock


if sys.platform == "win32":
    import msvcrt

    def _try(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
