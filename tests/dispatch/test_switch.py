"""What a Switch guarantees to its callers; every test runs on both twins."""

from __future__ import annotations

import functools
import operator
import time
import types
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import fastcore
from fastcore import Switch, flags
from tests.dispatch.arms import control, fast

Make = Callable[..., Switch[..., Any]]


def counts(switch: Switch[..., Any]) -> list[tuple[int, int]]:
    report = switch.report()
    return [(arm.calls, arm.errors) for arm in (report.control, report.candidate)]


def test_control_runs_by_default(make: Make) -> None:
    switch = make(control, fast)
    assert switch(1) == ("control", 1, 2, 3)
    flags.set(switch.flag, "candidate")
    assert switch(1, 5, k=7) == ("candidate", 1, 5, 7)
    flags.set(switch.flag, "control")
    assert switch(x=1) == ("control", 1, 2, 3)
    assert counts(switch) == [(2, 0), (1, 0)]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1,), {}), ((1, 2), {}), ((), {"x": 1}), ((1,), {"k": 9}), ((1, 2), {"k": 9}), ((), {"y": 1, "k": 2, "x": 3})],
)
def test_arguments_are_passed_on_unchanged(make: Make, args: Any, kwargs: Any) -> None:
    switch = make(control, fast)
    assert switch(*args, **kwargs) == control(*args, **kwargs)
    assert switch.call_for("key", *args, **kwargs) == control(*args, **kwargs)
    flags.set(switch.flag, "candidate")
    assert switch(*args, **kwargs) == fast(*args, **kwargs)
    assert switch.call_for("key", *args, **kwargs) == fast(*args, **kwargs)


def every_kind(a: int, b: int = 1, /, c: int = 2, *rest: int, d: int, e: int = 4, **more: int) -> tuple[Any, ...]:
    return a, b, c, rest, d, e, more


def names_of_the_wrapper(
    engine: int, arm: int, start: int, result: int, _arm: int, __engine: int = 3
) -> tuple[int, ...]:
    return engine, arm, start, result, _arm, __engine


def only_keywords(*, a: int, b: int = 2) -> tuple[int, int]:
    return a, b


def mutable_default(a: int, seen: list[int] = []) -> list[int]:  # noqa: B006
    seen.append(a)
    return seen


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (every_kind, (1,), {"d": 3}),
        (every_kind, (1, 2, 3, 4, 5), {"d": 3, "e": 1, "z": 9}),
        (every_kind, (1,), {"c": 5, "d": 3, "a": 7}),
        (names_of_the_wrapper, (1, 2, 3, 4, 5), {}),
        (names_of_the_wrapper, (1, 2, 3), {"result": 4, "_arm": 5, "__engine": 6}),
        (only_keywords, (), {"a": 1}),
        (lambda: "nothing", (), {}),
        (max, (3, 9, 4), {}),
        (dict, (), {"a": 1}),
        (functools.partial(control, 8), (), {"k": 1}),
        ("{}-{}".format, (1, 2), {}),
        (operator.itemgetter(1), ([4, 5],), {}),
    ],
)
def test_any_signature(make: Make, function: Any, args: Any, kwargs: Any) -> None:
    assert make(function, function)(*args, **kwargs) == function(*args, **kwargs)


def test_a_mutable_default_is_the_control_s_own(make: Make) -> None:
    switch = make(mutable_default)
    assert switch(1) is switch(2) is mutable_default(3)


def test_each_arm_fills_in_its_own_default(make: Make) -> None:
    switch = make(lambda x, scale=1: x * scale, lambda x, scale=10: x * scale)
    assert switch(2) == 2
    flags.set(switch.flag, "candidate")
    assert switch(2) == 20


def test_defaults_that_do_not_compare(make: Make) -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no comparing")

        __hash__ = None  # type: ignore[assignment]

    switch = make(lambda x=Odd(): "control", lambda x=Odd(): "candidate")  # noqa: B008
    assert switch() == "control"


def test_wrong_arguments_get_the_arm_s_own_error(make: Make) -> None:
    switch = make(control, control)
    for args, kwargs in [((), {}), ((1, 2, 3), {}), ((1,), {"z": 1}), ((1,), {"x": 1})]:
        with pytest.raises(TypeError) as ours:
            switch(*args, **kwargs)  # type: ignore[arg-type]
        with pytest.raises(TypeError) as theirs:
            control(*args, **kwargs)  # type: ignore[arg-type]
        assert str(ours.value) == str(theirs.value)


class Boom(Exception):
    pass


def test_an_arm_s_exception_is_raised_and_counted(make: Make) -> None:
    error = Boom("the very one")

    def broken(x: int) -> int:
        raise error

    switch = make(lambda x: x, broken)
    assert switch(1) == 1
    flags.set(switch.flag, "candidate")
    for call in (switch, functools.partial(switch.call_for, None)):
        with pytest.raises(Boom) as caught:
            call(1)
        assert caught.value is error
    assert counts(switch) == [(1, 0), (2, 2)]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupt_is_not_the_arm_s_error(make: Make, kind: type[BaseException]) -> None:
    def interrupted() -> None:
        raise kind

    switch = make(interrupted)
    with pytest.raises(kind):
        switch()
    assert counts(switch)[0] == (1, 0)


def test_one_call_in_many_is_timed(make: Make) -> None:
    switch = make(control, fast)
    for _ in range(64_000):
        switch(1)
    report = switch.report()
    assert report.control.calls == 64_000
    assert 800 < report.control.timed < 1200
    assert report.candidate.calls == report.candidate.timed == 0
    assert 0 < report.control.p50 <= report.control.p95 <= report.control.p99 < 1


def test_with_every_1_each_call_is_timed_except_failures(make: Make) -> None:
    switch = make(lambda x: 1 / x, every=1)
    for x in (1, 2, 0, 4, 0):
        try:
            switch(x)
        except ZeroDivisionError:
            pass
    report = switch.report()
    assert (report.control.calls, report.control.errors, report.control.timed) == (5, 2, 3)


def test_latencies_are_measured_around_the_calls(make: Make) -> None:
    within: list[float] = []  # what the calls took, by themselves and by their caller: however busy the machine is
    around: list[float] = []

    def spin(seconds: float) -> None:
        begin = time.perf_counter()
        while time.perf_counter() < begin + seconds:
            pass
        within.append(time.perf_counter() - begin)

    switch = make(spin, every=1)
    for seconds in [0.002] * 15 + [0.05] * 5:
        begin = time.perf_counter()
        switch(seconds)
        around.append(time.perf_counter() - begin)
    report, shortest, longest = switch.report().control, sorted(within), sorted(around)
    assert 0.98 * shortest[9] <= report.p50 <= 1.02 * longest[10]
    assert 0.98 * shortest[18] <= report.p95 <= 1.02 * longest[19]


@pytest.mark.parametrize("mode", ["candidate", "ramp:5"])
def test_without_a_candidate_there_is_only_control(make: Make, mode: str) -> None:
    switch = make(control)
    with pytest.raises(ValueError, match=f"{mode} cannot be applied, Switch {switch.name} has no candidate"):
        flags.set(switch.flag, mode)
    assert switch(1)[0] == "control"
    assert switch.candidate is None
    assert flags.get(switch.flag).source == "default"


def test_two_switches_on_one_flag(make: Make) -> None:
    first, second = make(control, fast), make(control, fast, flag="test.shared")
    third = make(control, fast, flag="test.shared", name="test.third")
    flags.set("test.shared", "candidate")
    assert [s(1)[0] for s in (first, second, third)] == ["control", "candidate", "candidate"]
    flags.clear("test.shared")
    flags.clear("test.shared")
    assert second(1)[0] == "control"


def test_a_hot_path_s_flag(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = make(control, fast, flag="heap")
    monkeypatch.setattr(fastcore._ext, "load", lambda name: None)
    for mode, arm in (("auto", "candidate"), ("python", "control"), ("compiled", "candidate"), ("ramp:0", "control")):
        with flags.override("heap", mode):
            assert switch(1)[0] == arm
    assert [arm.name for arm in (switch.report().control, switch.report().candidate)] == ["python", "compiled"]
    assert make(control, flag="heap")(1)[0] == "control"  # auto, and nothing compiled


def test_a_hot_path_without_its_compiled_twin_says_why(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> types.ModuleType:
        raise fastcore.BackendUnavailable(f"fastcore._ext.{name} is not available: not built")

    monkeypatch.setattr(fastcore._ext, "load", refuse)
    with pytest.raises(fastcore.BackendUnavailable, match=r"_ext\.heap is not available: not built"):
        flags.set("heap", "compiled")
    monkeypatch.setattr(fastcore._ext, "load", lambda name: None)
    with flags.override("heap", "compiled"):
        monkeypatch.setattr(fastcore._ext, "load", refuse)
        with pytest.raises(fastcore.BackendUnavailable, match=r"_ext\.heap is not available: not built"):
            make(control, flag="heap")


def test_rollback_and_resume(make: Make) -> None:
    switch = make(control, fast)
    flags.set(switch.flag, "candidate")
    flag = switch.rollback("wrong RSI")
    assert (flag.mode, flag.source, flag.reason) == ("control", "rollback", "wrong RSI")
    flags.set(switch.flag, "ramp:100")
    assert switch(1)[0] == "control"
    assert switch.mode == "control"
    assert switch.resume().mode == "ramp:100"
    assert switch(1)[0] == "candidate"


def test_ramp_is_sticky_and_monotone(make: Make) -> None:
    switch = make(control, fast)
    keys = [f"SYM{i}" for i in range(2000)]
    chosen: set[str] = set()
    for percent in (0, 1, 10, 33.3, 50, 100):
        flags.set(switch.flag, f"ramp:{percent}")
        now = {key for key in keys if switch.call_for(key, 1)[0] == "candidate"}
        assert now == {key for key in keys if switch.call_for(key, 1)[0] == "candidate"}
        assert chosen <= now
        assert abs(len(now) / len(keys) - percent / 100) < 0.05
        chosen = now
    assert len(chosen) == len(keys)


def test_the_key_may_come_from_the_context(make: Make) -> None:
    switch = make(control, fast)
    flags.set(switch.flag, "ramp:50")
    for key in ("AAPL", b"AAPL", 7, -1, 2**80, "Zürich", ""):
        expected = switch.call_for(key, 1)
        with fastcore.assigned(key):
            assert all(switch(1) == expected for _ in range(20))
            with fastcore.assigned(None):
                assert {switch(1)[0] for _ in range(200)} == {"control", "candidate"}
            assert switch(1) == expected


def test_a_given_key_has_precedence_over_the_context(make: Make) -> None:
    switch = make(control, fast)
    flags.set(switch.flag, "ramp:50")
    by_arm = {switch.call_for(key, 1)[0]: key for key in map(str, range(50))}
    with fastcore.assigned(by_arm["control"]):
        assert switch.call_for(by_arm["candidate"], 1)[0] == "candidate"
        assert switch(1)[0] == "control"
        assert {switch.call_for(None, 1)[0] for _ in range(200)} == {"control", "candidate"}


def test_calls_without_a_key_are_assigned_at_random(make: Make) -> None:
    switch = make(control, fast)
    flags.set(switch.flag, "ramp:20")
    found = sum(switch(1)[0] == "candidate" for _ in range(20_000))
    assert abs(found - 4000) < 6 * (20_000 * 0.2 * 0.8) ** 0.5
    for mode, arm in (("ramp:0", "control"), ("ramp:100", "candidate")):
        flags.set(switch.flag, mode)
        assert {switch(1)[0] for _ in range(1000)} == {arm}


@pytest.mark.parametrize("mode", ["control", "candidate", "ramp:50"])
@pytest.mark.parametrize("key", [["AAPL"], object(), (object(),), bytearray(b"a")])
def test_a_bad_key_is_refused_in_every_mode(make: Make, key: Any, mode: str) -> None:
    switch = make(control, fast)
    flags.set(switch.flag, mode)
    with pytest.raises(TypeError, match=r"^key: expected a str, bytes, int or another value"):
        switch.call_for(key, 1)
    with pytest.raises(TypeError, match=r"^key: expected"), fastcore.assigned(key):
        switch(1)
    assert counts(switch) == [(0, 0), (0, 0)]


@pytest.mark.parametrize("key", [1.5, ("a", 1), uuid.UUID(int=5)])
def test_keys_of_every_stable_type_are_accepted_in_every_mode(make: Make, key: Any) -> None:
    switch = make(control, fast)
    for mode in ("control", "candidate", "ramp:50"):
        flags.set(switch.flag, mode)
        with fastcore.assigned(key):
            assert switch(1) == switch.call_for(key, 1)


def test_all_calls_are_timed_once_they_are_known_to_be_slow(make: Make) -> None:
    def sleeps() -> None:
        time.sleep(1e-4)

    found, asked = make(sleeps), make(sleeps, every=1000)
    for switch in (found, asked):
        for _ in range(300):
            switch()
        switch._tune()
    before = found.report().control.timed
    assert 0 < before < 300
    for switch in (found, asked):
        for _ in range(50):
            switch()
    assert found.report().control.timed == before + 50
    assert asked.report().control.timed < 50


def test_call_for_needs_a_key(make: Make) -> None:
    with pytest.raises(TypeError, match=r"^Switch\.call_for\(\) missing 1 required positional argument: 'key'$"):
        make(control).call_for()  # type: ignore[call-arg]


def test_switches_on_one_flag_agree_and_flags_differ(make: Make) -> None:
    one, two = make(control, fast, flag="test.agree"), make(control, fast, flag="test.agree")
    other, salted = make(control, fast), make(control, fast, salt="test.agree")
    for switch in (one, other, salted):
        flags.set(switch.flag, "ramp:50")
    arms = [[s.call_for(k, 1)[0] for k in range(200)] for s in (one, two, salted, other)]
    assert arms[0] == arms[1] == arms[2]
    assert arms[0] != arms[3]
