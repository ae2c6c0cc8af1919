"""Triggers: their advice and actions, which are journaled and can be reverted."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import pytest

from fastcore import metrics
from fastcore._snapshot import Snapshot
from fastcore.dispatch import flags
from fastcore.memory import register_shrinker
from fastcore.monitor import AutoOptimizationManager, MetricsCollector, Outcome, ServiceMetrics
from fastcore.monitor.triggers import FLAGS
from tests.monitor.conftest import Clock

pytestmark = pytest.mark.usefixtures("own_flags")


class Desk:
    """A service whose figures the test sets."""

    def __init__(self, clock: Clock) -> None:
        self.memory, self.cpu, self.clock = 10.0, 10.0, clock
        self.sketches: dict[str, Any] = {}

    def answered(self, seconds: float, service: str = "desk", times: int = 10) -> None:
        sketch = self.sketches.setdefault(service, metrics.Sketch())
        for _ in range(times):
            sketch.observe(seconds)

    def snapshot(self) -> Snapshot:
        from fastcore._snapshot import Sample

        name = "fastcore_operation_duration_seconds"
        return Snapshot(
            Sample(name, "latency", (("operation", "look"), ("service", service)), sketch.state())
            for service, sketch in self.sketches.items()
        )

    def manager(self, mode: Literal["advise", "act"] = "act", **kwargs: Any) -> AutoOptimizationManager:
        collector = MetricsCollector(
            source=self.snapshot, clock=self.clock, cpu=lambda: self.cpu, memory=lambda: self.memory
        )
        return AutoOptimizationManager(collector, mode=mode, clock=self.clock, **kwargs)


@pytest.fixture
def desk(clock: Clock) -> Desk:
    return Desk(clock)


def look(manager: AutoOptimizationManager) -> list[tuple[str, str]]:
    return [(outcome.action, outcome.what) for outcome in asyncio.run(manager.auto_apply_optimizations())]


def modes() -> dict[str, str]:
    return {action: flags.get(name).mode for action, name in FLAGS.items()}


OFF = {"memory": "control", "async": "control", "background": "control"}

Above = Callable[[Desk], None]


@pytest.mark.parametrize(
    ("action", "at", "above"),
    [
        ("memory", lambda desk: setattr(desk, "memory", 80.0), lambda desk: setattr(desk, "memory", 80.1)),
        ("async", lambda desk: desk.answered(4.9), lambda desk: desk.answered(5.2)),
        ("background", lambda desk: setattr(desk, "cpu", 90.0), lambda desk: setattr(desk, "cpu", 90.1)),
    ],
)
def test_each_acts_above_its_threshold_and_not_at_it(desk: Desk, action: str, at: Above, above: Above) -> None:
    manager = desk.manager()
    desk.answered(0.1)
    at(desk)
    assert look(manager) == []
    above(desk)
    assert look(manager) == [(action, "applied")]
    assert modes() == {**OFF, action: "candidate"}
    flag = flags.get(FLAGS[action])  # type: ignore[index]
    assert flag.reason.startswith("trigger: desk: ")
    entry = [entry for entry in flags.journal(flag.name) if entry.who == "trigger"][-1]
    assert (entry.what, entry.evidence["threshold"]) == (
        "applied",
        {"memory": 80, "async": 5, "background": 90}[action],
    )


def test_all_at_once(desk: Desk) -> None:
    desk.memory, desk.cpu = 95.0, 99.0
    desk.answered(9.0)
    assert look(desk.manager()) == [("memory", "applied"), ("async", "applied"), ("background", "applied")]


def test_by_default_it_advises_and_changes_nothing(desk: Desk) -> None:
    desk.memory = 95.0
    before = metrics.counter("fastcore_triggers_total", action="memory", result="advised").value
    assert look(desk.manager("advise")) == [("memory", "advised")]
    assert AutoOptimizationManager().mode == "advise"
    assert modes() == OFF
    assert metrics.counter("fastcore_triggers_total", action="memory", result="advised").value == before + 1
    assert flags.journal(FLAGS["memory"])[-1].what == "advised"


def test_disallowed_optimisations_are_refused(desk: Desk) -> None:
    desk.memory, desk.cpu = 95.0, 99.0
    assert look(desk.manager(allowed=("background",))) == [("memory", "refused"), ("background", "applied")]
    assert modes() == {**OFF, "background": "candidate"}


def test_a_rolled_back_flag_is_not_set(desk: Desk) -> None:
    manager = desk.manager()
    flags.rollback(FLAGS["memory"], "it lost data")
    desk.memory = 95.0
    [outcome] = asyncio.run(manager.auto_apply_optimizations())
    assert outcome.what == "refused"
    assert "it lost data" in outcome.why
    assert flags.get(FLAGS["memory"]).mode == "control"


def test_memory_pressure_shrinks_caches_only_in_act_mode(desk: Desk) -> None:
    asked: list[int] = []
    remove = register_shrinker("test_triggers", lambda *args: asked.append(1) or 0)
    try:
        desk.memory = 95.0
        look(desk.manager("advise"))
        assert asked == []
        look(desk.manager())
        assert asked == [1]
    finally:
        remove()


def test_a_trigger_waits_for_its_cooldown(desk: Desk, clock: Clock) -> None:
    manager = desk.manager("advise", cooldown=600)
    desk.memory = 95.0
    assert look(manager) == [("memory", "advised")]
    clock.now += 599
    assert look(manager) == []
    clock.now += 1
    assert look(manager) == [("memory", "advised")]


def test_one_advice_per_process_for_any_number_of_services(desk: Desk) -> None:
    for n in range(5):
        desk.answered(6.0, f"desk{n}")
    desk.memory = 95.0
    found = look(desk.manager("advise"))
    assert found.count(("memory", "advised")) == 1
    assert found.count(("async", "advised")) == 5


def test_without_services_the_process_is_checked(desk: Desk) -> None:
    desk.memory = 95.0
    [outcome] = asyncio.run(desk.manager().auto_apply_optimizations())
    assert (outcome.service, outcome.what) == ("process", "applied")


def test_an_enabled_flag_is_not_changed(desk: Desk) -> None:
    manager = desk.manager()
    flags.set(FLAGS["memory"], "candidate", "by hand")
    desk.memory = 95.0
    assert look(manager) == []
    assert flags.get(FLAGS["memory"]).reason == "by hand"


@pytest.mark.parametrize("before", ["", "ramp:10"])
def test_revert_restores_the_previous_mode(desk: Desk, before: str) -> None:
    manager = desk.manager()
    if before:
        flags.set(FLAGS["memory"], before, "a trial")
    desk.memory = 95.0
    look(manager)
    assert modes()["memory"] == "candidate"
    outcome = manager.revert("memory", "enough")
    assert outcome == Outcome("", "memory", "reverted", "enough")
    flag = flags.get(FLAGS["memory"])
    assert (flag.mode, flag.reason) == ((before, "a trial") if before else ("control", ""))
    assert manager.revert("memory") is None
    assert flags.journal(FLAGS["memory"])[-1].what == "reverted"


def test_revert_does_not_undo_a_later_setting(desk: Desk) -> None:
    manager = desk.manager()
    desk.memory = 95.0
    look(manager)
    flags.set(FLAGS["memory"], "ramp:50", "by hand")
    assert manager.revert("memory") is None
    assert flags.get(FLAGS["memory"]).mode == "ramp:50"


def test_run_continues_after_an_error(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    manager = desk.manager("advise", cooldown=0)
    looks: list[int] = []
    real = manager.metrics_collector._collect_all

    def collect_all(names: Iterable[str] | None = None) -> list[ServiceMetrics]:
        looks.append(1)
        if len(looks) == 1:
            raise OSError("no /proc today")
        return real(names)

    manager.metrics_collector._collect_all = collect_all  # type: ignore[method-assign]

    async def run() -> None:
        task = asyncio.create_task(manager.run(0.001))
        async with asyncio.timeout(60):
            while len(looks) < 3:
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert "the triggers could not be evaluated" in caplog.text


def test_without_measurements_nothing_triggers() -> None:
    manager = AutoOptimizationManager(
        MetricsCollector(source=lambda: Snapshot([]), cpu=lambda: math.nan, memory=lambda: math.nan)
    )
    assert look(manager) == []


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="mode: expected 'advise' or 'act', got 'do'"):
        AutoOptimizationManager(mode="do")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="allowed: expected names of memory, async, background, got 'x'"):
        AutoOptimizationManager(allowed=("x",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cooldown: expected a number >= 0, got -1"):
        AutoOptimizationManager(cooldown=-1)
    with pytest.raises(ValueError, match="action: expected one of memory, async, background, got 'x'"):
        AutoOptimizationManager().revert("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="interval: expected a number above 0, got 0"):
        asyncio.run(AutoOptimizationManager().run(0))
