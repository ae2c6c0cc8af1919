"""The Switch: a thousand calls through it in a fixed mode and while it ramps, and the same calls without it."""

from __future__ import annotations

from fastcore import Switch, flags

CALLS = range(1_000)


def control(x: int) -> int:
    return x


def candidate(x: int) -> int:
    return x


FIXED = Switch("asv_fixed", control=control, candidate=candidate)
RAMP = Switch("asv_ramp", control=control, candidate=candidate)
flags.set("asv_ramp", "ramp:50")


def time_direct() -> None:
    for x in CALLS:
        control(x)


def time_fixed() -> None:
    for x in CALLS:
        FIXED(x)


def time_ramp_without_key() -> None:
    for x in CALLS:
        RAMP(x)


def time_ramp_with_key() -> None:
    call_for = RAMP.call_for
    for x in CALLS:
        call_for("AAPL", x)


def time_flip() -> None:
    for _ in range(50):
        flags.set("asv_fixed", "candidate")
        flags.set("asv_fixed", "control")
