"""Figures of the monitor for the dashboard: requests by route, and alerts."""

from __future__ import annotations

import time
from typing import Any

from fastcore import metrics
from fastcore.monitor.rules import SEVERITIES
from fastcore.service.dashboard.sources import Section, Sources

__all__ = ["alerts", "requests"]

ROUTES = 50  # shown, those of most requests first


def requests(sources: Sources) -> Section:
    """Requests answered by this process since it started, by route."""
    routes: dict[tuple[str, str], dict[str, Any]] = {}
    times: dict[tuple[str, str], metrics.Sketch] = {}
    whole = metrics.Sketch()
    in_flight = 0.0
    for sample in metrics.snapshot():
        labels = dict(sample.labels)
        route = labels.get("method", ""), labels.get("route", "")
        if sample.name == "fastcore_http_requests_total" and not isinstance(sample.value, tuple):
            row = routes.setdefault(route, {"requests": 0, "client_errors": 0, "errors": 0})
            row["requests"] += sample.value
            if (status := labels.get("status", "")).startswith(("4", "5")):
                row["errors" if status.startswith("5") else "client_errors"] += sample.value
        elif sample.name == "fastcore_http_request_duration_seconds" and isinstance(sample.value, tuple):
            for sketch in (whole, times.setdefault(route, metrics.Sketch())):
                sketch.merge(sample.value)
        elif sample.name == "fastcore_http_requests_in_flight" and not isinstance(sample.value, tuple):
            in_flight += sample.value
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


def _quantiles(sketch: metrics.Sketch | None) -> dict[str, float | None]:
    if sketch is None or not sketch.count:
        return dict.fromkeys(("p50", "p95", "p99"))
    return {f"p{q}": sketch.quantile(q / 100) for q in (50, 95, 99)}


def alerts(sources: Sources) -> Section:
    """The alerts that fire, and the rules that are judged."""
    manager = sources.alerts
    if manager is None:
        return {"at": time.time(), "installed": False}
    firing = [
        {
            "id": alert.fingerprint,
            "rule": alert.rule,
            "severity": alert.severity,
            "summary": alert.summary,
            "labels": dict(alert.labels),
            "since": alert.since.timestamp(),
        }
        for alert in sorted(manager.firing(), key=lambda alert: (-SEVERITIES.index(alert.severity), alert.since))
    ]
    named = {row["rule"] for row in firing}
    rules = [{"name": r.name, "severity": r.severity, "firing": r.name in named} for r in manager.rules]
    return {"at": time.time(), "installed": True, "firing": firing, "rules": rules}
