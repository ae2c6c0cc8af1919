"""Middleware: functions around every attempt, in the context that it runs in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fastcore.concurrency.checks import called, is_async
from fastcore.tasks.task import Task

if TYPE_CHECKING:
    from fastcore.tasks.current import Running
    from fastcore.tasks.engine.job import Job

__all__ = ["Middleware", "TaskCall", "call_through"]


class TaskCall(NamedTuple):
    """The attempt that a middleware is called around.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue
    >>> queue = TaskQueue(inline=True)
    >>> @queue.middleware
    ... def shown(call, call_next):
    ...     print(call.task, call.args)
    ...     return call_next()
    >>> @queue.task(name="square")
    ... def square(x):
    ...     return x * x
    >>> id = queue.submit(square, 3)
    square (3,)
    """

    id: str
    task: str
    attempt: int
    """The number of the attempt; 1 for the first."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class Middleware:
    """The middleware of a queue: coroutine functions around its coroutine functions, plain ones around the others."""

    def __init__(self, tasks: Mapping[str, Task[..., Any]]) -> None:
        self._tasks = tasks
        self._around: dict[bool, tuple[Callable[..., Any], ...]] = {False: (), True: ()}

    def add(self, fn: Callable[..., Any]) -> None:
        """Put a function around all tasks of its sort, inside of those that are there."""
        called("fn", fn)
        sort = is_async(fn)
        self._around[sort] += (fn,)
        for task in list(self._tasks.values()):
            self.wrap(task)

    def wrap(self, task: Task[..., Any]) -> None:
        """Give a task what is around its sort."""
        task.around = self._around[task.is_async]


def call_through(
    around: tuple[Callable[..., Any], ...],
    fn: Callable[..., Any],
    attempt: Job | Running,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Call a function with what is around it, the first outermost."""
    if not around:
        return fn(*args, **kwargs)
    call = TaskCall(attempt.id, attempt.kind, attempt.attempt, args, kwargs)
    inner: Callable[[], Any] = functools.partial(fn, *args, **kwargs)
    for outer in reversed(around):
        inner = functools.partial(outer, call, inner)
    return inner()
