"""Waiting for a task to change: told at once by this process, found by looking where another process runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager

from fastcore.tasks.http.problems import Problem
from fastcore.tasks.records import TaskView

__all__ = ["Changes"]


class Changes:
    """Who waits for which task. `poke` may be called from any thread, all else on one event loop.

    Parameters
    ----------
    get : callable
        ``await get(id)`` gives the task as it is.
    look : float
        Seconds after which to look though nobody said a word.
    most : int
        Requests that may wait at a time.
    """

    def __init__(self, get: Callable[[str], Awaitable[TaskView]], *, look: float = 0.5, most: int = 1000) -> None:
        self._get = get
        self._look = look
        self._most = most
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._count = 0
        self._closed = False

    def poke(self, id: str) -> None:
        """Wake who waits for a task."""
        if id in self._waiting and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._wake, id)
            except RuntimeError:  # the loop was closed, and whoever waited is gone
                pass

    def close(self) -> None:
        """Let all who wait go, as the server wants to end."""
        self._closed = True
        for id in list(self._waiting):
            self.poke(id)

    async def until_ended(self, view: TaskView, seconds: float) -> TaskView:
        """Return the task once it has ended, or as it is after so many seconds."""
        if view.ended or seconds <= 0:
            return view
        async with aclosing(self.of(view, time.monotonic() + seconds)) as following:
            async for found in following:
                view = found or view
        return view

    async def of(
        self, view: TaskView, until: float | None = None, quiet: float = 15.0
    ) -> AsyncGenerator[TaskView | None]:
        """Give the task each time it has changed since `view`, up to its end; None after each `quiet` seconds.

        Raises
        ------
        Problem
            If as many requests wait as may.
        """
        with self._place(view.id) as event:
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
    def _place(self, id: str) -> Iterator[asyncio.Event]:
        if self._count >= self._most:
            raise Problem(
                503,
                "too-many-waiting",
                "Too many requests are waiting",
                f"expected at most {self._most} waiting requests, got one more",
                retry_after=5,
            )
        self._loop = asyncio.get_running_loop()
        event = asyncio.Event()
        self._count += 1
        self._waiting.setdefault(id, set()).add(event)
        try:
            yield event
        finally:
            self._count -= 1
            waiting = self._waiting[id]
            waiting.discard(event)
            if not waiting:
                del self._waiting[id]

    def _wake(self, id: str) -> None:
        for event in self._waiting.get(id, ()):
            event.set()
