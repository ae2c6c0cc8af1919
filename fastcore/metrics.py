"""Counters, gauges and latency sketches, which every part of fastcore reports to.

``counter``, ``gauge`` and ``latency`` return the one instrument of a name and its labels, made at first use. Keep the
instrument and use it: looking it up costs more than counting. ``snapshot`` reads them all, and whatever collectors add.

>>> from fastcore import metrics
>>> hits = metrics.counter("docs_cache_hits_total", cache="prices")
>>> hits.add()
>>> metrics.snapshot().get("docs_cache_hits_total", cache="prices")
1

A latency is a DDSketch in seconds: its quantiles are within 1 % of the true ones, whatever their size, and sketches of
several processes merge without loss.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from fastcore import _ext
from fastcore._snapshot import Kind, Labels, Sample, SketchState, Snapshot
from fastcore._text import storable

if TYPE_CHECKING:
    from python_fallback.metrics import Counter, Gauge, Sketch
else:
    _twin = _ext.pick("metrics")
    Counter, Gauge, Sketch = _twin.Counter, _twin.Gauge, _twin.Sketch

__all__ = [
    "Counter",
    "Gauge",
    "Registry",
    "Sample",
    "Sketch",
    "SketchState",
    "Snapshot",
    "collect",
    "counter",
    "gauge",
    "instruments",
    "latency",
    "merge",
    "remove",
    "samples",
    "snapshot",
]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*", re.ASCII)
_OVERFLOW: Labels = (("overflow", "true"),)

_log = logging.getLogger("fastcore.metrics")

_I = TypeVar("_I", Counter, Gauge, Sketch)
Collector = Callable[[], Iterable[Sample]]


class Registry:
    """The instruments of one process, by name and labels.

    Parameters
    ----------
    max_series : int, default 1000
        Label sets of one name. Further ones share a series labelled ``overflow="true"``, so that a label taken from
        what users send cannot fill the memory.

    Examples
    --------
    >>> from fastcore.metrics import Registry
    >>> registry = Registry(max_series=2)
    >>> for user in ("a", "b", "c"):
    ...     registry.counter("requests_total", user=user).add()
    >>> [dict(sample.labels) for sample in registry.samples("requests_total")][-1]
    {'overflow': 'true'}
    """

    def __init__(self, max_series: int = 1000) -> None:
        self._max_series = max_series
        self._lock = threading.RLock()
        self._kinds: dict[str, Kind] = {}
        self._series: dict[str, dict[Labels, Counter | Gauge | Sketch]] = {}
        self._collectors: list[Collector] = []

    def counter(self, name: str, /, **labels: str) -> Counter:
        return self._instrument("counter", Counter, name, labels)

    def gauge(self, name: str, /, **labels: str) -> Gauge:
        return self._instrument("gauge", Gauge, name, labels)

    def latency(self, name: str, /, **labels: str) -> Sketch:
        return self._instrument("latency", Sketch, name, labels)

    def remove(self, name: str, /, **labels: str) -> bool:
        key = _checked_labels(labels)
        with self._lock:
            return self._series.get(name, {}).pop(key, None) is not None

    def collect(self, collector: Collector) -> Callable[[], None]:
        if not callable(collector):
            raise TypeError(f"collector: expected a callable, got {type(collector).__name__}")
        with self._lock:
            self._collectors = [*self._collectors, collector]

        def stop() -> None:
            with self._lock:
                self._collectors = [known for known in self._collectors if known is not collector]

        return stop

    def snapshot(self) -> Snapshot:
        with self._lock:
            found = [
                Sample(name, self._kinds[name], labels, _value(instrument))
                for name, series in self._series.items()
                for labels, instrument in series.items()
            ]
            collectors = self._collectors
        for collector in collectors:
            try:
                found += list(collector())
            except Exception:  # one part that cannot be read does not hide the others
                _log.exception("a metrics collector raised")
        return Snapshot(found)

    def samples(self, name: str, /) -> list[Sample]:
        with self._lock:
            series = self._series.get(name, {})
            return [Sample(name, self._kinds[name], labels, _value(one)) for labels, one in series.items()]

    def instruments(self, name: str, /) -> list[tuple[Labels, Counter | Gauge | Sketch]]:
        with self._lock:
            return list(self._series.get(name, {}).items())

    def _instrument(self, kind: Kind, cls: type[_I], name: str, labels: dict[str, str]) -> _I:
        if not isinstance(name, str):
            raise TypeError(f"name: expected a str, got {type(name).__name__}")
        if not _NAME.fullmatch(name):
            raise ValueError(f"name: expected letters, digits, _ and :, got {name!r}")
        key = _checked_labels(labels)
        with self._lock:
            if (known := self._kinds.get(name, kind)) != kind:
                raise ValueError(f"name: expected {name} to be a {known}, as it was first used, got a {kind}")
            series = self._series.setdefault(name, {})
            self._kinds[name] = kind
            if key not in series and len(series) >= self._max_series:
                key = _OVERFLOW
            found: Any = series.get(key)
            if found is None:
                found = series[key] = cls()
            instrument: _I = found
            return instrument


def _checked_labels(labels: dict[str, str]) -> Labels:
    for name, value in labels.items():
        if not _LABEL.fullmatch(name):
            raise ValueError(f"labels: expected names of letters, digits and _, got {name!r}")
        if not isinstance(value, str):
            raise TypeError(f"{name}: expected a str as label, got {type(value).__name__}")
    return tuple(sorted((name, storable(value)) for name, value in labels.items()))


def _value(instrument: Counter | Gauge | Sketch) -> int | float | SketchState:
    return instrument.state() if isinstance(instrument, Sketch) else instrument.value


_registry = Registry()


def counter(name: str, /, **labels: str) -> Counter:
    """Return the counter of this name and these labels: ``add(amount=1)`` and ``value``, an int that only grows.

    Raises
    ------
    ValueError
        If the name is not one of letters, digits, ``_`` and ``:``, or is in use for another kind of instrument.
    TypeError
        If a label is not a str.

    Examples
    --------
    >>> from fastcore import metrics
    >>> hits = metrics.counter("price_requests_total", kind="live")    # keep it: looking it up costs more
    >>> hits.add()
    >>> hits.value
    1
    """
    return _registry.counter(name, **labels)


def gauge(name: str, /, **labels: str) -> Gauge:
    """Return the gauge of this name and these labels: ``set(value)``, ``add(amount=1.0)`` and ``value``, a float.

    Raises as :func:`counter` does.

    Examples
    --------
    >>> from fastcore import metrics
    >>> open_orders = metrics.gauge("orders_open")
    >>> open_orders.set(12)
    >>> open_orders.add(-2)
    >>> open_orders.value
    10.0
    """
    return _registry.gauge(name, **labels)


def latency(name: str, /, **labels: str) -> Sketch:
    """Return the sketch of this name and these labels, in seconds.

    ``observe(value)`` adds a number >= 0; ``quantile(q)`` is NaN while it is empty; ``count``, ``total``; ``state()``
    and ``merge(state)`` carry it from one process to another; ``merge(sketch)`` adds another of this process;
    ``clear()``. Raises as :func:`counter` does.

    Examples
    --------
    >>> from fastcore import metrics
    >>> seconds = metrics.latency("quote_seconds")
    >>> for value in (0.010, 0.011, 0.012):
    ...     seconds.observe(value)
    >>> round(seconds.quantile(0.5), 3)
    0.011
    """
    return _registry.latency(name, **labels)


def remove(name: str, /, **labels: str) -> bool:
    """Remove an instrument; returns whether it existed. Code that holds it may go on using it.

    Examples
    --------
    >>> from fastcore import metrics
    >>> gauge = metrics.gauge("removed")
    >>> metrics.remove("removed"), metrics.remove("removed")
    (True, False)
    """
    return _registry.remove(name, **labels)


def collect(collector: Collector) -> Callable[[], None]:
    """Call `collector` in every :func:`snapshot` for further samples; return a function that removes it.

    An exception in a collector is logged, and the samples of the others are kept.

    Examples
    --------
    >>> from fastcore import metrics
    >>> from fastcore.metrics import Sample
    >>> stop = metrics.collect(lambda: [Sample("open_orders", "gauge", (), 12.0)])
    >>> metrics.snapshot().get("open_orders")
    12.0
    >>> stop()
    """
    return _registry.collect(collector)


def snapshot() -> Snapshot:
    """Return the value of every instrument now.

    Examples
    --------
    >>> from fastcore import metrics
    >>> metrics.counter("shown_total").add(3)
    >>> metrics.snapshot().get("shown_total")
    3
    """
    return _registry.snapshot()


def samples(name: str, /) -> list[Sample]:
    """Return the values of all instruments of one name, without those of the others and of collectors.

    Examples
    --------
    >>> from fastcore import metrics
    >>> metrics.counter("listed_total", kind="a").add()
    >>> metrics.counter("listed_total", kind="b").add()
    >>> [dict(sample.labels)["kind"] for sample in metrics.samples("listed_total")]
    ['a', 'b']
    """
    return _registry.samples(name)


def instruments(name: str, /) -> list[tuple[Labels, Counter | Gauge | Sketch]]:
    """Return the labels and instruments of one name; reads no value, so that it costs less than :func:`samples`.

    Examples
    --------
    >>> from fastcore import metrics
    >>> metrics.counter("kept_total", kind="a").add()
    >>> [(dict(labels), one.value) for labels, one in metrics.instruments("kept_total")]
    [({'kind': 'a'}, 1)]
    """
    return _registry.instruments(name)


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Return one snapshot for those of several processes: counters and gauges add up, latencies merge without loss.

    Raises
    ------
    ValueError
        If a name is of different kinds in them.

    Examples
    --------
    >>> from fastcore.metrics import Registry, merge
    >>> workers = [Registry(), Registry()]
    >>> for worker in workers:
    ...     worker.counter("requests_total").add(5)
    >>> merge(worker.snapshot() for worker in workers).get("requests_total")
    10
    """
    kinds: dict[str, Kind] = {}
    numbers: dict[tuple[str, Labels], int | float] = {}
    sketches: dict[tuple[str, Labels], Sketch] = {}
    for sample in (sample for one in snapshots for sample in one):
        if kinds.setdefault(sample.name, sample.kind) != sample.kind:
            raise ValueError(f"snapshots: expected {sample.name} to be of one kind, got {sample.kind} as well")
        key = sample.name, sample.labels
        if isinstance(sample.value, tuple):
            sketches.setdefault(key, Sketch()).merge(sample.value)
        else:
            numbers[key] = numbers.get(key, 0) + sample.value
    merged: dict[tuple[str, Labels], Any] = {**numbers, **{key: sketch.state() for key, sketch in sketches.items()}}
    return Snapshot(Sample(name, kinds[name], labels, value) for (name, labels), value in merged.items())
