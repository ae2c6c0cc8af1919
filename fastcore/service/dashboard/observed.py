"""Figures of the monitor for the dashboard: requests by route."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from fastcore import metrics
from fastcore.service.dashboard.sources import Section, Sources

__all__ = ["counts", "latencies", "requests"]

ROUTES = 50  # shown, those of most requests first


def requests(sources: Sources) -> Section:
    """Requests answered by this process since it started, by route."""
    routes: dict[tuple[str, str], dict[str, Any]] = {}
    times: dict[tuple[str, str], metrics.Sketch] = {}
    whole = metrics.Sketch()
    for labels, count in counts("fastcore_http_requests_total"):
        row = routes.setdefault(_route(labels), {"requests": 0, "client_errors": 0, "errors": 0})
        row["requests"] += count
        if (status := labels.get("status", "")).startswith(("4", "5")):
            row["errors" if status.startswith("5") else "client_errors"] += count
    for labels, state in latencies("fastcore_http_request_duration_seconds"):
        for sketch in (whole, times.setdefault(_route(labels), metrics.Sketch())):
            sketch.merge(state)
    in_flight = sum((count for _, count in counts("fastcore_http_requests_in_flight")), 0.0)
    rows = [
        {"method": method, "route": path, **row, **_quantiles(times.get((method, path)))}
        for (method, path), row in sorted(routes.items(), key=lambda item: (-item[1]["requests"], item[0]))
    ]
    total = {name: sum(row[name] for row in rows) for name in ("requests", "client_errors", "errors")}
    return {
        "at": time.time(),
        **total,
        **_quantiles(whole),
        "in_flight": in_flight,
        "count": len(rows),
        "routes": rows[:ROUTES],
    }


def counts(name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Yield the labels and values of the counters or gauges of a name."""
    for sample in metrics.samples(name):
        if not isinstance(sample.value, tuple):
            yield dict(sample.labels), sample.value


def latencies(name: str) -> Iterator[tuple[dict[str, str], metrics.SketchState]]:
    """Yield the labels and states of the latencies of a name."""
    for sample in metrics.samples(name):
        if isinstance(sample.value, tuple):
            yield dict(sample.labels), sample.value


def _route(labels: dict[str, str]) -> tuple[str, str]:
    return labels.get("method", ""), labels.get("route", "")


def _quantiles(sketch: metrics.Sketch | None) -> dict[str, float | None]:
    if sketch is None or not sketch.count:
        return dict.fromkeys(("p50", "p95", "p99"))
    return {f"p{q}": sketch.quantile(q / 100) for q in (50, 95, 99)}
