"""No /proc and no cgroups: they are Linux's.

Source: man7.org, proc(5); psutil has a way of its own on each system, and goes on working.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import sys
from typing import Any

__all__ = ["hide_proc"]

_LINUX = ("/proc", "/sys/fs/cgroup")
_MAY_READ = ("psutil", "tests")  # tests ask Linux what a process has open


def hide_proc() -> None:
    """Answer that files of Linux are not there."""
    for name in ("open", "stat", "lstat", "listdir", "scandir", "readlink"):
        setattr(os, name, _hiding(getattr(os, name)))
    builtins.open = io.open = _hiding(builtins.open)


def _hiding(function: Any) -> Any:
    def calling(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if isinstance(path, str | bytes | os.PathLike):
            text = os.fsdecode(path)
            if (text in _LINUX or text.startswith(tuple(f"{name}/" for name in _LINUX))) and not _may_read():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), text)
        return function(path, *args, **kwargs)

    return calling


def _may_read() -> bool:
    """Whether the first caller outside of the standard library's own paths and files is not the project's."""
    frame = sys._getframe(2)
    while frame is not None:
        top = frame.f_globals.get("__name__", "").partition(".")[0]
        if top in ("fastcore", "python_fallback", "examples"):
            return False
        if top in _MAY_READ and not str(frame.f_globals.get("__name__", "")).startswith("tests.elsewhere"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return True
