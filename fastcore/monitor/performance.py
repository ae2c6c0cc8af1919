"""PerformanceMonitor: checks every minute whether a service became slower."""

from __future__ import annotations

import asyncio
import logging

from fastcore._threads import on_own_thread
from fastcore.monitor.collect import MetricsCollector, ServiceMetrics
from fastcore.monitor.degradation import Degradation, DegradationDetector
from fastcore.monitor.manager import AlertManager

__all__ = ["PerformanceMonitor"]

_log = logging.getLogger("fastcore.monitor")


class PerformanceMonitor:
    """Collects a service's latencies, compares them with its control and its baseline, and alerts.

    Parameters
    ----------
    metrics_collector : MetricsCollector, optional
    alert_manager : AlertManager, optional
        One without rules by default, which logs.
    detector : DegradationDetector, optional
    interval : float, default 60.0
        Seconds between looks.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.monitor import PerformanceMonitor, measure_execution_time
    >>> @measure_execution_time(service="monitored")
    ... def quote():
    ...     return 187.2
    >>> monitor = PerformanceMonitor()
    >>> answers = [quote() for _ in range(10)]
    >>> asyncio.run(monitor.look("monitored")).calls
    10
    """

    def __init__(
        self,
        metrics_collector: MetricsCollector | None = None,
        alert_manager: AlertManager | None = None,
        *,
        detector: DegradationDetector | None = None,
        interval: float = 60.0,
    ) -> None:
        if not interval > 0:
            raise ValueError(f"interval: expected a number above 0, got {interval!r}")
        self.metrics_collector = MetricsCollector() if metrics_collector is None else metrics_collector
        self.alert_manager = AlertManager(rules=()) if alert_manager is None else alert_manager
        self.detector = DegradationDetector() if detector is None else detector
        self.interval = interval
        self._last: dict[str, list[Degradation]] = {}

    async def monitor_service_performance(self, service_name: str) -> None:
        """Look at a service every `interval` seconds until cancelled.

        An alert is sent when a service is found degraded, again in four hours if it still is, and when it is over.
        """
        while True:
            try:
                await self.look(service_name)
            except Exception:
                _log.exception("the service %s could not be checked", service_name)
            await asyncio.sleep(self.interval)

    async def look(self, service_name: str) -> ServiceMetrics:
        """Look at a service once."""
        found = await self.collect_metrics(service_name)
        message = f"Performance degradation detected: {service_name}"
        if self.detect_performance_degradation(found):
            why = "; ".join(str(one) for one in self.degradations(service_name) if one.degraded)
            _log.warning("performance degradation: %s", why)
            await self.alert_manager.send_alert(message, found)
        else:
            await self.alert_manager.resolve_alert(message)
        return found

    async def collect_metrics(self, service_name: str) -> ServiceMetrics:
        """Return what the service did since the last look."""
        return await on_own_thread(self.metrics_collector.collect, service_name)  # it reads files of /proc

    def detect_performance_degradation(self, metrics: ServiceMetrics) -> bool:
        """Take in a look, and return whether the service is degraded: over 20 % slower, and surely so."""
        if metrics.calls or metrics.latency[0]:
            found = self.detector.look(metrics)
            if found:
                kept = {one.against: one for one in self.degradations(metrics.service_name)}
                self._last[metrics.service_name] = [*{**kept, **{one.against: one for one in found}}.values()]
        return any(one.degraded for one in self.degradations(metrics.service_name))

    def degradations(self, service_name: str) -> list[Degradation]:
        """Return the latest results for a service."""
        return self._last.get(service_name, [])

    def record_baseline(self, service_name: str) -> None:
        """Keep what the service did since the last look as its baseline on this machine.

        Raises
        ------
        ValueError
            If fewer than 100 calls were timed.
        """
        self.detector.baselines.record(service_name, self.metrics_collector.collect(service_name).latency)
