"""Pool: an executor and the tasks that run on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from fastcore.tasks.job import Job
from fastcore.tasks.ports import Executor, Want
from fastcore.tasks.task import Task

__all__ = ["Pool"]

_ANY = 1 << 30


class Pool:
    """What an executor has room for, kind by kind."""

    __slots__ = ("_bound", "_kinds", "executor", "lot")

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.lot: list[Job] = []
        """Jobs about to be handed over."""
        self._kinds: dict[str, int] = {}
        self._bound: list[Task] = []  # those with a limit of their own

    def enrol(self, task: Task) -> None:
        """Take in a task."""
        self._kinds[task.name] = _ANY
        self._bound = [known for known in self._bound if known.name != task.name]
        if task.concurrency is not None or task.turns is not None:
            self._bound.append(task)

    def want(self, running: Iterable[Job], clock: Callable[[], float]) -> tuple[Want | None, float | None]:
        """Return what there is room for, and the seconds after which a rate has room where only that is in the way."""
        room = self.executor.free()
        if room <= 0 or not self._kinds:
            return None, None
        if not self._bound:
            return Want(room, self._kinds), None
        wait: float | None = None
        kinds = dict(self._kinds)
        now = clock()
        begun = Counter([job.kind for job in running])
        for task in self._bound:
            left = _ANY if task.concurrency is None else task.concurrency - begun[task.name]
            if task.turns is not None and left > 0:
                rate = task.turns.room(now) or 0
                if not rate:
                    until = task.turns.until_room(now)
                    wait = until if wait is None else min(wait, until)
                left = min(left, rate)
            if left > 0:
                kinds[task.name] = left
            else:
                del kinds[task.name]
        return (Want(room, kinds) if kinds else None), wait
