"""Submitting: specs on their way into the store, one by one, many together, or a turn of an event loop at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from fastcore.tasks.engine.inline import Inline
from fastcore.tasks.hooks import Hooks, TaskEvent
from fastcore.tasks.ports import EachReply, SubmitsEach, SubmitsNow, TaskStore, arrived
from fastcore.tasks.records import Group, TaskSpec
from fastcore.tasks.specs import Specs, Target, new_ids
from fastcore.tasks.task import Task

__all__ = ["Submitter"]

_ID, _KIND = attrgetter("id"), attrgetter("kind")


class Submitter:
    """Stores submitted tasks, and reports them to metrics and hooks.

    Notes
    -----
    A store that is slower than memory may be a :class:`~fastcore.tasks.ports.SubmitsEach`. What
    coroutines submit in one turn of their loop is then one request: a thousand calls of a service that are served in
    one turn cost the store's thread one request, and the loop one wake-up. They are submitted at one time.
    """

    def __init__(
        self, store: TaskStore, calls: Specs, tasks: Mapping[str, Task[..., Any]], hooks: Hooks, inline: Inline | None
    ) -> None:
        self._store = store
        self._calls = calls
        self._tasks = tasks
        self._hooks = hooks
        self._inline = inline
        self._each = store.submit_each if inline is None and isinstance(store, SubmitsEach) else None
        self._now = store.submit_now if isinstance(store, SubmitsNow) else None
        self._turn: _Turn | None = None

    def submit(self, specs: list[TaskSpec], group: Group | None = None) -> list[str]:
        """Store specs, all or none, and return their ids."""
        now = self._now
        return self._entered(specs, self._store.submit(specs, group).result() if now is None else now(specs, group))

    async def asubmit(self, specs: list[TaskSpec], group: Group | None = None) -> list[str]:
        """Store specs without blocking the loop."""
        ids = await arrived(self._store.submit(specs, group))
        if self._inline is not None:
            await asyncio.to_thread(self._entered, specs, ids)
            return ids
        return self._entered(specs, ids)

    async def asubmit_call(self, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Store one call without blocking the loop, together with what else is submitted on it."""
        if self._each is None:
            return (await self.asubmit([self._calls.one(target, args, kwargs)]))[0]
        loop = asyncio.get_running_loop()
        turn = self._turn
        if turn is None or turn.loop is not loop:  # one that another loop has begun ends by itself
            turn = self._turn = _Turn(loop, self._each)
        spec = self._calls.one(target, args, kwargs, turn.at, "")
        id = await turn.enter(spec)
        if id == spec.id:
            self._tell([spec])
        return id

    def _entered(self, specs: list[TaskSpec], ids: list[str]) -> list[str]:
        new = specs
        if ids != list(map(_ID, specs)):  # some keys were held
            new = [spec for spec, id in zip(specs, ids, strict=True) if spec.id == id]
        self._tell(new)
        if self._inline is not None:
            self._inline.run()
        return ids

    def _tell(self, new: list[TaskSpec]) -> None:
        if len(new) == 1:
            self._tasks[new[0].kind].submitted.add(1)
        else:
            for kind, n in Counter(map(_KIND, new)).items():
                self._tasks[kind].submitted.add(n)
        if self._hooks.wants("submit"):
            for spec in new:
                self._hooks.tell(TaskEvent("submit", spec.id, spec.kind, 0, spec.submitted_at))


class _Turn:
    """The submissions of a turn of one loop; only its thread touches it."""

    __slots__ = ("_futures", "_specs", "_submit_each", "at", "loop")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        submit_each: Callable[[Sequence[TaskSpec]], EachReply],
    ) -> None:
        self.loop = loop
        self.at: float | None = None  # when the first of them was submitted
        self._submit_each = submit_each
        self._specs: list[TaskSpec] = []
        self._futures: list[asyncio.Future[str]] = []

    def enter(self, spec: TaskSpec) -> asyncio.Future[str]:
        """Add a spec, which gets its id when the turn is submitted."""
        if not self._specs:
            self.at = spec.submitted_at
            self.loop.call_soon(self._hand_over)
        self._specs.append(spec)
        future: asyncio.Future[str] = self.loop.create_future()
        self._futures.append(future)
        return future

    def _hand_over(self) -> None:
        specs, futures, at = self._specs, self._futures, self.at
        self._specs, self._futures, self.at = [], [], None
        for spec, id in zip(specs, new_ids(len(specs), at or 0.0), strict=True):
            spec.id = id
        try:
            reply = self._submit_each(specs)
        except Exception as error:
            _answer(futures, [error] * len(futures))
            return
        reply.call_on(self.loop, lambda: _answer_from(futures, reply))


def _answer_from(futures: list[asyncio.Future[str]], reply: EachReply) -> None:
    try:
        answers = reply.result()
    except Exception as error:
        answers = [error] * len(futures)
    _answer(futures, answers)


def _answer(futures: list[asyncio.Future[str]], answers: Sequence[Any]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if future.done():  # the waiting caller was cancelled; the task is stored nevertheless
            continue
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
