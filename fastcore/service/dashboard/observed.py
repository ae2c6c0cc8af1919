"""Figures of the monitor for the dashboard: requests by route."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from fastcore import metrics
from fastcore._snapshot import Labels
from fastcore.service.dashboard.sources import Section, Sources

__all__ = ["counts", "label", "latencies", "requests", "route"]

ROUTES = 50  # shown, those of most requests first


def requests(sources: Sources) -> Section:
    """Requests answered by this process since it started, by route."""
    routes: dict[tuple[str, str], dict[str, Any]] = {}
    for labels, count in counts("fastcore_http_requests_total"):
        row = routes.setdefault(route(labels), {"requests": 0, "client_errors": 0, "errors": 0})
        row["requests"] += count
        if (status := label(labels, "status")).startswith(("4", "5")):
            row["errors" if status.startswith("5") else "client_errors"] += count
    total = {name: sum(row[name] for row in routes.values()) for name in ("requests", "client_errors", "errors")}
    shown = sorted(routes.items(), key=lambda item: (-item[1]["requests"], item[0]))[:ROUTES]
    times = {name: metrics.Sketch() for name, _ in shown}
    whole = metrics.Sketch()
    for labels, sketch in latencies("fastcore_http_request_duration_seconds"):
        whole.merge(sketch)
        if (one := times.get(route(labels))) is not None:
            one.merge(sketch)
    in_flight = sum((count for _, count in counts("fastcore_http_requests_in_flight")), 0.0)
    rows = [
        {"method": method, "route": path, **row, **_quantiles(times[method, path])} for (method, path), row in shown
    ]
    return {
        "at": time.time(),
        **total,
        **_quantiles(whole),
        "in_flight": in_flight,
        "count": len(routes),
        "routes": rows,
    }


def counts(name: str) -> Iterator[tuple[Labels, float]]:
    """Yield the labels and values of the counters or gauges of a name."""
    for labels, instrument in metrics.instruments(name):
        if not isinstance(instrument, metrics.Sketch):
            yield labels, instrument.value


def latencies(name: str) -> Iterator[tuple[Labels, metrics.Sketch]]:
    """Yield the labels and sketches of the latencies of a name."""
    for labels, instrument in metrics.instruments(name):
        if isinstance(instrument, metrics.Sketch):
            yield labels, instrument


def label(labels: Labels, name: str) -> str:
    """Return the value of a label; empty without it."""
    for known, value in labels:
        if known == name:
            return value
    return ""


def route(labels: Labels) -> tuple[str, str]:
    """Return the method and the path of a route."""
    return label(labels, "method"), label(labels, "route")


def _quantiles(sketch: metrics.Sketch) -> dict[str, float | None]:
    if not sketch.count:
        return dict.fromkeys(("p50", "p95", "p99"))
    return {f"p{q}": sketch.quantile(q / 100) for q in (50, 95, 99)}
