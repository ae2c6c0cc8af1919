"""File names without regard to case, as on the usual file systems of Windows and macOS.

A file is found under any spelling of its name, and keeps the one that it was made with. Sources: PEP 235 (import on
case-insensitive platforms); developer.apple.com, "Apple File System Guide", FAQ: case-insensitive by default. Only
names that Python code opens are answered so; SQLite is reached by ``sqlite3.connect``.
"""

from __future__ import annotations

import builtins
import io
import os
from typing import Any

from tests.elsewhere.late import when_imported

__all__ = ["ignore_case"]

_lstat, _listdir = os.lstat, os.listdir
_TWO = ("replace", "rename")
_ONE = ("open", "stat", "lstat", "unlink", "remove", "mkdir", "rmdir", "utime", "chmod", "access")


def ignore_case() -> None:
    """Find files under any spelling of the last part of their names."""
    for name in _ONE:
        setattr(os, name, _first(getattr(os, name)))
    for name in _TWO:
        setattr(os, name, _both(getattr(os, name)))
    opening = _first(builtins.open)
    builtins.open = io.open = opening
    when_imported("sqlite3", _connect_without_case)


def _connect_without_case(sqlite3: Any) -> None:
    sqlite3.connect = _first(sqlite3.connect)


def _first(function: Any) -> Any:
    def calling(path: Any, *args: Any, **kwargs: Any) -> Any:
        return function(_spelt(path), *args, **kwargs)

    return calling


def _both(function: Any) -> Any:
    def calling(src: Any, dst: Any, *args: Any, **kwargs: Any) -> Any:
        return function(_spelt(src), _spelt(dst), *args, **kwargs)

    return calling


def _spelt(path: Any) -> Any:
    """Return the name as it stands in its folder, if there is one that differs by case only."""
    try:
        text = os.fspath(path)
    except TypeError:  # a descriptor
        return path
    if not isinstance(text, str) or text.startswith(("/proc/", "/sys/", "/dev/", ":", "file:")):
        return path
    try:
        _lstat(text)
        return path
    except (OSError, ValueError):
        pass
    folder, name = os.path.split(text)
    if not name:
        return path
    wanted = name.casefold()
    try:
        for found in _listdir(folder or "."):
            if found.casefold() == wanted:
                return os.path.join(folder, found)
    except OSError:
        pass
    return path
