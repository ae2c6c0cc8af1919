"""A candidate under watch: shadow, canary, guard, breaker. Every test runs on both twins."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fastcore
from fastcore import Guard, Switch, flags, metrics
from fastcore.dispatch import controller, process
from fastcore.dispatch.experiment import Pair
from tests.conftest import PURE_ONLY

Make = Callable[..., Switch[..., Any]]

EAGER = Guard(min_samples=20, min_seconds=0.0, sample=100, verify=50, slowdown=1e6)


def double(x: int) -> int:
    return 2 * x


def wrong(x: int) -> int:
    return 2 * x if x % 7 else -1


class Boom(Exception):
    pass


def failing(x: int) -> int:
    if x % 7 == 0:
        raise Boom(x)
    return 2 * x


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "fastcore.guard")


@pytest.fixture
def ticks() -> Iterator[None]:
    """Breakers look at the clock often."""
    before, process.ticker.interval = process.ticker.interval, 0.01
    process.ticker.stop()
    yield
    process.ticker.interval = before
    process.ticker.stop()


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.002)


# ---- shadow ----


def test_shadow_serves_the_control_and_compares_a_share(make: Make) -> None:
    switch = make(lambda x: ("right", x), lambda x: ("wrong", x))
    flags.set(switch.flag, "shadow:25")
    assert all(switch(i) == ("right", i) for i in range(4000))
    report = switch.report()
    assert report.control.calls == 4000
    assert 850 < report.candidate.calls < 1150
    assert report.paired is not None
    assert report.paired.pairs == report.mismatches == report.candidate.calls
    assert report.paired.notes[-1].startswith("[0]: 'wrong' instead of 'right'")
    assert report.verdict == "fail"
    assert flags.get(switch.flag).mode == "shadow:25"  # a shadow decides nothing


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (100, 300)])
def test_the_ends_of_the_share(make: Make, percent: int, expected: int) -> None:
    switch = make(double, double)
    flags.set(switch.flag, f"shadow:{percent}")
    assert [switch(i) for i in range(300)] == [double(i) for i in range(300)]
    assert switch.report().candidate.calls == expected
    assert switch.report().mismatches == 0


def test_the_arms_run_in_random_order(make: Make) -> None:
    order: list[str] = []
    switch = make(lambda: order.append("control"), lambda: order.append("candidate"))
    flags.set(switch.flag, "shadow:100")
    for _ in range(200):
        switch()
    firsts = order[::2].count("control")
    assert 60 < firsts < 140
    assert {tuple(sorted(order[i : i + 2])) for i in range(0, 400, 2)} == {("candidate", "control")}


def test_errors_of_the_candidate_never_reach_the_caller(make: Make) -> None:
    def raises(x: int) -> int:
        raise (Boom, RecursionError, MemoryError, SystemExit)[x % 4](x)

    switch = make(double, raises)
    flags.set(switch.flag, "shadow:100")
    assert [switch(i) for i in range(40)] == [double(i) for i in range(40)]
    assert switch.report().errors == 40


def test_an_interrupt_in_a_pair_is_the_caller_s(make: Make) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    switch = make(lambda: None, interrupted)
    flags.set(switch.flag, "shadow:100")
    with pytest.raises(KeyboardInterrupt):
        switch()


class Hostile:
    def __eq__(self, other: object) -> bool:
        raise Boom("no comparing")

    __hash__ = object.__hash__


@pytest.mark.parametrize("result", [Hostile, lambda: iter([1]), lambda: (x for x in "ab")])
def test_a_comparison_that_cannot_be_made_is_counted(make: Make, result: Callable[[], Any]) -> None:
    switch = make(result, result)
    flags.set(switch.flag, "shadow:100")
    for _ in range(5):
        switch()
    paired = switch.report().paired
    assert paired is not None
    assert (paired.pairs, paired.unknown, paired.mismatches) == (5, 5, 0)


def test_a_custom_compare_function(make: Make) -> None:
    switch = make(lambda x: x, lambda x: x + 0.3, compare=lambda a, b: round(a) == round(b))
    flags.set(switch.flag, "shadow:100")
    for x in (1.0, 1.1, 1.4):
        assert switch(x) == x
    assert switch.report().mismatches == 1
    broken = make(double, double, compare=lambda a, b: 1 / 0)
    flags.set(broken.flag, "shadow:100")
    assert broken(2) == 4
    paired = broken.report().paired
    assert paired is not None
    assert paired.unknown == 1


def test_tolerances(make: Make) -> None:
    off = make(lambda x: x, lambda x: x * (1 + 1e-7))
    loose = make(lambda x: x, lambda x: x * (1 + 1e-7), rtol=1e-6)
    for switch in (off, loose):
        flags.set(switch.flag, "shadow:100")
        switch(100.0)
    assert (off.report().mismatches, loose.report().mismatches) == (1, 0)
    # A difference of prices is as exact as the prices are, and no more.
    close = np.array([60000.0, 60000.5])
    near_zero = make(lambda c: c[1] - c[0] - 0.5, lambda c: c[1] - c[0] - 0.5 + 1e-9)
    flags.set(near_zero.flag, "shadow:100")
    near_zero(close)
    assert near_zero.report().mismatches == 0


def test_errors_of_both_arms(make: Make) -> None:
    def control(kind: str) -> None:
        raise KeyError(kind) if kind != "none" else ValueError(kind)

    def candidate(kind: str) -> str:
        if kind == "alike":
            raise KeyError("in other words")
        if kind == "other":
            raise TypeError(kind)
        return "an answer"

    switch = make(control, candidate)
    flags.set(switch.flag, "shadow:100")
    for kind, error, mismatches in (("alike", KeyError, 0), ("other", KeyError, 1), ("none", ValueError, 2)):
        with pytest.raises(error, match=kind) as caught:
            switch(kind)
        assert caught.value.__context__ is None
        assert switch.report().mismatches == mismatches
    assert switch.report().errors == 0


def test_methods_keywords_and_keys(make: Make) -> None:
    class Service:
        rate = 3
        scaled = make(lambda self, x, *, k=1: self.rate * x * k, lambda self, x, *, k=1: self.rate * x * k + 0)

    flags.set(Service.scaled.flag, "shadow:100")
    service = Service()
    assert service.scaled(2) == 6
    assert service.scaled(x=2, k=5) == 30
    assert Service.scaled.call_for("AAPL", service, 2, k=2) == 12
    paired = Service.scaled.report().paired
    assert paired is not None
    assert (paired.pairs, paired.mismatches, paired.unknown) == (3, 0, 0)
    with pytest.raises(TypeError, match=r"unexpected keyword|expected"):
        service.scaled(1, z=2)


def test_metrics_of_pairs(make: Make) -> None:
    switch = make(double, wrong)
    flags.set(switch.flag, "shadow:100")
    for i in range(7):
        switch(i)
    snapshot = metrics.snapshot()
    assert snapshot.get("fastcore_shadow_total", switch=switch.name, result="differs") == 1
    assert snapshot.get("fastcore_shadow_total", switch=switch.name, result="same") == 6
    assert snapshot.get("fastcore_rollout_ratio", flag=switch.flag) == 0.0
    flags.set(switch.flag, "ramp:40")
    assert metrics.snapshot().get("fastcore_rollout_ratio", flag=switch.flag) == 0.4


# ---- canary ----


def run(switch: Switch[..., Any], calls: int = 30_000) -> list[int]:
    """Call until the canary has ended; returns the arguments that got a wrong answer."""
    bad = []
    for i in range(1, calls):
        if switch(i) != 2 * i:
            bad.append(i)
        if switch.mode in ("control", "candidate"):
            return bad
    raise AssertionError(f"still {switch.mode}: {switch.report()}")


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


def test_the_shares_are_those_of_the_steps(make: Make) -> None:
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
def test_a_hot_path_on_trial(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
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


# ---- the breaker ----

TOLERANT = Guard(error_rate=0.4, live=0, failures=3, backoff=0.02, slowdown=1e6, run_length=10**9)


def breaking() -> tuple[list[bool], list[int], Callable[[int], int]]:
    """Return what says whether a candidate is broken, how often it was called, and the candidate."""
    broken, calls = [True], [0]

    def candidate(x: int) -> int:
        calls[0] += 1
        if broken[0]:
            raise Boom(x)
        return 2 * x

    return broken, calls, candidate


@pytest.mark.usefixtures("ticks")
def test_the_breaker_opens_probes_once_and_closes(make: Make) -> None:
    broken, calls, candidate = breaking()
    switch = make(double, candidate, guard=TOLERANT)
    watch, now = controller.of(switch.flag), [0.0]
    watch._clock = lambda: now[0]
    flags.set(switch.flag, "candidate")
    for i in range(3):
        assert switch(i) == 2 * i
    assert watch.breaker.state == "open"
    assert switch.mode == "candidate"  # the flag stands; the calls go to the control
    assert [switch(i) for i in range(50)] == [double(i) for i in range(50)]
    assert calls[0] == 3
    now[0] = 1.0
    until(lambda: switch(1) == 2 and calls[0] > 3)
    assert [switch(i) for i in range(50)] == [double(i) for i in range(50)]
    assert calls[0] == 4  # one probe for any number of calls
    broken[0] = False
    now[0] = 2.0
    until(lambda: switch(1) == 2 and watch.breaker.state == "closed")
    before = calls[0]
    until(lambda: switch(1) == 2 and calls[0] > before + 2)
    words = [(e.what, e.why.partition(" ")[0]) for e in flags.journal(switch.flag) if e.who == "breaker"]
    assert words[0] == ("breaker", "open")
    assert ("probe", "failed:") in words
    assert words[-2:] == [("probe", "passed"), ("breaker", "closed:")]


@pytest.mark.parametrize(("guard", "told"), [(Guard(live=0, failures=1), ["rollback"]), (TOLERANT, ["breaker"])])
def test_a_failure_is_reported_once_as_a_rollback_or_as_an_open_breaker(
    make: Make, guard: Guard, told: list[str]
) -> None:
    _, _, candidate = breaking()
    switch = make(double, candidate, guard=guard)
    flags.set(switch.flag, "candidate")
    for i in range(guard.failures):
        assert switch(i) == 2 * i
    assert [e.what for e in flags.journal(switch.flag) if e.who != "operator"] == told


def test_a_call_that_began_before_the_breaker_opened_is_no_probe(make: Make) -> None:
    async def doubled(x: int) -> int:
        return 2 * x

    async def run() -> None:
        release = asyncio.Event()

        async def late(x: int) -> int:
            await release.wait()
            return 2 * x

        switch = make(doubled, late, guard=Guard(budget=0.0, backoff=1.0))
        watch, now = controller.of(switch.flag), [0.0]
        watch._clock = lambda: now[0]
        flags.set(switch.flag, "shadow:100")
        assert await switch(1) == 2
        assert len(watch.in_flight) == 1
        watch.breaker.open(0.0)
        now[0] = 1.0
        watch.tick()
        assert watch.breaker.state == "half-open"
        release.set()
        while watch.in_flight:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        paired = switch.report().paired
        assert paired is not None
        assert paired.pairs == 1  # it is counted
        assert (watch.breaker.state, watch.breaker.tried) == ("half-open", 0)
        assert await switch(2) == 4  # the probe
        while watch.in_flight:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (watch.breaker.state, watch.breaker.tried) == ("closed", 1)

    asyncio.run(run())


@pytest.mark.usefixtures("ticks")
def test_only_one_probe_runs_at_a_time(make: Make) -> None:
    broken, under_way, release = [True], threading.Event(), threading.Event()
    calls = [0]

    def candidate(x: int) -> int:
        calls[0] += 1
        if broken[0]:
            raise Boom(x)
        under_way.set()
        assert release.wait(60)
        return 2 * x

    switch = make(double, candidate, guard=TOLERANT)
    watch, now = controller.of(switch.flag), [0.0]
    watch._clock = lambda: now[0]
    flags.set(switch.flag, "candidate")
    for i in range(3):
        switch(i)
    broken[0] = False
    now[0] = 1.0
    until(lambda: watch.breaker.state == "half-open")
    probe = threading.Thread(target=switch, args=(1,))
    probe.start()
    try:
        assert under_way.wait(60)
        assert [switch(i) for i in range(50)] == [double(i) for i in range(50)]
        assert calls[0] == 4
    finally:
        release.set()
        probe.join()
    until(lambda: watch.breaker.state == "closed")


@pytest.mark.usefixtures("ticks")
@pytest.mark.parametrize("recover", [0, 2])
def test_a_rollback_for_errors_is_probed(make: Make, recover: int) -> None:
    broken, calls, candidate = breaking()
    guard = Guard(live=0, backoff=0.01, backoff_cap=0.02, recover=recover)
    switch = make(double, candidate, guard=guard)
    flags.set(switch.flag, "candidate")
    assert switch(1) == 2
    assert flags.get(switch.flag).source == "guard"
    broken[0] = False
    until(lambda: switch(1) == 2 and calls[0] >= 3)
    if recover:
        until(lambda: switch(1) == 2 and switch.mode == "candidate")
        assert "2 probes in a row" in flags.journal(switch.flag)[-1].why
    else:
        assert switch.mode == "control"  # until somebody resumes


@pytest.mark.usefixtures("ticks")
def test_probes_never_end_an_operator_s_rollback(make: Make) -> None:
    broken, calls, candidate = breaking()
    switch = make(double, candidate, guard=Guard(live=0, backoff=0.01, backoff_cap=0.02, recover=2))
    watch, now = controller.of(switch.flag), [0.0]
    watch._clock = lambda: now[0]
    flags.set(switch.flag, "candidate")
    assert switch(1) == 2
    assert flags.get(switch.flag).source == "guard"
    flags.rollback(switch.flag, "by hand")
    broken[0] = False
    before = calls[0]
    for second in range(20):
        now[0] = float(second)
        watch.tick()
        assert [switch(i) for i in range(5)] == [double(i) for i in range(5)]
    assert calls[0] == before  # the kill switch stops the probes too
    assert flags.get(switch.flag)[1:3] == ("control", "rollback")
    flags.resume(switch.flag)
    assert switch.mode == "candidate"


def test_a_guard_resumes_only_what_a_guard_rolled_back(make: Make) -> None:
    switch = make(double, double)
    flags.rollback(switch.flag, "by hand")
    try:
        process.store.resume(switch.flag, who="guard", why="2 probes in a row have passed")
        assert flags.get(switch.flag)[1:3] == ("control", "rollback")
    finally:
        flags.resume(switch.flag)


def test_each_success_counts_once_in_the_error_rate(make: Make) -> None:
    """Pairs are counted as they come; before a failure, the calls that went well since and were no pairs."""

    def control(x: int) -> int:
        if x == 3:
            raise Boom(x)
        return 2 * x

    def candidate(x: int) -> int:
        if x in (3, 99):
            raise Boom(x)
        return 2 * x

    switch = make(control, candidate, guard=Guard(error_rate=0.4, live=100))
    flags.set(switch.flag, "candidate")
    watch = controller.of(switch.flag)
    assert watch.trial is not None
    rate = watch.trial._rates["failures"]
    assert rate is not None
    hits: list[bool] = []
    alone: list[int] = []
    rate.add = hits.append  # type: ignore[method-assign,assignment]
    rate.miss = alone.append  # type: ignore[method-assign,assignment]
    for i in (0, 1, 2):
        switch(i)
    with pytest.raises(Boom):
        switch(3)
    assert (hits, alone) == ([False] * 4, [])
    watch.limits = Guard(error_rate=0.4, live=0)
    process.store.reapply(switch.flag)
    for called in (2, 5, 0):
        for i in range(called):
            assert switch(i % 3) == 2 * (i % 3)
        assert switch(99) == 198
    assert (hits, alone) == ([False] * 4 + [True] * 3, [2, 5, 0])
    flags.clear(switch.flag)


# ---- async ----


async def adouble(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


def test_async_pairs_rescues_and_rollback(make: Make) -> None:
    async def bad(x: int) -> int:
        await asyncio.sleep(0)
        if x % 7 == 0:
            raise Boom(x)
        return 2 * x

    async def main() -> None:
        switch: Any = make(adouble, bad, guard=EAGER)
        flags.set(switch.flag, "shadow:100")
        assert [await switch(i) for i in range(14)] == [2 * i for i in range(14)]
        until_done = [asyncio.sleep(0) for _ in range(50)]
        for pause in until_done:
            await pause
        assert switch.report().errors == 2
        flags.set(switch.flag, "candidate")
        assert await switch.call_for("key", 7) == 14
        assert flags.get(switch.flag).source == "guard"

    asyncio.run(main())


def test_an_async_caller_does_not_wait_for_the_other_arm(make: Make) -> None:
    release: list[asyncio.Event] = []

    async def hangs(x: int) -> int:
        await release[0].wait()
        return 2 * x

    async def main() -> None:
        release.append(asyncio.Event())
        switch: Any = make(adouble, hangs, guard=Guard(budget=0.01))
        flags.set(switch.flag, "shadow:100")
        for i in range(200):
            assert await asyncio.wait_for(switch(i), 60) == 2 * i
        paired = switch.report().paired
        assert paired.dropped == 200 - 64  # those in flight are bounded
        release[0].set()
        while (paired := switch.report().paired).pairs < 64:
            await asyncio.sleep(0)
        assert paired.mismatches == 0
        assert not controller.of(switch.flag).in_flight

    asyncio.run(main())


def test_verified_async_answers(make: Make) -> None:
    async def bad(x: int) -> int:
        return -1

    async def main() -> None:
        switch: Any = make(adouble, bad, guard=Guard(verify="all", mismatch_rate=0.4, run_length=10**9, slowdown=1e6))
        flags.set(switch.flag, "ramp:100")
        assert [await switch(i) for i in range(10)] == [2 * i for i in range(10)]

    asyncio.run(main())


def test_a_cancelled_async_pair_leaves_nothing_running(make: Make) -> None:
    async def main() -> None:
        ended: list[str] = []

        async def waits(x: int) -> int:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise
            return x

        switch: Any = make(waits, waits, guard=Guard(budget=60))
        flags.set(switch.flag, "shadow:100")
        tasks = [asyncio.create_task(switch(i)) for i in range(20)]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in found)
        while controller.of(switch.flag).in_flight:
            await asyncio.sleep(0)
        assert len(ended) >= 20

    asyncio.run(main())


# ---- hostile callers ----


def test_arms_that_call_the_switch_again(make: Make) -> None:
    def again(x: int) -> Any:
        return 0 if x == 0 else switch(x - 1) + 1

    switch = make(again, again, guard=EAGER)
    flags.set(switch.flag, "shadow:100")
    assert switch(8) == 8  # every level runs both arms
    endless = make(lambda: endless(), lambda: endless())
    flags.set(endless.flag, "shadow:100")
    with pytest.raises(RecursionError):
        endless()


def test_a_recursion_is_compared_once(make: Make) -> None:
    calls = [0]

    def again(x: int) -> int:
        calls[0] += 1
        return 0 if x == 0 else switch(x - 1) + 1

    def fails_below(x: int) -> int:
        calls[0] += 1
        if x == 0:
            raise Boom
        return switch(x - 1) + 1  # type: ignore[no-any-return]

    switch = make(again, fails_below, guard=Guard(error_rate=0.4, live=0, sample=0, verify=0, run_length=10**9))
    flags.set(switch.flag, "shadow:100")
    assert switch(60) == 60
    assert calls[0] <= 130
    calls[0] = 0
    flags.set(switch.flag, "ramp:100")
    assert switch(60) == 60
    assert calls[0] <= 61 * 61


def test_tasks_started_by_an_arm_are_watched_separately(make: Make) -> None:
    async def main() -> None:
        tasks: list[asyncio.Task[int]] = []

        async def starts(x: int) -> int:
            if x == 0:
                tasks.append(asyncio.create_task(later()))
            return 2 * x

        async def fails(x: int) -> int:
            if x:
                raise Boom(x)
            return 0

        async def later() -> int:
            await asyncio.sleep(0)
            flags.set(switch.flag, "ramp:100")
            return await switch(7)  # type: ignore[no-any-return]

        switch: Any = make(starts, fails, guard=Guard(error_rate=0.4, live=0, verify=0, run_length=10**9))
        flags.set(switch.flag, "shadow:100")
        assert await switch(0) == 0
        assert await asyncio.gather(*tasks) == [14]

    asyncio.run(main())


def test_an_arm_that_flips_or_rolls_back_in_the_middle(make: Make) -> None:
    def flips(x: int) -> int:
        flags.set(switch.flag, ("canary", "candidate", "shadow:100", "ramp:50")[x % 4])
        if x % 5 == 0:
            switch.rollback("in the middle")
            switch.resume()
        return x

    switch = make(flips, flips, guard=Guard(slowdown=1e6))
    flags.set(switch.flag, "shadow:100")
    assert [switch(i) for i in range(200)] == list(range(200))


def test_an_arm_that_drops_the_switch(make: Make) -> None:
    box: dict[str, Any] = {}

    def drop() -> int:
        box.clear()
        gc.collect()
        return 1

    for mode in ("shadow:100", "candidate"):
        box["switch"] = make(drop, drop, guard=Guard(live=100))
        flags.set(box["switch"].flag, mode)
        assert box["switch"]() == 1


@pytest.mark.parametrize("live", [0, 100])
def test_a_watched_switch_is_freed_by_reference_counting(make: Make, live: int) -> None:
    def control(x: int) -> int:
        if x < 0:
            raise Boom(x)
        return 2 * x

    def candidate(x: int) -> int:
        return control(x) if x < 0 else failing(x)

    switch = make(control, candidate, guard=Guard(error_rate=0.4, live=live, run_length=10**9))
    flags.set(switch.flag, "candidate")
    assert [switch(i) for i in (1, 7, 14)] == [2, 14, 28]
    with contextlib.suppress(Boom):
        switch(-1)
    gone = weakref.ref(switch)
    gc.disable()
    try:
        del switch
        assert gone() is None
    finally:
        gc.enable()


def test_threads_under_watch(make: Make) -> None:
    guard = Guard(min_samples=50, min_seconds=0, sample=50, verify=50, error_rate=0.45, mismatch_rate=0.4, slowdown=1e6)
    switch = make(double, failing, guard=guard)
    wrong_answers: list[Any] = []
    stop = threading.Event()

    def call(n: int) -> None:
        i = n
        while not stop.is_set():
            i += 1
            try:
                if switch(i) != 2 * i:
                    wrong_answers.append(i)
            except BaseException as error:
                wrong_answers.append(error)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    try:
        for i in range(60):
            flags.set(switch.flag, ("canary", "candidate", "shadow:30", "ramp:50", "control")[i % 5])
            if i % 20 == 0:
                switch.rollback("test")
                str(switch.report())
                switch.resume()
            time.sleep(0.001)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong_answers == []


def test_reports_as_text_json_and_html(make: Make) -> None:
    import json

    switch = make(double, wrong, name="test.<b>report</b>", flag="test.report")
    flags.set(switch.flag, "shadow:100")
    for i in range(40):
        switch(i)
    report = switch.report()
    assert "40 compared: 6 differ" in str(report)
    body = json.loads(report.to_json())
    assert (body["mismatches"], body["verdict"], body["paired"]["pairs"]) == (6, "fail", 40)
    html = report.to_html()
    assert "test.&lt;b&gt;report" in html
    assert "<b>report" not in html
    assert not any(word in html for word in ("<script", "http://", "https://", "src=", "@import", "url("))
