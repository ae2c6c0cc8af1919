"""Waiting for a task to change: told at once by this process, found by looking where another process runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager

from fastcore.tasks.http.problems import Problem
from fastcore.tasks.records import TaskView
from fastcore.tasks.waiting import Waiters, waking

__all__ = ["Changes"]


class Changes:
    """The requests that wait for tasks, through the queue's own registry.

    Parameters
    ----------
    get : callable
        ``await get(id)`` gives the task as it is.
    waiters : Waiters
        Of the queue.
    look : float
        Seconds after which to look though nobody said a word.
    most : int
        Requests that may wait at a time.
    """

    def __init__(
        self, get: Callable[[str], Awaitable[TaskView]], waiters: Waiters, *, look: float = 0.5, most: int = 1000
    ) -> None:
        self._get = get
        self._waiters = waiters
        self._look = look
        self._most = most
        self._wakes: set[Callable[[], object]] = set()
        self._closed = False

    def close(self) -> None:
        """Let all who wait go, as the server wants to end; from any thread."""
        self._closed = True
        for wake in list(self._wakes):
            wake()

    async def until_ended(self, view: TaskView, seconds: float) -> TaskView:
        """Return the task once it has ended, or as it is after so many seconds."""
        if view.ended or seconds <= 0:
            return view
        with self.place(view.id) as event:
            async with aclosing(self.of(view, event, time.monotonic() + seconds)) as following:
                async for found in following:
                    view = found or view
        return view

    async def of(
        self, view: TaskView, event: asyncio.Event, until: float | None = None, quiet: float = 15.0
    ) -> AsyncGenerator[TaskView | None]:
        """Give the task each time it has changed since `view`, up to its end; None after each `quiet` seconds.

        `event` is that of the request's :meth:`place`.
        """
        spoke = time.monotonic()
        while not (view.ended or self._closed):
            now = time.monotonic()
            if until is not None and now >= until:
                return
            rest = min(self._look, spoke + quiet - now, *(() if until is None else (until - now,)))
            try:
                async with asyncio.timeout(max(rest, 0.0)):
                    await event.wait()
            except TimeoutError:
                pass
            event.clear()
            found = await self._get(view.id)
            if found.version != view.version:
                view, spoke = found, time.monotonic()
                yield view
            elif time.monotonic() - spoke >= quiet:
                spoke = time.monotonic()
                yield None

    @contextmanager
    def place(self, id: str) -> Iterator[asyncio.Event]:
        """Take one of the places of requests that wait; gives the event that is set when the task changes.

        Raises
        ------
        Problem
            If as many requests wait as may.
        """
        if len(self._wakes) >= self._most:
            raise Problem(
                503,
                "too-many-waiting",
                "Too many requests are waiting",
                f"expected at most {self._most} waiting requests, got one more",
                retry_after=5,
            )
        event, wake = waking()
        self._wakes.add(wake)
        try:
            with self._waiters.woken(id, wake):
                yield event
        finally:
            self._wakes.discard(wake)
