"""Exports and evaluates what `fastcore.metrics` counts: Prometheus, health checks, degradation, alerts, triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastcore._lazy import later

if TYPE_CHECKING:
    from fastcore.monitor.alerts import Alert, AlertBook
    from fastcore.monitor.baseline import Baseline, Baselines, machine_fingerprint
    from fastcore.monitor.channels import (
        CallableChannel,
        Channel,
        EmailChannel,
        LogChannel,
        SlackChannel,
        WebhookChannel,
    )
    from fastcore.monitor.collect import MetricsCollector, ServiceMetrics
    from fastcore.monitor.degradation import Degradation, DegradationDetector, SlowdownDetector
    from fastcore.monitor.health import CheckResult, Health, HealthApp, HealthReport
    from fastcore.monitor.manager import AlertManager
    from fastcore.monitor.measure import measure_execution_time
    from fastcore.monitor.metrics_app import MetricsApp
    from fastcore.monitor.middleware import MetricsMiddleware
    from fastcore.monitor.page import exposition
    from fastcore.monitor.performance import PerformanceMonitor
    from fastcore.monitor.prometheus import FastcoreCollector
    from fastcore.monitor.records import OptimizationStatus, PerformanceMetrics, optimization_status
    from fastcore.monitor.rules import DEFAULT_RULES, Rule, load_rules
    from fastcore.monitor.triggers import AutoOptimizationManager, Outcome
    from fastcore.monitor.workers import WorkerFiles

__all__ = [
    "DEFAULT_RULES",
    "Alert",
    "AlertBook",
    "AlertManager",
    "AutoOptimizationManager",
    "Baseline",
    "Baselines",
    "CallableChannel",
    "Channel",
    "CheckResult",
    "Degradation",
    "DegradationDetector",
    "EmailChannel",
    "FastcoreCollector",
    "Health",
    "HealthApp",
    "HealthReport",
    "LogChannel",
    "MetricsApp",
    "MetricsCollector",
    "MetricsMiddleware",
    "OptimizationStatus",
    "Outcome",
    "PerformanceMetrics",
    "PerformanceMonitor",
    "Rule",
    "ServiceMetrics",
    "SlackChannel",
    "SlowdownDetector",
    "WebhookChannel",
    "WorkerFiles",
    "exposition",
    "load_rules",
    "machine_fingerprint",
    "measure_execution_time",
    "optimization_status",
]

_HOMES = {
    "alerts": ("Alert", "AlertBook"),
    "baseline": ("Baseline", "Baselines", "machine_fingerprint"),
    "channels": (
        "CallableChannel",
        "Channel",
        "EmailChannel",
        "LogChannel",
        "SlackChannel",
        "WebhookChannel",
    ),
    "collect": ("MetricsCollector", "ServiceMetrics"),
    "degradation": ("Degradation", "DegradationDetector", "SlowdownDetector"),
    "health": ("CheckResult", "Health", "HealthApp", "HealthReport"),
    "middleware": ("MetricsMiddleware",),
    "manager": ("AlertManager",),
    "measure": ("measure_execution_time",),
    "metrics_app": ("MetricsApp",),
    "page": ("exposition",),
    "performance": ("PerformanceMonitor",),
    "prometheus": ("FastcoreCollector",),
    "records": ("OptimizationStatus", "PerformanceMetrics", "optimization_status"),
    "rules": ("DEFAULT_RULES", "Rule", "load_rules"),
    "triggers": ("AutoOptimizationManager", "Outcome"),
    "workers": ("WorkerFiles",),
}

__getattr__, __dir__ = later(
    globals(), {name: (f"{__name__}.{home}", name) for home, names in _HOMES.items() for name in names}
)
