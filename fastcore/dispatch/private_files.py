"""Files that only the service's own user may read, or by option its group too."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from typing import IO

from fastcore._env import choice

__all__ = ["make_private", "move_into_place", "open_private", "replace_private", "sync_folder", "write_private"]

_log = logging.getLogger("fastcore.files")
_MODE = int(choice("FASTCORE_FILE_MODE", ("0600", "0640")) or "0600", 8)
_SECONDS_TO_CLOSE = 1.0
_told: set[str] = set()


def open_private(path: str, mode: str) -> IO[bytes]:
    """Open a file, creating it if needed; an existing file that every user may open is logged once."""
    _tell_of_others(path)
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, _MODE))


def make_private(path: str) -> None:
    """Create an empty private file for a library that would create one readable by others."""
    path = os.path.realpath(path)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE))
    except FileExistsError:  # not opened here: closing it would end the locks that this process has on it
        _tell_of_others(path)
    except OSError:  # the library says it better
        pass


def replace_private(path: str, data: bytes, *, sync: bool = True) -> None:
    """Replace a file by `data` atomically; without `sync` a power cut may leave it empty.

    One caller at a time for each path: callers hold a lock, or use different paths.
    """
    fresh = write_private(f"{path}.new", data, sync=sync)
    move_into_place(fresh, path)
    if sync:
        sync_folder(path)


def move_into_place(fresh: str, path: str) -> None:
    """Move a file to where another one is or not: on Windows, when the last reader has closed that one."""
    end = time.monotonic() + _SECONDS_TO_CLOSE
    while True:
        try:
            return os.replace(fresh, path)
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > end:
                raise
        time.sleep(0.001)


def write_private(path: str, data: bytes, *, sync: bool = True) -> str:
    """Write a new file, in place of one that a dead writer left there, and return its path."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # it keeps the permissions that it was made with
    with open_private(path, "xb") as file:
        file.write(data)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    return path


def sync_folder(path: str) -> None:
    """Sync the folder of a file that was moved into place, where the system can: the move survives a power cut."""
    if os.name != "posix":
        return
    descriptor = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _tell_of_others(path: str) -> None:
    if os.name != "posix" or path in _told:
        return
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    _told.add(path)
    if mode & 0o007:
        _log.warning(
            "%s: every user of this machine may open it (mode %04o); chmod o-rwx changes that", path, mode & 0o777
        )
