"""Requests that wait for a task to change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from fastcore.tasks.http.problems import Problem
from fastcore.tasks.records import TaskView
from fastcore.tasks.waiting import Waiters

__all__ = ["Changes"]

_LOOK = 0.5  # seconds between looks: a thousand requests may wait


class Changes:
    """The requests that wait for tasks: a limited number, and no more of them once the server ends.

    Parameters
    ----------
    get : callable
        ``await get(id)`` gives the task as it is.
    waiters : Waiters
        Of the queue.
    most : int
        Requests that may wait at a time.
    """

    def __init__(self, get: Callable[[str], Awaitable[TaskView]], waiters: Waiters, *, most: int = 1000) -> None:
        self._get = get
        self._waiters = waiters
        self._most = most
        self._waiting = 0
        self._closed = False

    def close(self) -> None:
        """Release all waiters, as the server is about to end; from any thread."""
        self._closed = True
        self._waiters.wake_all()

    def open(self) -> None:
        """Take waiters again."""
        self._closed = False

    async def until_ended(
        self, view: TaskView, seconds: float, disconnected: Callable[[], Coroutine[Any, Any, object]]
    ) -> TaskView:
        """Return the task once it has ended, or as it is after so many seconds, or when the client has disconnected.

        ``await disconnected()`` returns when that has happened.
        """
        if view.ended or seconds <= 0:
            return view
        with self.place():
            following = asyncio.create_task(self._latest(view, seconds))
            watching = asyncio.create_task(disconnected())
            try:
                await asyncio.wait((following, watching), return_when=asyncio.FIRST_COMPLETED)
                return await following if following.done() else view
            finally:
                following.cancel()
                watching.cancel()
                await asyncio.gather(following, watching, return_exceptions=True)

    async def _latest(self, view: TaskView, seconds: float) -> TaskView:
        async with aclosing(self.of(view, seconds)) as following:
            async for found in following:
                view = found or view
        return view

    async def of(
        self, view: TaskView, timeout: float | None = None, *, quiet: float = 15.0
    ) -> AsyncGenerator[TaskView | None]:
        """Give the task each time it has changed since `view`, up to its end; None after each `quiet` seconds.

        It takes no place of its own: see :meth:`place`.
        """
        if view.ended:
            return
        following = self._waiters.following(view.id, self._look, timeout, after=view.version, look=_LOOK, quiet=quiet)
        try:
            async with aclosing(following):
                async for found in following:
                    yield found
        except _Closed:
            pass

    async def _look(self, id: str) -> TaskView:
        if self._closed:
            raise _Closed
        return await self._get(id)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the slots of waiting requests.

        Raises
        ------
        Problem
            If as many requests wait as may.
        """
        if self._waiting >= self._most:
            raise Problem(
                503,
                "too-many-waiting",
                "Too many requests are waiting",
                f"expected at most {self._most} waiting requests, got one more",
                retry_after=5,
            )
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


class _Closed(Exception):
    """The server wants to end."""
