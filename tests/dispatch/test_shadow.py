"""Shadowing: both arms run, the control answers, and their results are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastcore import Switch, flags, metrics
from tests.dispatch.arms import Boom, double, wrong

pytestmark = pytest.mark.usefixtures("quiet_guard")

Make = Callable[..., Switch[..., Any]]


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
def test_a_share_of_0_or_100_percent_is_exact(make: Make, percent: int, expected: int) -> None:
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
