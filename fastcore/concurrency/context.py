"""Coroutines in a separate context, within the task that awaits them."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any

__all__ = ["begin", "in_context"]

Run = Callable[..., Any]
"""The `run` of a Context."""


def begin(fn: Callable[..., Any], /, *args: Any) -> tuple[Any, Any]:
    """Call a coroutine function, within the `run` of a context, and run its coroutine until that first waits.

    Returns
    -------
    coroutine, object
        For `in_context`: the coroutine, and what it waits for.

    Raises
    ------
    StopIteration
        With the result, if it never waits.
    """
    coroutine = fn(*args)
    if type(coroutine) is not types.CoroutineType:
        coroutine = _awaited(coroutine)
    return coroutine, coroutine.send(None)


@types.coroutine
def in_context(run: Run, coroutine: Any, waits_for: Any) -> Generator[Any, Any, Any]:
    """Await what `begin` began: each of its steps is run in the context."""
    try:
        while True:
            try:
                value = yield waits_for
            except BaseException as error:
                waits_for = None  # a future that holds the error, whose traceback holds this frame
                waits_for = run(coroutine.throw, error)
            else:
                waits_for = run(coroutine.send, value)
    except StopIteration as stop:
        return stop.value


async def _awaited(one: Awaitable[Any]) -> Any:
    return await one
