"""Where tasks run: an event loop, threads, process slots, a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastcore.tasks.executors.coroutines import AsyncExecutor
from fastcore.tasks.executors.threads import ThreadExecutor

if TYPE_CHECKING:
    from fastcore.tasks.ports import Executor

__all__ = ["AsyncExecutor", "ThreadExecutor", "make_executor"]


def make_executor(name: str, size: int) -> Executor:
    """Return the executor that a queue makes for a name by itself.

    Examples
    --------
    >>> from fastcore.tasks.executors import make_executor
    >>> make_executor("thread", 4).name
    'thread'
    """
    if name == "async":
        return AsyncExecutor(size)
    if name == "thread":
        return ThreadExecutor(size)
    if name == "process":
        from fastcore.tasks.executors.process.executor import ProcessExecutor

        return ProcessExecutor(size)
    raise ValueError(f"workers: expected one of async, thread, process, got {name!r}: give it as executors={{...}}")
