"""Job: a claim on its way through an executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastcore.tasks.records import Claim, Encoded, Outcome, Payload

if TYPE_CHECKING:
    from fastcore.tasks.ports import Sink
    from fastcore.tasks.task import Task

__all__ = ["Job"]


class Job:
    """A claim, the task that it names, and what the executor keeps with it while it runs.

    Attributes
    ----------
    claim : Claim
    task : Task
        The registered task: ``task.fn`` is the function. It pickles as a reference to ``module:qualname``.
    payload : tuple of (args, kwargs), or Encoded
        The arguments, as they are to be used: a group's callback has the results in front.
    sink : Sink
        Where to tell what becomes of it.
    started_at : float
    stop_requested : bool
        Set when the job was asked to stop; `progress` and `checkpoint` look at it.
    told : bool
        Whether the engine knows how it ended. With it come `outcome` and, where that has one, `error`.
    slot : object
        The executor's own.
    """

    __slots__ = (
        "claim",
        "error",
        "outcome",
        "payload",
        "sink",
        "slot",
        "started_at",
        "stop_requested",
        "task",
        "told",
    )

    outcome: Outcome
    error: BaseException | None

    def __init__(self, claim: Claim, task: Task[..., Any], payload: Payload, sink: Sink, started_at: float) -> None:
        self.claim = claim
        self.task = task
        self.payload = payload
        self.sink = sink
        self.started_at = started_at
        self.stop_requested = False
        self.told = False
        self.slot: Any = None

    @property
    def id(self) -> str:
        """The task's id."""
        return self.claim.spec.id

    @property
    def kind(self) -> str:
        """The task's name."""
        return self.claim.spec.kind

    @property
    def attempt(self) -> int:
        """The number of the attempt; 1 for the first."""
        return self.claim.attempt

    @property
    def timeout(self) -> float | None:
        """Seconds for this attempt."""
        return self.claim.spec.timeout

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return args and kwargs, decoded."""
        payload = self.payload
        if isinstance(payload, Encoded):
            return self.task.codec.decode_call(payload, self.task.name)
        return payload

    def report(self, fraction: float | None, note: str) -> None:
        """Report the task's progress."""
        self.sink.progress(self, fraction, note)

    def __repr__(self) -> str:
        return f"Job({self.kind}, {self.id}, attempt={self.attempt})"
