"""A lock that processes of one host share, and that the system frees when its holder dies."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

__all__ = ["locked", "open_lock", "try_lock"]


def open_lock(path: str) -> int:
    """Open the file of a lock, creating it if needed, and deny it to other users: a reader of it can hold the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    if hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):  # another user's, in a folder of a group
            os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o660)
    return descriptor


@contextlib.contextmanager
def locked(path: str, seconds: float = 10.0) -> Iterator[None]:
    """Hold the lock of the file `path`, which is created if needed, for the length of a ``with`` block.

    Raises
    ------
    TimeoutError
        If another process holds it for longer than `seconds`.
    OSError
        If the file cannot be created.
    """
    descriptor = open_lock(path)
    try:
        end = time.monotonic() + seconds
        while not try_lock(descriptor):
            if time.monotonic() > end:
                raise TimeoutError(f"{path}: expected its lock within {seconds:g} s, another process holds it")
            time.sleep(0.001)
        yield
    finally:
        os.close(descriptor)  # frees the lock


if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Take the lock if it is free."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Take the lock if it is free."""
        try:  # not lockf: a POSIX record lock falls when this process closes any descriptor of the file
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
