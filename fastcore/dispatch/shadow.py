"""One call with a controller: both arms run and compared, or the control after the candidate has failed."""

from __future__ import annotations

import math
from contextvars import copy_context
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fastcore.dispatch.controller import Controller
from fastcore.dispatch.observation import (
    Outcome,
    adopt,
    after_failure,
    answer_of,
    count,
    draws,
    mark,
    own_fault,
    settle,
    within,
)

if TYPE_CHECKING:
    from fastcore.dispatch.switch import Switch

__all__ = ["watched"]

PAIR_CONTROL, PAIR_CANDIDATE, ALONE, RESCUE = range(4)  # what both twins of the Switch ask for


def watched(switch: Switch[..., Any], watch: Controller, how: int, error: Any, args: Any, kwargs: Any) -> Any:
    """Answer a call that a Switch under watch hands over."""
    if how == RESCUE and (mark(switch) in within.get() or not own_fault(error)):
        try:
            raise error
        finally:
            del error
    if mark(switch) in within.get():
        return switch._call_arm(how != PAIR_CONTROL, *args, **kwargs)
    if switch._is_async:
        from fastcore.dispatch import shadow_async

        if how == ALONE:
            return shadow_async.alone(switch, watch, args, kwargs)
        return shadow_async.pair(switch, watch, how == PAIR_CANDIDATE, args, kwargs)
    if how == PAIR_CONTROL and not watch.may_pair():
        return switch._call_arm(0, *args, **kwargs)
    deliver = switch._deliver
    if deliver is not None and how != RESCUE and (out := kwargs.get("out")) is not None:
        # Each arm makes arrays of its own, or there would be nothing to compare.
        return deliver(out, watched(switch, watch, how, error, args, {**kwargs, "out": None}))
    token = within.set(within.get() | {mark(switch)})
    try:
        if how == RESCUE:
            count(switch, error)
            return _rescue(switch, watch, error, args, kwargs)
        return _pair(switch, watch, how == PAIR_CANDIDATE, args, kwargs)
    finally:
        within.reset(token)
        del error


def _pair(switch: Switch[..., Any], watch: Controller, wants_candidate: bool, args: Any, kwargs: Any) -> Any:
    # The arm that is to answer runs in the caller's context, the other one in a copy: what an arm puts into context
    # variables is the same whether a call is compared or not.
    order, openings = (0, 1) if draws.getrandbits(1) else (1, 0), watch.breaker.openings
    before, aside = copy_context(), copy_context()
    outcomes = {
        index: _run(switch, index, args, kwargs)
        if index == wants_candidate
        else aside.run(_run, switch, index, args, kwargs)
        for index in order
    }
    try:
        answers = settle(switch, watch, outcomes[0], outcomes[1], wants_candidate, openings, args, kwargs)
        if answers != wants_candidate:
            adopt(aside, before)
        return answer_of(outcomes[answers])
    finally:
        outcomes.clear()  # an error in it knows this frame: a cycle that only the collector would end


def _run(switch: Switch[..., Any], index: int, args: Any, kwargs: Any) -> Outcome:
    start = perf_counter()
    try:
        value = switch._call_arm(index, *args, **kwargs)
    except Exception as error:
        return Outcome(None, error, math.nan)
    except BaseException as error:
        if index == 0 or not own_fault(error):
            raise
        count(switch, error)
        return Outcome(None, error, math.nan)
    return Outcome(value, None, perf_counter() - start)


def _rescue(switch: Switch[..., Any], watch: Controller, error: BaseException, args: Any, kwargs: Any) -> Any:
    """The candidate has raised: the control answers. If it raises alike, the call was at fault."""
    theirs = _run(switch, 0, args, kwargs)
    try:
        return after_failure(switch, watch, error, theirs, args, kwargs)
    finally:
        del error, theirs
