"""The page that Prometheus reads, parsed back by its own client."""

from __future__ import annotations

import asyncio
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

import fastcore
from fastcore import metrics
from fastcore._snapshot import Sample, Snapshot
from fastcore.dispatch import flags
from fastcore.monitor import FastcoreCollector, MetricsApp, exposition
from fastcore.monitor.help import HELP
from fastcore.monitor.prometheus import FAST, SLOW, buckets_of, cumulative


def parsed(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = text_string_to_metric_families(page.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in found for s in family.samples}


def page_of(*samples: Sample) -> bytes:
    return exposition(lambda: Snapshot(samples), process=False)[0]


def test_buckets_are_a_microsecond_to_a_second_in_steps_of_1_2_5() -> None:
    assert FAST[:4] == (1e-6, 2.5e-6, 5e-6, 1e-5)
    assert FAST[-3:] == (0.25, 0.5, 1.0)
    assert len(FAST) == 19
    assert list(FAST) == sorted(FAST)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e3)), max_size=60))
def test_bucket_counts_are_correct_within_one_percent(values: list[float]) -> None:
    sketch = metrics.Sketch()
    for value in values:
        sketch.observe(value)
    found = cumulative(sketch.state(), FAST)
    assert found == sorted(found)
    assert found[-1] == len(values)
    for bound, count in zip(FAST, found):
        assert sum(v <= bound * 0.98 for v in values) <= count <= sum(v <= bound * 1.02 for v in values)


@pytest.mark.parametrize("bounds", [FAST, SLOW])
def test_values_next_to_a_bound_are_on_their_side_of_it(bounds: tuple[float, ...]) -> None:
    for at, bound in enumerate(bounds):
        for factor, expected in ((0.98, 1.0), (1.02, 0.0)):
            sketch = metrics.Sketch()
            sketch.observe(bound * factor)
            assert cumulative(sketch.state(), bounds)[at] == expected, (bound, factor)


def test_counters_gauges_and_latencies() -> None:
    sketch = metrics.Sketch()
    for value in (2e-6, 3e-6, 0.3, 7.0):
        sketch.observe(value)
    found = parsed(
        page_of(
            Sample("x_total", "counter", (("a", 'q"uo\\te\n'),), 3),
            Sample("x_total", "counter", (("b", "2"),), 4),
            Sample("y_ratio", "gauge", (), 0.25),
            Sample("z_seconds", "latency", (("k", "v"),), sketch.state()),
            Sample("empty_seconds", "latency", (), metrics.Sketch().state()),
        )
    )
    assert found["x_total", (("a", 'q"uo\\te\n'), ("b", ""))] == 3
    assert found["x_total", (("a", ""), ("b", "2"))] == 4
    assert found["y_ratio", ()] == 0.25
    assert found["z_seconds_bucket", (("k", "v"), ("le", "2.5e-06"))] == 1
    assert found["z_seconds_bucket", (("k", "v"), ("le", "1.0"))] == 3
    assert found["z_seconds_bucket", (("k", "v"), ("le", "+Inf"))] == 4
    assert found["z_seconds_count", (("k", "v"),)] == 4
    assert found["z_seconds_sum", (("k", "v"),)] == pytest.approx(7.300005)
    assert found["empty_seconds_count", ()] == 0


def test_requests_have_the_buckets_that_the_client_has() -> None:
    sketch = metrics.Sketch()
    sketch.observe(0.03)
    name = "fastcore_http_request_duration_seconds"
    found = parsed(page_of(Sample(name, "latency", (), sketch.state())))
    bounds = [float(dict(labels)["le"]) for (metric, labels) in found if metric.endswith("_bucket")]
    assert bounds == [*SLOW, math.inf]


def test_tasks_and_operations_take_up_to_ten_seconds() -> None:
    assert buckets_of("fastcore_tasks_run_seconds")[-1] == buckets_of("fastcore_operation_duration_seconds")[-1] == 10
    assert buckets_of("fastcore_call_duration_seconds") == FAST
    assert buckets_of("fastcore_http_request_duration_seconds") == SLOW


def test_samples_of_the_same_series_add_up() -> None:
    """Two hubs of one process count under the same names; a page with a series twice would be refused."""
    sketch = metrics.Sketch()
    sketch.observe(1.0)
    twice = [
        Sample("x_total", "counter", (("a", "b"),), 3),
        Sample("y_level", "gauge", (), 1.5),
        Sample("z_seconds", "latency", (), sketch.state()),
    ] * 2
    page = page_of(*twice, Sample("x_total", "counter", (("a", "c"),), 1))
    found = parsed(page)
    assert found["x_total", (("a", "b"),)] == 6
    assert found["x_total", (("a", "c"),)] == 1
    assert found["y_level", ()] == 3.0
    assert found["z_seconds_count", ()] == 2
    lines = [line.partition("}")[0] for line in page.decode().splitlines() if line[0] != "#" and "}" in line]
    assert len(lines) == len(set(lines))


def names_in_the_sources() -> dict[str, str]:
    """Every metric that a call in the package makes, and its kind."""
    made: dict[str, str] = {}
    call = re.compile(r"""\b(?:(counter|gauge|latency)\(\s*|Sample\(\s*)"(fastcore_\w+)"(?:,\s*"(\w+)")?""")
    for path in Path(fastcore.__file__).parent.rglob("*.py"):
        for kind, name, of_sample in call.findall(path.read_text(encoding="utf-8")):
            made[name] = kind or of_sample
    return made


def test_names_follow_the_conventions_and_have_their_help() -> None:
    made = names_in_the_sources()
    assert len(made) > 40
    for name, kind in made.items():
        assert name in HELP, f"expected {name} in fastcore/monitor/help.py"
        assert name.endswith("_total") == (kind == "counter"), name
        assert name.endswith("_seconds") or kind != "latency", name
        assert not re.search(r"_(ms|us|ns|millis|percent|kb|mb|minutes)(_|$)", name), f"{name}: expected base units"


def test_the_build_and_the_state_of_every_flag(own_flags: list[str]) -> None:
    own_flags.append("test.state")
    flags.declare("test.state")

    def state() -> dict[str, float]:
        found = parsed(exposition()[0])
        return {
            dict(labels)["state"]: value
            for (name, labels), value in found.items()
            if name == "fastcore_flag_state" and dict(labels)["flag"] == "test.state"
        }

    assert state() == {"control": 1, "candidate": 0, "trial": 0, "rolled_back": 0}
    flags.set("test.state", "canary")
    assert state()["trial"] == 1
    flags.set("test.state", "candidate")
    assert state()["candidate"] == 1
    flags.rollback("test.state", "test")
    assert state() == {"control": 0, "candidate": 0, "trial": 0, "rolled_back": 1}
    assert b"fastcore_build_info{" in exposition()[0]


def test_the_process_metrics_of_the_client_are_included() -> None:
    assert b"python_info" in exposition()[0]
    assert b"python_info" not in exposition(process=False)[0]


def test_another_registry_takes_the_collector() -> None:
    metrics.counter("test_prom_total").add(5)
    registry = CollectorRegistry()
    registry.register(FastcoreCollector())
    assert registry.get_sample_value("test_prom_total") == 5


def test_openmetrics_is_served_on_request() -> None:
    page, content_type = exposition(accept="application/openmetrics-text; version=1.0.0")
    assert "openmetrics" in content_type
    assert page.endswith(b"# EOF\n")


def test_every_metric_that_is_named_has_its_help() -> None:
    for name, text in HELP.items():
        assert re.fullmatch(r"fastcore_[a-z_]+", name)
        assert text.endswith(".")
    page = page_of(Sample("fastcore_rollout_ratio", "gauge", (), 1.0)).decode()
    assert f"# HELP fastcore_rollout_ratio {HELP['fastcore_rollout_ratio']}" in page


class TestApp:
    def ask(self, app: Any, method: str = "GET", **headers: str) -> httpx.Response:
        async def run() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                return await client.request(method, "/metrics", headers=headers)

        return asyncio.run(run())

    def test_the_page_is_served_in_the_format_of_prometheus(self) -> None:
        metrics.counter("test_app_total").add()
        answer = self.ask(MetricsApp())
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert "test_app_total 1.0" in answer.text
        assert self.ask(MetricsApp(), "HEAD").content == b""
        assert self.ask(MetricsApp(), "POST").status_code == 405

    def test_a_token(self) -> None:
        app = MetricsApp(token="a long secret token")
        assert self.ask(app).status_code == 401
        assert self.ask(app, authorization="Bearer wrong").status_code == 401
        assert self.ask(app, authorization="Basic a long secret token").status_code == 401
        assert self.ask(app, authorization="Bearer a long secret token").status_code == 200

    def test_a_short_token_is_refused(self) -> None:
        with pytest.raises(ValueError, match="token: expected at least 16 characters, got 5"):
            MetricsApp(token="short")

    def test_without_the_client_it_says_what_to_install(self) -> None:
        code = """
import sys
sys.modules["prometheus_client"] = None
from fastcore.monitor import MetricsApp, MetricsMiddleware, Health
try:
    MetricsApp()
except ImportError as error:
    print(error)
"""
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert 'pip install "fastcore-native[prometheus]"' in ran.stdout


def test_a_label_with_a_lone_surrogate_is_exported() -> None:
    metrics.counter("test_surrogate_total", file="a\udce9").add(3)
    page = exposition(process=False)[0].decode()
    assert 'test_surrogate_total{file="a\\\\udce9"} 3.0' in page
    assert metrics.counter("test_surrogate_total", file="a\udce9").value == 3


def test_a_label_le_of_a_latency_is_exported_renamed() -> None:
    state = (1, 0, 0.5, 0.5, 0.5, {-35: 1})
    series = [Sample("test_bounds", "latency", (("le", bound),), state) for bound in ("0.5", "1")]
    page = exposition(lambda: Snapshot(series), process=False)[0].decode()
    rows = [
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith("test_bounds")
    ]
    assert len(rows) == len(set(rows)) == 2 * (len(FAST) + 3)
    assert {dict(labels)["exported_le"] for _, labels in rows} == {"0.5", "1"}
