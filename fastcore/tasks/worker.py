"""Worker: ``python -m fastcore tasks run module:queue``, for a machine or a container without a web application."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import pkgutil
import signal
import sys
import traceback
from operator import attrgetter
from types import ModuleType

from fastcore.dispatch.formatting import meant
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
    if module.endswith(".py") or os.sep in module:
        meant_module = module.removesuffix(".py").replace(os.sep, ".").strip(".")
        raise ValueError(f"run: expected MODULE:QUEUE, got {place!r}; did you mean {meant_module}:{name}?")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    loaded = _imported(module, place)
    try:
        queue = attrgetter(name)(loaded)
    except AttributeError as error:
        queues = [one for one, value in vars(loaded).items() if isinstance(value, TaskQueue)]
        raise ValueError(f"run: expected a queue at {place}, got {error}{meant(name, queues)}") from error
    if not isinstance(queue, TaskQueue):
        raise ValueError(f"run: expected a TaskQueue at {place}, got {type(queue).__name__}")
    if not queue.tasks:
        raise ValueError(f"run: expected a queue with tasks at {place}, got one without; import what registers them")
    return queue


def _imported(module: str, place: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            known = [one.name for one in pkgutil.iter_modules([os.getcwd()])]
            raise ValueError(f"run: expected a queue at {place}, got {error}{meant(module, known)}") from error
        raise ValueError(f"run: expected {module} to be importable, got {_place_of(error)}") from error


def _place_of(error: Exception) -> str:
    """Return an error's text and its place: in the module, or in what it imports."""
    frames = traceback.extract_tb(error.__traceback__)
    file, line = (error.filename, error.lineno) if isinstance(error, SyntaxError) else (None, None)
    if file is None and frames:
        file, line = frames[-1].filename, frames[-1].lineno
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said} ({file}, line {line})"


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
