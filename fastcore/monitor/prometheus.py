"""The metrics of `fastcore.metrics` in the format of Prometheus.

Needs ``prometheus-client``: ``pip install "fastcore-native[prometheus]"``.
"""

from __future__ import annotations

import math
import platform
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from fastcore import _ext, metrics
from fastcore._snapshot import Sample, SketchState, Snapshot
from fastcore._version import __version__
from fastcore.dispatch import flags
from fastcore.monitor.help import HELP
from fastcore.monitor.labels import exported

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["FAST", "SLOW", "WIDE", "FastcoreCollector", "families"]

FAST = (*(float(f"{step}e{power}") for power in range(-6, 0) for step in (1, 2.5, 5)), 1.0)
SLOW = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)  # the client's own
WIDE = (*FAST, 2.5, 5.0, 10.0)
_WIDE_NAMES = ("fastcore_tasks_", "fastcore_operation_")
_LOG_GAMMA = math.log(1.01 / 0.99)


def client() -> Any:
    try:
        import prometheus_client.core
    except ImportError as error:
        raise ImportError(
            'prometheus-client is not installed: pip install "fastcore-native[prometheus]"', name="prometheus_client"
        ) from error
    return prometheus_client.core


def buckets_of(name: str) -> tuple[float, ...]:
    """Return the upper bounds of a latency's buckets: 1 us to 1 s; tasks and operations to 10 s, requests from 5 ms."""
    if name.startswith("fastcore_http_"):
        return SLOW
    return WIDE if name.startswith(_WIDE_NAMES) else FAST


def cumulative(state: SketchState, bounds: tuple[float, ...]) -> list[float]:
    """Return how many values were at most each of the bounds, and in all.

    A value is known within 1 %: one so near a bound may be counted on the other side of it.
    """
    count, zeros, _, _, _, bins = state
    keys = sorted(bins)
    totals = [zeros]
    for key in keys:
        totals.append(totals[-1] + bins[key])
    centres = [(key - 0.5) * _LOG_GAMMA for key in keys]
    return [float(totals[bisect_left(centres, math.log(bound) + 1e-12)]) for bound in bounds] + [float(count)]


class Family(NamedTuple):
    """The series of one name."""

    name: str
    kind: str
    about: str
    labels: list[str]  # every label that one of them has, in order; the others have it empty
    samples: list[Sample]


def grouped(snapshot: Snapshot | Iterable[Sample]) -> list[Family]:
    """Return the samples by name, in order; those of the same name and labels, as two hubs have them, are added up."""
    ordered = list(Snapshot(snapshot))
    if any(one[:3] == two[:3] for one, two in pairwise(ordered)):
        ordered = list(metrics.merge([Snapshot(ordered)]))
    found: dict[str, list[Sample]] = {}
    for sample in ordered:
        if isinstance(sample.value, tuple):  # a histogram, whose buckets are labelled le
            sample = sample._replace(labels=exported(sample.labels, "le"))
        found.setdefault(sample.name, []).append(sample)
    return [
        Family(
            name,
            samples[0].kind,
            HELP.get(name, f"{name.replace('_', ' ')}."),
            sorted({label for sample in samples for label, _ in sample.labels}),
            samples,
        )
        for name, samples in found.items()
    ]


def families(snapshot: Snapshot | Iterable[Sample]) -> Iterator[Metric]:
    """Return the samples as families of the Prometheus client, in the order of their names."""
    core = client()
    from prometheus_client import utils

    text: Callable[[float], str] = utils.floatToGoString
    for name, kind, about, labels, samples in grouped(snapshot):
        if kind == "counter":
            family = core.CounterMetricFamily(name, about, labels=labels)
        elif kind == "gauge":
            family = core.GaugeMetricFamily(name, about, labels=labels)
        else:
            family = core.HistogramMetricFamily(name, about, labels=labels)
        for sample in samples:
            known = dict(sample.labels)
            values = [known.get(label, "") for label in labels]
            if isinstance(sample.value, tuple):
                bounds = buckets_of(name)
                marks = [*(text(bound) for bound in bounds), "+Inf"]
                family.add_metric(values, list(zip(marks, cumulative(sample.value, bounds))), sample.value[2])
            else:
                family.add_metric(values, sample.value)
        yield family


class FastcoreCollector:
    """A collector for any registry of the Prometheus client: ``REGISTRY.register(FastcoreCollector())``.

    Parameters
    ----------
    source : callable, default fastcore.metrics.snapshot
        Returns the snapshot to show; that of all workers is :meth:`fastcore.monitor.WorkerFiles.gather`.

    Examples
    --------
    >>> from prometheus_client import CollectorRegistry, generate_latest
    >>> from fastcore import metrics
    >>> from fastcore.monitor import FastcoreCollector
    >>> registry = CollectorRegistry()
    >>> registry.register(FastcoreCollector())
    >>> metrics.counter("exported_total").add()
    >>> b"exported_total 1.0" in generate_latest(registry)
    True
    """

    def __init__(self, source: Callable[[], Snapshot] = metrics.snapshot) -> None:
        client()
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """Return everything now; called by the registry at each scrape."""
        yield from families([*self._source(), *build_and_flags()])

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering does not read everything."""
        return []


def build_and_flags() -> Iterator[Sample]:
    """What runs, as gauges that are 1 or 0: the build, and the state of every flag."""
    native = sum(_ext.probe(name).module is not None for name in _ext.EXTENSIONS)
    build = {"version": __version__, "python": platform.python_version(), "native": f"{native}/{len(_ext.EXTENSIONS)}"}
    yield Sample("fastcore_build_info", "gauge", tuple(sorted(build.items())), 1)
    for name, flag in flags.snapshot().items():
        word = flag.mode.partition(":")[0]
        current: str = flag.state
        if current not in ("trial", "rolled_back"):
            current = "control" if word in ("control", "python") else "candidate"
        for state in ("control", "candidate", "trial", "rolled_back"):
            yield Sample("fastcore_flag_state", "gauge", (("flag", name), ("state", state)), int(state == current))
