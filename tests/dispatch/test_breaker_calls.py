"""A breaker under calls: it opens, probes and closes, and counts each failure once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fastcore import Guard, Switch, flags
from fastcore.dispatch import controller, process
from tests.dispatch.arms import Boom, double
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("quiet_guard")

Make = Callable[..., Switch[..., Any]]


@pytest.fixture
def ticks() -> Iterator[None]:
    """Breakers look at the clock often."""
    before, process.ticker.interval = process.ticker.interval, 0.01
    process.ticker.stop()
    yield
    process.ticker.interval = before
    process.ticker.stop()


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
