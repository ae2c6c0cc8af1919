"""What a group's callback is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcore.tasks.errors import TaskFailed
from fastcore.tasks.job import Job
from fastcore.tasks.records import Encoded, Payload, State, TaskView

__all__ = ["PARTIAL", "collected"]

PARTIAL = "fastcore_partial"
"""A keyword in the stored arguments of a callback that is to run though members failed; taken out before the call."""


def collected(job: Job, members: Sequence[TaskView]) -> Payload:
    """Return the arguments of a callback with its members' results, in their order, as the first one.

    Raises
    ------
    TaskFailed
        If a member did not succeed, and the callback did not ask for such too.
    """
    args, kwargs = job.arguments()
    kwargs = dict(kwargs)
    partial = kwargs.pop(PARTIAL, False)
    if partial:
        return ([_told(job, view) for view in members], *args), kwargs
    for view in members:
        if view.state is not State.SUCCEEDED:
            why = "" if view.error is None else f": {view.error.type}: {view.error.text}"
            raise TaskFailed(
                f"{job.kind}: expected all {len(members)} of the group to succeed, got {view.id} {view.state}{why}"
            )
    return ([_value(job, view) for view in members], *args), kwargs


def _value(job: Job, view: TaskView) -> Any:
    return job.task.codec.decode(view.result) if isinstance(view.result, Encoded) else view.result


def _told(job: Job, view: TaskView) -> dict[str, Any]:
    succeeded = view.state is State.SUCCEEDED
    return {
        "id": view.id,
        "task": view.kind,
        "state": view.state.value,
        "result": _value(job, view) if succeeded else None,
        "error": None if view.error is None else f"{view.error.type}: {view.error.text}",
    }
