"""Wraps plain and async functions alike."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, aclosing, nullcontext
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
    """Return a decorator: `prepare` maps the arguments, `finish` the result, `around` is entered for each call.

    Of a generator function `finish` maps each item, and `around` is left when the generator ends.
    """

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

        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def run_async_generator(*args: Any, **kwargs: Any) -> Any:
                with around():
                    if prepare is not None:
                        args, kwargs = prepare(args, kwargs)
                    async with aclosing(function(*args, **kwargs)) as items:
                        async for item in items:
                            yield item if finish is None else finish(item)

            return run_async_generator

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def run_generator(*args: Any, **kwargs: Any) -> Any:
                with around():
                    if prepare is not None:
                        args, kwargs = prepare(args, kwargs)
                    if finish is None:
                        return (yield from function(*args, **kwargs))
                    for item in function(*args, **kwargs):
                        yield finish(item)

            return run_generator

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with around():
                if prepare is not None:
                    args, kwargs = prepare(args, kwargs)
                result = function(*args, **kwargs)
                return result if finish is None else finish(result)

        return run

    return decorate
