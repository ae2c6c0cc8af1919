"""Outbox: the ends of jobs, from the reports of executors until the store records them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from fastcore.tasks.codec import Unserializable
from fastcore.tasks.engine.job import Job
from fastcore.tasks.engine.retry_decision import failure_of, judge
from fastcore.tasks.records import Encoded, Outcome, State

__all__ = ["Outbox"]

_QUEUED, _SUCCEEDED = State.QUEUED, State.SUCCEEDED
_NEVER_RUN = frozenset({GeneratorType, AsyncGeneratorType, CoroutineType})
"""Results that have run no code, as a function returns them by mistake, behind a decorator for example."""


class Outbox:
    """A `Sink` that turns the end of each job into an outcome, and keeps it until the engine hands it to the store.

    Parameters
    ----------
    encodes : bool
        Whether the store keeps results as bytes.
    aging : float
        By how much a second of waiting lowers a rank.
    clock : callable
        Seconds since the epoch.
    """

    def __init__(self, encodes: bool, aging: float, clock: Callable[[], float] = time.time) -> None:
        self._encodes = encodes
        self._aging = aging
        self._clock = clock
        self._outbox: deque[Job] = deque()
        self._woken = False

    def wake(self) -> None:
        """Have the outcomes recorded soon; from any thread."""
        raise NotImplementedError

    # ---- from executors, in any thread ----

    def done(self, job: Job, result: Any) -> None:
        if job.told:
            self.wake()
            return
        if type(result) in _NEVER_RUN:
            self.failed(job, Unserializable(f"{job.kind}: expected a value, got {result!r}, which nothing has run"))
            return
        if (type(result) is Encoded) is not self._encodes:
            try:
                codec = job.task.codec
                result = codec.encode(result) if self._encodes else codec.decode(result)
            except Exception as error:
                self.failed(job, error)
                return
        job.told = True
        claim = job.claim
        job.outcome = Outcome(claim.spec.id, claim.token, _SUCCEEDED, result, None, job.started_at, self._clock())
        self._outbox.append(job)
        if not self._woken:
            self.wake()

    def failed(self, job: Job, error: BaseException, *, lost: bool = False) -> None:
        verdict = judge(job, error, lost)
        if verdict.state is _QUEUED:
            self._box(job, _QUEUED, error, self._clock() + verdict.delay)
        else:
            self._box(job, verdict.state, error)

    def cancelled(self, job: Job) -> None:
        self._box(job, State.CANCELLED)

    def returned(self, job: Job) -> None:
        self._box(job, _QUEUED)

    def _box(self, job: Job, state: State, error: BaseException | None = None, run_at: float | None = None) -> None:
        """Have an end recorded: QUEUED without `run_at` gives the attempt back."""
        if job.told:
            self.wake()
            return
        job.told = True
        claim = job.claim
        spec = claim.spec
        failure = None if error is None else failure_of(error)
        now = self._clock()
        outcome = Outcome(spec.id, claim.token, state, None, failure, job.started_at, now)
        if state is _QUEUED:
            outcome.counted = run_at is not None
            outcome.run_at = now if run_at is None else run_at
            outcome.rank = spec.rank if run_at is None else spec.priority + self._aging * run_at
        job.outcome = outcome
        job.error = error
        self._outbox.append(job)
        self.wake()

    # ---- from the engine ----

    def _take_ended(self) -> list[Job]:
        outbox = self._outbox
        return [outbox.popleft() for _ in range(len(outbox))]

    def _put_back(self, ended: list[Job]) -> None:
        self._outbox.extendleft(reversed(ended))
