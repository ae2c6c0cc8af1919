"""A journal for the workers of one server that were given none, so that a rollback in one reaches the others."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from types import FrameType

from fastcore._process import start_mark

__all__ = ["is_worker", "server_journal"]


def server_journal() -> str:
    """Return the path that all workers of this process's server agree on; the empty string outside such a worker.

    It is in a folder of this user's in the temporary directory, named by the server's process, and so ends with it: a
    server that is started again knows of no rollback. ``FASTCORE_JOURNAL`` keeps them.
    """
    if not is_worker():
        return ""
    folder = _private_folder()
    if not folder:
        return ""
    parent = os.getppid()
    return os.path.join(folder, f"{parent}-{start_mark(parent)}.journal.jsonl")


def is_worker() -> bool:
    """Whether a server of several workers started this process."""
    return _spawned_by_server() or _gunicorn_worker()


def _spawned_by_server() -> bool:
    """Whether uvicorn or hypercorn started this process as one of its workers."""
    process = sys.modules.get("multiprocessing.process")
    spawned = process is not None and process.parent_process() is not None
    return spawned and ("uvicorn" in sys.modules or "hypercorn" in sys.modules)


def _gunicorn_worker() -> bool:
    """Whether a worker of gunicorn is importing us; with ``--preload`` it is the server itself, which has no parent."""
    if "gunicorn.arbiter" not in sys.modules:
        return False
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith("gunicorn.workers"):
            return True
        frame = frame.f_back
    return False


def _private_folder() -> str:
    """A folder that only this user can write to; the empty string if another user made it first."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = os.path.join(tempfile.gettempdir(), f"fastcore-{user}")
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        status = os.lstat(folder)
    except OSError:
        return ""
    if hasattr(os, "getuid") and (status.st_uid != user or status.st_mode & 0o077 or not stat.S_ISDIR(status.st_mode)):
        return ""
    _remove_old(folder)
    return folder


def _remove_old(folder: str) -> None:
    """Remove what servers that have ended left behind."""
    for name in os.listdir(folder):
        pid, _, mark = name.partition(".")[0].partition("-")
        if pid.isdecimal() and start_mark(int(pid)) != mark:
            try:
                os.unlink(os.path.join(folder, name))
            except OSError:
                pass
