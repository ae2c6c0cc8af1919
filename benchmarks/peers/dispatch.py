"""What a Switch adds to a call, compared with hand-written and third-party wrappers.

Every contender calls the same function with the same two arguments, many times in one generated loop; what a direct
call in the same loop takes is subtracted, so that a row shows the wrapper alone. All of them keep a count of their
calls; the direct call keeps none.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import wrapt

import fastcore
from fastcore import Guard, _ext, flags
from fastcore.dispatch.switch import Switch, type_on

CALLS = 1000  # a contender's call is this many calls of the function
KEY = "AAPL"

kept: list[Switch[..., float]] = []  # flags hold their Switches weakly


def python_function(x: float, y: float) -> float:
    return x


def repeat(function: Callable[..., object], arguments: str = "1.0, 2.0", **names: object) -> Callable[[], object]:
    """A contender that calls `function` CALLS times, ten calls written out a turn so that the loop weighs little."""
    source = "def many():\n for _ in _turns:\n  " + "; ".join([f"_call({arguments})"] * 10)
    scope: dict[str, Any] = {"_call": function, "_turns": range(CALLS // 10), **names}
    # As defaults the names are locals, and the subject is the call, not the look-up of a global.
    head = ", ".join(f"{name}={name}" for name in scope)
    exec(source.replace("many()", f"many({head})"), scope)
    made: Callable[[], object] = scope["many"]
    return made


def plain_wrapper(function: Callable[[float, float], float]) -> Callable[[float, float], float]:
    """What one writes by hand: the function's own signature, a flag looked at, a count kept."""
    calls = 0
    candidate_on = True

    @functools.wraps(function)
    def wrapper(x: float, y: float) -> float:
        nonlocal calls
        calls += 1
        if candidate_on:
            return function(x, y)
        return 0.0

    return wrapper


def generic_wrapper(function: Callable[..., float]) -> Callable[..., float]:
    """The same for any signature."""
    calls = 0

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> float:
        nonlocal calls
        calls += 1
        return function(*args, **kwargs)

    return wrapper


def wrapt_wrapper(function: Callable[..., float]) -> Callable[..., float]:
    calls = 0

    @wrapt.decorator
    def counted(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return wrapped(*args, **kwargs)

    made: Callable[..., float] = counted(function)
    return made


def switch_on(
    backend: str, label: str, function: Callable[..., float], mode: str, guard: Guard | None = None
) -> Switch[..., float]:
    """A Switch of one twin, whichever the process would pick."""
    module = _ext.load("switch") if backend == "compiled" else __import__("python_fallback.switch").switch
    kind = type_on(module)
    name = f"bench.{backend}.{label if guard else label[0]}.{mode.replace(':', '')}"
    made: Switch[..., float] = kind.__new__(kind)
    made.__init__(name, function, function, guard=guard)  # type: ignore[misc]
    flags.set(name, mode)
    return made


def measure(report: harness.Report, label: str, function: Callable[..., float], goal: float) -> None:
    contenders = {
        "direct": repeat(function),
        "plain wrapper": repeat(plain_wrapper(function)),
        "plain *args wrapper": repeat(generic_wrapper(function)),
        "wrapt": repeat(wrapt_wrapper(function)),
    }
    for backend in ("compiled", "python"):
        ramp = switch_on(backend, label, function, "ramp:50")
        contenders |= {
            f"{backend} Switch": repeat(switch_on(backend, label, function, "candidate")),
            f"{backend} ramp, call_for(key)": repeat(ramp.call_for, "_key, 1.0, 2.0", _key=KEY),
            f"{backend} ramp, drawn": repeat(ramp),
            f"{backend} ramp, context key": within(fastcore.assigned, repeat(ramp)),
        }
    # Many short rounds: half a millisecond is seldom interrupted, and then its round is not the median.
    timings = harness.interleave(contenders, rounds=201, target=0.0005, per_call=CALLS)
    direct = timings.pop("direct")
    report.add(f"{label}: direct call", {"direct": direct})
    for name, timing in timings.items():
        added = beyond(timing, direct)
        ratios = {}
        if name.startswith("compiled"):
            limit = goal if name == "compiled Switch" else 60
            ratios["ns added"] = harness.Ratio(added.median * 1e9, limit, at_least=False)
        report.add(f"{label}: {name} adds", {"": added}, ratios)


def beyond(timing: harness.Timing, direct: harness.Timing) -> harness.Timing:
    return replace(
        timing,
        median=timing.median - direct.median,
        low=timing.low - direct.median,
        high=timing.high - direct.median,
    )


def measure_trials(report: harness.Report) -> None:
    """What watching a candidate costs on average, the other arm's own time and comparing the answers included."""
    patient = Guard(min_samples=10**9, slowdown=1e6, run_length=10**9)  # decides nothing meanwhile
    idle = Guard(min_samples=10**9, slowdown=1e6, run_length=10**9, sample=0, verify=0, live=0)
    contenders = {"direct": repeat(python_function)}
    for mode, guard, what in (
        ("candidate", idle, "watched, no call compared"),
        ("candidate", patient, "after promotion, 1 % compared"),
        ("shadow:0", patient, "shadow:0"),
        ("shadow:1", patient, "shadow:1"),
        ("shadow:10", patient, "shadow:10"),
        ("shadow:100", patient, "shadow:100, every call compared"),
        ("canary", patient, "canary in its shadow step, 10 % compared"),
        *((f"canary:{step}", idle, f"canary:{step}, no call compared") for step in (1, 25, 100)),
        *((f"canary:{step}", patient, f"canary:{step}, 10 % compared") for step in (1, 5, 25, 50, 100)),
    ):
        switch = switch_on("compiled", what.replace(" ", "").replace(",", "."), python_function, mode, guard)
        assert switch.mode == mode
        contenders[what] = repeat(switch)
        kept.append(switch)
    timings = harness.interleave(contenders, rounds=41, target=0.002, per_call=CALLS)
    direct = timings.pop("direct")
    for name, timing in timings.items():
        report.add(f"on trial: {name} adds", {"": beyond(timing, direct)})


def within(assigned: Callable[[str], Any], many: Callable[[], object]) -> Callable[[], object]:
    """`many` with the key in the context; entering it is one of CALLS parts of the work."""

    def run() -> None:
        with assigned(KEY):
            many()

    return run


def main() -> None:
    report = harness.Report(
        "dispatch", "A Switch in front of a function: nanoseconds added to a call", harness.versions("wrapt")
    )
    report.notes.append("Times are what a wrapper adds to the direct call in the same run; one call in 64 is timed.")
    measure(report, "C function", math.copysign, 25)
    measure(report, "Python function", python_function, 40)
    measure_trials(report)
    report.write()


if __name__ == "__main__":
    main()
