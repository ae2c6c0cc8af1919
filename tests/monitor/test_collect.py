"""What services did between two looks, records of it, and the decorator that times."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore import Switch, metrics
from fastcore._snapshot import Sample, Snapshot
from fastcore.dispatch import flags
from fastcore.monitor import (
    AutoOptimizationManager,
    MetricsCollector,
    OptimizationStatus,
    measure_execution_time,
    optimization_status,
)
from fastcore.monitor.collect import EMPTY, window
from tests.monitor.conftest import Clock


def collector(samples: list[Sample], clock: Clock) -> MetricsCollector:
    return MetricsCollector(source=lambda: Snapshot(samples), clock=clock, cpu=lambda: 12.0, memory=lambda: 34.0)


def latency(name: str, sketch: Any, **labels: str) -> Sample:
    return Sample(name, "latency", tuple(sorted(labels.items())), sketch.state())


def count(name: str, value: int, **labels: str) -> Sample:
    return Sample(name, "counter", tuple(sorted(labels.items())), value)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1e3)), st.lists(st.floats(0, 1e3)))
def test_a_window_is_the_difference_of_two_snapshots(first: list[float], second: list[float]) -> None:
    sketch, alone = metrics.Sketch(), metrics.Sketch()
    for value in first:
        sketch.observe(value)
    before = sketch.state()
    for value in second:
        sketch.observe(value)
        alone.observe(value)
    found, expected = window(before, sketch.state()), alone.state()
    assert (found[0], found[1], found[5]) == (expected[0], expected[1], expected[5])
    assert found[2] == pytest.approx(expected[2], abs=1e-6)


def test_a_sketch_that_was_cleared_in_between() -> None:
    sketch = metrics.Sketch()
    for _ in range(5):
        sketch.observe(1.0)
    before = sketch.state()
    sketch.clear()
    sketch.observe(2.0)
    assert window(before, sketch.state()) == sketch.state()
    assert window(sketch.state(), sketch.state()) == EMPTY


@pytest.mark.parametrize("names", [None, ("desk", "http", "risk")])
def test_services_are_collected_from_one_reading_of_each_source(clock: Clock, names: tuple[str, ...] | None) -> None:
    sketch, read = metrics.Sketch(), list[str]()
    sketch.observe(1.0)
    duration = "fastcore_operation_duration_seconds"
    samples = [
        latency(duration, sketch, service="desk", operation="look"),
        latency(duration, sketch, service="risk", operation="look"),
        latency("fastcore_http_request_duration_seconds", sketch, method="GET", route="/"),
        count("fastcore_http_requests_total", 1, status="500"),
    ]

    def reads(name: str, value: Any) -> Any:
        return lambda: read.append(name) or value

    found = MetricsCollector(
        source=reads("source", Snapshot(samples)), clock=clock, cpu=reads("cpu", 12.0), memory=reads("memory", 34.0)
    )
    looks = found._collect_all(names)
    assert sorted(read) == ["cpu", "memory", "source"]
    assert [(one.service_name, one.calls, one.error_rate) for one in looks] == [
        ("desk", 1, 0.0),
        ("http", 1, 1.0),
        ("risk", 1, 0.0),
    ]
    assert {(one.memory_usage, one.cpu_usage) for one in looks} == {(34.0, 12.0)}


@pytest.mark.parametrize("services", [None, ("desk", "risk"), ("risk", "desk", "absent")])
def test_a_manager_reads_its_services_at_one_moment(clock: Clock, services: tuple[str, ...] | None) -> None:
    sketch, loads = metrics.Sketch(), itertools.count(91.0)
    sketch.observe(1.0)
    duration = "fastcore_operation_duration_seconds"
    samples = [latency(duration, sketch, service=name, operation="look") for name in ("desk", "risk")]

    def cpu() -> float:
        clock.now += 1.0  # as the clock of a machine that is slow to answer
        return next(loads)

    found = MetricsCollector(source=lambda: Snapshot(samples), clock=clock, cpu=cpu, memory=lambda: 34.0)
    manager = AutoOptimizationManager(found, services=services)
    for load in (91.0, 92.0):
        looks = asyncio.run(manager.get_services_needing_optimization())
        assert [one.service_name for one in looks] == list(services or ("desk", "risk"))
        assert {one.cpu_usage for one in looks} == {load}


def test_between_two_looks(clock: Clock) -> None:
    sketch = metrics.Sketch()
    samples: list[Sample] = []
    found = collector(samples, clock)
    labels = {"service": "desk", "operation": "look"}
    for _ in range(100):
        sketch.observe(1.0)
    samples += [
        latency("fastcore_operation_duration_seconds", sketch, **labels),
        count("fastcore_operation_errors_total", 10, **labels),
    ]
    first = found.collect("desk")
    assert (first.calls, first.error_rate, first.throughput) == (100, 0.1, 0.0)
    clock.now += 10
    for _ in range(50):
        sketch.observe(3.0)
    samples[0] = latency("fastcore_operation_duration_seconds", sketch, **labels)
    second = found.collect("desk")
    assert (second.calls, second.error_rate, second.throughput) == (50, 0.0, 5.0)
    assert second.median == pytest.approx(3.0, rel=0.02)
    assert second.response_time == pytest.approx(3.0, rel=0.02)
    assert (second.cpu_usage, second.memory_usage) == (12.0, 34.0)
    third = found.collect("desk")
    assert third.calls == 0
    assert math.isnan(third.response_time)
    assert math.isnan(third.error_rate)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20), st.integers(0, 20), st.integers(1, 9)), max_size=8))
def test_each_snapshot_reports_the_difference_from_the_one_before(looks: list[tuple[int, int, int, int]]) -> None:
    """Calls and errors of a Switch, of which some are timed, and errors of an operation of the same service."""
    clock, samples = Clock(), list[Sample]()
    found, timed = collector(samples, clock), metrics.Sketch()
    calls = failed = broken = 0
    for number, (new_calls, new_failed, new_broken, seconds) in enumerate(looks):
        calls, failed, broken = calls + new_calls, failed + new_failed, broken + new_broken
        clock.now += seconds
        for _ in range(new_calls // 2):
            timed.observe(0.5)
        samples[:] = [
            latency("fastcore_call_duration_seconds", timed, switch="desk.rsi", arm="control"),
            count("fastcore_calls_total", calls, switch="desk.rsi", arm="control"),
            count("fastcore_call_errors_total", failed, switch="desk.rsi", arm="control"),
            count("fastcore_operation_errors_total", broken, service="desk", operation="look"),
            count("fastcore_calls_total", 1000 * number, switch="other", arm="control"),
        ]
        told = found.collect("desk")
        assert told.calls == new_calls
        assert told.latency[0] == new_calls // 2
        if new_calls:
            assert told.error_rate == min(1.0, (new_failed + new_broken) / new_calls)
        else:
            assert math.isnan(told.error_rate)
        assert told.throughput == (new_calls / seconds if number else 0.0)


def test_a_switch_counts_all_calls_and_times_some_by_arm(clock: Clock) -> None:
    slow, fast = metrics.Sketch(), metrics.Sketch()
    slow.observe(2.0)
    fast.observe(1.0)
    found = collector(
        [
            latency("fastcore_call_duration_seconds", slow, switch="desk.analyse", arm="control"),
            latency("fastcore_call_duration_seconds", fast, switch="desk.analyse", arm="candidate"),
            latency("fastcore_call_duration_seconds", fast, switch="desktop", arm="candidate"),
            count("fastcore_calls_total", 640, switch="desk.analyse", arm="control"),
            count("fastcore_calls_total", 64, switch="desk.analyse", arm="candidate"),
            count("fastcore_call_errors_total", 7, switch="desk.analyse", arm="candidate"),
        ],
        clock,
    )
    made = found.collect("desk")
    assert (made.calls, made.error_rate) == (704, 7 / 704)
    assert (made.arms["control"][0], made.arms["candidate"][0], made.latency[0]) == (1, 1, 2)
    assert found.services() == ["desk", "desktop"]


def test_http_requests_are_a_service_with_arms(clock: Clock) -> None:
    sketch = metrics.Sketch()
    sketch.observe(1.0)
    name = "fastcore_http_request_duration_seconds"
    common = {"method": "GET", "route": "/x"}
    found = collector(
        [
            latency(name, sketch, **common, arm="control"),
            latency(name, sketch, **common, arm=""),
            count("fastcore_http_requests_total", 1, **common, arm="control", status="200"),
            count("fastcore_http_requests_total", 1, **common, arm="", status="503"),
        ],
        clock,
    )
    assert found.services() == ["http"]
    made = found.collect("http")
    assert (made.calls, made.error_rate, made.arms["control"][0]) == (2, 0.5, 1)


def test_of_this_process(own_flags: list[str]) -> None:
    own_flags.append("test_collect")
    switch = Switch("test_collect.work", control=lambda x: x, candidate=lambda x: x, flag="test_collect")
    found = MetricsCollector()
    before = found.collect("test_collect").calls
    for n in range(200):
        switch(n)
    made = found.collect("test_collect")
    assert before == 0
    assert made.calls == 200
    assert 0 < made.memory_usage < 100
    assert 0 <= made.cpu_usage <= 100
    [comparison] = found.comparisons("test_collect")
    assert (comparison.service_name, comparison.operation) == ("test_collect", "work")
    assert comparison.memory_usage_after > 1


def test_status_of_every_flag(own_flags: list[str]) -> None:
    own_flags += ["test_status"]
    flags.declare("test_status")
    flags.declare("memory_optimization")

    def status(name: str) -> OptimizationStatus:
        return next(one for one in optimization_status() if one.service_name == name)

    found = []
    for mode in ("control", "candidate", "ramp:10", "shadow:5"):
        flags.set("test_status", mode)
        found.append(status("test_status").status)
    assert found == ["off", "applied", "testing", "testing"]
    flags.rollback("test_status", "why")
    assert status("test_status").status == "rolled_back"
    assert status("test_status").optimization_type == "native"
    assert status("memory_optimization").optimization_type == "memory"
    assert status("indicators").service_name == "indicators"


class TestMeasure:
    def timed(self, operation: str) -> tuple[int, int]:
        labels = {"service": "test_measure", "operation": operation}
        return (
            metrics.latency("fastcore_operation_duration_seconds", **labels).count,
            metrics.counter("fastcore_operation_errors_total", **labels).value,
        )

    def test_plain(self) -> None:
        @measure_execution_time
        def double(x: int) -> int:
            """Twice x."""
            if x < 0:
                raise ValueError(x)
            return 2 * x

        assert double(2) == 4
        with pytest.raises(ValueError):
            double(-1)
        assert double.__doc__ == "Twice x."
        assert str(inspect.signature(double)) == "(x: 'int') -> 'int'"
        labels = {"service": "test_collect", "operation": "TestMeasure.test_plain.<locals>.double"}
        assert metrics.latency("fastcore_operation_duration_seconds", **labels).count == 2
        assert metrics.counter("fastcore_operation_errors_total", **labels).value == 1

    def test_async(self) -> None:
        @measure_execution_time(service="test_measure", operation="async")
        async def wait(seconds: float) -> str:
            await asyncio.sleep(seconds)
            return "done"

        assert inspect.iscoroutinefunction(wait)
        assert asyncio.run(wait(0.02)) == "done"
        sketch = metrics.latency("fastcore_operation_duration_seconds", service="test_measure", operation="async")
        assert sketch.count == 1
        assert sketch.total >= 0.02

        async def cancelled() -> None:
            task = asyncio.create_task(wait(60))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        assert self.timed("async") == (2, 1)

    def test_methods(self) -> None:
        class Desk:
            @measure_execution_time(service="test_measure", operation="method")
            def look(self, x: int) -> int:
                return x

            @classmethod
            @measure_execution_time(service="test_measure", operation="method")
            def make(cls) -> type:
                return cls

        assert Desk().look(3) == 3
        assert Desk.make() is Desk
        assert self.timed("method") == (2, 0)

    def test_non_functions_are_refused(self) -> None:
        with pytest.raises(TypeError, match="function: expected a callable, got int"):
            measure_execution_time(3)  # type: ignore[call-overload]
