"""Blocking work off the event loop, on a separate thread that no other work can keep busy."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["on_own_thread"]

P = ParamSpec("P")
R = TypeVar("R")


async def on_own_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Return ``function(*args, **kwargs)``, run on a new daemon thread.

    ``asyncio.to_thread`` waits for a place in the loop's default executor, which the application may have filled with
    slow work. Calls that must answer then, such as a kill switch or a health check, run here; on the loop if no thread
    can be started.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[R] = loop.create_future()
    context = contextvars.copy_context()

    def run() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(function, *args, **kwargs)
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(_settle, future, result, error)
        except RuntimeError:  # the loop was closed meanwhile
            pass
        finally:
            del error

    thread = threading.Thread(target=run, name="fastcore-answer", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return function(*args, **kwargs)
    return await future


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):
        future.set_exception(RuntimeError(f"the function raised {error!r}"))
    else:
        future.set_exception(error)
