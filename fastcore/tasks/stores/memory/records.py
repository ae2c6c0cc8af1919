"""The memory store's records of tasks and kinds."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from fastcore.heap import PriorityHeap
from fastcore.tasks.records import Failure, State, TaskSpec, TaskView

__all__ = ["KindRecords", "Record"]

_SPENT = (State.SUCCEEDED, State.CANCELLED)  # they cannot run again: their arguments are released


_GIVEN = tuple(field.name for field in fields(TaskSpec))


class KindRecords:
    """The tasks of one kind: those that are ready, in order, and how many there are of the others."""

    __slots__ = ("ended", "held_back", "name", "ready")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = PriorityHeap()  # by rank
        self.held_back = 0  # that wait for their time, or for the holder of their key
        self.ended: dict[State, int] = {}

    def counts(self, running: int) -> dict[State, int]:
        """How many are in each state."""
        found = {State.QUEUED: len(self.ready) + self.held_back, State.RUNNING: running, **self.ended}
        return {state: n for state, n in found.items() if n}


class Record(TaskSpec):
    """A task and where it is: the call itself, grown by what becomes of it.

    A queue may hold very many of these, and the garbage collector looks at each of them: there is one object a task,
    and what most of them never say is not written, see `said`. Calls are made as such at once; what comes as a plain
    TaskSpec is copied by `of`.
    """

    __slots__ = (
        "attempt",
        "cancel_requested",
        "error",
        "expires_at",
        "finished_at",
        "handle",
        "kept",
        "lease_until",
        "note",
        "number",
        "owner",
        "progress",
        "result",
        "started_at",
        "state",
        "token",
        "version",
        "waits_in",
    )

    state: State
    number: int  # in the order of submission
    attempt: int
    token: int
    version: int
    cancel_requested: bool
    waits_in: PriorityHeap | None
    """Those who wait for their time, or for the holder of their key, if it is among them."""
    kept: KindRecords
    """Those of its kind."""
    handle: int
    """In `waits_in`, or else among the ready ones of its kind."""
    owner: str
    lease_until: float
    started_at: float
    """Of the latest attempt."""
    finished_at: float | None
    expires_at: float | None
    progress: float | None
    note: str
    result: Any
    error: Failure | None

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @classmethod
    def of(cls, spec: TaskSpec) -> Record:
        """Return a spec as a record."""
        return cls(*[getattr(spec, name) for name in _GIVEN])

    def said(self, name: str) -> Any:
        """A field that may not have been written yet; None then."""
        return getattr(self, name, None)

    def view(self, *, whole: bool) -> TaskView:
        """The task as others may see it; `whole` with payload and result."""
        said = self.said
        return TaskView(
            id=self.id,
            kind=self.kind,
            state=self.state,
            priority=self.priority,
            attempt=self.attempt,
            attempts=self.attempts,
            submitted_at=self.submitted_at,
            run_at=self.run_at,
            started_at=said("started_at"),
            finished_at=said("finished_at"),
            expires_at=said("expires_at"),
            progress=said("progress"),
            note=said("note") or "",
            result=said("result") if whole else None,
            error=said("error"),
            cancel_requested=self.cancel_requested,
            unique_key=self.unique_key,
            group=self.group,
            version=self.version,
            payload=self.payload if whole and self.state not in _SPENT else None,
        )
