"""The decision about a failed attempt."""

from __future__ import annotations

import logging
import traceback
from typing import NamedTuple

from fastcore._text import storable
from fastcore.concurrency.child_process import UnpicklableResult
from fastcore.tasks.codec import TooLarge, Unserializable
from fastcore.tasks.engine.job import Job
from fastcore.tasks.errors import TaskCancelled
from fastcore.tasks.records import Failure, State

__all__ = ["RetryDecision", "failure_of", "judge"]

_MOST_TEXT = 2_000
_MOST_TRACE = 8_000  # characters of a traceback: its end says most

_NOT_STORED = (Unserializable, TooLarge, UnpicklableResult)  # the work is done, and would end like that again

_log = logging.getLogger("fastcore.tasks")


class RetryDecision(NamedTuple):
    """A state, and for QUEUED the seconds until it runs again."""

    state: State
    delay: float = 0.0


def judge(job: Job, error: BaseException, lost: bool) -> RetryDecision:
    """Say whether to run again: a worker's death until the attempts are used up, an error as its policy says."""
    spec = job.claim.spec
    attempt = job.claim.attempt
    kind = type(error)  # not `isinstance`, which asks the error for its class
    if job.stop_requested and issubclass(kind, TaskCancelled):
        return RetryDecision(State.CANCELLED)
    if lost:
        return RetryDecision(State.DEAD if attempt >= spec.attempts else State.QUEUED)
    if not issubclass(kind, Exception) or issubclass(kind, _NOT_STORED) or spec.attempts == 1:
        return RetryDecision(State.FAILED)
    try:
        delay = job.task.configured.policy.next_delay(attempt, error)  # type: ignore[arg-type]
    except BaseException:  # the policy calls what the user gave it, and looks at the error
        _log.exception("the retry policy of %s raised", job.kind)
        return RetryDecision(State.FAILED)
    if delay is None:
        return RetryDecision(State.FAILED)
    return RetryDecision(State.DEAD) if attempt >= spec.attempts else RetryDecision(State.QUEUED, delay)


def failure_of(error: BaseException) -> Failure:
    """Return the stored form of an error, even if its own methods raise."""
    try:
        text = "".join((str(error),))  # a plain str, whatever kind of str it gave
    except BaseException:
        text = "(its text cannot be made)"
    try:
        trace = "".join(traceback.format_exception(error))
    except BaseException:  # a __str__ or a note that raises
        trace = ""
    return Failure(_name_of(type(error)), storable(text[:_MOST_TEXT]), storable(trace[-_MOST_TRACE:]))


_QUALNAME, _MODULE = type.__dict__["__qualname__"], type.__dict__["__module__"]


def _name_of(kind: type) -> str:
    """Return a class's qualified name as `type` knows it: a metaclass may say something else, or raise."""
    name = storable(_QUALNAME.__get__(kind))
    try:
        module = _MODULE.__get__(kind)
    except AttributeError:
        module = None
    return name if module == "builtins" or type(module) is not str else f"{storable(module)}.{name}"
