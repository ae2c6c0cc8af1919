"""What the routes need of a queue."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastcore.tasks.errors import QueueFull, UnknownTask
from fastcore.tasks.http.arguments import Signature
from fastcore.tasks.http.changes import Changes
from fastcore.tasks.http.estimate import Estimator
from fastcore.tasks.ports import arrived
from fastcore.tasks.records import GroupView, State, TaskView

if TYPE_CHECKING:
    from fastcore.tasks.queue import TaskQueue
    from fastcore.tasks.task import Task

__all__ = ["TaskService"]

_COUNTS_ARE_NEW = 0.5  # seconds for which the store is not asked again how much waits
_PAST = 20  # runs that are read from the store where this process has seen none


class TaskService:
    """A queue as its clients may see it: the tasks that are exposed, and no others.

    Parameters
    ----------
    queue : TaskQueue
    exposed : set of str, optional
        Names; by default every registered task.
    max_waiting : int
        Requests that may wait for tasks at a time.
    max_queued : int, optional
        Tasks that may be queued when one more is submitted here.
    """

    def __init__(
        self, queue: TaskQueue, exposed: frozenset[str] | None, max_waiting: int, max_queued: int | None = None
    ) -> None:
        self._queue = queue
        self._store = queue.store
        self._exposed = exposed
        self._max_queued = max_queued
        self._signatures: dict[str, tuple[Any, Signature]] = {}
        self._past = Estimator()
        self._sought: set[str] = set()
        self._counts: Mapping[str, Mapping[State, int]] = {}
        self._counted_at = float("-inf")
        self._since_counted = 0
        self.changes = Changes(self.get, queue.waiters, most=max_waiting)
        queue.hooks.watch(self._changed)
        queue.hooks.when_leaving(self.changes.close, self.changes.open)

    # ---- tasks by name ----

    def task(self, name: str) -> Task[..., Any] | None:
        """Return a task that clients may name."""
        return self._queue.tasks.get(name) if self._visible(name) else None

    def signature(self, task: Task[..., Any]) -> Signature:
        """Return what its function takes."""
        known = self._signatures.get(task.name)
        if known is None or known[0] is not task.fn:
            known = self._signatures[task.name] = task.fn, Signature(task.fn)
        return known[1]

    def _visible(self, name: str) -> bool:
        return self._exposed is None or name in self._exposed

    # ---- one task ----

    async def submit(
        self,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        priority: int | None,
        delay: float | None,
        key: str | None,
        mark: str | None,
    ) -> str:
        """Queue a call; returns its id once it is durable."""
        if self._max_queued is not None:
            await self._count()
            waiting = sum(of.get(State.QUEUED, 0) for of in self._counts.values()) + self._since_counted
            if waiting >= self._max_queued:
                raise QueueFull(f"submit: expected fewer than {self._max_queued:,} tasks to wait, got {waiting:,}")
            self._since_counted += 1
        options = {"priority": priority, "delay": delay, "idempotency_key": key, "fingerprint": mark}
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        return await self._queue.asubmit(task.configure(**given) if given else task, *args, **kwargs)

    async def get(self, id: str) -> TaskView:
        """Return a task.

        Raises
        ------
        UnknownTask
            Also for one that is not exposed.
        """
        view = await arrived(self._store.get(id))
        kinds = view.kinds if isinstance(view, GroupView) else (view.kind,)
        if not all(map(self._visible, kinds)):
            raise UnknownTask(id)
        return view

    async def cancel(self, id: str) -> State:
        """Cancel a task, or ask it to stop; returns its state after it."""
        return await self._queue.acancel(id)

    def value(self, view: TaskView) -> Any:
        """Return the task's result."""
        return self._queue.value(view)

    def expired(self, view: TaskView) -> bool:
        """Whether its result was promised for no longer than until now."""
        return view.expires_at is not None and view.expires_at <= time.time()

    # ---- many ----

    async def page(
        self, states: Sequence[State] | None, name: str | None, limit: int, before: str | None
    ) -> tuple[Sequence[TaskView], dict[str, int]]:
        """Return tasks, the latest first, and how many there are in each state."""
        kinds = [name] if name is not None or self._exposed is None else sorted(self._exposed)
        found: list[TaskView] = []
        for kind in kinds:
            if kind is None or self._visible(kind):
                found += await arrived(self._store.find(states=states, kind=kind, limit=limit, before=before))
        found = sorted(found, key=lambda view: view.id, reverse=True)[:limit]
        counts = dict.fromkeys((state.value for state in State if state is not State.EXPIRED), 0)
        for kind, of in (await arrived(self._store.counts())).items():
            if self._visible(kind):
                for state, count in of.items():
                    counts[state.value] = counts.get(state.value, 0) + count
        return found, counts

    async def paused(self) -> list[str]:
        """Return the names of tasks that are paused."""
        return [kind for kind in await arrived(self._store.paused()) if self._visible(kind)]

    # ---- estimates ----

    async def forecast(self, task: Task[..., Any], priority: float | None, delay: float) -> float | None:
        """Return the seconds until a task that was queued just now is done, if there is anything to tell it by."""
        await self._learn(task.name)
        if self._past.mean(task.name) is None:
            return None
        await self._count()
        slots = self._queue.workers.get(task.on, 1)
        own = task.priority if priority is None else priority
        ahead = {}
        for name, of in self._counts.items():
            other = self._queue.tasks.get(name)
            if other is not None and other.on == task.on:
                waiting = of.get(State.QUEUED, 0) if other.priority <= own else 0
                ahead[name] = waiting + of.get(State.RUNNING, 0)
        return self._past.estimate(task.name, ahead, slots, delay=delay)

    async def _count(self) -> None:
        now = time.monotonic()
        if now - self._counted_at > _COUNTS_ARE_NEW:
            self._counted_at, before = now, self._since_counted
            self._counts = await arrived(self._store.counts())
            self._since_counted -= before  # what came during the count may be in it or not: it counts

    async def remaining(self, view: TaskView) -> float | None:
        """Return the seconds until a task that has not ended is done."""
        task = self._queue.tasks.get(view.kind)
        if task is None:
            return None
        await self._learn(view.kind)
        mean = self._past.mean(view.kind)
        if view.state is State.RUNNING and view.started_at is not None and mean is not None:
            ran = max(0.0, time.time() - view.started_at)
            if view.progress:
                return ran * (1 - view.progress) / view.progress
            return max(mean - ran, mean * 0.1)
        return await self.forecast(task, view.priority, max(0.0, view.run_at - time.time()))

    async def _learn(self, name: str) -> None:
        """Read past runs once, for tasks that ran before this process began or run in others only."""
        if name in self._sought or self._past.mean(name) is not None:
            return
        self._sought.add(name)
        for view in reversed(await arrived(self._store.find(states=[State.SUCCEEDED], kind=name, limit=_PAST))):
            if view.started_at is not None and view.finished_at is not None:
                self._past.observe(name, max(0.0, view.finished_at - view.started_at))

    def _changed(self, id: str, kind: str, seconds: float | None) -> None:
        """Called by the queue, from any thread: a task has changed, or has succeeded after some seconds."""
        if seconds is not None:
            self._past.observe(kind, seconds)
