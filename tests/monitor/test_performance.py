"""`PerformanceMonitor`, as the requirements name and use it."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Iterator
from typing import Any

import pytest

import fastcore.monitor
from fastcore import metrics
from fastcore._snapshot import Sample, Snapshot
from fastcore.monitor import (
    AlertManager,
    Baselines,
    CallableChannel,
    DegradationDetector,
    MetricsCollector,
    PerformanceMonitor,
)
from tests.monitor.conftest import Clock
from tests.monitor.test_degradation import latencies


class Desk:
    """A monitor of one service, whose latencies the test gives."""

    def __init__(self, clock: Clock) -> None:
        self.sketch, self.rng, self.clock = metrics.Sketch(), random.Random(1), clock
        self.told: list[Any] = []
        labels = (("operation", "look"), ("service", "desk"))
        self.monitor = PerformanceMonitor(
            MetricsCollector(
                source=lambda: Snapshot(
                    [Sample("fastcore_operation_duration_seconds", "latency", labels, self.sketch.state())]
                ),
                clock=clock,
                cpu=lambda: 1.0,
                memory=lambda: 2.0,
            ),
            AlertManager(rules=(), channels=[CallableChannel(self.told.append)], clock=clock, wall=clock.wall),
            detector=DegradationDetector(baselines=Baselines(fingerprint="here")),
            interval=0.001,
        )

    def minute(self, median: float, calls: int = 100) -> None:
        self.clock.now += 60
        self.sketch.merge(latencies(self.rng, calls, median))
        asyncio.run(self.monitor.look("desk"))


@pytest.fixture
def desk(clock: Clock) -> Iterator[Desk]:
    made = Desk(clock)
    made.sketch.merge(latencies(made.rng, 300, 0.01))
    made.monitor.record_baseline("desk")
    yield made
    assert made.monitor.alert_manager.stop(60)


def test_a_slowdown_is_reported_once_at_its_start_and_once_at_its_end(desk: Desk) -> None:
    for _ in range(10):
        desk.minute(0.01)
    for _ in range(30):
        desk.minute(0.02)
    for _ in range(30):
        desk.minute(0.01)
    for _ in range(10):
        desk.minute(0.02)
    assert desk.monitor.alert_manager.stop(60)
    text = "Performance degradation detected: desk"
    assert [(alert.summary, alert.state) for alert in desk.told] == [
        (text, "firing"),
        (text, "resolved"),
        (text, "firing"),
    ]
    details = desk.told[0].details
    assert details["service_name"] == "desk"
    assert details["median"] == pytest.approx(0.02, rel=0.2)
    assert "latency" not in details
    [found] = desk.monitor.degradations("desk")
    assert found.degraded


def test_without_calls_the_state_does_not_change(desk: Desk) -> None:
    for _ in range(30):
        desk.minute(0.02)
    desk.clock.now += 60
    found = asyncio.run(desk.monitor.collect_metrics("desk"))
    assert found.calls == 0
    assert desk.monitor.detect_performance_degradation(found)


def test_watching_continues_after_an_error_until_cancelled(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []
    real = desk.monitor.metrics_collector.collect

    def collect(name: str) -> Any:
        looks.append(1)
        if len(looks) == 1:
            raise OSError("no /proc today")
        return real(name)

    desk.monitor.metrics_collector.collect = collect  # type: ignore[method-assign]

    async def run() -> None:
        task = asyncio.create_task(desk.monitor.monitor_service_performance("desk"))
        async with asyncio.timeout(60):
            while len(looks) < 3:
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert "the service desk could not be checked" in caplog.text


def test_the_documented_usage_works() -> None:
    """Every minute, without arguments, by these names."""
    monitor = PerformanceMonitor()
    assert monitor.interval == 60.0
    assert isinstance(monitor.metrics_collector, MetricsCollector)
    assert isinstance(monitor.alert_manager, AlertManager)
    assert inspect.iscoroutinefunction(monitor.monitor_service_performance)
    assert inspect.iscoroutinefunction(monitor.collect_metrics)
    found = asyncio.run(monitor.collect_metrics("nothing"))
    assert not monitor.detect_performance_degradation(found)
    for name in ("memory_usage", "response_time", "cpu_usage", "service_name"):
        assert hasattr(found, name)
    fields = [*fastcore.monitor.PerformanceMetrics.__dataclass_fields__]
    assert fields == [
        "service_name",
        "operation",
        "execution_time_before",
        "execution_time_after",
        "memory_usage_before",
        "memory_usage_after",
        "improvement_percentage",
        "timestamp",
    ]
    fields = [*fastcore.monitor.OptimizationStatus.__dataclass_fields__]
    assert fields == ["service_name", "optimization_type", "status", "performance_gain", "applied_at"]


def test_every_public_name_is_there() -> None:
    for name in fastcore.monitor.__all__:
        assert getattr(fastcore.monitor, name) is not None
    assert set(fastcore.monitor.__all__) <= set(dir(fastcore.monitor))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fastcore.monitor.nothing  # noqa: B018


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="interval: expected a number above 0, got 0"):
        PerformanceMonitor(interval=0)
