"""What the memory store keeps of a task, of a kind and of a group."""

from __future__ import annotations

from typing import Any

from fastcore.heap import PriorityHeap
from fastcore.tasks.records import Failure, State, TaskSpec, TaskView

__all__ = ["KindRecords", "OpenGroup", "Record"]

_SPENT = (State.SUCCEEDED, State.CANCELLED)  # nobody can ask for them again: their arguments are let go

_UNSET: dict[str, Any] = {
    "owner": "",
    "lease_until": 0.0,
    "started_at": None,
    "finished_at": None,
    "expires_at": None,
    "progress": None,
    "note": "",
    "result": None,
    "error": None,
}


class KindRecords:
    """The tasks of one kind: those that are ready, in order, and how many there are of the others."""

    __slots__ = ("delayed", "ended", "name", "ready")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = PriorityHeap()  # by rank
        self.delayed = 0
        self.ended: dict[State, int] = {}

    def counts(self, running: int) -> dict[State, int]:
        """How many are in each state."""
        found = {State.QUEUED: len(self.ready) + self.delayed, State.RUNNING: running, **self.ended}
        return {state: n for state, n in found.items() if n}


class OpenGroup:
    """A group some of whose members, or whose callback, have not ended."""

    __slots__ = ("id", "members", "remaining", "then")

    def __init__(self, id: str, members: list[str], then: TaskSpec | None) -> None:
        self.id = id
        self.members = members
        self.remaining = len(members)
        self.then = then


class Record:
    """A task and where it is."""

    __slots__ = (
        "attempt",
        "cancel_requested",
        "delayed",
        "error",
        "expires_at",
        "finished_at",
        "handle",
        "kind",
        "lease_until",
        "note",
        "owner",
        "progress",
        "rank",
        "result",
        "run_at",
        "spec",
        "started_at",
        "state",
        "token",
        "version",
    )

    owner: str
    lease_until: float
    started_at: float | None
    """Of the latest attempt."""
    finished_at: float | None
    expires_at: float | None
    progress: float | None
    note: str
    result: Any
    error: Failure | None
    handle: int
    """In the heap that it is in."""
    rank: float
    run_at: float

    def __init__(self, spec: TaskSpec, kind: KindRecords) -> None:
        # A queue may hold very many of these: what most of them never say is not written, see __getattr__.
        self.spec = spec
        self.kind = kind
        self.state = State.QUEUED
        self.attempt = self.token = 0
        self.version = 1
        self.delayed = self.cancel_requested = False

    def __getattr__(self, name: str) -> Any:
        """What was not said yet."""
        if name in _UNSET:
            return _UNSET[name]
        if name == "rank" or name == "run_at":
            return getattr(self.spec, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def view(self, *, whole: bool) -> TaskView:
        """The task as others may see it; `whole` with payload and result."""
        spec = self.spec
        return TaskView(
            id=spec.id,
            kind=spec.kind,
            state=self.state,
            priority=spec.priority,
            attempt=self.attempt,
            attempts=spec.attempts,
            submitted_at=spec.submitted_at,
            run_at=self.run_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            expires_at=self.expires_at,
            progress=self.progress,
            note=self.note,
            result=self.result if whole else None,
            error=self.error,
            cancel_requested=self.cancel_requested,
            unique_key=spec.unique_key,
            group=spec.group,
            version=self.version,
            payload=spec.payload if whole and self.state not in _SPENT else None,
        )
