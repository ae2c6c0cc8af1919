"""Records that the queue, the store and the executors exchange: plain objects that are not changed once they are made.

Times are seconds since the epoch, because they outlive the process. A task's place is its `rank`, the smallest first
and first in first out among equals: ``priority + aging * due``. A waiting task gains on those that came later at the
same pace as everyone else, so the rank of a task that ages is a constant, and an index can be kept on it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = [
    "LIVE",
    "NO_ARGUMENTS",
    "TERMINAL",
    "Batch",
    "Cancelled",
    "Claim",
    "Encoded",
    "Failure",
    "Fired",
    "Group",
    "GroupView",
    "Hold",
    "Outcome",
    "Payload",
    "Progress",
    "Rescued",
    "ScheduleView",
    "State",
    "TaskSpec",
    "TaskView",
]


class State(enum.StrEnum):
    """The state of a task.

    Examples
    --------
    >>> from fastcore.tasks import State, TaskQueue
    >>> queue = TaskQueue()
    >>> @queue.task
    ... def report():
    ...     return "done"
    >>> queue.status(queue.submit(report)).state is State.QUEUED
    True
    """

    QUEUED = "queued"
    """It waits: for its time, its turn, or its next attempt."""
    RUNNING = "running"
    """An owner holds a lease on it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It raised what its retry policy does not retry."""
    CANCELLED = "cancelled"
    DEAD = "dead"
    """It used up its attempts, in errors or crashes: a dead letter, kept for `retry_dead`."""
    EXPIRED = "expired"
    """It ended, and its `result_ttl` has passed: a tombstone."""


LIVE = frozenset({State.QUEUED, State.RUNNING})
TERMINAL = frozenset(State) - LIVE


class Encoded(bytes):
    """Bytes made by the codec, told apart from bytes that are a value."""

    __slots__ = ()


Payload = tuple[tuple[Any, ...], dict[str, Any]] | Encoded
"""The arguments of a call: ``(args, kwargs)``, or these as the codec wrote them where the store keeps bytes."""


NO_ARGUMENTS: Payload = ((), {})
"""Those of a call without any; shared, and so never changed."""


class Failure(NamedTuple):
    """The stored form of an error."""

    type: str
    """Its class's qualified name."""
    text: str
    trace: str
    """Its traceback, possibly shortened."""


@dataclass(slots=True)
class TaskSpec:
    """A call to be made."""

    id: str
    """32 hex digits: twelve of the time in milliseconds, so that an index grows at its end, and twenty random ones."""
    kind: str
    """The task's registered name."""
    payload: Payload
    priority: float
    rank: float
    run_at: float
    """Not to be begun before this."""
    submitted_at: float
    attempts: int
    """How often it may begin, crashes included; at least 1."""
    timeout: float | None
    """Seconds for one attempt."""
    result_ttl: float
    """Seconds for which the result is kept after the end; 0 keeps none."""
    unique_key: str | None = None
    """While a live task holds this key, another submission with it returns the holder's id."""
    idempotency_key: str | None = None
    """As `unique_key`, but for as long as anything is known of the holder, and only for the same `fingerprint`."""
    fingerprint: str | None = None
    group: str | None = None
    """The group it is a member of."""
    index: int = 0
    """Its place among the members."""
    collects: str | None = None
    """The group whose results are its first argument: it is a group's final callback."""
    serial_key: str | None = None
    """Of the tasks with one key, one runs at a time: from its first attempt to its end, others wait."""


@dataclass(slots=True)
class Group:
    """Members submitted together, and what runs once all of them have ended."""

    id: str
    size: int
    then: TaskSpec | None


@dataclass(slots=True)
class Claim:
    """A lease on one attempt."""

    spec: TaskSpec
    attempt: int
    """1 for the first; the store counted it when it made the claim, so a crash has used it up."""
    token: int
    """The fence: whatever comes with another token than the task's latest is refused."""
    lease_until: float


class Batch(NamedTuple):
    """The result of a claim."""

    claims: list[Claim]
    due: float | None
    """When the next delayed task of a wanted kind is due, if the store knows of one."""
    cancels: list[str]
    """Running tasks of this owner whose cancellation someone else asked for, told until they are settled."""


@dataclass(slots=True)
class Outcome:
    """How an attempt ended."""

    id: str
    token: int
    state: State
    """A terminal one, or QUEUED: to run again from `run_at` on."""
    result: Any
    """The value of a success, Encoded where the store keeps bytes; else None."""
    error: Failure | None
    started_at: float
    finished_at: float
    run_at: float = 0.0
    rank: float = 0.0
    counted: bool = True
    """False gives back the attempt: the work was returned unharmed, as when a worker shuts down."""


class Hold(enum.IntEnum):
    """The result of renewing a claim."""

    KEPT = 0
    LOST = 1
    """Another owner has it, or it ended: stop, the result will be refused."""
    CANCEL = 2
    """Still ours, and to be cancelled."""


class Progress(NamedTuple):
    """How far an attempt is."""

    id: str
    token: int
    fraction: float | None
    note: str


class Rescued(NamedTuple):
    """A task taken back from a dead owner."""

    id: str
    kind: str
    state: State
    """QUEUED, DEAD if that was its last attempt, or CANCELLED if that had been asked for."""
    attempt: int
    """The one that was lost."""
    why: str


class Cancelled(NamedTuple):
    """The result of a request to cancel."""

    id: str
    kind: str
    state: State
    """CANCELLED; RUNNING if it was asked to stop; or how it had ended."""
    attempt: int
    withdrawn: bool
    """Whether it waited, and this ended it."""
    members: tuple[Cancelled, ...] = ()
    """Of a group: those of its members that were asked to end, and its callback."""


class Fired(NamedTuple):
    """The result of trying to take a slot of a schedule."""

    won: bool
    next_at: float
    """The next slot, whichever process won this one."""


class ScheduleView(NamedTuple):
    """A schedule as the store knows it."""

    name: str
    definition: str
    """Everything that makes it what it is, as text: another one under the same name starts over."""
    next_at: float
    last_at: float | None


@dataclass(slots=True)
class TaskView:
    """A task as it is now.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue
    >>> queue = TaskQueue()
    >>> @queue.task(name="report")
    ... def report(symbol):
    ...     return symbol
    >>> view = queue.status(queue.submit(report, "AAPL"))
    >>> view.kind, str(view.state), view.ended
    ('report', 'queued', False)
    """

    id: str
    kind: str
    state: State
    priority: float
    attempt: int
    attempts: int
    submitted_at: float
    run_at: float
    started_at: float | None
    """Of the latest attempt."""
    finished_at: float | None
    expires_at: float | None
    """When the result will be dropped."""
    progress: float | None
    note: str
    result: Any
    """Of a success; Encoded where the store keeps bytes. `find` leaves it out."""
    error: Failure | None
    """Of the latest attempt that failed."""
    cancel_requested: bool
    unique_key: str | None
    group: str | None
    version: int
    """Grows with every change of the task that anyone can see."""
    payload: Payload | None = None
    """None in lists, and after the end where the store does not keep it for a retry."""

    @property
    def ended(self) -> bool:
        """Whether the task has ended and will not run again by itself."""
        return self.state not in LIVE


@dataclass(slots=True)
class GroupView(TaskView):
    """A group as it is now, in the terms of a task: it has ended when its callback has, or all members without one.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue
    >>> queue = TaskQueue()
    >>> @queue.task
    ... def square(x):
    ...     return x * x
    >>> group = queue.status(queue.submit_group([(square, (2,)), (square, (3,))]))
    >>> group.size, str(group.state)
    (2, 'queued')
    """

    size: int = 0
    states: Mapping[State, int] = field(default_factory=dict)
    """How many members are in each state; EXPIRED are those whose results were dropped."""
    kinds: frozenset[str] = frozenset()
    """The names of the tasks that it is of, the callback's too."""
    then: TaskView | None = None
    """The callback, once it is stored: the group's result is its."""
    members: Sequence[TaskView] = ()
    """With their results, in order, if the group has no callback and all succeeded."""
