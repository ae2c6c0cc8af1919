"""What the memory store keeps of a task, of a kind and of a group."""

from __future__ import annotations

from typing import Any

from fastcore.heap import PriorityHeap
from fastcore.tasks.records import Failure, Payload, State, TaskSpec, TaskView

__all__ = ["NO_PAYLOAD", "KindRecords", "OpenGroup", "Record"]

NO_PAYLOAD: Payload = ((), {})


class KindRecords:
    """The tasks of one kind: those that are ready, in order, and how many there are of the others."""

    __slots__ = ("delayed", "ended", "name", "ready", "running")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = PriorityHeap()  # by rank
        self.delayed = 0
        self.running = 0
        self.ended: dict[State, int] = {}

    def counts(self) -> dict[State, int]:
        """How many are in each state."""
        found = {State.QUEUED: len(self.ready) + self.delayed, State.RUNNING: self.running, **self.ended}
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

    def __init__(self, spec: TaskSpec, kind: KindRecords) -> None:
        self.spec = spec
        self.kind = kind
        self.state = State.QUEUED
        self.rank = spec.rank
        self.run_at = spec.run_at
        self.attempt = 0
        self.token = 0
        self.version = 1
        self.delayed = False
        self.handle = 0  # in the heap that it is in
        self.owner = ""
        self.lease_until = 0.0
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.expires_at: float | None = None
        self.progress: float | None = None
        self.note = ""
        self.result: Any = None
        self.error: Failure | None = None
        self.cancel_requested = False

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
            payload=spec.payload if whole and spec.payload is not NO_PAYLOAD else None,
        )
