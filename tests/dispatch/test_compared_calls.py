"""Compared calls, as seen by the caller and by the guard; every test of a Switch runs on both twins."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fastcore
from fastcore import Guard, Switch, flags
from fastcore.dispatch import controller
from fastcore.dispatch.assignment import belongs, bucket
from fastcore.dispatch.experiment import Pair, Trial
from fastcore.dispatch.sequential_test import Detector, binomial_tail, excluded
from python_fallback import switch as pure

pytestmark = pytest.mark.usefixtures("quiet_guard")

Make = Callable[..., Switch[..., Any]]

EAGER = Guard(min_samples=20, min_seconds=0.0, sample=100, verify=100, slowdown=1e6)
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def writes(text: str, answer: int = 1) -> Callable[[], int]:
    def arm() -> int:
        variable.set(text)
        return answer

    return arm


def writes_later(text: str, answer: int = 1) -> Callable[[], Any]:
    async def arm() -> int:
        await asyncio.sleep(0)
        variable.set(text)
        return answer

    return arm


CONTEXTS = [
    ("shadow:100", None, 1, "control"),
    ("candidate", Guard(live=50, slowdown=1e6), 1, "candidate"),
    ("candidate", Guard(live=100, slowdown=1e6, mismatch_rate=0.5, alpha=1e-12), 2, "control"),
]


@pytest.mark.parametrize(("mode", "guard", "answer", "seen"), CONTEXTS)
def test_context_variables_are_those_of_the_arm_that_answers(
    make: Make, mode: str, guard: Guard | None, answer: int, seen: str
) -> None:
    switch = make(writes("control"), writes("candidate", answer), guard=guard)
    flags.set(switch.flag, mode)
    found = set()
    for _ in range(20):
        variable.set("unset")
        switch()
        found.add(variable.get())
    assert found == {seen}


async def in_a_task(make: Make, mode: str, guard: Guard | None, answer: int) -> set[str]:
    switch = make(writes_later("control"), writes_later("candidate", answer), guard=guard)
    flags.set(switch.flag, mode)
    found = set()
    for _ in range(20):
        variable.set("unset")
        await switch()
        found.add(variable.get())
    return found


@pytest.mark.parametrize(("mode", "guard", "answer", "seen"), CONTEXTS)
def test_context_variables_are_those_of_the_awaited_arm_that_answers(
    make: Make, mode: str, guard: Guard | None, answer: int, seen: str
) -> None:
    assert asyncio.run(in_a_task(make, mode, guard, answer)) == {seen}


@pytest.mark.parametrize("guard", [EAGER, Guard(live=0)])
def test_a_cancellation_that_the_candidate_lets_out_is_its_failure(make: Make, guard: Guard) -> None:
    async def double(x: int) -> int:
        return 2 * x

    async def cancelled(x: int) -> int:
        helper = asyncio.ensure_future(asyncio.sleep(9))
        helper.cancel()
        await helper
        return 2 * x

    switch = make(double, cancelled, guard=guard)
    flags.set(switch.flag, "candidate")

    async def run() -> list[int]:
        return [await switch(x) for x in range(3)]

    assert asyncio.run(run()) == [0, 2, 4]
    assert switch.report().errors == 1  # the first one rolls back
    assert flags.get(switch.flag).rolled_back


class Cancelled(asyncio.CancelledError):
    """A framework's own."""


class Unspeakable(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no name")


class Nameless(Exception, metaclass=Unspeakable):
    def __str__(self) -> str:
        raise RuntimeError("no text")


GROUP = BaseExceptionGroup("several", [SystemExit(1), BaseExceptionGroup("inner", [asyncio.CancelledError()])])
EXITS = [asyncio.CancelledError, Cancelled, GeneratorExit, SystemExit, Nameless, GROUP]


def test_an_interrupt_among_the_errors_of_a_plain_candidate_reaches_the_caller(make: Make) -> None:
    def interrupted(x: int) -> int:
        raise BaseExceptionGroup("several", [SystemExit(1), KeyboardInterrupt()])

    switch = make(abs, interrupted, guard=Guard())
    flags.set(switch.flag, "candidate")
    with pytest.raises(BaseExceptionGroup):
        switch(-1)


@pytest.mark.parametrize("live", [0, 100])
@pytest.mark.parametrize("error", EXITS, ids=range(len(EXITS)))
def test_a_plain_candidate_that_exits_is_served_by_the_control(make: Make, live: int, error: Any) -> None:
    def exits(x: int) -> int:
        raise error

    switch = make(abs, exits, guard=Guard(live=live))
    flags.set(switch.flag, "candidate")
    assert [switch(-1), switch(-2)] == [1, 2]
    assert switch.report().errors == 1
    assert flags.get(switch.flag).rolled_back


class Exits:
    """Ends whatever looks at it."""

    def __repr__(self) -> str:
        raise SystemExit("repr")

    def __eq__(self, other: object) -> bool:
        raise SystemExit("eq")

    __hash__ = None  # type: ignore[assignment]


def test_an_answer_whose_comparison_exits_is_unknown(make: Make) -> None:
    switch = make(lambda _: Exits(), lambda _: Exits(), guard=Guard(live=100))
    flags.set(switch.flag, "candidate")
    assert isinstance(switch(1), Exits)
    assert (switch.report().paired.unknown, switch.report().errors) == (1, 0)


def test_a_comparison_of_ones_own_that_exits_is_unknown(make: Make) -> None:
    def refuses(a: int, b: int) -> bool:
        raise SystemExit("compare")

    switch = make(abs, abs, compare=refuses, guard=Guard(live=100))
    flags.set(switch.flag, "candidate")
    assert switch(-1) == 1
    assert switch.report().paired.unknown == 1


def test_a_difference_is_described_for_objects_without_a_repr(make: Make) -> None:
    switch = make(lambda given: 1, lambda given: 2, guard=Guard(live=100))
    flags.set(switch.flag, "candidate")
    assert switch(Exits()) == 1
    assert "answer: 2 instead of 1, called with (<Exits>)" in flags.get(switch.flag).reason


@pytest.mark.parametrize("live", [0, 100])
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("error", EXITS, ids=range(len(EXITS)))
def test_an_awaited_candidate_that_exits_is_served_by_the_control(
    make: Make, live: int, later: bool, error: Any
) -> None:
    async def double(x: int) -> int:
        return 2 * x

    async def exits(x: int) -> int:
        if later:
            await asyncio.sleep(0)
        raise error

    switch = make(double, exits, guard=Guard(live=live))
    flags.set(switch.flag, "candidate")

    async def run() -> list[int]:
        found = [await switch(x) for x in range(3)]
        await asyncio.sleep(0)  # the loop goes on
        return found

    assert asyncio.run(run()) == [0, 2, 4]
    assert switch.report().errors == 1
    assert flags.get(switch.flag).rolled_back


def test_a_call_that_is_closed_is_no_failure_of_the_candidate(make: Make) -> None:
    async def wait() -> None:
        await asyncio.sleep(30)

    async def also_wait() -> None:
        await asyncio.sleep(30)

    switch = make(wait, also_wait, guard=Guard(live=0))
    flags.set(switch.flag, "candidate")

    async def run() -> Any:
        call = switch()
        call.send(None)
        return call

    asyncio.run(run()).close()
    assert switch.report().errors == 0
    assert not flags.get(switch.flag).rolled_back


@pytest.mark.parametrize("live", [0, 100])
def test_candidates_that_always_exit_open_the_breaker(make: Make, live: int) -> None:
    def exits(x: int) -> int:
        raise SystemExit(3)

    guard = Guard(live=live, failures=5, error_rate=0.5, alpha=1e-12, run_length=10**9, slowdown=1e6)
    switch = make(abs, exits, guard=guard)
    flags.set(switch.flag, "candidate")
    for _ in range(5):
        switch(-1)
    if not live:  # failures in compared calls are for the rate
        assert controller.of(switch.flag).breaker.state == "open"
    trial = controller.of(switch.flag).trial
    assert trial is not None
    assert trial.failures == 5
    assert trial._rates["failures"] is not None
    alone = Detector(0.5)
    for _ in range(5):
        alone.add(True)
    assert trial._rates["failures"].value == alone.value  # no success was counted between them


@pytest.mark.parametrize("live", [0, 100])
def test_a_caller_that_is_cancelled_is_no_failure_of_the_candidate(make: Make, live: int) -> None:
    async def wait(x: int) -> int:
        await asyncio.sleep(30)
        return x

    async def also_wait(x: int) -> int:
        return await wait(x)

    switch = make(wait, also_wait, guard=Guard(live=live))
    flags.set(switch.flag, "candidate")

    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await switch(1)

    asyncio.run(run())
    assert switch.report().errors == 0
    assert not flags.get(switch.flag).rolled_back


class Secret:
    def __repr__(self) -> str:
        raise AssertionError("must not be shown")


def test_a_difference_names_the_key_and_the_arguments(make: Make) -> None:
    switch = make(lambda symbol, bars=1: 1.0, lambda symbol, bars=1: 2.0, guard=Guard(sample=100))
    flags.set(switch.flag, "canary")
    with fastcore.assigned("user-7"):
        switch("AAPL", np.zeros((250, 5)))
    text = "answer: 2.0 instead of 1.0, called with ('AAPL', <ndarray 250 x 5>), key 'user-7'"
    assert switch.report().paired is not None
    assert switch.report().paired.notes == (text,)  # type: ignore[union-attr]
    entry = flags.journal(switch.flag)[-1]
    assert entry.what == "rollback"
    assert text in entry.why
    assert entry.evidence["cause"] == "mismatches"


@pytest.mark.parametrize(
    ("describe", "said"),
    [
        (None, ", called with (<Secret>)"),
        (False, ""),
        (lambda secret: "x" * 500, ", called with " + "x" * 197 + "..."),
        (lambda secret: 1 / 0, ", called with arguments of which ZeroDivisionError was raised"),
    ],
)
def test_describe_changes_or_omits_the_arguments_in_a_difference(make: Make, describe: Any, said: str) -> None:
    switch = make(lambda secret: 1, lambda secret: 2, describe=describe)
    flags.set(switch.flag, "shadow:100")
    assert switch(Secret()) == 1
    assert switch.report().paired.notes == (f"answer: 2 instead of 1{said}",)  # type: ignore[union-attr]


def test_arguments_of_a_call_that_failed_are_named(make: Make) -> None:
    def fails(symbol: str) -> int:
        raise KeyError(symbol)

    switch = make(len, fails, guard=Guard(live=0))
    flags.set(switch.flag, "candidate")
    assert switch("AAPL") == 4
    assert "KeyError: 'AAPL', called with ('AAPL')" in flags.get(switch.flag).reason


def test_describe_is_checked(make: Make) -> None:
    with pytest.raises(TypeError, match=r"^describe: expected a callable or False, got str$"):
        make(len, len, describe="arguments")


def test_an_answer_with_the_word_raised_is_no_failure(make: Make) -> None:
    """The guard acts by the cause of its decision, whatever the answers and errors say."""
    wrong = False

    def headline(x: int) -> str:
        return "Fed raised rates" if wrong else "Fed cut rates"

    guard = Guard(error_rate=0.4, recover=1, backoff=0.01, live=100, slowdown=1e6)
    switch = make(lambda x: "Fed cut rates", headline, guard=guard)
    flags.set(switch.flag, "candidate")
    switch(1)
    wrong = True
    switch(2)
    assert flags.get(switch.flag).rolled_back
    entry = flags.journal(switch.flag)[-1]
    assert (entry.what, entry.evidence["cause"]) == ("rollback", "mismatches")
    wrong = False
    waited = threading.Event()
    for _ in range(40):  # a rollback for errors would be probed and resumed after 10 ms
        switch(3)
        waited.wait(0.02)
    assert flags.get(switch.flag).rolled_back


def test_a_canary_with_incomparable_results_pauses(make: Make) -> None:
    switch = make(lambda: iter([1]), lambda: iter([2]), guard=EAGER)
    flags.set(switch.flag, "canary")
    for _ in range(30):
        switch()
    entries = [entry for entry in flags.journal(switch.flag) if entry.what == "pause"]
    assert [entry.evidence["cause"] for entry in entries] == ["incomparable"]
    assert "20 of 20 answers do not compare: answer: a list_iterator can be used only once" in entries[0].why
    assert switch.report().verdict == "inconclusive"


def pair(answer: Any) -> Pair:
    return Pair(answer, 1.0, 1.0, "")


def test_incomparable_results_are_reported_within_half_a_minute_in_a_quiet_service() -> None:
    trial = Trial(Guard(), "canary", 0.0)
    assert trial.pair(pair("unknown"), 10.0) is None
    decision = trial.pair(pair("unknown"), 30.0)
    assert decision is not None
    assert (decision.what, decision.cause) == ("pause", "incomparable")
    assert trial.pair(pair("unknown"), 60.0) is None  # said once


def test_verify_all_holds_after_the_promotion(make: Make) -> None:
    broken = False

    def candidate(x: int) -> int:
        return -1 if broken else x

    switch = make(
        lambda x: x,
        candidate,
        guard=Guard(verify="all", min_samples=5, min_seconds=0, steps=(100,), sample=100, slowdown=1e6),
    )
    flags.set(switch.flag, "canary")
    for x in range(200):
        switch(x)
    assert flags.get(switch.flag).state == "promoted"
    assert switch.report().verdict == "pass"
    broken = True
    assert [switch(x) for x in range(50)] == list(range(50))
    assert flags.get(switch.flag).rolled_back


def test_the_state_of_a_flag(make: Make) -> None:
    switch = make(
        abs, abs, guard=Guard(min_samples=5, min_seconds=0, steps=(100,), sample=100, verify=100, slowdown=1e6)
    )
    seen = [flags.get(switch.flag).state]
    for mode in ("candidate", "ramp:5", "shadow:5"):
        seen.append(flags.set(switch.flag, mode).state)
    seen.append(flags.set(switch.flag, "canary").state)
    for x in range(30):
        switch(x)
    seen.append(flags.get(switch.flag).state)
    seen.append(switch.rollback("why").state)
    seen.append(switch.resume().state)
    assert seen == ["default", "set", "trial", "trial", "trial", "promoted", "rolled_back", "trial"]


@pytest.mark.parametrize(("allowed", "verdict"), [(0.2, "fail"), (1.0, "pass")])
def test_the_verdict_goes_by_the_limits_of_the_guard(allowed: float, verdict: str) -> None:
    from fastcore.dispatch.comparison import ArmReport, Comparison, Paired

    arms = ArmReport("control", 100, 0, 100, 1.0, 1.0, 1.0), ArmReport("candidate", 100, 0, 100, 1.5, 1.5, 1.5)
    assert Comparison("x", "candidate", *arms, None, Guard(slowdown=allowed)).verdict == verdict
    paired = Paired(1000, 5, 0, 0, 0, 0, 1.0, 1.0, (), {})
    for rate, expected in ((0.0, "fail"), (0.004, "fail"), (0.006, "pass")):
        assert Comparison("x", "candidate", *arms, paired, Guard(mismatch_rate=rate, slowdown=1.0)).verdict == expected


@pytest.mark.parametrize(
    ("hits", "count", "rate"), [(0, 600, 0.005), (3, 40, 0.1), (0, 1, 0.5), (7, 7, 0.2), (10, 2000, 0.005)]
)
def test_the_tail_of_the_binomial_distribution(hits: int, count: int, rate: float) -> None:
    from fractions import Fraction
    from math import comb

    p = Fraction(rate)
    exact = sum(comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(hits + 1))
    assert binomial_tail(hits, count, rate) == pytest.approx(float(exact), rel=1e-9)


def test_mismatch_rates_excluded_by_agreeing_calls() -> None:
    """The figures of docs/rollout.md: 600 calls exclude 0.5 % at 95 %."""
    assert excluded(600) == pytest.approx(0.00498, abs=1e-5)
    assert excluded(0) == 1.0
    assert Guard(mismatch_confidence=0.95).sure(0, 598)
    assert not Guard(mismatch_confidence=0.95).sure(0, 597)
    assert Guard(mismatch_confidence=0.99).sure(0, 919)
    assert not Guard(mismatch_confidence=0.99).sure(0, 918)
    assert Guard(mismatch_confidence=0.999).sure(0, 1379)
    assert not Guard(mismatch_confidence=0.999).sure(0, 1378)


def test_a_canary_waits_for_mismatch_confidence(make: Make) -> None:
    guard = Guard(
        min_samples=5, min_seconds=0, steps=(100,), sample=100, verify=100, slowdown=1e6, mismatch_confidence=0.95
    )
    switch = make(abs, abs, guard=guard)
    flags.set(switch.flag, "canary")
    for x in range(597):
        switch(x)
    assert flags.get(switch.flag).state == "trial"
    switch(598)
    assert flags.get(switch.flag).state == "promoted"
    assert flags.journal(switch.flag)[-1].evidence["excludes"] == pytest.approx(0.005, abs=1e-5)


def test_the_confidence_is_checked() -> None:
    with pytest.raises(
        ValueError, match=r"^mismatch_limit: expected a number above mismatch_rate \(0.01\), got 0.005$"
    ):
        Guard(mismatch_rate=0.01, mismatch_confidence=0.9)
    with pytest.raises(ValueError, match=r"^mismatch_confidence: expected a number"):
        Guard(mismatch_confidence=1.0)


def test_descriptions_of_differences_are_bounded(make: Make) -> None:
    switch = make(lambda: pd.Series([1], name="x" * 10**6), lambda: pd.Series([1], name="y" * 10**6), guard=EAGER)
    flags.set(switch.flag, "shadow:100")
    switch()
    paired = switch.report().paired
    assert paired is not None
    assert len(paired.notes[0]) < 500


@pytest.mark.parametrize("key", ["a\ud800", "\udcff", ("a", "\ud800")], ids=range(3))
def test_keys_with_lone_surrogates_belong_to_an_arm(make: Make, key: Any) -> None:
    switch = make(lambda: "control", lambda: "candidate", salt="desk")
    threshold = bucket("desk", key)
    for percent, arm in (("0", "control"), ("100", "candidate")):
        flags.set(switch.flag, f"ramp:{percent}")
        assert switch.call_for(key) == arm
        with fastcore.assigned(key):
            assert switch() == arm
    assert belongs("desk", threshold + 1, key)
    assert not belongs("desk", threshold, key)
    assert threshold == pure.bucket("desk", key)
