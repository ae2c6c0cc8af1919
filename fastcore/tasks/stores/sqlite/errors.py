"""Translates SQLite's errors into those of the store."""

from __future__ import annotations

import sqlite3

from fastcore.tasks.errors import StoreError, TaskError

__all__ = ["told"]

_CORRUPT = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
_FULL = {"SQLITE_FULL"}
_LOCKED = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"}
_READ_ONLY = {"SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH"}


def told(error: BaseException, path: str) -> BaseException:
    """Return the error to raise: what was expected of the file, and what came."""
    if isinstance(error, TaskError) or not isinstance(error, sqlite3.Error | OverflowError):
        return error
    found = StoreError(f"{path}: {_text(error)}")
    found.__cause__ = error
    return found


def _text(error: BaseException) -> str:
    name = str(getattr(error, "sqlite_errorname", "") or "")
    primary = "_".join(name.split("_")[:2])
    said = f"{error} ({name})" if name else f"{error}"
    if primary in _FULL:
        return f"expected room on the disk, got none: {said}; nothing of this request was stored"
    if primary in _LOCKED:
        return f"expected to write within the busy timeout, got a lock of another process: {said}; nothing was stored"
    if primary in _CORRUPT:
        return f"expected a sound database of tasks, got a damaged file or one of another kind: {said}"
    if primary in _READ_ONLY:
        return f"expected a file and a directory that can be written, got a refusal: {said}"
    if primary == "SQLITE_CANTOPEN":
        return f"expected a database that can be opened and written, together with its directory, got: {said}"
    if primary == "SQLITE_IOERR":
        return f"expected the disk to take and give what is stored, got an error of it: {said}; nothing was stored"
    return f"expected SQLite to do as asked, got {type(error).__name__}: {said}"
