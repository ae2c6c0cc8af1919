"""One awaited call with a controller, as `shadow`, with a bounded wait for its caller."""

from __future__ import annotations

import asyncio
import functools
import math
from contextvars import Context, copy_context
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from fastcore.dispatch.controller import Controller
from fastcore.dispatch.observation import (
    Outcome,
    adopt,
    after_failure,
    answer_of,
    compared,
    count,
    draws,
    mark,
    settle,
    within,
)

if TYPE_CHECKING:
    from fastcore.dispatch.switch import Switch

__all__ = ["alone", "pair"]

IN_FLIGHT = 64  # candidates of async pairs still running; above it no pair is begun
LONGEST = 60.0  # seconds after which such a candidate is abandoned


async def alone(switch: Switch[..., Any], watch: Controller, args: Any, kwargs: Any) -> Any:
    """The candidate, and the control after it has raised."""
    outcome = await _awaited(switch, 1, args, kwargs)
    if outcome.error is None:
        return outcome.value
    failed = outcome.error
    before = within.get()
    within.set(before | {mark(switch)})
    try:
        theirs = await _awaited(switch, 0, args, kwargs)
        try:
            return after_failure(switch, watch, failed, theirs, args, kwargs)
        finally:
            del theirs  # an error in it knows this frame: a cycle that only the collector would end
    finally:
        within.set(before)  # no token: a coroutine may be closed in another context
        del failed, outcome


async def _awaited(switch: Switch[..., Any], index: int, args: Any, kwargs: Any) -> Outcome:
    """Run an arm. A cancellation or exit not asked of this task is the candidate's own failure."""
    asked, start = _cancellations(), perf_counter()
    try:
        value = await switch._call_arm(index, *args, **kwargs)
    except Exception as error:
        return Outcome(None, error, math.nan)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if index == 0 or asked is None or _cancellations() != asked:
            raise
        count(switch, error)
        return Outcome(None, error, math.nan)
    return Outcome(value, None, perf_counter() - start)


def _cancellations() -> tuple[object, int] | None:
    """The running task and how many cancellations of it were asked for; None outside asyncio.

    Both stay as they are while an arm fails by itself: a coroutine is closed from elsewhere.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    return None if task is None else (task, task.cancelling())


async def pair(switch: Switch[..., Any], watch: Controller, wants_candidate: bool, args: Any, kwargs: Any) -> Any:
    """Run both arms; return the requested result if they agree."""
    before = within.get()
    within.set(before | {mark(switch)})
    try:
        return await _pair(switch, watch, wants_candidate, args, kwargs)
    finally:
        within.set(before)  # no token: a coroutine may be closed in another context


async def _pair(switch: Switch[..., Any], watch: Controller, wants_candidate: bool, args: Any, kwargs: Any) -> Any:
    """Run both arms, one after the other; the caller waits a bounded time for the one whose result is not returned.

    A candidate that takes longer continues in the background, and its result is compared when it ends.
    """
    if not wants_candidate and not watch.may_pair():
        return await switch._call_arm(0, *args, **kwargs)
    if len(watch.in_flight) >= IN_FLIGHT:
        watch.dropped(switch)
        return await switch._call_arm(0, *args, **kwargs)
    candidate_first, openings = bool(draws.getrandbits(1)), watch.breaker.openings
    before, aside = copy_context(), copy_context()
    if _loop() is None:  # another framework's loop, which has no tasks to leave behind
        outcomes = {i: await _awaited(switch, i, args, kwargs) for i in ((1, 0) if candidate_first else (0, 1))}
        try:
            answers = settle(switch, watch, outcomes[0], outcomes[1], wants_candidate, openings, args, kwargs)
            return answer_of(outcomes[answers])
        finally:
            outcomes.clear()
    control: _Control | None = None
    if not candidate_first:
        control = await _control(switch, wants_candidate, args, kwargs)
    task = asyncio.get_running_loop().create_task(_candidate(switch, args, kwargs), context=aside)
    watch.in_flight.add(task)
    task.add_done_callback(watch.in_flight.discard)
    try:
        if candidate_first or wants_candidate:
            await asyncio.wait((task,), timeout=watch.limits.budget)
        if control is None:
            control = await _control(switch, wants_candidate, args, kwargs)
    except BaseException:
        task.cancel()
        raise
    try:
        if not task.done() or task.cancelled():
            later = functools.partial(_settle_later, switch, watch, control.outcome, openings, args, kwargs)
            task.add_done_callback(later)
        elif settle(switch, watch, control.outcome, task.result(), wants_candidate, openings, args, kwargs):
            adopt(aside, before)
            return answer_of(task.result())
        if control.context is not None:
            adopt(control.context, before)
        return answer_of(control.outcome)
    finally:
        del control, task


class _Control(NamedTuple):
    """The outcome of the control, and the context it ran in if that is not the caller's."""

    outcome: Outcome
    context: Context | None


async def _control(switch: Switch[..., Any], wants_candidate: bool, args: Any, kwargs: Any) -> _Control:
    """Run the control: in the caller's task and context if it is to answer, else in a task with a copy."""
    if not wants_candidate:
        return _Control(await _awaited(switch, 0, args, kwargs), None)
    context = copy_context()
    running = asyncio.get_running_loop().create_task(_awaited(switch, 0, args, kwargs), context=context)
    return _Control(await running, context)


async def _candidate(switch: Switch[..., Any], args: Any, kwargs: Any) -> Outcome:
    within.set(within.get() | {mark(switch)})  # in the task's own copy
    try:
        async with asyncio.timeout(LONGEST):
            return await _awaited(switch, 1, args, kwargs)
    except TimeoutError as error:
        return Outcome(None, error, math.nan)


def _settle_later(
    switch: Switch[..., Any],
    watch: Controller,
    control: Outcome,
    openings: int,
    args: Any,
    kwargs: Any,
    task: asyncio.Task[Outcome],
) -> None:
    if not task.cancelled():
        watch.saw(switch, compared(switch, control, task.result(), args, kwargs), openings)


def _loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
