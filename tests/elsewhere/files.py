"""Files as Windows treats them: one that is open is neither replaced, renamed nor removed, and folders are not opened.

``open()`` of Python opens files without FILE_SHARE_DELETE there, so that DeleteFile and MoveFileEx fail with
ERROR_SHARING_VIOLATION (``PermissionError``, winerror 32 or 5) while any process has one open. Sources:
docs.python.org/3/library/os.html#os.remove ("On Windows, attempting to remove a file that is in use causes an exception
to be raised"); github.com/python/cpython/issues/59449 (no FILE_SHARE_DELETE); learn.microsoft.com, "CreateFileW",
dwShareMode. Names: learn.microsoft.com, "Naming Files, Paths, and Namespaces". SQLite's own removal of its files, in
C, is not reached from here.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import sys
from typing import Any

from tests.elsewhere.late import when_imported

__all__ = ["hold_open_files"]

_REFUSED = frozenset('<>:"|?*')
_scandir, _readlink, _open, _getpid = os.scandir, os.readlink, os.open, os.getpid
_TEMPORARY = ("tempfile", "multiprocessing.heap")  # on Windows these open files that remove themselves


def hold_open_files() -> None:
    """Refuse what Windows refuses, in ``os`` and all that calls it."""
    for name in ("unlink", "remove"):
        setattr(os, name, _one(getattr(os, name)))
    for name in ("replace", "rename"):
        setattr(os, name, _two(getattr(os, name)))
    os.open = _opened  # type: ignore[assignment]
    builtins.open = io.open = _named(builtins.open)
    os.supports_dir_fd.clear()  # so that shutil.rmtree works with paths, as there
    when_imported("shutil", lambda shutil: vars(shutil).update(_use_fd_functions=False))


def _one(function: Any) -> Any:
    def removing(path: Any, *args: Any, **kwargs: Any) -> Any:
        _check(path, 32)
        return function(path, *args, **kwargs)

    return removing


def _two(function: Any) -> Any:
    def moving(src: Any, dst: Any, *args: Any, **kwargs: Any) -> Any:
        _check(src, 32)
        _check(dst, 5)
        return function(src, dst, *args, **kwargs)

    return moving


def _named(function: Any) -> Any:
    def opening(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if not isinstance(file, int) and set("wax") & set(mode) and _REFUSED & set(os.path.basename(os.fsdecode(file))):
            raise OSError(errno.EINVAL, "Invalid argument", file)
        return function(file, mode, *args, **kwargs)

    return opening


def _opened(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
    name = os.path.basename(os.fsdecode(path))
    if flags & os.O_CREAT and _REFUSED & set(name):
        raise OSError(errno.EINVAL, "Invalid argument", path)
    if os.path.isdir(path) and not _called_by(("shutil", "pathlib", "pytest", "_pytest", "subprocess")):
        raise PermissionError(errno.EACCES, "Permission denied", path)
    return _open(path, flags, *args, **kwargs)


def _check(path: Any, code: int) -> None:
    if _called_by(_TEMPORARY):
        return
    full = os.path.realpath(os.fsdecode(path))
    if _is_open(full):
        raise PermissionError(errno.EACCES, f"[WinError {code}] The process cannot access the file: in use", path)


def _is_open(full: str) -> bool:
    """Whether any process of this user has a file, or one below a folder, open."""
    below = full + os.sep
    for process in _entries("/proc"):
        if process.isdecimal():
            for number in _entries(f"/proc/{process}/fd"):
                try:
                    found = _readlink(f"/proc/{process}/fd/{number}")
                except OSError:
                    continue
                if found == full or found.startswith(below):
                    return True
    return False


def _entries(folder: str) -> list[str]:
    try:
        with _scandir(folder) as found:
            return [entry.name for entry in found]
    except OSError:
        return []


def _called_by(modules: tuple[str, ...]) -> bool:
    frame = sys._getframe(2)
    for _ in range(4):
        if frame is None:
            return False
        if frame.f_globals.get("__name__", "").partition(".")[0] in modules:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
