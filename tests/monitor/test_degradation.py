"""A slowdown is found when it is there, not when it is not, and is over when it is over: seeded simulations."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fastcore import metrics
from fastcore._snapshot import SketchState
from fastcore.monitor import Baselines, DegradationDetector, ServiceMetrics, SlowdownDetector, machine_fingerprint
from fastcore.monitor.collect import EMPTY


def latencies(rng: random.Random, count: int, median: float, sd: float = 0.4) -> SketchState:
    """Lognormal with a tail: two in a hundred take ten times as long."""
    sketch = metrics.Sketch()
    for _ in range(count):
        sketch.observe(median * math.exp(rng.gauss(0, sd)) * (10 if rng.random() < 0.02 else 1))
    return sketch.state()


class SlowestLast(random.Random):
    """Has the calls of a window taken from the fastest to the slowest."""

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:
        return list(population)[::-1][:k]


def window(slow: int, count: int) -> SketchState:
    """So many calls of 20 ms, and the others of 10 ms."""
    sketch = metrics.Sketch()
    for n in range(count):
        sketch.observe(0.02 if n < slow else 0.01)
    return sketch.state()


def service(latency: SketchState = EMPTY, **arms: SketchState) -> ServiceMetrics:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    return ServiceMetrics(
        "desk", latency[0], 0.0, math.nan, math.nan, math.nan, 0.0, 0.0, now, latency, {"control": EMPTY, **arms}
    )


class TestSlowdown:
    @pytest.mark.parametrize("ratio", [0.8, 1.0, 1.15])
    def test_no_alarm_where_nothing_is_over_the_limit(self, ratio: float) -> None:
        rng, detector = random.Random(1), SlowdownDetector(rng=random.Random(2))
        for _ in range(200):
            detector.look(latencies(rng, 100, 0.01 * ratio), 0.01)
            assert not detector.degraded

    def test_the_tail_alone_is_no_slowdown(self) -> None:
        detector = SlowdownDetector(rng=random.Random(2))
        sketch = metrics.Sketch()
        for n in range(1000):
            sketch.observe(0.01 if n % 10 < 6 else 1.0)
        for _ in range(50):
            detector.look(sketch.state(), 0.01)
        assert not detector.degraded

    @pytest.mark.parametrize(("ratio", "calls"), [(1.5, 400), (2.0, 150)])
    def test_a_slowdown_is_found_within_the_stated_number_of_calls(self, ratio: float, calls: int) -> None:
        needed = []
        for seed in range(15):
            rng, detector = random.Random(seed), SlowdownDetector(rng=random.Random(seed))
            for _ in range(20):
                detector.look(latencies(rng, 50, 0.01), 0.01)
            count = 0
            while not detector.degraded:
                detector.look(latencies(rng, 30, 0.01 * ratio), 0.01)
                count += 30
                assert count < 20 * calls
            needed.append(count)
        assert sorted(needed)[7] <= calls

    def test_a_past_slowdown_fires_no_alarm_now(self) -> None:
        """Evidence gathered in a bad minute does not alarm in a good one."""
        rng, detector = random.Random(3), SlowdownDetector(alpha=1e-9, rng=random.Random(3))
        while detector.evidence < 1e6:
            detector.look(latencies(rng, 30, 0.015), 0.01)
        assert not detector.degraded
        for _ in range(50):
            detector.look(latencies(rng, 100, 0.01), 0.01)
        assert not detector.degraded
        assert detector.evidence < 1e6

    def test_an_alarm_ends_by_evidence_since_it_began(self) -> None:
        detector = SlowdownDetector(rng=SlowestLast())
        for _ in range(3):
            detector.look(window(30, 30), 0.01)
            assert detector.degraded
            detector.look(window(20, 30), 0.01)
            assert detector.degraded, "ten calls that are well say too little"
            detector.look(window(0, 100), 0.01)
            assert not detector.degraded

    def test_evidence_alone_fires_no_alarm_in_a_window_below_the_limit(self) -> None:
        """Its median is 10 % above the reference, the limit is 20 %."""
        detector = SlowdownDetector(alpha=1e-7, rng=SlowestLast())
        detector.look(window(30, 30), 0.01)
        assert 1e6 < detector.evidence < 1e7
        mixed = metrics.Sketch()
        for n in range(100):
            mixed.observe(0.02 if n < 40 else 0.011)
        assert 1.05 < detector.look(mixed.state(), 0.01) < 1.15
        assert not detector.degraded

    def test_a_normal_window_fires_no_alarm_on_evidence_of_others(self) -> None:
        detector = SlowdownDetector(alpha=1e-7, rng=SlowestLast())
        detector.look(window(30, 30), 0.01)
        assert 1e6 < detector.evidence < 1e7
        detector.look(window(40, 100), 0.01)
        assert not detector.degraded
        detector.look(window(100, 100), 0.01)
        assert detector.degraded

    def test_a_degradation_ends_when_calls_are_surely_fast_again(self) -> None:
        rng, detector = random.Random(4), SlowdownDetector(rng=random.Random(4))
        while not detector.degraded:
            detector.look(latencies(rng, 100, 0.02), 0.01)
        for _ in range(50):
            detector.look(latencies(rng, 100, 0.0121), 0.01)
            assert detector.degraded, "at the limit it is neither slower nor well for sure"
        looks = 0
        while detector.degraded:
            detector.look(latencies(rng, 100, 0.01), 0.01)
            looks += 1
            assert looks <= 20
        for _ in range(50):
            detector.look(latencies(rng, 100, 0.01), 0.01)
            assert not detector.degraded

    def test_small_windows_and_invalid_references_are_ignored(self) -> None:
        detector = SlowdownDetector()
        assert math.isnan(detector.look(latencies(random.Random(0), 29, 1.0), 0.01))
        for reference in (0.0, math.nan, -1.0):
            assert math.isnan(detector.look(latencies(random.Random(0), 30, 1.0), reference))
        assert detector.evidence == 1.0

    def test_the_cost_of_a_window_does_not_depend_on_its_calls(self) -> None:
        count, zeros, total, low, high, bins = latencies(random.Random(0), 1000, 0.02)
        huge = {key: number * 10**9 for key, number in bins.items()}
        detector = SlowdownDetector()
        ratio = detector.look((count * 10**9, zeros, total, low, high, huge), 0.01)
        assert ratio == pytest.approx(2.0, rel=0.1)
        assert detector.degraded

    def test_wrong_arguments_are_refused(self) -> None:
        with pytest.raises(ValueError, match="slowdown: expected a number above 0, got 0"):
            SlowdownDetector(0)
        with pytest.raises(ValueError, match="alpha: expected a number above 0 and below 1, got 1"):
            SlowdownDetector(alpha=1)


class TestDetector:
    def test_against_the_live_control(self) -> None:
        rng, detector = random.Random(5), DegradationDetector(baselines=Baselines(fingerprint="here"))
        for _ in range(20):
            found = detector.look(service(control=latencies(rng, 60, 0.01), candidate=latencies(rng, 60, 0.005)))
            assert [(one.against, one.degraded) for one in found] == [("control", False)]
        for _ in range(40):
            [one] = detector.look(service(control=latencies(rng, 60, 0.01), candidate=latencies(rng, 60, 0.016)))
        assert one.degraded
        assert one.ratio == pytest.approx(1.6, rel=0.3)
        assert str(one).startswith("desk: slower than its control: +")
        assert metrics.gauge("fastcore_degraded", service="desk", against="control").value == 1
        assert metrics.gauge("fastcore_degradation_ratio", service="desk", against="control").value == one.ratio

    def test_a_load_that_slows_both_arms_is_no_degradation(self) -> None:
        rng, detector = random.Random(6), DegradationDetector(baselines=Baselines(fingerprint="here"))
        for n in range(60):
            load = 1 + 5 * math.sin(n / 5) ** 2
            arms = {arm: latencies(rng, 60, 0.01 * load) for arm in ("control", "candidate")}
            assert not any(one.degraded for one in detector.look(service(**arms)))

    def test_against_the_baseline_of_this_machine(self, tmp_path: Path) -> None:
        rng, path = random.Random(7), tmp_path / "baselines.json"
        Baselines(path, fingerprint="here").record("desk", latencies(rng, 500, 0.01))
        here = DegradationDetector(baselines=Baselines(path, fingerprint="here"))
        elsewhere = DegradationDetector(baselines=Baselines(path, fingerprint="elsewhere"))
        for _ in range(20):
            slow = service(latencies(rng, 60, 0.02))
            found = here.look(slow)
            assert elsewhere.look(slow) == []
        assert [(one.against, one.degraded) for one in found] == [("baseline", True)]
        assert found[0].reference == pytest.approx(0.01, rel=0.1)

    def test_without_a_reference_there_is_no_result(self) -> None:
        rng, detector = random.Random(8), DegradationDetector(baselines=Baselines(fingerprint="here"))
        assert detector.look(service(latencies(rng, 500, 0.5), candidate=latencies(rng, 500, 0.5))) == []

    def test_windows_of_a_quiet_service_are_combined(self) -> None:
        rng, detector = random.Random(9), DegradationDetector(baselines=Baselines(fingerprint="here"))
        said = []
        for _ in range(300):
            arms = {"control": latencies(rng, 4, 0.01), "candidate": latencies(rng, 2, 0.03)}
            said += detector.look(service(**arms))
        assert len(said) == 20, "thirty calls of the rarer arm each time"
        assert said[-1].degraded

    def test_old_samples_are_dropped(self) -> None:
        rng, detector = random.Random(10), DegradationDetector(baselines=Baselines(fingerprint="here"))
        for _ in range(60):
            assert detector.look(service(control=latencies(rng, 10, 9.0))) == []
        found = detector.look(service(control=latencies(rng, 100, 0.01), candidate=latencies(rng, 100, 0.01)))
        assert found[0].ratio == pytest.approx(1.0, rel=0.3)


class TestBaselines:
    def test_baselines_are_kept_per_machine_and_service(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "baselines.json"
        rng = random.Random(11)
        for machine, median in (("a", 0.01), ("b", 0.02)):
            made = Baselines(path, fingerprint=machine).record("desk", latencies(rng, 500, median))
            assert made.p50 == pytest.approx(median, rel=0.1)
            assert made.p95 > made.p50
        Baselines(path, fingerprint="a").record("other", latencies(rng, 100, 1.0))
        assert Baselines(path, fingerprint="a").get("desk").p50 == pytest.approx(0.01, rel=0.1)  # type: ignore[union-attr]
        assert Baselines(path, fingerprint="b").get("desk").p50 == pytest.approx(0.02, rel=0.1)  # type: ignore[union-attr]
        assert Baselines(path, fingerprint="a").get("other") is not None
        assert Baselines(path, fingerprint="c").get("desk") is None

    def test_by_the_environment_or_in_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("FASTCORE_BASELINE_FILE", raising=False)
        held = Baselines()
        held.record("desk", latencies(random.Random(0), 100, 1.0))
        assert held.get("desk") is not None
        assert Baselines().get("desk") is None
        monkeypatch.setenv("FASTCORE_BASELINE_FILE", str(tmp_path / "b.json"))
        Baselines().record("desk", latencies(random.Random(0), 100, 1.0))
        assert Baselines().get("desk") is not None

    def test_a_baseline_of_too_few_calls_is_refused(self) -> None:
        with pytest.raises(ValueError, match="latency: expected 100 timed calls or more, got 99"):
            Baselines(fingerprint="x").record("desk", latencies(random.Random(0), 99, 1.0))

    @pytest.mark.parametrize("text", ["{", "[]", '"x"'])
    def test_a_foreign_file_is_ignored_and_never_overwritten(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "b.json"
        path.write_text(text, encoding="utf-8")
        assert Baselines(path).get("desk") is None
        with pytest.raises(ValueError, match="expected a file of baselines"):
            Baselines(path).record("desk", latencies(random.Random(0), 100, 1.0))
        assert path.read_text(encoding="utf-8") == text

    @pytest.mark.parametrize("entry", [3, {"p50": 1}, {"p50": "1", "p95": 2}, {"p50": 0, "p95": 0}, {"more": 1}])
    def test_an_entry_of_something_else(self, tmp_path: Path, entry: Any) -> None:
        path = tmp_path / "b.json"
        Baselines(path, fingerprint="x").record("desk", latencies(random.Random(0), 100, 1.0))
        body = json.loads(path.read_text(encoding="utf-8"))
        body["x"]["desk"] = {**body["x"]["desk"], **entry} if isinstance(entry, dict) else entry
        if entry == {"p50": 1}:
            body["x"]["desk"] = entry
        path.write_text(json.dumps(body), encoding="utf-8")
        assert Baselines(path, fingerprint="x").get("desk") is None

    def test_the_machine_id_is_the_same_in_every_process(self) -> None:
        program = "from fastcore.monitor import machine_fingerprint; print(machine_fingerprint())"
        told = {
            subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for seed in ("1", "2")
        }
        assert told == {machine_fingerprint()}
        assert len(machine_fingerprint()) == 16
