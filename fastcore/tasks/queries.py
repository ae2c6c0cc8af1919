"""Queries: reading the tasks of a queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from fastcore.concurrency.checks import number
from fastcore.tasks.codec import Codec
from fastcore.tasks.engine.engine import Engine
from fastcore.tasks.ports import TaskStore, arrived
from fastcore.tasks.records import Encoded, GroupView, State, TaskView
from fastcore.tasks.task import Task
from fastcore.tasks.waiting import Waiters, value_of

__all__ = ["Queries"]


class Queries:
    """The part of a queue that changes nothing."""

    tasks: Mapping[str, Task[..., Any]]
    codec: Codec
    engine: Engine
    store: TaskStore
    waiters: Waiters

    def status(self, id: str) -> TaskView:
        """Return a task as it is now, its result with it.

        Raises
        ------
        UnknownTask
            If there is no such task. (One whose result has expired is known for a day.)
        """
        return self._decoded(self.store.get(id).result())

    async def astatus(self, id: str) -> TaskView:
        """Return a task as :meth:`status` does, without blocking the event loop."""
        return self._decoded(await arrived(self.store.get(id)))

    def result(self, id: str, timeout: float = 0.0) -> Any:
        """Return what a task returned, waiting up to `timeout` seconds for it.

        Raises
        ------
        NotFinished
            If it has not ended by then.
        RuntimeError
            If it would wait on the queue's own event loop, which ends no task meanwhile.
        TaskFailed, TaskCancelled, ResultExpired, UnknownTask
        """
        limit = number("timeout", timeout, zero=True)
        inside = self.engine.on_loop()
        view = self._decoded(self.waiters.wait(id, 0.0 if inside else limit))
        if inside and limit and not view.ended:
            raise RuntimeError("result: expected another thread than the queue's event loop; write await aresult(id)")
        return self._value_of(view)

    async def aresult(self, id: str, timeout: float | None = None) -> Any:
        """Return what a task returned as :meth:`result` does; without `timeout`, wait without a limit."""
        return self._value_of(await self.wait(id, timeout))

    async def wait(self, id: str, timeout: float | None = None) -> TaskView:
        """Wait until a task has ended, and return it: also where it failed. After `timeout` seconds, as it is then."""
        found: TaskView | None = None
        async for view in self.changes(id, timeout):
            found = view
        assert found is not None
        return found

    async def changes(self, id: str, timeout: float | None = None) -> AsyncIterator[TaskView]:
        """Give a task as it is, and again each time that it has changed, until it has ended."""
        async for view in self.waiters.changes(id, timeout):
            yield self._decoded(view)

    def counts(self) -> dict[str, dict[State, int]]:
        """Return how many tasks of each kind are in each state."""
        return self.store.counts().result()

    def unregistered(self) -> dict[str, int]:
        """Return how many tasks wait under names that this queue does not know; another process may know them."""
        waiting = {kind: its.get(State.QUEUED, 0) for kind, its in self.counts().items() if kind not in self.tasks}
        return {kind: n for kind, n in waiting.items() if n}

    def find(self, **wanted: Any) -> Sequence[TaskView]:
        """Return tasks, the latest first; see :meth:`TaskStore.find`."""
        return self.store.find(**wanted).result()

    def decode(self, data: Any) -> Any:
        """Return a value that a store of bytes keeps encoded, decoded; any other as it is."""
        return self.codec.decode(data) if isinstance(data, Encoded) else data

    def value(self, view: TaskView) -> Any:
        """Return the result of a view as its task's codec reads it: a group's is its callback's, or its members'."""
        if isinstance(view, GroupView) and view.state is State.SUCCEEDED:
            return [self.value(one) for one in view.members] if view.then is None else self.value(view.then)
        if not isinstance(view.result, Encoded):
            return view.result
        task = self.tasks.get(view.kind)
        return (self.codec if task is None else task.codec).decode(view.result)

    def _value_of(self, view: TaskView) -> Any:
        idle = ""
        if not self.engine.claiming:
            idle = "; this queue runs no workers: start() or `async with queue:` begins them"
        elif view.kind not in self.tasks and not isinstance(view, GroupView):
            idle = "; this queue has no task of that name, which another process may know"
        return value_of(view, idle)

    def _decoded(self, view: TaskView) -> TaskView:
        if isinstance(view, GroupView):
            for one in view.members if view.then is None else (view.then, *view.members):
                one.result = self.value(one)
        view.result = self.value(view)
        return view
