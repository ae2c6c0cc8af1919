"""Outcomes: metrics and hooks after the store has recorded how attempts ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastcore import metrics
from fastcore.tasks.engine.groups import KIND as GROUP
from fastcore.tasks.engine.job import Job
from fastcore.tasks.errors import TaskLost
from fastcore.tasks.hooks import Hooks, TaskEvent
from fastcore.tasks.records import Cancelled, Rescued, State
from fastcore.tasks.task import Task

__all__ = ["Outcomes"]

_log = logging.getLogger("fastcore.tasks")
_QUEUED, _SUCCEEDED = State.QUEUED, State.SUCCEEDED


class Outcomes:
    """Counts and reports the ends of attempts."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def enter(self, ended: Sequence[Job], taken: Sequence[bool]) -> None:
        """Count jobs that ended, and whether the store accepted each outcome."""
        hooks = self._hooks
        telling, watched = hooks.any, hooks.watched
        latest: Task[..., Any] | None = None
        n = 0  # successes of the latest task, in a row
        for job, kept in zip(ended, taken, strict=True):
            outcome, error = job.outcome, None
            if outcome.error is not None:  # its traceback refers to the job: a cycle, with all that the function had
                error, job.error = job.error, None
            if not kept:
                _log.info("%s ended as %s after its lease was lost: the outcome is refused", job, outcome.state)
                continue
            state = outcome.state
            task = job.task
            seconds = outcome.finished_at - outcome.started_at
            if seconds < 0.0:  # the clock was set
                seconds = 0.0
            if state is _SUCCEEDED:
                task.duration.observe(seconds)
                if task is not latest:
                    if latest is not None:
                        latest.succeeded.add(n)
                    latest, n = task, 0
                n += 1
                event = "success"
            elif state is _QUEUED:
                if not outcome.counted:
                    continue
                task.retried.add()
                event = "retry"
            else:
                task.ended[state].add()
                event = "cancel" if state is State.CANCELLED else "failure"
            if telling and (hooks.wants(event) or state is State.DEAD):
                delay = outcome.run_at - outcome.finished_at if state is _QUEUED else None
                told = TaskEvent(
                    event, job.id, task.name, job.attempt, outcome.finished_at, outcome.result, error, delay, seconds
                )
                hooks.tell(told)
                if state is State.DEAD:
                    hooks.tell(told._replace(event="dead"))
            if watched:
                hooks.changed(job.id, task.name, seconds if state is _SUCCEEDED else None)
                spec = job.claim.spec
                if (group := spec.group or spec.collects) is not None:
                    hooks.changed(group, GROUP)
        if latest is not None:
            latest.succeeded.add(n)

    def enter_lost(self, rescued: Rescued, now: float) -> None:
        """Count a task that was taken back from a dead owner."""
        state = rescued.state
        if state is _QUEUED:
            metrics.counter("fastcore_tasks_retried_total", task=rescued.kind).add()
            self._tell("retry", rescued, now, TaskLost(rescued.why), delay=0.0)
            return
        self._count(rescued.kind, state)
        if state is State.CANCELLED:
            self._tell("cancel", rescued, now)
        else:
            self._tell("failure", rescued, now, TaskLost(rescued.why))
            self._tell("dead", rescued, now, TaskLost(rescued.why))

    def enter_withdrawn(self, cancelled: Sequence[Cancelled], now: float) -> None:
        """Count tasks that were cancelled; those that waited have ended."""
        for one in cancelled:
            if one.withdrawn:
                self._count(one.kind, one.state)
                self._tell("cancel", one, now)
            else:
                self._hooks.changed(one.id, one.kind)

    @staticmethod
    def _count(kind: str, state: State) -> None:
        metrics.counter("fastcore_tasks_ended_total", task=kind, state=state.value).add()

    def _tell(
        self,
        event: str,
        task: Rescued | Cancelled,
        now: float,
        error: BaseException | None = None,
        delay: float | None = None,
    ) -> None:
        self._hooks.tell(TaskEvent(event, task.id, task.kind, task.attempt, now, error=error, delay=delay))
        self._hooks.changed(task.id, task.kind)
