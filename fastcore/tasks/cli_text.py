"""How tasks look in a terminal: rows, bars and ages; what came from outside is made harmless first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fastcore.dispatch.formatting import plain, table
from fastcore.tasks.codec import Codec, CodecError
from fastcore.tasks.records import State, TaskView

__all__ = ["age", "as_dict", "bar", "counts_table", "details", "rows", "value_of"]

_BAR = 20
_LONGEST_VALUE = 2000
_FIELDS = (
    "id",
    "kind",
    "priority",
    "attempt",
    "attempts",
    "submitted_at",
    "run_at",
    "started_at",
    "finished_at",
    "expires_at",
    "progress",
    "note",
    "cancel_requested",
    "unique_key",
    "group",
    "version",
)


def age(seconds: float) -> str:
    """Return a duration in two figures."""
    if seconds < 0:
        return "in " + age(-seconds)
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def bar(fraction: float | None) -> str:
    """Return a progress bar; empty where nothing is known."""
    if fraction is None:
        return ""
    part = min(max(fraction, 0.0), 1.0)
    full = int(part * _BAR)
    return f"[{'#' * full}{'.' * (_BAR - full)}] {part:4.0%}"


def _since(view: TaskView, now: float) -> str:
    if view.state is State.QUEUED:
        return age(now - view.run_at) if view.run_at > now else age(now - view.submitted_at)
    return age(now - (view.finished_at or view.started_at or view.submitted_at))


def _remark(view: TaskView) -> str:
    if view.error is not None and view.state is not State.SUCCEEDED:
        return f"{view.error.type}: {view.error.text}"
    return ("cancelling; " if view.cancel_requested and not view.ended else "") + view.note


def rows(views: Iterable[TaskView], now: float, width: int | None) -> list[str]:
    """Return a table, cut to the terminal's width if there is one."""
    cells: list[tuple[str, ...]] = [("ID", "TASK", "STATE", "TRY", "SINCE", "PROGRESS", "")]
    for view in views:
        state, tries = view.state.value, f"{view.attempt}/{view.attempts}"
        remark = plain(_remark(view), 200)
        cells.append((view.id, plain(view.kind, 40), state, tries, _since(view, now), bar(view.progress), remark))
    return _aligned(cells, width)


def counts_table(counts: Mapping[str, Mapping[State, int]], width: int | None) -> list[str]:
    """Return how many tasks of each kind are in each state, and the sums."""
    states = [state for state in State if state is not State.EXPIRED]
    cells: list[tuple[str, ...]] = [("TASK", *(state.value.upper() for state in states))]
    cells += [(plain(kind, 40), *(str(its.get(state, 0)) for state in states)) for kind, its in sorted(counts.items())]
    cells.append(("all", *(str(sum(its.get(state, 0) for its in counts.values())) for state in states)))
    return _aligned(cells, width)


def _aligned(rows: list[tuple[str, ...]], width: int | None) -> list[str]:
    lines = table(rows, numbers=0).split("\n")
    return lines if width is None else [line[:width] for line in lines]


def value_of(data: Any) -> str:
    """Return what some encoded bytes say, for people; pickles are not read."""
    if data is None:
        return "-"
    try:
        value = Codec().decode(bytes(data))
    except CodecError as error:
        return f"{len(data)} bytes ({plain(error, 200)})"
    return plain(repr(value), _LONGEST_VALUE)


def _for_programs(data: Any) -> Any:
    """Return some encoded bytes' value where JSON has it, or else what it looks like."""
    if data is None:
        return None
    try:
        value = Codec().decode(bytes(data))
        json.dumps(value, allow_nan=False)
    except (CodecError, TypeError, ValueError, RecursionError):
        return value_of(data)
    return value


def details(view: TaskView, now: float) -> list[str]:
    """Return all that is known of a task."""
    lines = [
        ("id", view.id),
        ("task", plain(view.kind)),
        ("state", view.state.value + (", to be cancelled" if view.cancel_requested and not view.ended else "")),
        ("attempt", f"{view.attempt} of {view.attempts}"),
        ("priority", f"{view.priority:g}"),
        ("submitted", f"{age(now - view.submitted_at)} ago"),
        ("due", age(now - view.run_at) if view.state is State.QUEUED and view.run_at > now else None),
        ("started", f"{age(now - view.started_at)} ago" if view.started_at is not None else None),
        ("ended", f"{age(now - view.finished_at)} ago" if view.finished_at is not None else None),
        ("progress", f"{bar(view.progress)} {plain(view.note)}".strip() or None),
        ("unique key", None if view.unique_key is None else plain(view.unique_key)),
        ("group", None if view.group is None else plain(view.group)),
        ("arguments", None if view.payload is None else value_of(view.payload)),
        ("result", None if view.result is None else value_of(view.result)),
        ("error", None if view.error is None else plain(f"{view.error.type}: {view.error.text}")),
    ]
    found = [f"{name:<11}{text}" for name, text in lines if text is not None]
    if view.error is not None and view.error.trace:
        found += ["", *(plain(line) for line in view.error.trace.rstrip().splitlines())]
    return found


def as_dict(view: TaskView, *, whole: bool = False) -> dict[str, Any]:
    """Return a task for programs."""
    found: dict[str, Any] = {name: getattr(view, name) for name in _FIELDS}
    found["state"] = view.state.value
    found["error"] = None if view.error is None else view.error._asdict()
    if whole:
        found["arguments"] = _for_programs(view.payload)
        found["result"] = _for_programs(view.result)
    return found
