"""Performance of a service since the last reading: response time, throughput, errors, memory and CPU."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from fastcore import metrics
from fastcore._snapshot import Labels, PackedState, Sample, SketchState, Snapshot
from fastcore.memory.usage import memory_usage, resident_bytes
from fastcore.monitor.records import PerformanceMetrics

__all__ = ["MetricsCollector", "ServiceMetrics", "window"]

_DURATIONS = {
    "fastcore_operation_duration_seconds": "service",
    "fastcore_call_duration_seconds": "switch",
    "fastcore_tasks_run_seconds": "task",
}
_CALLS = {"fastcore_calls_total": "switch"}  # a Switch times one call in so many, and counts them all
_ERRORS = {"fastcore_operation_errors_total": "service", "fastcore_call_errors_total": "switch"}
HTTP = "http"  # the service that all HTTP requests of the process are
_HTTP = frozenset({"fastcore_http_request_duration_seconds", "fastcore_http_requests_total"})
_READ = _HTTP.union(_DURATIONS, _CALLS, _ERRORS)  # the metrics that services are made of
Key = tuple[str, Labels]
EMPTY: SketchState = (0, 0, 0.0, math.inf, -math.inf, {})


def window(before: SketchState, after: SketchState) -> SketchState:
    """Return what a sketch recorded between two of its states; all of `after` if it was cleared in between."""
    if after[0] < before[0] or any(after[5].get(key, 0) < number for key, number in before[5].items()):
        return after
    bins = {key: number - before[5].get(key, 0) for key, number in after[5].items()}
    bins = {key: number for key, number in bins.items() if number}
    count = after[0] - before[0]
    if not count:
        return EMPTY
    return count, after[1] - before[1], max(0.0, after[2] - before[2]), after[3], after[4], bins


def since(before: PackedState | None, after: SketchState) -> SketchState:
    """Return what a sketch recorded since a state that was kept; all of `after` without one."""
    return window(EMPTY if before is None else before.state, after)


@dataclass(frozen=True)
class ServiceMetrics:
    """A service between two looks.

    Attributes
    ----------
    service_name : str
    calls : int
        Calls that ended in that time.
    throughput : float
        Calls a second.
    response_time : float
        Seconds: the 95th percentile of the timed calls; NaN without any.
    median : float
        Seconds: half of the timed calls took less.
    error_rate : float
        0 to 1; NaN without calls.
    memory_usage : float
        Percent of the memory that the process may have that is in use, in all.
    cpu_usage : float
        Percent of the machine's CPUs in use, in all.
    timestamp : datetime
    latency : tuple
        The state of the sketch of these calls.

    Examples
    --------
    >>> from fastcore.monitor import MetricsCollector, measure_execution_time
    >>> collector = MetricsCollector()
    >>> @measure_execution_time(service="counted")
    ... def quote():
    ...     return 187.2
    >>> answers = [quote() for _ in range(10)]
    >>> found = collector.collect("counted")
    >>> found.calls, found.error_rate
    (10, 0.0)
    """

    service_name: str
    calls: int
    throughput: float
    response_time: float
    median: float
    error_rate: float
    memory_usage: float
    cpu_usage: float
    timestamp: datetime
    latency: SketchState = field(default=EMPTY, repr=False, compare=False)
    arms: dict[str, SketchState] = field(default_factory=dict, repr=False, compare=False)


@dataclass
class _Seen:
    at: float
    durations: dict[Key, PackedState]
    counts: dict[Key, int]


class _Reading(NamedTuple):
    """What a process says of itself at one moment, whatever the service."""

    samples: list[Sample]
    at: float
    memory: float
    cpu: float


class MetricsCollector:
    """Turns the counters of this process into what its services did since the last look.

    A service is the ``service`` of :func:`measure_execution_time`, a Switch of that name or of ``name.something``, a
    task, or ``http`` for all HTTP requests. Give each user (a :class:`PerformanceMonitor`, a manager of triggers) its
    own collector: it returns the changes since its last reading.

    Parameters
    ----------
    source : callable, default fastcore.metrics.snapshot
    clock : callable, default time.monotonic
    cpu : callable, optional
        Returns percent; by default psutil's.
    memory : callable, optional
        Returns percent; by default that of :func:`fastcore.memory.memory_usage`.

    Examples
    --------
    >>> from fastcore.monitor import MetricsCollector, measure_execution_time
    >>> collector = MetricsCollector()
    >>> @measure_execution_time(service="collected")
    ... def quote():
    ...     return 187.2
    >>> quote()
    187.2
    >>> collector.collect("collected").calls
    1
    """

    def __init__(
        self,
        *,
        source: Callable[[], Snapshot] = metrics.snapshot,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] | None = None,
        memory: Callable[[], float] | None = None,
    ) -> None:
        self._source, self._clock = source, clock
        self._cpu = _cpu_percent if cpu is None else cpu
        self._memory: Callable[[], float] = _memory_percent if memory is None else memory
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}
        self._resident: dict[str, float] = {}
        if cpu is None:
            _cpu_percent()  # the first reading has nothing to compare with

    def services(self) -> list[str]:
        """Return the names of the services."""
        return _services(self._samples())

    def collect(self, service_name: str) -> ServiceMetrics:
        """Return what the service did since the last call of this, or since the process began."""
        return self._collected(service_name, self._reading())

    def _collect_all(self, names: Iterable[str] | None = None) -> list[ServiceMetrics]:
        """Return :meth:`collect` of the services of these names, or of all, by one reading of the metrics."""
        reading = self._reading()
        names = _services(reading.samples) if names is None else names
        return [self._collected(name, reading) for name in names]

    def _samples(self) -> list[Sample]:
        return [sample for sample in self._source() if sample.name in _READ]

    def _reading(self) -> _Reading:
        return _Reading(self._samples(), self._clock(), self._memory(), self._cpu())

    def _collected(self, service_name: str, reading: _Reading) -> ServiceMetrics:
        durations: dict[Key, SketchState] = {}
        counts: dict[Key, int] = {}
        for sample in reading.samples:
            labels = dict(sample.labels)
            if isinstance(sample.value, tuple) and _belongs(_DURATIONS, sample.name, labels, service_name):
                durations[sample.name, sample.labels] = sample.value
            elif isinstance(sample.value, int) and _counts(sample.name, labels, service_name):
                counts[sample.name, sample.labels] = sample.value
        with self._lock:
            before = self._seen.get(service_name)
            packed = {key: PackedState(state) for key, state in durations.items()}
            self._seen[service_name] = _Seen(reading.at, packed, counts)
        return _between(service_name, before, durations, counts, reading)

    def comparisons(self, service_name: str) -> list[PerformanceMetrics]:
        """Return, of every Switch of the service, what it was before and is after.

        Memory is that of the process: when this was first asked of the service, and now.
        """
        from fastcore.dispatch.switch import live

        now = resident_bytes() / 2**20
        first = self._resident.setdefault(service_name, now)
        return [
            PerformanceMetrics.of(switch.report(), first, now)
            for name, switch in live().items()
            if _is_of(name, service_name)
        ]


def _services(samples: list[Sample]) -> list[str]:
    found = set()
    for sample in samples:
        label = _DURATIONS.get(sample.name)
        if label is not None:
            found.add(dict(sample.labels).get(label, "").partition(".")[0])
        elif sample.name == "fastcore_http_request_duration_seconds":
            found.add(HTTP)
    return sorted(found - {""})


def _between(
    name: str, before: _Seen | None, durations: dict[Key, SketchState], counts: dict[Key, int], reading: _Reading
) -> ServiceMetrics:
    old = _Seen(reading.at, {}, {}) if before is None else before
    parts = {key: since(old.durations.get(key), state) for key, state in durations.items()}
    deltas = {key: max(0, number - old.counts.get(key, 0)) for key, number in counts.items()}
    sketch, arms = metrics.Sketch(), {"control": metrics.Sketch(), "candidate": metrics.Sketch()}
    calls = 0
    for key, state in parts.items():
        metric, labels = key
        sketch.merge(state)
        arm = dict(labels).get("arm", "")
        if arm in arms:
            arms[arm].merge(state)
        if metric != "fastcore_call_duration_seconds":  # of which only some are timed
            calls += state[0]
    calls += sum(number for key, number in deltas.items() if key[0] in _CALLS)
    errors = sum(number for key, number in deltas.items() if key[0] not in _CALLS)
    elapsed = reading.at - old.at
    return ServiceMetrics(
        name,
        calls,
        calls / elapsed if elapsed > 0 else 0.0,
        sketch.quantile(0.95),
        sketch.quantile(0.5),
        min(1.0, errors / calls) if calls else math.nan,
        reading.memory,
        reading.cpu,
        datetime.now(UTC),
        sketch.state(),
        {arm: found.state() for arm, found in arms.items()},
    )


def _belongs(names: dict[str, str], metric: str, labels: dict[str, str], service: str) -> bool:
    if metric == "fastcore_http_request_duration_seconds" and names is _DURATIONS:
        return service == HTTP
    label = names.get(metric)
    return label is not None and _is_of(labels.get(label, ""), service)


def _counts(metric: str, labels: dict[str, str], service: str) -> bool:
    return _belongs(_CALLS, metric, labels, service) or _is_error(metric, labels, service)


def _is_error(metric: str, labels: dict[str, str], service: str) -> bool:
    if metric == "fastcore_http_requests_total":
        return service == HTTP and labels.get("status", "").startswith("5")
    return _belongs(_ERRORS, metric, labels, service)


def _is_of(name: str, service: str) -> bool:
    return name == service or name.startswith(f"{service}.")


def _memory_percent() -> float:
    return memory_usage().fraction * 100


def _cpu_percent() -> float:
    import psutil

    return float(psutil.cpu_percent(interval=None))
