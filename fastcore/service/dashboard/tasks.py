"""Tasks for the dashboard: states and names, lists by filters, and one task with all that is known of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastcore.service.dashboard.queries import searched_text
from fastcore.service.dashboard.schedule_words import when
from fastcore.service.dashboard.sources import Section, Sources
from fastcore.service.dashboard.values import arguments, masked, shown

if TYPE_CHECKING:
    from fastcore.tasks import TaskQueue, TaskView

__all__ = ["find", "in_all", "one", "queue_of", "tasks"]

TASKS = 50  # shown, the newest first
DEAD = 20
PAGE = 50  # tasks of an answer to a search; at most MOST
MOST = 200
PART = 500  # tasks read at once by a search
SEARCHED = 10_000  # tasks that one search looks at
ERROR = 300  # characters of an error in a list
TRACE = 20_000


def queue_of(sources: Sources) -> TaskQueue:
    """Return the installed queue; LookupError without one."""
    if sources.tasks is None:
        raise LookupError("tasks: expected an installed queue, got none")
    return sources.tasks


def in_all(kinds: Mapping[str, Mapping[Any, int]]) -> dict[str, int]:
    """Return how many tasks are in each state, of all names."""
    counts: dict[str, int] = {}
    for states in kinds.values():
        for state, count in states.items():
            counts[str(state)] = counts.get(str(state), 0) + count
    return counts


def tasks(sources: Sources) -> Section:
    """How many tasks are in each state, by name too, the latest ones, and the schedules."""
    queue = sources.tasks
    if queue is None:
        return {"at": time.time(), "installed": False}
    from fastcore.tasks import State

    kinds = queue.counts()
    counts = in_all(kinds)
    dead = queue.find(states=[State.DEAD], limit=DEAD) if counts.get(State.DEAD) else ()
    paused = set(queue.paused())
    return {
        "at": time.time(),
        "installed": True,
        "writable": sources.writable,
        "counts": counts,
        "kinds": [
            {
                "name": name,
                "paused": name in paused,
                "registered": name in queue.tasks,
                **{str(state): n for state, n in kinds.get(name, {}).items()},
            }
            for name in sorted({*kinds, *paused})
        ],
        "tasks": [_row(view) for view in queue.find(limit=TASKS)],
        "dead": [_row(view) for view in dead],
        "schedules": [
            {"name": s.name, "when": when(s.definition), "last": s.last_at, "next": s.next_at}
            for s in queue.schedules()
        ],
    }


def _row(view: TaskView) -> dict[str, Any]:
    error = f"{view.error.type}: {view.error.text}" if view.error and view.ended else None
    return {
        "id": view.id,
        "name": view.kind,
        "state": str(view.state),
        "priority": view.priority,
        "attempt": view.attempt,
        "progress": view.progress,
        "note": masked(view.note, ERROR),
        "queued": view.submitted_at,
        "took": view.finished_at - view.started_at if view.finished_at and view.started_at else None,
        "error": error and masked(error, ERROR),
        "retryable": view.state in ("dead", "failed"),
        "cancellable": not view.ended,
    }


def find(sources: Sources, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the tasks that a query asks for, the latest first.

    Parameters
    ----------
    sources : Sources
    query : mapping
        `state` (several with commas between), `name`, `group`, `text` (in id, name, error, note or unique key),
        `before` (an id) and `limit`.

    Raises
    ------
    ValueError
        If a field is unknown or its value is not valid.
    LookupError
        If no queue is installed.
    """
    queue = queue_of(sources)
    text = searched_text(query, "state", "name", "group", "text", "before", "limit")
    limit = _limit(query.get("limit", ""))
    wanted = {"states": _states(query.get("state", "")), "kind": query.get("name") or None}
    wanted["group"] = query.get("group") or None
    before, searched, rows = query.get("before") or None, 0, list[dict[str, Any]]()
    more = True
    while more and len(rows) < limit and searched < SEARCHED:
        part = queue.find(**wanted, before=before, limit=PART if text else limit)
        more = len(part) == (PART if text else limit)
        for view in part:
            searched, before = searched + 1, view.id
            if not text or _has(view, text):
                rows.append(_row(view))
                if len(rows) == limit:
                    more = more or view is not part[-1]
                    break
    return {"at": time.time(), "tasks": rows, "searched": searched, "next": before if more and rows else None}


def _has(view: TaskView, text: str) -> bool:
    error = "" if view.error is None else f"{view.error.type}: {view.error.text[:5000]}"
    return any(text in part.casefold() for part in (view.id, view.kind, view.note, error, view.unique_key or ""))


def _states(text: str) -> list[Any] | None:
    from fastcore.tasks import State

    if not text:
        return None
    try:
        return [State(word) for word in text.split(",")]
    except ValueError:
        raise ValueError(f"state: expected some of {', '.join(State)}, got {text!r}") from None


def _limit(text: str) -> int:
    if not text:
        return PAGE
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST):
        raise ValueError(f"limit: expected an int in 1..{MOST}, got {text!r}")
    return int(text)


def one(sources: Sources, id: str, *, whole: bool) -> dict[str, Any]:
    """Return all that is known of a task; its arguments, result and traceback only if `whole`.

    Raises
    ------
    LookupError
        If there is no such task, or no queue.
    """
    from fastcore.tasks import UnknownTask

    queue = queue_of(sources)
    try:
        view = queue.store.get(id).result()
    except UnknownTask as unknown:
        raise LookupError(str(unknown)) from None
    failure = None
    if view.error is not None:
        failure = {"type": masked(view.error.type, 200), "text": masked(view.error.text)}
        failure["trace"] = masked(view.error.trace, TRACE) if whole else ""
    states: Mapping[Any, int] = getattr(view, "states", {})
    return {
        "at": time.time(),
        **_row(view),
        "attempts": view.attempts,
        "run_at": view.run_at,
        "started": view.started_at,
        "finished": view.finished_at,
        "expires": view.expires_at,
        "cancelling": view.cancel_requested and not view.ended,
        "unique_key": None if view.unique_key is None else masked(view.unique_key, 200),
        "group": view.group,
        "error": failure,
        "earlier": sources.attempts.of(id),
        "members": {str(state): n for state, n in states.items()},
        "whole": whole,
        "arguments": _guarded(lambda: arguments(view.payload)) if whole else None,
        "result": shown(view.result) if whole and view.state == "succeeded" and not states else None,
        "writable": sources.writable,
    }


def _guarded(read: Callable[[], Sequence[dict[str, str]] | None]) -> Any:
    try:
        return read()
    except (TypeError, ValueError, AttributeError):  # a payload that another version wrote
        return None
