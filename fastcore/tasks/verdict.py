"""What is to become of an attempt that failed."""

from __future__ import annotations

import logging
import traceback
from typing import NamedTuple

from fastcore.concurrency.slot import UnpicklableResult
from fastcore.tasks.codec import TooLarge, Unserializable
from fastcore.tasks.errors import TaskCancelled
from fastcore.tasks.job import Job
from fastcore.tasks.records import Failure, State

__all__ = ["Verdict", "failure_of", "judge"]

_MOST_TEXT = 2_000
_MOST_TRACE = 8_000  # characters of a traceback: its end says most

_NOT_STORED = (Unserializable, TooLarge, UnpicklableResult)  # the work is done, and would end like that again

_log = logging.getLogger("fastcore.tasks")


class Verdict(NamedTuple):
    """A state, and for QUEUED the seconds until it runs again."""

    state: State
    delay: float = 0.0


def judge(job: Job, error: BaseException, lost: bool) -> Verdict:
    """Say whether to run again: a worker's death until the attempts are used up, an error as its policy says."""
    spec = job.claim.spec
    attempt = job.claim.attempt
    if isinstance(error, TaskCancelled) and job.stop_requested:
        return Verdict(State.CANCELLED)
    if lost:
        return Verdict(State.DEAD if attempt >= spec.attempts else State.QUEUED)
    if not isinstance(error, Exception) or isinstance(error, _NOT_STORED) or spec.attempts == 1:
        return Verdict(State.FAILED)
    try:
        delay = job.task.configured.policy.next_delay(attempt, error)
    except Exception:  # the policy calls what the user gave it
        _log.exception("the retry policy of %s raised", job.kind)
        return Verdict(State.FAILED)
    if delay is None:
        return Verdict(State.FAILED)
    return Verdict(State.DEAD) if attempt >= spec.attempts else Verdict(State.QUEUED, delay)


def failure_of(error: BaseException) -> Failure:
    """Return what is kept of an error."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be made)"
    try:
        trace = "".join(traceback.format_exception(error))
    except Exception:  # a __str__ or a note that raises
        trace = ""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return Failure(name, text[:_MOST_TEXT], trace[-_MOST_TRACE:])
