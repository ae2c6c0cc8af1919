"""The Switch: a thousand calls through it in a fixed mode and while it ramps, and the same calls without it."""

from __future__ import annotations

import functools
from typing import Any

from benchmarks.features import cpu_timer, feature, needs

timer = cpu_timer

Switch = feature("fastcore:Switch")
flags = feature("fastcore:flags")
CALLS = range(1_000)


def control(x: int) -> int:
    return x


def candidate(x: int) -> int:
    return x


@functools.cache
def fixed() -> Any:
    return Switch("asv_fixed", control=control, candidate=candidate)


@functools.cache
def ramp() -> Any:
    made = Switch("asv_ramp", control=control, candidate=candidate)
    flags.set("asv_ramp", "ramp:50")
    return made


def time_direct() -> None:
    for x in CALLS:
        control(x)


@needs(Switch)
def time_fixed() -> None:
    call = fixed()
    for x in CALLS:
        call(x)


@needs(Switch, flags)
def time_ramp_without_key() -> None:
    call = ramp()
    for x in CALLS:
        call(x)


@needs(Switch, flags)
def time_ramp_with_key() -> None:
    call_for = ramp().call_for
    for x in CALLS:
        call_for("AAPL", x)


@needs(Switch, flags)
def time_flip() -> None:
    fixed()
    for _ in range(50):
        flags.set("asv_fixed", "candidate")
        flags.set("asv_fixed", "control")
