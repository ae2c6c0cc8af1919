"""The controller of a canary: its steps, promotion, rollback and evidence."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import fastcore
from fastcore import Guard, Switch, flags, metrics
from fastcore.dispatch import controller
from fastcore.dispatch.experiment import Pair
from tests.conftest import PURE_ONLY
from tests.dispatch.arms import EAGER, Boom, double, failing, run, wrong

pytestmark = pytest.mark.usefixtures("quiet_guard")

Make = Callable[..., Switch[..., Any]]


def test_a_good_candidate_is_promoted_step_by_step(make: Make) -> None:
    switch = make(double, lambda x: x + x, guard=EAGER)
    flags.set(switch.flag, "canary")
    assert run(switch) == []
    flag = flags.get(switch.flag)
    assert (flag.mode, flag.source) == ("candidate", "guard")
    assert flag.reason.startswith("promoted: ")
    steps = [(e.what, e.new["mode"]) for e in flags.journal(switch.flag)]
    assert steps == [
        ("set", "canary"),
        *(("advance", f"canary:{step}") for step in (1, 5, 25, 50, 100)),
        ("promote", "candidate"),
    ]
    assert all(e.evidence["pairs"] >= 20 for e in flags.journal(switch.flag)[1:])


def test_missing_data_never_promotes(make: Make) -> None:
    switch = make(double, double, guard=Guard(min_samples=20, min_seconds=3600, sample=100, slowdown=1e6))
    flags.set(switch.flag, "canary")
    for i in range(2000):
        switch(i)
    assert switch.mode == "canary"
    unknown = make(lambda x: iter([x]), lambda x: iter([x]), guard=EAGER)
    flags.set(unknown.flag, "canary")
    for i in range(500):
        unknown(i)
    assert unknown.mode == "canary"


def test_a_canary_serves_the_share_of_each_step(make: Make) -> None:
    guard = Guard(min_samples=10**9, sample=0, verify=0)
    switch = make(lambda: "control", lambda: "candidate", guard=guard)
    for percent in (1, 25, 50):
        flags.set(switch.flag, f"canary:{percent}")
        keys = [f"S{i}" for i in range(2000)]
        arms = [switch.call_for(key) for key in keys]
        assert abs(arms.count("candidate") / 2000 - percent / 100) < 0.05
        assert arms == [switch.call_for(key) for key in keys]


@pytest.mark.parametrize("bad", [wrong, failing])
def test_a_bad_candidate_is_rolled_back_in_shadow(make: Make, bad: Callable[[int], int]) -> None:
    switch = make(double, bad, guard=EAGER)
    flags.set(switch.flag, "canary")
    assert run(switch) == []
    flag = flags.get(switch.flag)
    assert (flag.mode, flag.source) == ("control", "guard")
    assert flag.reason.startswith("rolled back: ")
    assert ("-1 instead of 14" if bad is wrong else "Boom: 7") in flag.reason
    last = flags.journal(switch.flag)[-1]
    assert (last.what, last.who, last.why, last.scope) == ("rollback", "guard", flag.reason, "host")
    assert switch.resume().mode == "canary"  # from the beginning
    assert run(switch) == []


def test_a_slow_candidate_is_rolled_back(make: Make) -> None:
    def slow(x: int) -> int:
        end = time.perf_counter() + 2e-3
        while time.perf_counter() < end:
            pass
        return 2 * x

    switch = make(double, slow, guard=Guard(min_samples=20, min_seconds=0.0, sample=100))
    flags.set(switch.flag, "canary")
    assert run(switch) == []
    assert "slower" in flags.get(switch.flag).reason
    assert switch.report().improvement < -100


def test_only_unverified_answers_may_be_wrong(make: Make) -> None:
    broken = [False]

    def candidate(x: int) -> int:
        return -1 if broken[0] else 2 * x

    for verify in (20, "all"):
        broken[0] = False
        switch = make(double, candidate, guard=Guard(verify=verify, sample=0, min_samples=10**9, slowdown=1e6))
        flags.set(switch.flag, "canary:50")
        assert all(switch.call_for(i, i) == 2 * i for i in range(500))
        broken[0] = True
        ours = {i for i in range(2000) if fastcore.dispatch.assignment.belongs(switch.flag, 2**31, i)}
        bad = {i for i in range(2000) if switch.call_for(i, i) != 2 * i}
        assert flags.get(switch.flag).source == "guard"
        assert bad <= ours
        assert len(bad) < 60
        if verify == "all":
            assert not bad


def test_the_control_answers_when_the_candidate_raises(make: Make) -> None:
    switch = make(double, failing, guard=Guard(sample=0, verify=0, min_samples=10**9))
    flags.set(switch.flag, "canary:100")
    assert [switch(i) for i in range(1, 20)] == [double(i) for i in range(1, 20)]
    assert "the candidate raised 1 times: Boom: 7" in flags.get(switch.flag).reason
    report = switch.report()
    assert (report.errors, report.candidate.errors, report.candidate.calls) == (1, 1, 7)
    assert metrics.snapshot().get("fastcore_fallbacks_total", switch=switch.name, reason="error") == 1


def test_an_error_of_both_arms_is_raised_to_the_caller(make: Make) -> None:
    def strict(x: int) -> int:
        if x < 0:
            raise ValueError(f"control: {x}")
        return x

    def strict_too(x: int) -> int:
        if x < 0:
            raise ValueError(f"candidate: {x}")
        return x

    switch = make(strict, strict_too, guard=Guard(sample=0, verify=0))
    flags.set(switch.flag, "candidate")
    for _ in range(20):
        with pytest.raises(ValueError, match="control: -1") as caught:
            switch(-1)
        assert caught.value.__context__ is None
    assert flags.get(switch.flag).mode == "candidate"
    assert switch.report().errors == 0


def test_a_promoted_candidate_is_still_watched(make: Make) -> None:
    broken = [False]

    def candidate(x: int) -> int:
        return -1 if broken[0] else 2 * x

    guard = Guard(min_samples=20, min_seconds=0.0, sample=100, verify=50, slowdown=1e6, live=20)
    switch = make(double, candidate, guard=guard)
    flags.set(switch.flag, "canary")
    assert run(switch) == []
    before = switch.report().control.calls
    for i in range(1000):
        assert switch(i) == 2 * i
    assert 120 < switch.report().control.calls - before < 280  # the control runs too in one call of five
    broken[0] = True
    for i in range(1000):
        switch(i)
        if switch.mode == "control":
            break
    assert flags.get(switch.flag).reason.startswith("rolled back: ")


def test_a_dry_run_decides_nothing(make: Make) -> None:
    guard = Guard(min_samples=20, min_seconds=0.0, sample=100, slowdown=1e6, dry_run=True)
    good, bad = make(lambda x: ("control", x), lambda x: ("control", x), guard=guard), make(double, wrong, guard=guard)
    for switch in (good, bad):
        flags.set(switch.flag, "canary")
        for i in range(1, 400):
            assert switch(i) == switch.control(i)
        assert switch.mode == "canary"
    assert [e.what for e in flags.journal(good.flag)] == ["set", *["would advance"] * 5, "would promote"]
    assert [e.what for e in flags.journal(bad.flag)] == ["set", "would rollback"]


def test_an_inconclusive_trial_pauses_and_is_journaled_once(make: Make) -> None:
    guard = Guard(min_samples=2, min_seconds=0.0, alpha=1e-9, slowdown=0.0)
    switch = make(double, double, guard=guard)
    flags.set(switch.flag, "canary")
    watch = controller.of(switch.flag)
    for _ in range(75):  # each arm is the slower one as often as the other
        watch.saw(switch, Pair("same", 1.0, 1.5, ""))
        watch.saw(switch, Pair("same", 1.5, 1.0, ""))
    assert switch.mode == "canary"
    assert [(e.what, e.evidence.get("cause")) for e in flags.journal(switch.flag)] == [
        ("set", None),
        ("pause", "inconclusive"),
    ]
    assert watch.trial is not None
    assert watch.trial.paused


def test_a_rollback_by_hand_and_by_the_guard(make: Make) -> None:
    switch = make(double, wrong, guard=EAGER)
    flags.set(switch.flag, "canary")
    assert switch.rollback("by hand").source == "rollback"
    for i in range(50):
        assert switch(i) == 2 * i
    assert switch.report().candidate.calls == 0
    assert switch.resume().mode == "canary"


@pytest.mark.skipif(PURE_ONLY, reason="the hot path's own switches have no candidate to try")
def test_a_hot_path_can_run_as_a_canary(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastcore._ext, "load", lambda name: None)
    switch = make(double, wrong, flag="indicators")
    with flags.override("indicators", "shadow:100"):
        assert [switch(i) for i in range(8)] == [double(i) for i in range(8)]
        assert fastcore.dispatch.backends.backend_for("indicators") == "python"
    assert switch.report().mismatches == 2
    flags.set("indicators", "canary")
    try:
        for i in range(20_000):
            assert switch(i) == double(i)
            if flags.get("indicators").source == "guard":
                break
        assert flags.get("indicators")[1:3] == ("python", "guard")
    finally:
        flags.resume("indicators")
        flags.clear("indicators")


def test_a_guard_for_a_flag(make: Make) -> None:
    switch = make(double, failing)
    flags.set(switch.flag, "candidate")
    with pytest.raises(Boom):  # unwatched: as the flag says
        switch(7)
    flags.guard(switch.flag, Guard())
    assert switch(7) == 14
    assert flags.get(switch.flag).source == "guard"
    with pytest.raises(TypeError, match="guard: expected a Guard, got dict"):
        flags.guard(switch.flag, {})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a declared flag"):
        flags.guard("test.never", Guard())
