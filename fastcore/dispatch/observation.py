"""The observation of a compared call: how each arm ended, whether they agree, and which of them answers."""

from __future__ import annotations

import math
import random
import sys
import threading
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from fastcore._text import said
from fastcore.dispatch.controller import Controller
from fastcore.dispatch.difference import Incomparable, difference, magnitude
from fastcore.dispatch.experiment import Pair
from fastcore.dispatch.formatting import cut

if TYPE_CHECKING:
    from fastcore.dispatch.switch import Switch

__all__ = [
    "Outcome",
    "adopt",
    "after_failure",
    "answer_of",
    "compared",
    "count",
    "draws",
    "mark",
    "settle",
    "within",
]

LONGEST = 200  # characters of what is said of an error or a difference

draws = random.Random()  # apart from the shared one, so that a caller's seed keeps its sequence

# The Switches that are running both arms, or the control after an error, around this call. An arm that comes back to
# its Switch is not compared once more: a recursion would take twice as long with every level.
within: ContextVar[frozenset[tuple[int, int]]] = ContextVar("fastcore_within", default=frozenset())


def mark(switch: Switch[..., Any]) -> tuple[int, int]:
    """The Switch in this task or thread: what an arm starts inherits the context, but is no part of the call."""
    task = None
    if "asyncio" in sys.modules:
        try:
            task = sys.modules["asyncio"].current_task()
        except RuntimeError:
            pass
    return id(switch), threading.get_ident() if task is None else id(task)


_UNSET = object()


class Outcome(NamedTuple):
    """The outcome of one arm: its value or error, and the seconds it took."""

    value: Any
    error: BaseException | None
    seconds: float


def own_fault(error: BaseException) -> bool:
    """Whether a plain function raised it by itself: nothing cancels or closes one from outside."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(own_fault, error.exceptions))
    if isinstance(error, (Exception, SystemExit, GeneratorExit)):
        return True
    exceptions = sys.modules.get("asyncio.exceptions")
    return exceptions is not None and isinstance(error, exceptions.CancelledError)


def count(switch: Switch[..., Any], error: BaseException) -> None:
    """Note a failure of the candidate that the arms, which count every Exception, take for a success."""
    if not isinstance(error, Exception):
        switch._stats.uncounted += 1


def after_failure(
    switch: Switch[..., Any], watch: Controller, error: BaseException, theirs: Outcome, args: Any, kwargs: Any
) -> Any:
    try:
        if theirs.error is None:
            watch.failed(switch, _said(error) + switch._called_with(args, kwargs))
            return theirs.value
        if type(theirs.error) is not type(error):
            note = _unlike(theirs.error, error) + switch._called_with(args, kwargs)
            watch.saw(switch, Pair("differs", math.nan, math.nan, note))
        raise theirs.error
    finally:
        del error, theirs


def settle(
    switch: Switch[..., Any],
    watch: Controller,
    control: Outcome,
    candidate: Outcome,
    wants_candidate: bool,
    openings: int,
    args: Any,
    kwargs: Any,
) -> bool:
    """Compare both outcomes, report to the controller, and return whether the candidate answers: only if it agrees."""
    try:
        pair = compared(switch, control, candidate, args, kwargs)
        watch.saw(switch, pair, openings)
        return wants_candidate and pair.answer == "same" and control.error is None
    finally:
        del control, candidate


def answer_of(outcome: Outcome) -> Any:
    """Return the value of an arm, or raise its error."""
    try:
        if outcome.error is not None:
            raise outcome.error
        return outcome.value
    finally:
        del outcome


def adopt(context: Context, before: Context) -> None:
    """Give the current context the values that an arm has set in its own copy since `before`."""
    for variable, value in context.items():
        if variable is not within and before.get(variable, _UNSET) is not value:
            variable.set(value)


def compared(switch: Switch[..., Any], control: Outcome, candidate: Outcome, args: Any, kwargs: Any) -> Pair:
    """Compare both outcomes; a call that differs or failed is described by its arguments."""
    pair = _compared(switch, control, candidate, args, kwargs)
    if pair.answer in ("differs", "failed"):
        return pair._replace(note=pair.note + switch._called_with(args, kwargs))
    return pair


def _compared(switch: Switch[..., Any], control: Outcome, candidate: Outcome, args: Any, kwargs: Any) -> Pair:
    times = control.seconds, candidate.seconds
    if control.error is not None:
        if type(control.error) is type(candidate.error):
            return Pair("same", *times, "")
        return Pair("differs", *times, _unlike(control.error, candidate.error))
    if candidate.error is not None:
        return Pair("failed", *times, _said(candidate.error))
    try:
        if switch._compare is not None:
            agreed = switch._compare(control.value, candidate.value)
            return Pair("same" if agreed else "differs", *times, "" if agreed else "compare() said no")
        atol = switch._atol
        if atol is None:  # exact to what the arguments' size leaves of a float
            atol = 1e-11 * magnitude(args, kwargs)
        note = cut(difference(control.value, candidate.value, switch._rtol, atol), LONGEST)
        return Pair("differs" if note else "same", *times, note)
    except Incomparable as error:
        return Pair("unknown", *times, cut(str(error), LONGEST))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Pair("unknown", *times, f"the comparison raised {_said(error)}")


def _said(error: BaseException) -> str:
    return cut(said(error), LONGEST)


def _unlike(control: BaseException, candidate: BaseException | None) -> str:
    ours = "an answer" if candidate is None else _said(candidate)
    return f"{ours} instead of {_said(control)}"
