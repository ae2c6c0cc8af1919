"""Steering: cancel, pause, purge and retry tasks; hooks and middleware."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastcore.tasks.engine.engine import Engine
from fastcore.tasks.hooks import Hooks, TaskEvent
from fastcore.tasks.middleware import Middleware
from fastcore.tasks.ports import PURGED_AT_ONCE, TaskStore, arrived
from fastcore.tasks.records import Cancelled, State
from fastcore.tasks.specs import Target
from fastcore.tasks.task import Task

__all__ = ["Steering"]


class Steering:
    """The methods of a queue that control tasks."""

    tasks: Mapping[str, Task[..., Any]]
    store: TaskStore
    engine: Engine
    hooks: Hooks
    _middleware: Middleware
    _clock: Callable[[], float]

    def cancel(self, id: str) -> State:
        """Cancel a task: one that waits at once, one that runs as its executor can.

        Of a group, its members and its callback are cancelled. Tasks stored by other submissions continue.

        Returns
        -------
        State
            CANCELLED; RUNNING if it was asked to stop, which `wait` sees the end of; or how it had ended.
        """
        cancelled = self.store.request_cancel(id).result()
        self._withdrawn([cancelled])
        return cancelled.state

    async def acancel(self, id: str) -> State:
        """Cancel a task as :meth:`cancel` does, without blocking the event loop."""
        cancelled = await arrived(self.store.request_cancel(id))
        self._withdrawn([cancelled])
        return cancelled.state

    def _withdrawn(self, cancelled: Sequence[Cancelled]) -> None:
        self.engine.wake()
        told = [each for one in cancelled for each in (*one.members, one)]
        self.engine.ledger.enter_withdrawn(told, self._clock())

    def pause(self, task: Target) -> bool:
        """Stop tasks of a kind from beginning, in every process that shares the store, until :meth:`resume`.

        Running tasks continue; submissions are accepted and wait. The pause is stored and outlives this process.

        Returns
        -------
        bool
            Whether it was not paused before.

        Raises
        ------
        LookupError
            If neither this queue nor the store has such tasks.
        """
        return self.store.pause(self._kind_of(task), True).result()

    async def apause(self, task: Target) -> bool:
        """Pause a kind as :meth:`pause` does, without blocking the event loop."""
        return await arrived(self.store.pause(self._kind_of(task), True))

    def resume(self, task: Target) -> bool:
        """Undo :meth:`pause`; returns whether the kind was paused."""
        return self.store.pause(_name_of(task), False).result()

    async def aresume(self, task: Target) -> bool:
        """Resume a kind as :meth:`resume` does, without blocking the event loop."""
        return await arrived(self.store.pause(_name_of(task), False))

    def paused(self) -> list[str]:
        """Return the kinds that are paused."""
        return self.store.paused().result()

    def purge(self, task: Target) -> int:
        """Cancel all tasks of a kind that wait, delayed ones and those between two attempts too; returns how many."""
        kind = self._kind_of(task)
        n = 0
        while True:
            purged = self.store.purge(kind).result()
            self._withdrawn(purged)
            n += len(purged)
            if len(purged) < PURGED_AT_ONCE:
                return n

    async def apurge(self, task: Target) -> int:
        """Purge a kind as :meth:`purge` does, without blocking the event loop."""
        return await asyncio.to_thread(self.purge, task)

    def _kind_of(self, task: Target) -> str:
        kind = _name_of(task)
        if kind not in self.tasks and kind not in self.store.counts().result():
            raise LookupError(f"task: expected the name of a task, got {kind!r}")
        return kind

    def retry_dead(self, ids: Sequence[str] | None = None, *, task: str | None = None) -> list[str]:
        """Queue dead letters again, with all their attempts; by id also failed tasks. Returns their ids."""
        return self.store.retry_dead(ids, task, self._clock()).result()

    def on(self, event: str, hook: Callable[[TaskEvent], object] | None = None) -> Any:
        """Call a function at an event of tasks; also as a decorator.

        Parameters
        ----------
        event : {"submit", "start", "success", "retry", "failure", "dead", "cancel"}
        hook : callable
            Takes a :class:`TaskEvent`, and must not block: it is called by the queue itself. Its errors are logged.

        Returns
        -------
        callable
            A function that removes the hook; as a decorator, the hook.
        """
        if hook is not None:
            return self.hooks.add(event, hook)

        def decorate(fn: Callable[[TaskEvent], object]) -> Callable[[TaskEvent], object]:
            self.hooks.add(event, fn)
            return fn

        return decorate

    def middleware(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Call a function around every attempt, in the attempt's own context; also as a decorator.

        Parameters
        ----------
        fn : callable
            ``fn(call, call_next)``, with a :class:`TaskCall`. It calls ``call_next()`` and returns its result, or
            another. A coroutine function is put around tasks that are coroutine functions, and awaits ``call_next()``;
            a plain one around the others, wherever they run: a process finds it by its module and name. What it raises
            counts as the task's error. The first one is the outermost.

        Returns
        -------
        callable
            `fn`.
        """
        self._middleware.add(fn)
        return fn


def _name_of(task: Target) -> str:
    if isinstance(task, str):
        return task
    found = getattr(task, "task", task)
    if not isinstance(found, Task):
        raise TypeError(f"task: expected a task or the name of one, got {type(task).__name__}")
    return found.name
