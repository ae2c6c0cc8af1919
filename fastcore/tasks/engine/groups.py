"""Groups: what a callback is given, and a group as it is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastcore.tasks.errors import TaskFailed
from fastcore.tasks.records import LIVE, Failure, GroupView, Payload, State, TaskView

if TYPE_CHECKING:
    from fastcore.tasks.engine.job import Job

__all__ = ["KIND", "PARTIAL", "GroupSummary", "collected", "forgotten"]

KIND = "group"
"""What stands for the name of a task in the view of a group."""

PARTIAL = "fastcore_partial"
"""A keyword in the stored arguments of a callback that is to run though members failed; taken out before the call."""


def collected(job: Job, members: Sequence[TaskView], value: Callable[[TaskView], Any]) -> Payload:
    """Return the arguments of a callback with its members' results, in their order, as the first one.

    Raises
    ------
    TaskFailed
        If a member did not succeed, or its result has expired, and the callback did not ask for such too.
    """
    args, kwargs = job.arguments()
    kwargs = dict(kwargs)
    partial = kwargs.pop(PARTIAL, False)
    if not partial:
        for view in members:
            if view.state is not State.SUCCEEDED:
                raise TaskFailed(f"{job.kind}: expected all {len(members)} of the group to succeed, got {_end(view)}")
        return ([value(view) for view in members], *args), kwargs
    return ([_told(view, value) for view in members], *args), kwargs


def _end(view: TaskView) -> str:
    if view.state is State.EXPIRED:
        return f"{view.id} expired: its result was kept for as long as its result_ttl said"
    why = "" if view.error is None else f": {view.error.type}: {view.error.text}"
    return f"{view.id} {view.state}{why}"


def _told(view: TaskView, value: Callable[[TaskView], Any]) -> dict[str, Any]:
    succeeded = view.state is State.SUCCEEDED
    return {
        "id": view.id,
        "task": view.kind,
        "state": view.state.value,
        "result": value(view) if succeeded else None,
        "error": None if view.error is None else f"{view.error.type}: {view.error.text}",
    }


def forgotten(id: str, kind: str = "") -> TaskView:
    """Return the view of a member of which a store knows no more than its id."""
    return TaskView(
        id, kind, State.EXPIRED, 0.0, 0, 1, 0.0, 0.0, None, None, None, None, "", None, None, False, None, None, 0
    )


@dataclass
class GroupSummary:
    """What a store sums up of a group's members, for its view."""

    id: str
    size: int
    submitted_at: float
    cancelled: bool
    has_callback: bool
    error: Failure | None = None
    """Why the callback could not be stored."""
    states: Counter[State] = field(default_factory=Counter)
    foreign: Counter[State] = field(default_factory=Counter)
    """Of these, the members that another submission had stored: cancelling the group leaves them alone."""
    kinds: set[str] = field(default_factory=set)
    version: int = 0
    started: list[float] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)
    expires: list[float] = field(default_factory=list)

    def add(self, view: TaskView, *, foreign: bool) -> None:
        """Add a member."""
        self.enter(view.kind, view.state, 1, view.version, foreign=foreign)
        for times, at in ((self.started, view.started_at), (self.finished, view.finished_at)):
            if at is not None:
                times.append(at)
        if view.expires_at is not None:
            self.expires.append(view.expires_at)

    def enter(self, kind: str, state: State, n: int, version: int, *, foreign: bool) -> None:
        """Add a number of members of one kind and state, with the sum of their versions."""
        self.states[state] += n
        if foreign:
            self.foreign[state] += n
        self.kinds.add(kind)
        self.version += version

    @property
    def live(self) -> int:
        """The number of members that have not ended; of a cancelled group, only its own members."""
        live = sum(self.states[state] for state in LIVE)
        return live - sum(self.foreign[state] for state in LIVE) if self.cancelled else live

    @property
    def succeeded(self) -> bool:
        """Whether all members succeeded, and have their results."""
        return self.states[State.SUCCEEDED] == self.size

    def view(
        self, then: TaskView | None, failed: TaskView | None = None, members: Sequence[TaskView] = ()
    ) -> GroupView:
        """Return the group as it is: with its callback, the first member that failed, and members as results."""
        missing = self.size - sum(self.states.values())
        if missing:
            self.states[State.EXPIRED] += missing
        state = self._state(then)
        ended = state not in LIVE
        last = then if then is not None and self.has_callback else None
        done = self.size - sum(self.states[one] for one in LIVE)
        error = self.error if self.error is not None else None if last is None else last.error
        if error is None and failed is not None and ended:
            error = failed.error
        finished = [*self.finished, *([] if last is None or last.finished_at is None else [last.finished_at])]
        expires = self.expires if last is None else [] if last.expires_at is None else [last.expires_at]
        return GroupView(
            id=self.id,
            kind=KIND,
            state=state,
            priority=0.0,
            attempt=1 if self.started else 0,
            attempts=1,
            submitted_at=self.submitted_at,
            run_at=self.submitted_at,
            started_at=min(self.started, default=None),
            finished_at=max(finished, default=None) if ended else None,
            expires_at=min(expires, default=None) if ended else None,
            progress=done / self.size if self.size else 1.0,
            note=f"{done} of {self.size}",
            result=None,
            error=error if state in (State.FAILED, State.DEAD) else None,
            cancel_requested=self.cancelled,
            unique_key=None,
            group=None,
            version=self.version + (0 if last is None else last.version) + self.cancelled + 1,
            size=self.size,
            states={one: n for one, n in self.states.items() if n},
            kinds=frozenset(self.kinds | ({last.kind} if last is not None else set())),
            then=last,
            members=members if state is State.SUCCEEDED and last is None else (),
        )

    def _state(self, then: TaskView | None) -> State:
        if self.live:
            return State.RUNNING if self.started or self.live < self.size else State.QUEUED
        if self.error is not None:
            return State.FAILED
        if self.has_callback and not (self.cancelled and then is None):
            if then is None:
                return State.EXPIRED
            return State.RUNNING if then.state in LIVE else then.state
        if self.cancelled:
            return State.CANCELLED
        if self.states[State.FAILED] or self.states[State.DEAD]:
            return State.FAILED
        for state in (State.CANCELLED, State.EXPIRED):
            if self.states[state]:
                return state
        return State.SUCCEEDED
