"""One way to put something before and after a function, whether it is plain or async."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

__all__ = ["is_async", "wrapped"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether calling `function` gives a coroutine; a partial or a callable object counts as what it calls."""
    call = getattr(type(function), "__call__", None)  # noqa: B004 - the method itself is looked at
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def wrapped(
    *,
    prepare: Callable[[tuple[Any, ...], dict[str, Any]], Arguments] | None = None,
    finish: Callable[[Any], Any] | None = None,
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator: `prepare` maps the arguments, `finish` the result, `around` is entered for each call."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(function):
            raise TypeError(f"function: expected a callable, got {type(function).__name__}")

        if is_async(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                with around():
                    if prepare is not None:
                        args, kwargs = prepare(args, kwargs)
                    result = await function(*args, **kwargs)
                    return result if finish is None else finish(result)

            return run_async

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with around():
                if prepare is not None:
                    args, kwargs = prepare(args, kwargs)
                result = function(*args, **kwargs)
                return result if finish is None else finish(result)

        return run

    return decorate
