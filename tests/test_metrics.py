"""Counters, gauges and sketches on both twins, and the registry over them."""

from __future__ import annotations

import json
import math
import pickle
import random
import threading
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore import _ext, metrics
from fastcore.metrics import Registry, Sample, Snapshot
from python_fallback import metrics as pure

Twin = Callable[[str], ModuleType]


def test_a_counter_counts(twin: Twin) -> None:
    counter = twin("metrics").Counter()
    assert counter.value == 0
    counter.add()
    counter.add(41)
    counter.add(amount=0)
    assert counter.value == 42
    counter.add(2**63 - 1)
    assert counter.value == 42 + 2**63 - 1
    with pytest.raises(AttributeError):
        counter.value = 0


@pytest.mark.parametrize(
    ("amount", "error", "message"),
    [
        (-1, ValueError, r"amount: expected an int in 0\.\.2\*\*63-1, got -1"),
        (2**63, ValueError, r"amount: expected an int in 0\.\.2\*\*63-1, got 9223372036854775808"),
        (1.0, TypeError, "amount: expected an int, got float"),
        ("1", TypeError, "amount: expected an int, got str"),
        (None, TypeError, "amount: expected an int, got NoneType"),
    ],
)
def test_counter_refuses(twin: Twin, amount: Any, error: type[Exception], message: str) -> None:
    counter = twin("metrics").Counter()
    with pytest.raises(error, match=f"^{message}$"):
        counter.add(amount)
    assert counter.value == 0


def test_a_gauge_is_set_and_added_to(twin: Twin) -> None:
    gauge = twin("metrics").Gauge()
    assert gauge.value == 0.0
    gauge.set(3)
    gauge.add(-5)
    gauge.add()
    assert gauge.value == -1.0
    gauge.set(math.inf)
    assert gauge.value == math.inf


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(2), Decimal("0.5"), Fraction(1, 2), True])
def test_numbers_of_any_type(twin: Twin, value: Any) -> None:
    gauge, sketch = twin("metrics").Gauge(), twin("metrics").Sketch()
    gauge.set(value)
    sketch.observe(value)
    assert gauge.value == sketch.total == float(value)


@pytest.mark.parametrize("value", ["1", None, [1], 1j, object()])
def test_non_numbers_are_refused(twin: Twin, value: Any) -> None:
    gauge, sketch = twin("metrics").Gauge(), twin("metrics").Sketch()
    for call, name in [(gauge.set, "value"), (gauge.add, "amount"), (sketch.observe, "value"), (sketch.quantile, "q")]:
        with pytest.raises(TypeError, match=f"^{name}: expected a number, got {type(value).__name__}$"):
            call(value)


@pytest.mark.parametrize("value", [-1, -0.5, math.inf, -math.inf, math.nan])
def test_sketch_refuses(twin: Twin, value: float) -> None:
    sketch = twin("metrics").Sketch()
    with pytest.raises(ValueError, match=r"^value: expected a finite number >= 0, got "):
        sketch.observe(value)
    assert sketch.count == 0


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_sketch_refuses_quantiles(twin: Twin, q: float) -> None:
    with pytest.raises(ValueError, match=r"^q: expected a number in 0\.\.1, got "):
        twin("metrics").Sketch().quantile(q)


def test_an_empty_sketch(twin: Twin) -> None:
    sketch = twin("metrics").Sketch()
    assert math.isnan(sketch.quantile(0.5))
    assert (sketch.count, sketch.total) == (0, 0.0)
    assert sketch.state() == (0, 0, 0.0, math.inf, -math.inf, {})


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.lognormvariate(-10, 2),
        lambda rng: rng.paretovariate(1.1),
        lambda rng: rng.uniform(0, 1e-6),
        lambda rng: rng.choice([0.001, 5.0]),
        lambda rng: 10 ** rng.uniform(-8, 8),
    ],
)
def test_quantiles_are_within_one_percent(twin: Twin, draw: Callable[[random.Random], float]) -> None:
    rng = random.Random(7)
    values = sorted(draw(rng) for _ in range(5000))
    sketch = twin("metrics").Sketch()
    for value in rng.sample(values, len(values)):
        sketch.observe(value)
    for q in (0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1):
        # The definition: the value of rank floor(q (n - 1)), as in the paper.
        assert sketch.quantile(q) == pytest.approx(values[int(q * (len(values) - 1))], rel=0.0101)
    assert sketch.quantile(0) == values[0]
    assert sketch.quantile(1) == values[-1]
    assert sketch.total == pytest.approx(math.fsum(values))


def test_zeros_and_extremes(twin: Twin) -> None:
    sketch = twin("metrics").Sketch()
    for value in (0, 0, 1e-300, 5e-324, 1.7e308):
        sketch.observe(value)
    assert sketch.quantile(0.5) == pytest.approx(0)
    assert sketch.quantile(1) == 1.7e308
    sketch.observe(1e-9)  # 17 decades below the top it shares the lowest bin
    assert len(sketch.state()[5]) == 2
    assert sketch.state()[0] == 6


def test_memory_is_bounded_and_the_top_stays_exact(twin: Twin) -> None:
    sketch = twin("metrics").Sketch()
    for exponent in range(-11, 300):
        for mantissa in (1, 2, 5):
            sketch.observe(mantissa * 10.0**exponent)
    bins = sketch.state()[5]
    assert max(bins) - min(bins) < 2048
    assert sketch.quantile(0.999) == pytest.approx(2e299, rel=0.0101)


def test_merging_is_like_observing_all(twin: Twin) -> None:
    rng = random.Random(3)
    parts = [[rng.lognormvariate(0, 3) for _ in range(400)] for _ in range(4)]
    whole, merged, added = (twin("metrics").Sketch() for _ in range(3))
    for part in parts:
        one = twin("metrics").Sketch()
        for value in part:
            whole.observe(value)
            one.observe(value)
        merged.merge(one.state())
        added.merge(one)
    assert added.state() == merged.state()
    added.merge(added)
    assert added.state()[0] == 2 * merged.count
    assert added.quantile(0.5) == pytest.approx(merged.quantile(0.5), rel=0.02)
    assert merged.state()[:2] + merged.state()[3:] == whole.state()[:2] + whole.state()[3:]
    assert merged.total == pytest.approx(whole.total)
    merged.clear()
    assert merged.state() == twin("metrics").Sketch().state()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, r"expected \(count, zeros, total, low, high, \{bin: count\}\) as state\(\) returns it, got NoneType"),
        ((), "got tuple"),
        ((1, 0, 1.0, 1.0, 1.0, {0: "x"}), "got tuple"),
        ((1, 0, 1.0, 1.0, 1.0, [0]), "got tuple"),
        ((1, 0, 1.0, 1.0, 1.0, 5), "got tuple"),
        ((1, 0, 1.0, 1.0, 1.0, {2**40: 1}), r"expected bins in -1400\.\.36000, got others"),
        ((1, 0, 1.0, 1.0, 1.0, {-(2**31): 1}), r"expected bins in -1400\.\.36000, got others"),
        ((2, 0, 1.0, 1.0, 1.0, {0: 1}), "expected counts >= 0 that add up to the first, got others"),
        ((0, -1, 1.0, 1.0, 1.0, {0: 1}), "expected counts >= 0"),
        ((0, 0, 1.0, 1.0, 1.0, {0: -1, 1: 1}), "expected counts >= 0"),
        ((2**60, 0, 1.0, 1.0, 1.0, {0: 2**60}), "expected counts >= 0"),
    ],
)
def test_a_foreign_state_is_refused(twin: Twin, state: Any, message: str) -> None:
    sketch = twin("metrics").Sketch()
    with pytest.raises(ValueError, match=f"^state: .*{message}"):
        sketch.merge(state)
    assert sketch.count == 0


values = st.one_of(
    st.floats(0, 1e-3), st.floats(0, allow_infinity=False, allow_nan=False), st.sampled_from([0.0, 1e-12, 1.0, 1e300])
)
steps = st.one_of(
    st.tuples(st.just("observe"), values),
    st.tuples(st.just("quantile"), st.floats(0, 1)),
    st.tuples(st.just("merge"), st.lists(values, max_size=8)),
    st.tuples(st.just("clear"), st.none()),
    st.tuples(st.just("observe"), st.sampled_from([-1.0, math.nan, math.inf, "x", None])),
    st.tuples(st.just("quantile"), st.sampled_from([-1.0, 2, math.nan, "x"])),
)


@given(st.lists(steps, max_size=60))
def test_the_twins_agree(taken: list[tuple[str, Any]]) -> None:
    if _ext.probe("metrics").module is None:
        pytest.skip("there is one twin only")
    compiled = _ext.load("metrics")
    ours, theirs = compiled.Sketch(), pure.Sketch()
    for name, argument in taken:
        outcomes = []
        for module, sketch in ((compiled, ours), (pure, theirs)):
            given_ = argument
            if name == "merge":
                other = module.Sketch()
                for value in argument:
                    other.observe(value)
                given_ = other if len(argument) % 2 else other.state()
            try:
                method = getattr(sketch, name)
                outcomes.append(repr(method() if name == "clear" else method(given_)))
            except (TypeError, ValueError) as error:
                outcomes.append(f"{type(error).__name__}: {error}")
        assert outcomes[0] == outcomes[1]
        assert ours.state() == theirs.state()


def test_instruments_are_not_pickled_their_states_are(twin: Twin) -> None:
    for kind in ("Counter", "Gauge", "Sketch"):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(getattr(twin("metrics"), kind)())
    found = metrics.snapshot()
    assert pickle.loads(pickle.dumps(found)) == found


def test_threads_lose_no_count(twin: Twin) -> None:
    counter, sketch = twin("metrics").Counter(), twin("metrics").Sketch()

    def work() -> None:
        for i in range(5000):
            counter.add()
            sketch.observe(i * 1e-6)
            if i % 1000 == 0:
                sketch.state()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == sketch.count == sum(sketch.state()[5].values()) + sketch.state()[1] == 40_000


# ---- the registry ----


def test_one_instrument_for_a_name_and_its_labels() -> None:
    registry = Registry()
    hits = registry.counter("hits_total", cache="a", cause="size")
    assert registry.counter("hits_total", cause="size", cache="a") is hits
    assert registry.counter("hits_total", cache="b", cause="size") is not hits
    hits.add(2)
    registry.gauge("entries").set(7)
    registry.latency("seconds", path="heap").observe(0.5)
    snapshot = registry.snapshot()
    assert [sample.name for sample in snapshot] == ["entries", "hits_total", "hits_total", "seconds"]
    assert snapshot.get("hits_total", cause="size", cache="a") == 2
    assert snapshot.get("hits_total", cache="b", cause="size") == 0
    assert snapshot.get("entries") == 7.0
    assert snapshot.get("hits_total") is None
    assert registry.remove("hits_total", cache="a", cause="size")
    assert not registry.remove("hits_total", cache="a", cause="size")
    assert not registry.remove("nothing")
    assert registry.counter("hits_total", cache="a", cause="size").value == 0


def test_the_samples_of_one_name_are_read_without_the_others_and_collectors() -> None:
    registry = Registry()
    registry.counter("hits_total", cache="a").add(2)
    registry.counter("hits_total", cache="b").add(3)
    registry.gauge("entries").set(7)
    registry.collect(lambda: pytest.fail("a collector was called"))
    assert [(s.kind, s.labels, s.value) for s in registry.samples("hits_total")] == [
        ("counter", (("cache", "a"),), 2),
        ("counter", (("cache", "b"),), 3),
    ]
    assert registry.samples("nothing") == []


def test_a_name_is_of_one_kind() -> None:
    registry = Registry()
    registry.counter("x", a="1")
    with pytest.raises(ValueError, match=r"^name: expected x to be a counter, as it was first used, got a gauge$"):
        registry.gauge("x", b="2")


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "ä", "a\n"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^name: expected letters, digits, _ and :, got "):
        Registry().counter(name)


def test_bad_labels_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^path: expected a str as label, got int$"):
        Registry().counter("x", path=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^labels: expected names of letters, digits and _, got 'a-b'$"):
        Registry().counter("x", **{"a-b": "1"})
    with pytest.raises(TypeError, match=r"^name: expected a str, got int$"):
        Registry().counter(3)  # type: ignore[arg-type]
    registry = Registry()
    assert registry.counter("x", name="a label may be called name").value == 0


def test_labels_cannot_fill_the_memory() -> None:
    registry = Registry(max_series=3)
    for i in range(10):
        registry.counter("x", user=str(i)).add()
    snapshot = registry.snapshot()
    assert len(snapshot) == 4
    assert snapshot.get("x", overflow="true") == 7
    assert registry.counter("x", user="0").value == 1


def test_collectors_add_samples_and_cannot_change_others(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    registry.counter("own").add()
    registry.collect(lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    stop = registry.collect(lambda: [Sample("extra", "gauge", (("a", "b"),), 3.0)])
    assert registry.snapshot().get("extra", a="b") == 3.0
    assert registry.snapshot().get("own") == 1
    assert "ZeroDivisionError" in caplog.text
    stop()
    stop()
    assert registry.snapshot().get("extra", a="b") is None
    with pytest.raises(TypeError, match=r"^collector: expected a callable, got int$"):
        registry.collect(3)  # type: ignore[arg-type]


def test_snapshots_travel_as_json_and_merge() -> None:
    one, two = Registry(), Registry()
    for registry, amount in ((one, 1), (two, 10)):
        registry.counter("calls", path="heap").add(amount)
        registry.gauge("entries").set(amount)
        registry.latency("seconds").observe(amount)
        registry.latency("unused")
    one.counter("only_here").add(5)
    sent = [Snapshot.from_dict(json.loads(json.dumps(r.snapshot().to_dict(), allow_nan=False))) for r in (one, two)]
    assert sent == [one.snapshot(), two.snapshot()]
    merged = metrics.merge(sent)
    assert merged.get("calls", path="heap") == 11
    assert merged.get("entries") == 11.0
    assert merged.get("only_here") == 5
    state: Any = merged.get("seconds")
    assert (state[0], state[2], state[3], state[4]) == (2, 11.0, 1.0, 10.0)
    assert metrics.merge([]) == Snapshot([])
    other = Registry()
    other.gauge("calls")
    with pytest.raises(ValueError, match="expected calls to be of one kind, got gauge as well"):
        metrics.merge([sent[0], other.snapshot()])


def test_the_process_s_registry() -> None:
    counter = metrics.counter("test_process_total", a="b")
    try:
        counter.add(3)
        assert metrics.snapshot().get("test_process_total", a="b") == 3
    finally:
        assert metrics.remove("test_process_total", a="b")


def test_threads_share_one_instrument() -> None:
    registry = Registry()
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for i in range(500):
            registry.counter("x", n=str(i % 50)).add()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sample.value for sample in registry.snapshot()] == [80] * 50
