"""The page for Prometheus is what the client's own writer makes of the same series, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from fastcore._snapshot import Sample, Snapshot
from fastcore.monitor import FastcoreCollector, exposition

FORMATS = (
    "",
    "text/plain; version=1.0.0; escaping=allow-utf-8",
    "application/openmetrics-text",
    "application/openmetrics-text; version=1.0.0; escaping=underscores",
    "application/openmetrics-text; version=1.0.0; escaping=values",
    "text/plain; version=1.0.0; escaping=dots",
)
NUMBERS = st.floats() | st.integers(-(10**12), 10**18) | st.sampled_from([0, 1e6, 999999.5, 1e-7, 1e21, 5e-324])
LABELS = st.dictionaries(
    st.sampled_from(["a", "le", "exported_le", "route", "z"]),
    st.text(max_size=4) | st.sampled_from(['"', "\\", "a\nb", "é", "\\n"]),
    max_size=3,
).map(lambda labels: tuple(sorted(labels.items())))
BINS = st.dictionaries(st.integers(-900, 300), st.integers(1, 10**7), min_size=1, max_size=4)


NAMES = [
    ("orders_total", "counter"),
    ("orders", "gauge"),
    ("x", "counter"),
    ("t", "latency"),
    ("fastcore_http_request_duration_seconds", "latency"),
]
COLONS = [("y:z", "gauge"), ("y:t", "latency")]


@st.composite
def series(draw: st.DrawFn) -> list[Sample]:
    made = {}
    names = draw(st.sampled_from([NAMES, NAMES, NAMES, NAMES + COLONS]))
    for name, kind in draw(st.lists(st.sampled_from(names), max_size=5)):
        labels = draw(LABELS)
        if kind == "latency":
            bins = draw(BINS)
            zeros = draw(st.integers(0, 5))
            value = (sum(bins.values()) + zeros, zeros, draw(st.floats(0, 1e9)), 0.0, 1.0, bins)
        else:
            value = draw(NUMBERS)
        made[name, labels] = Sample(name, kind, labels, value)
    return list(made.values())


def by_the_client(samples: list[Sample], accept: str) -> tuple[bytes, str]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FastcoreCollector(lambda: Snapshot(samples)))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


@settings(max_examples=300)
@given(samples=series(), accept=st.sampled_from(FORMATS))
def test_the_page_equals_that_of_the_client(samples: list[Sample], accept: str) -> None:
    assert exposition(lambda: Snapshot(samples), accept=accept, process=False) == by_the_client(samples, accept)


@pytest.mark.parametrize("accept", FORMATS)
def test_a_name_of_other_letters_is_left_to_the_client(accept: str) -> None:
    samples = [Sample("prices.é", "gauge", (("symbol.name", "A"),), 1.5), Sample("orders_total", "counter", (), 2)]
    assert exposition(lambda: Snapshot(samples), accept=accept, process=False) == by_the_client(samples, accept)


@pytest.mark.parametrize("accept", FORMATS)
def test_the_metrics_of_the_process_follow(accept: str) -> None:
    samples = [Sample("orders_total", "counter", (), 2)]
    page = exposition(lambda: Snapshot(samples), accept=accept)[0]
    own = by_the_client(samples, accept)[0].removesuffix(b"# EOF\n")
    assert page.startswith(own)
    assert b"gc" in page.removeprefix(own)
    assert page.count(b"# EOF\n") == (b"# EOF\n" in by_the_client(samples, accept)[0])
