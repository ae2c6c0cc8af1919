"""The page that Prometheus scrapes, written with one pass over the series.

The client's own writer takes 30 us a line and holds the interpreter meanwhile; a service with 10,000 series stood still
for half a second at each scrape. What the client writes of the process itself is on the page too.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any

from fastcore import metrics
from fastcore._snapshot import Labels, Sample, Snapshot
from fastcore.monitor.prometheus import (
    Family,
    FastcoreCollector,
    buckets_of,
    build_and_flags,
    client,
    cumulative,
    grouped,
)

__all__ = ["exposition"]

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)  # OpenMetrics writes some names with a colon otherwise
_SAME_NAMES = ("", "underscores", "allow-utf-8")  # ways of escaping that leave such a name as it is


def exposition(
    source: Callable[[], Snapshot] = metrics.snapshot, *, accept: str = "", process: bool = True
) -> tuple[bytes, str]:
    """Return the page that Prometheus scrapes, and its content type.

    Parameters
    ----------
    source : callable
        As of :class:`FastcoreCollector`.
    accept : str, default ""
        The request's ``Accept`` header: OpenMetrics where it asks for that.
    process : bool, default True
        Whether the client's own ``process_*`` and ``python_*`` metrics, of the process that answers, are on it.

    Examples
    --------
    >>> from fastcore import metrics
    >>> from fastcore.monitor import exposition
    >>> metrics.counter("exposed_total").add(2)
    >>> page, content_type = exposition()
    >>> b"exposed_total 2.0" in page, content_type.startswith("text/plain")
    (True, True)
    """
    core = client()
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(accept)
    registry = core.CollectorRegistry(auto_describe=False)
    series = source()
    families = grouped([*series, *build_and_flags()])
    _, _, escaping = content_type.partition("escaping=")
    plain_names = all(_NAME.fullmatch(name) for family in families for name in (family.name, *family.labels))
    lines: list[str] = []
    if plain_names and escaping in _SAME_NAMES:
        openmetrics = content_type.startswith("application/openmetrics-text")
        lines = [line for family in families for line in _lines(family, openmetrics)]
    else:
        registry.register(FastcoreCollector(lambda: series))
    if process:
        from prometheus_client import GCCollector, PlatformCollector, ProcessCollector

        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
    return "".join(lines).encode() + encode(registry), content_type


def _lines(family: Family, openmetrics: bool) -> Iterator[str]:
    """Return the lines of a family, each with its end."""
    name, kind, about, labels, samples = family
    base = name.removesuffix("_total") if kind == "counter" else name
    about = about.replace("\\", r"\\").replace("\n", r"\n")
    headed = name
    if openmetrics:
        headed, about = base, about.replace('"', r"\"")
    elif kind == "counter":
        headed = f"{base}_total"
    yield f"# HELP {headed} {about}\n"
    yield f"# TYPE {headed} {'histogram' if kind == 'latency' else kind}\n"
    if kind == "latency":
        yield from _histograms(name, labels, samples)
        return
    shown = f"{base}_total" if kind == "counter" else name
    for sample in samples:
        value: Any = sample.value
        if pairs := _pairs(sample.labels, labels):
            yield f"{shown}{{{','.join(pairs)}}} {_number(value)}\n"
        else:
            yield f"{shown} {_number(value)}\n"


def _histograms(name: str, labels: list[str], samples: list[Sample]) -> Iterator[str]:
    bounds = buckets_of(name)
    marks = [f'le="{_number(bound)}"' for bound in (*bounds, math.inf)]
    before = bisect_left(labels, "le")  # the labels are in order, this one among them
    for sample in samples:
        pairs = _pairs(sample.labels, labels)
        head = f"{name}_bucket{{{''.join(f'{pair},' for pair in pairs[:before])}"
        tail = f"{''.join(f',{pair}' for pair in pairs[before:])}}} "
        state: Any = sample.value
        counts = cumulative(state, bounds)
        yield "".join([f"{head}{mark}{tail}{_number(count)}\n" for mark, count in zip(marks, counts)])
        whole = f"{{{','.join(pairs)}}}" if pairs else ""
        yield f"{name}_count{whole} {_number(counts[-1])}\n{name}_sum{whole} {_number(state[2])}\n"


def _pairs(own: Labels, labels: list[str]) -> list[str]:
    """Return ``name="value"`` of every label of the family."""
    if len(own) != len(labels):
        known = dict(own)
        own = tuple((label, known.get(label, "")) for label in labels)
    return [f'{label}="{value}"' if value.isalnum() else f'{label}="{_escaped(value)}"' for label, value in own]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    """Return a number as Go writes it: ``1e+06`` from a million on."""
    number = float(value)
    if -1e6 < number < 1e6:
        return repr(number)
    from prometheus_client import utils

    text: Callable[[float], str] = utils.floatToGoString
    return text(number)
