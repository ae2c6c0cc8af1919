"""Waiting for tasks: a waiter is woken when its task changes."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from fastcore.concurrency.waiting import happened
from fastcore.tasks.errors import NotFinished, ResultExpired, TaskCancelled, TaskFailed
from fastcore.tasks.hooks import Hooks
from fastcore.tasks.ports import TaskStore, arrived
from fastcore.tasks.records import GroupView, State, TaskView

__all__ = ["Waiters", "value_of"]

_LOOK = 0.25  # seconds between looks where other processes may do the work
_LOOK_ANYWAY = 5.0


def value_of(view: TaskView, idle: str = "") -> Any:
    """Return a task's result, or raise what it has instead of one; `idle` is why one that waits may go on waiting."""
    match view.state:
        case State.SUCCEEDED:
            return view.result
        case State.FAILED | State.DEAD:
            error = view.error
            what = f"{error.type}: {error.text}" if error is not None else "nothing is known of its error"
            failed = TaskFailed(f"task {view.id} ({view.kind}) {view.state} in attempt {view.attempt}: {what}")
            failed.trace = "" if error is None else error.trace
            raise failed
        case State.CANCELLED:
            raise TaskCancelled(f"task {view.id} ({view.kind}) was cancelled")
        case State.EXPIRED:
            raise ResultExpired(f"id: expected a task whose result is kept, got {view.id}, which has expired")
    raise NotFinished(f"task {view.id} ({view.kind}) is {view.state}{idle if view.state is State.QUEUED else ''}")


def _waking() -> tuple[asyncio.Event, Callable[[], None]]:
    """Return an event of this loop, and what sets it from any thread."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(event.set)
        except RuntimeError:  # the loop was closed
            pass

    return event, wake


class Waiters:
    """The waiters of each task."""

    def __init__(self, store: TaskStore, hooks: Hooks) -> None:
        self._store = store
        self._hooks = hooks
        self._lock = threading.RLock()  # re-entrant, for signal handlers
        self._wakes: dict[str, list[Callable[[], object]]] = {}
        self._unwatch: Callable[[], None] | None = None
        self._look = _LOOK_ANYWAY if store.poll is None else _LOOK

    async def changes(self, id: str, timeout: float | None = None) -> AsyncGenerator[TaskView]:
        """Give the task as it is, and again each time it has changed, until it has ended or the time is over."""
        async with aclosing(self.following(id, self._get, timeout)) as following:
            async for view in following:
                assert view is not None
                yield view

    async def following(
        self,
        id: str,
        get: Callable[[str], Awaitable[TaskView]],
        timeout: float | None = None,
        *,
        after: int = -1,
        look: float = 0.0,
        quiet: float = math.inf,
    ) -> AsyncGenerator[TaskView | None]:
        """Give the task as `get` reads it whenever it is another version, until it has ended or the time is over.

        Parameters
        ----------
        id : str
        get : callable
            ``await get(id)`` gives the task as it is; what that raises ends this.
        timeout : float, optional
            Seconds.
        after : int
            The version that is known.
        look : float
            Seconds, at least, between looks that nothing has asked for.
        quiet : float
            Seconds without another version after each of which None is given.
        """
        clock = time.monotonic
        said = clock()
        deadline = None if timeout is None else said + timeout
        event, wake = _waking()
        with self.woken(id, wake):
            while True:
                event.clear()
                view = await get(id)
                if view.version != after:
                    after, said = view.version, clock()
                    yield view
                elif clock() - said >= quiet:
                    said = clock()
                    yield None
                if view.ended:
                    return
                left = self._until_look(view, deadline, look)
                if left <= 0:
                    return
                await happened(event, max(0.0, min(left, said + quiet - clock())))

    async def _get(self, id: str) -> TaskView:
        return await arrived(self._store.get(id))

    def wake_all(self) -> None:
        """Wake all waiters; from any thread."""
        with self._lock:
            wakes = [wake for its in self._wakes.values() for wake in its]
        for wake in wakes:
            wake()

    def wait(self, id: str, timeout: float | None) -> TaskView:
        """Return the task once it has ended, or as it is when the time is over; blocks the thread."""
        event = threading.Event()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.woken(id, event.set):
            while True:
                event.clear()
                view = self._store.get(id).result()
                left = self._until_look(view, deadline)
                if view.ended or left <= 0:
                    return view
                event.wait(left)

    def _until_look(self, view: TaskView, deadline: float | None, least: float = 0.0) -> float:
        # A group is told of its own members; it may have others, which another submission had stored.
        look = max(least, _LOOK if isinstance(view, GroupView) else self._look)
        return look if deadline is None else min(look, deadline - time.monotonic())

    @contextmanager
    def woken(self, id: str, wake: Callable[[], object]) -> Iterator[None]:
        """Call `wake`, from any thread, whenever a task changes in this process."""
        with self._lock:
            self._wakes.setdefault(id, []).append(wake)
            if self._unwatch is None:  # without waiters, changes of tasks are not reported
                self._unwatch = self._hooks.watch(self._changed)
        try:
            yield
        finally:
            with self._lock:
                wakes = self._wakes[id]
                wakes.remove(wake)
                if not wakes:
                    del self._wakes[id]
                if not self._wakes and self._unwatch is not None:
                    self._unwatch()
                    self._unwatch = None

    def _changed(self, id: str, task: str, seconds: float | None) -> None:
        if id in self._wakes:
            with self._lock:
                wakes = list(self._wakes.get(id, ()))
            for wake in wakes:
                wake()
