"""The module ``msvcrt`` of Windows, as far as locks go, carried out by ``flock``.

Both belong to an open file, keep out every other one, of the same process too, and end with it; a lock that is taken
is an ``OSError``. Source: docs.python.org/3/library/msvcrt.html#msvcrt.locking. That Windows also refuses to read the
locked bytes is not shown.
"""

from __future__ import annotations

import errno
import fcntl
from types import ModuleType

__all__ = ["msvcrt"]

msvcrt = ModuleType("msvcrt", __doc__)


def locking(fd: int, mode: int, nbytes: int, /) -> None:
    """Lock the file, or let go of it."""
    if nbytes < 1:
        raise OSError(errno.EINVAL, "Invalid argument")
    try:
        fcntl.flock(fd, fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None


vars(msvcrt).update(LK_UNLCK=0, LK_LOCK=1, LK_NBLCK=2, LK_RLCK=3, LK_NBRLCK=4, locking=locking)
