"""Both twins of the Switch, driven side by side: the same results, errors, counts and state."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastcore
from fastcore import Switch, _ext, flags
from fastcore.dispatch.switch import type_on
from python_fallback import switch as pure

_numbers = itertools.count()


def control(a: int, b: int = 2, /, *rest: int, k: int = 3, **more: int) -> tuple[Any, ...]:
    if a == 13:
        raise ArithmeticError("thirteen")
    return "control", a, b, rest, k, more


def candidate(a: int, b: int = 2, /, *rest: int, k: int = 3, **more: int) -> tuple[Any, ...]:
    if a in (13, 14):
        raise LookupError(f"not {a}")
    if a == 15:
        raise KeyboardInterrupt
    return "candidate", a, b, rest, k, more


def by_position(a: int, b: int = 5) -> tuple[Any, ...]:
    return "control", a, b


def by_other_names(x: int, y: int = 6) -> tuple[Any, ...]:
    return "candidate", x, y


small = st.integers(0, 20)
calls = st.tuples(
    st.lists(small, max_size=4),
    st.dictionaries(st.sampled_from(["a", "b", "k", "x", "y", "z"]), small, max_size=2),
)
keys = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), st.integers(), st.binary(max_size=6))
modes = ["control", "candidate", "ramp:0", "ramp:30", "ramp:100", "no"]
bad_keys = st.sampled_from([[1], (object,)])
odd_keys = st.one_of(
    st.floats(), st.decimals(allow_nan=False), st.uuids(), st.dates(), st.tuples(st.integers(), st.text(max_size=2))
)
steps = st.one_of(
    st.tuples(st.just("call"), st.none(), calls),
    st.tuples(st.sampled_from(["call_for", "assigned"]), keys, calls),
    st.tuples(st.sampled_from(["call_for", "assigned"]), odd_keys, calls),
    st.tuples(st.sampled_from(["call_for", "assigned"]), bad_keys, st.just(([1], {}))),  # one thing wrong at a time
    st.tuples(st.just("set"), st.sampled_from(modes), st.none()),
    st.tuples(st.sampled_from(["rollback", "resume", "clear"]), st.none(), st.none()),
)  # fmt: skip


def make(module: Any, arms: tuple[Any, ...]) -> Switch[..., Any]:
    kind: Any = type_on(module)
    switch: Any = kind.__new__(kind)
    switch.__init__(f"differential.{next(_numbers)}", *arms, every=1, salt="differential")
    return switch  # type: ignore[no-any-return]


def do(switch: Any, step: tuple[str, Any, Any]) -> Any:
    name, first, rest = step
    try:
        if name == "call":
            # Without a key a ramp draws, and the twins draw apart.
            with fastcore.assigned("fixed"):
                return switch(*rest[0], **rest[1])
        if name == "call_for":
            return switch.call_for(first, *rest[0], **rest[1])
        if name == "assigned":
            with fastcore.assigned(first):
                return switch(*rest[0], **rest[1])
        if name == "set":
            return flags.set(switch.flag, first)[1:3]
        if name == "rollback":
            return switch.rollback("why")[1:3]
        return getattr(flags, name)(switch.flag)[1:3]
    except (Exception, KeyboardInterrupt) as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("arms", [(control, candidate), (by_position, by_other_names), (control,)])
@given(taken=st.lists(steps, max_size=30))
def test_the_twins_agree(arms: tuple[Any, ...], taken: list[tuple[str, Any, Any]]) -> None:
    if _ext.probe("switch").module is None:
        pytest.skip("there is one twin only")
    switches = [make(_ext.load("switch"), arms), make(pure, arms)]
    unfit = 0
    for step in taken:
        ours, theirs = (do(switch, step) for switch in switches)
        if isinstance(ours, str):
            ours = ours.replace(switches[0].name, switches[1].name)
            if ours.startswith("TypeError") and "argument" in ours:
                # Arguments that do not fit reach the candidate on the compiled twin, but a plain call of the pure one
                # has a separate signature, which goes by the control's name.
                unfit += 1
                ours, theirs = (text.replace("candidate()", "control()") for text in (ours, theirs))
        assert ours == theirs
    for switch in switches:
        flags.resume(switch.flag)
    reports = [switch.report() for switch in switches]
    for arm in ("control", "candidate"):
        ours, theirs = (getattr(report, arm) for report in reports)
        assert ours.timed == theirs.timed
        assert ours.calls - ours.errors == theirs.calls - theirs.errors
        assert 0 <= ours.errors - theirs.errors <= unfit
