"""A task as clients see it: where it is and how far, never its arguments or its traceback."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import Request

from fastcore.tasks.http.estimate import phrase
from fastcore.tasks.records import Failure, GroupView, TaskView

__all__ = ["Links", "accepted", "failure", "links", "pending", "shown"]

_MOST_OF_A_MESSAGE = 2000


class Links(NamedTuple):
    """The paths of a router's tasks."""

    root: str

    def status(self, id: str) -> str:
        return f"{self.root}/task/{id}"

    def result(self, id: str) -> str:
        return f"{self.root}/task/{id}/result"

    def events(self, id: str) -> str:
        return f"{self.root}/task/{id}/events"


def links(request: Request, *, task: bool = False) -> Links:
    """Return the links of the router that a request came to, wherever it is mounted: paths, so that no Host is trusted.

    `task` says that the request was for one task, not for all of them.
    """
    path = request.url.path
    return Links((path.rpartition("/task/")[0] if task else path).rstrip("/"))


def accepted(id: str, at: Links, seconds: float | None) -> dict[str, Any]:
    return {
        "task_id": id,
        "status": "processing",
        "estimated_time": phrase(seconds),
        "estimated_seconds": _rounded(seconds),
        "status_url": at.status(id),
        "result_url": at.result(id),
        "events_url": at.events(id),
    }


def pending(view: TaskView, at: Links, seconds: float | None) -> dict[str, Any]:
    return {
        "task_id": view.id,
        "status": view.state.value,
        "estimated_time": phrase(seconds),
        "estimated_seconds": _rounded(seconds),
        "status_url": at.status(view.id),
        "result_url": at.result(view.id),
    }


def shown(view: TaskView, at: Links) -> dict[str, Any]:
    return {
        "task_id": view.id,
        "task": view.kind,
        "status": view.state.value,
        "priority": view.priority,
        "attempt": view.attempt,
        "max_attempts": view.attempts,
        "progress": {"fraction": view.progress, "note": view.note},
        "cancel_requested": view.cancel_requested,
        "submitted": view.submitted_at,
        "started": view.started_at,
        "finished": view.finished_at,
        "error": failure(view.error),
        "result_url": at.result(view.id),
        "events_url": at.events(view.id),
        "group": _group(view) if isinstance(view, GroupView) else None,
    }


def _group(view: GroupView) -> dict[str, Any]:
    return {
        "size": view.size,
        "states": {state.value: n for state, n in view.states.items()},
        "callback": None if view.then is None else view.then.id,
    }


def failure(error: Failure | None) -> dict[str, str] | None:
    return None if error is None else {"type": error.type, "message": error.text[:_MOST_OF_A_MESSAGE]}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
