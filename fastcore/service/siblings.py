"""The other workers of the server that started this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fastcore.dispatch.server_journal import is_worker

if TYPE_CHECKING:
    from psutil import Process

    from fastcore.streaming import Hub
    from fastcore.tasks import TaskQueue

__all__ = ["apart", "siblings"]


def siblings() -> int:
    """Return how many other workers the server has; 0 where no server with workers started this process."""
    if not is_worker():
        return 0
    import psutil

    try:
        mine = _program(psutil.Process())
        others = [one for one in psutil.Process(os.getppid()).children() if one.pid != os.getpid()]
    except psutil.Error:
        return 0
    return sum(_program(one) == mine for one in others)


def apart(tasks: TaskQueue | None, hub: Hub | None) -> str:
    """Return what each worker would have of its own, and what to write instead; nothing where that is nothing."""
    lone = []
    if hub is not None and hub.backplane is None:
        lone.append('messages reach only the clients of the worker that publishes: Hub(backplane=UnixBus("desk"))')
    if tasks is not None and tasks.store.poll is None:
        lone.append('tasks are known only to the worker that took them: TaskQueue("sqlite:///tasks.db")')
    if not lone or not (others := siblings()):
        return ""
    return f"the server has {others + 1} workers, and " + "; ".join(lone) + " (docs/guides/deploy.md)"


def _program(process: Process) -> str:
    """Return the command line without the numbers that differ between children of one parent."""
    import psutil

    try:
        return " ".join(process.cmdline()).partition("spawn_main")[0]
    except psutil.Error:
        return ""
