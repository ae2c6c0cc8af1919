"""Worker: ``python -m fastcore tasks run module:queue``, for a machine or a container without a web application."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sys
from operator import attrgetter

from fastcore.tasks.queue import TaskQueue

__all__ = ["find_queue", "work"]

_log = logging.getLogger("fastcore.tasks")


def find_queue(place: str) -> TaskQueue:
    """Import the queue that ``module:queue`` names; modules of the working directory are found too.

    Raises
    ------
    ValueError
        If there is no queue with tasks.
    """
    module, _, name = place.partition(":")
    if not module or not name:
        raise ValueError(f"run: expected MODULE:QUEUE, as in service.jobs:queue, got {place!r}")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        queue = attrgetter(name)(importlib.import_module(module))
    except AttributeError as error:
        raise ValueError(f"run: expected a queue at {place}, got {error}") from error
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):  # one that the module imports
            raise
        raise ValueError(f"run: expected a queue at {place}, got {error}") from error
    if not isinstance(queue, TaskQueue):
        raise ValueError(f"run: expected a TaskQueue at {place}, got {type(queue).__name__}")
    if not queue.tasks:
        raise ValueError(f"run: expected a queue with tasks at {place}, got one without; import what registers them")
    return queue


def work(place: str) -> int:
    """Run the workers of a queue until SIGTERM, which drains it; returns the exit status."""
    queue = find_queue(place)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_work(queue, place))
    except SystemExit as error:
        return 0 if error.code == 128 + signal.SIGTERM else 1  # what SIGTERM asked for was done
    return 0


async def _work(queue: TaskQueue, place: str) -> None:
    async with queue:
        _log.info("%s works on %s: %s", queue.owner, place, ", ".join(sorted(queue.tasks)))
        try:
            await asyncio.Event().wait()
        finally:
            _log.info("%s stops", queue.owner)
