"""Who keeps the states of sketches until the next reading keeps few objects for each, whatever was recorded."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore import metrics
from fastcore._snapshot import PackedState, Sample, Snapshot
from fastcore.monitor import MetricsCollector, Rule
from fastcore.monitor.rules import Reader
from fastcore.service.dashboard import Prices, Sources
from fastcore.service.dashboard.details import Details
from fastcore.service.dashboard.recorder import Recorder
from tests.monitor.conftest import Clock

BINS = 400
HTTP = "fastcore_http_request_duration_seconds"
OPERATION = "fastcore_operation_duration_seconds"


def objects_below(root: Any) -> int:
    """Return how many objects are reachable from `root`, other than types, modules and functions."""
    seen, left = {id(root)}, [root]
    while left:
        for one in gc.get_referents(left.pop()):
            if id(one) not in seen and not isinstance(one, (type, ModuleType, FunctionType)):
                seen.add(id(one))
                left.append(one)
    return len(seen)


def wide(sketch: Any) -> Any:
    """Record in many bins, each more often than the small ints count."""
    for key in range(BINS):
        sketch.merge((300, 0, 300 * 1.02**key, 1.02**key, 1.02**key, {key: 300}))
    return sketch


def of_the_collector(clock: Clock) -> Any:
    sample = Sample(OPERATION, "latency", (("operation", "look"), ("service", "desk")), wide(metrics.Sketch()).state())
    collector = MetricsCollector(source=lambda: Snapshot([sample]), clock=clock, cpu=lambda: 1.0, memory=lambda: 1.0)
    assert [collector.collect("desk").calls for _ in range(2)] == [300 * BINS, 0]
    return collector._seen


def of_the_rules(clock: Clock) -> Any:
    reader, rule = Reader(), Rule(name="slow", metric="kept", above=1.0)
    sketch = wide(metrics.Sketch())
    for _ in range(2):
        reader.read(rule, Snapshot([Sample("kept", "latency", (), sketch.state())]), clock())
    return reader._before


def of_the_details(clock: Clock) -> Any:
    labels = {"method": "GET", "route": "/kept-states", "status": "200"}
    metrics.counter("fastcore_http_requests_total", **labels).add(10**6)  # among the busiest routes
    wide(metrics.latency(HTTP, method="GET", route="/kept-states"))
    details = Details()
    for n in range(2):
        details.sample(1e9 + n, float(n))
    return next(seen for key, seen in details._seen.items() if "/kept-states" in key)


def of_the_recorder(clock: Clock) -> Any:
    wide(metrics.latency(HTTP, method="GET", route="/kept-states"))
    recorder = Recorder(Sources(Prices()), timer=clock)
    for _ in range(2):
        recorder.sample()
    return recorder._latency


@pytest.mark.parametrize("kept", [of_the_collector, of_the_rules, of_the_details, of_the_recorder])
def test_what_is_kept_has_no_object_for_each_bin(kept: Callable[[Clock], Any], clock: Clock) -> None:
    assert 3 < objects_below(kept(clock)) < BINS // 4


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1e300)))
def test_a_packed_state_is_that_state(values: list[float]) -> None:
    sketch = metrics.Sketch()
    for value in values:
        sketch.observe(value)
    packed = PackedState(sketch.state())
    assert packed.state == sketch.state()
    assert list(packed.state[5]) == list(sketch.state()[5])  # in the same order
