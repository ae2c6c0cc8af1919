"""The protocols of a queue: a store is the record of truth, an executor runs code.

**Threads.** A queue's engine lives on one event loop. It calls an executor on that loop's thread only. It calls the
store's `claim`, `renew`, `settle`, `report`, `rescue`, `prune` and `fire` there too; every other method of a store is
called from any thread, several at once. A store never blocks its caller for I/O: methods return a :class:`Reply`,
done already where the store is memory, or a ``concurrent.futures.Future`` that the store's writer thread completes
once the change is **as durable as promised**. Callers on threads wait with ``reply.result()``, callers on a loop with
``await arrived(reply)``. A method may raise at once what it can judge at once; all else the reply raises.

**What a store guarantees.** Every method is atomic, and whole or not at all: of `submit(specs)` all are stored or
none. Effects of one caller's calls keep their order. After a reply to `submit` the tasks survive what the store's
durability says they survive. A task is claimed by one owner at a time; the claim counts the attempt and gives a token
that no earlier claim of it had; an outcome, a renewal and a report with another token change nothing. So work runs at
least once, and of several results one is kept.

**A store of bytes** (``encodes`` is true) gets payloads and results as :class:`~fastcore.tasks.records.Encoded` and
hands them out so; the queue encodes in the submitting thread, before the store is called. The memory store keeps
references.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from fastcore.tasks.records import (
    Batch,
    Cancelled,
    Claim,
    Fired,
    Group,
    Hold,
    Outcome,
    Progress,
    Rescued,
    ScheduleView,
    State,
    TaskSpec,
    TaskView,
)

if TYPE_CHECKING:
    from fastcore.tasks.engine.job import Job

__all__ = [
    "PURGED_AT_ONCE",
    "Cap",
    "CountsReady",
    "Done",
    "EachReply",
    "Executor",
    "MakesSpecs",
    "PushesClaims",
    "Reopens",
    "Reply",
    "Sink",
    "Stop",
    "SubmitsEach",
    "SubmitsNow",
    "TaskStore",
    "Want",
    "arrived",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Reply(Protocol[T_co]):
    """A value that is there, or will be; ``concurrent.futures.Future`` is one."""

    def done(self) -> bool: ...

    def result(self, timeout: float | None = None) -> T_co: ...

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None: ...


class Done(Generic[T]):
    """A reply that is there already."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> T:
        return self._value

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
        fn(self)


async def arrived(reply: Reply[T]) -> T:
    """Return what a reply brings, without blocking the loop. Being cancelled leaves the store's work to its end."""
    arrive = None
    try:
        if not reply.done():
            if (arrive := getattr(reply, "arrive", None)) is not None:  # it knows how to wake a loop once for many
                await arrive()
                return reply.result()
            loop = asyncio.get_running_loop()
            event = asyncio.Event()

            def wake(_: Any) -> None:
                try:
                    loop.call_soon_threadsafe(event.set)
                except RuntimeError:  # the loop was closed: there is no waiter
                    pass

            reply.add_done_callback(wake)
            await event.wait()
        return reply.result()
    finally:
        del reply, arrive  # else the traceback of an error would keep the reply, and that the error


class Cap(enum.Flag):
    """What an executor can do; an option that needs what it cannot do raises when the task is submitted."""

    NONE = 0
    TIMEOUT = enum.auto()
    """It ends an attempt when its time is over."""
    CANCEL_RUNNING = enum.auto()
    """`cancel` stops code that does not look."""
    PROGRESS = enum.auto()
    MEMORY_LIMIT = enum.auto()
    ASYNC = enum.auto()
    """It runs coroutine functions."""
    SYNC = enum.auto()
    """It runs plain functions."""
    BY_NAME = enum.auto()
    """It runs them in processes that find them by module and name."""


PURGED_AT_ONCE: Final = 10_000
"""Tasks that one `purge` of a store ends at most."""


class Want(NamedTuple):
    """What one pool has room for: at most `limit` tasks in all, and of each kind at most as many as it says."""

    limit: int
    kinds: Mapping[str, int]


class TaskStore(Protocol):
    """The record of truth."""

    encodes: bool
    """Whether payloads and results must be Encoded."""
    poll: float | None
    """Seconds after which to claim again even without a call of `wake`: other processes write here too. None: never."""

    def attach(self, wake: Callable[[], None]) -> None:
        """Call `wake`, from any thread, when there may be something to claim or to cancel. It never blocks."""

    def close(self) -> None:
        """Finish what was begun, and let go; called from any thread, once the engine has stopped. Idempotent."""

    # ---- tasks ----

    def submit(self, specs: Sequence[TaskSpec], group: Group | None = None) -> Reply[list[str]]:
        """Store tasks, all or none, and return their ids.

        For a spec whose `unique_key` or `idempotency_key` is held, that is the holder's id, and nothing is stored. Two
        specs of one call with one key count as well: the first is the holder. With `group`, the specs are its members;
        `group.then` is stored when the last of them has ended, in the same step. Where a spec was not stored because
        another task holds its key, that task is the member, whether it has ended or not.

        Raises
        ------
        QueueFull
            If more tasks would be queued than the store's `max_queued`.
        IdempotencyConflict
            If an idempotency key is held by a task of another kind or fingerprint.
        StoreError
            If it could not be made durable.
        """

    def claim(self, owner: str, wants: Sequence[Want], lease: float, now: float) -> Reply[Batch]:
        """Give `owner` the tasks of lowest rank whose time has come, at most what `wants` has room for.

        Each becomes RUNNING, its attempt and token grow by one, and the lease ends `lease` seconds after `now`. A kind
        is in one want at most. Claims come in order of rank, within each want.
        """

    def renew(self, claims: Sequence[Claim], lease: float, now: float) -> Reply[list[Hold]]:
        """Have the leases end `lease` seconds after `now`, and say of each whether it is still held."""

    def settle(self, outcomes: Sequence[Outcome]) -> Reply[list[bool]]:
        """Record how attempts ended; False for those whose token is not the task's latest, or that is not RUNNING.

        QUEUED puts the task back, at the outcome's `run_at` and `rank`; uncounted, its attempt is taken back. A task
        whose cancellation was asked for does not go back to QUEUED, it becomes CANCELLED. A terminal state frees its
        unique key, and counts for its group.
        """

    def report(self, updates: Sequence[Progress]) -> Reply[None]:
        """Note how far attempts are. A store may write it late, and the latest only; `get` tells the latest at once."""

    def request_cancel(self, id: str) -> Reply[Cancelled]:
        """Cancel a task: QUEUED becomes CANCELLED; RUNNING stays, `cancel_requested`, and its owner is told.

        Returns the state after it; for a task that had ended, its state. Of a group, the callback and those members are
        cancelled that were stored with it.

        Raises
        ------
        UnknownTask
        """

    def purge(self, kind: str) -> Reply[list[Cancelled]]:
        """Cancel tasks of a kind that wait, :data:`PURGED_AT_ONCE` at most; returns them."""

    def pause(self, kind: str, paused: bool) -> Reply[bool]:
        """Have no task of a kind claimed by anyone until that is taken back; returns whether that changed anything."""

    def paused(self) -> Reply[list[str]]:
        """Return the kinds that are paused, by name."""

    def rescue(self, now: float) -> Reply[list[Rescued]]:
        """Take back RUNNING tasks whose lease has passed: QUEUED with the rank they had, due at once, or else DEAD.

        The attempt that was lost stays counted.
        """

    def prune(self, now: float) -> Reply[int]:
        """Turn tasks whose result has expired into tombstones, and forget old tombstones; return how many.

        Members of a group stay until its callback has ended; the group is known for as long as one of its tasks is.
        """

    def retry_dead(self, ids: Sequence[str] | None, kind: str | None, now: float) -> Reply[list[str]]:
        """Queue dead tasks again with all their attempts, their old rank, due at once; return their ids.

        Without `ids` all that are DEAD, of `kind` if given; by id also those that FAILED. One whose unique key is held
        by now stays where it is.
        """

    # ---- reading ----

    def get(self, id: str) -> Reply[TaskView]:
        """Return a task, with its result; EXPIRED for a tombstone. For the id of a group, a GroupView.

        Raises
        ------
        UnknownTask
        """

    def find(
        self,
        *,
        states: Iterable[State] | None = None,
        kind: str | None = None,
        group: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> Reply[Sequence[TaskView]]:
        """Return tasks without payloads and results, the latest id first, from the one before `before` on."""

    def counts(self) -> Reply[dict[str, dict[State, int]]]:
        """Return how many tasks of each kind are in each state, tombstones left out."""

    def members(self, group: str) -> Reply[Sequence[TaskView]]:
        """Return a group's members with their results, by `index`; EXPIRED for those that are forgotten."""

    # ---- schedules: one per fleet ----

    def schedule(self, name: str, definition: str, next_at: float) -> Reply[float]:
        """Register a schedule; return its next slot: the stored one if the definition is the same, else `next_at`."""

    def fire(
        self, name: str, slot: float, next_at: float, spec: TaskSpec | None, definition: str | None = None
    ) -> Reply[Fired]:
        """If `slot` is still the schedule's next, store `spec` and make `next_at` the next, in one step.

        Without `spec` the slot is skipped. With `definition`, the schedule's must be the same. A spec whose unique key
        is held is not stored; the slot is taken all the same. `max_queued` does not apply.
        """

    def unschedule(self, name: str) -> Reply[bool]:
        """Forget a schedule; returns whether there was one."""

    def schedules(self) -> Reply[Sequence[ScheduleView]]:
        """Return all schedules by name."""


class EachReply(Protocol):
    """The reply of `submit_each`: for each task its id, or the error that is its alone."""

    def result(self) -> list[Any]:
        """Wait for it."""

    def call_on(self, loop: asyncio.AbstractEventLoop, fn: Callable[[], object], /) -> None:
        """Call a function on a loop when the reply has arrived."""


@runtime_checkable
class SubmitsEach(Protocol):
    """A store that takes many tasks in one request, each of which is stored or refused by itself."""

    def submit_each(self, specs: Sequence[TaskSpec]) -> EachReply:
        """Store tasks; returns for each its id, or the error that is its alone."""


@runtime_checkable
class SubmitsNow(Protocol):
    """A store that is quicker if it knows that the submitting thread waits: that thread may do the work itself."""

    def submit_now(self, specs: Sequence[TaskSpec], group: Group | None = None) -> list[str]:
        """Do what `submit` does, and wait for it."""


@runtime_checkable
class PushesClaims(Protocol):
    """A store that may claim a task as it is stored, and hand it to the engine without being asked again."""

    def push_to(self, owner: str, loop: asyncio.AbstractEventLoop, take: Callable[[list[Claim]], object]) -> None:
        """Have `take` called on a loop with claims that `owner` did not ask for again.

        What is submitted while the owner's last claim has room left, and nothing waits for it, is claimed as it is
        stored. A claim that wants nothing ends that: what was claimed before the store knew comes right behind its
        reply, and nothing after that of a further claim.
        """


@runtime_checkable
class Reopens(Protocol):
    """A store that can be used again after it was closed, so that its queue can start again."""

    def reopen(self) -> None:
        """Take requests again; nothing if the store is open."""


@runtime_checkable
class CountsReady(Protocol):
    """A store that can say what only waits for a worker, so that names that no worker knows are noticed."""

    def ready(self) -> Reply[Mapping[str, int]]:
        """Return how many tasks of each kind may begin: they are due, and no other has their serial key.

        Kinds that are paused are left out.
        """


@runtime_checkable
class MakesSpecs(Protocol):
    """A store with a class of its own for specs, such as one that is quicker to store."""

    spec: type[TaskSpec]


class Stop(enum.Enum):
    """What became of asking an executor to stop a job."""

    STOPPING = "stopping"
    """It will tell the sink how the job ended, soon or when the job looks."""
    DETACHED = "detached"
    """The code goes on and cannot be reached: the task is settled as cancelled, the late result will be refused."""
    UNKNOWN = "unknown"
    """The job is not here (any more)."""


class Sink(Protocol):
    """Receives the outcomes of jobs from an executor. Any thread may call it, and no method blocks or raises.

    A job is told of once: by `done`, `failed`, `cancelled` or `returned`. By then its slot is free.
    """

    def done(self, job: Job, result: Any) -> None:
        """The job returned. `result` may be Encoded already."""

    def failed(self, job: Job, error: BaseException, *, lost: bool = False) -> None:
        """It raised; `lost` if it was its worker that died: tried again whatever the policy says of errors."""

    def cancelled(self, job: Job) -> None:
        """The job ended because `cancel` stopped it."""

    def returned(self, job: Job) -> None:
        """It never began, or was stopped by `stop`: the attempt does not count, the store gets it back."""

    def progress(self, job: Job, fraction: float | None, note: str) -> None:
        """The job has reported progress."""

    def freed(self) -> None:
        """More jobs may begin, though none has ended."""


class Executor(Protocol):
    """Where code runs. All methods are called on the engine's loop."""

    name: str
    """What tasks call it: ``on="thread"``."""
    capabilities: Cap

    async def start(self, sink: Sink) -> None:
        """Begin. Costly workers may be started when the first job comes."""

    def free(self) -> int:
        """Return how many jobs could begin at once, now."""

    def run(self, jobs: Sequence[Job]) -> None:
        """Run jobs in this order, at most as many as `free()` returned; enforce `job.timeout` or lack Cap.TIMEOUT."""

    def cancel(self, job: Job) -> Stop:
        """Ask a job to stop."""

    async def stop(self, timeout: float) -> None:
        """Give running jobs `timeout` seconds, then stop them and tell the sink `returned`; let go of all workers.

        What can be neither awaited nor stopped is told as `returned` too, and left. Idempotent.
        """
