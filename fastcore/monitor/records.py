"""Measurements before and after an optimisation, and the enabled optimisations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from fastcore.dispatch import flags
from fastcore.dispatch.comparison import Comparison
from fastcore.dispatch.store import HOT_PATHS

__all__ = ["OptimizationStatus", "PerformanceMetrics", "optimization_status"]

_TYPES = {
    "memory_optimization": "memory",
    "async_processing": "async",
    "cache": "cache",
    "background_tasks": "queue",
    "realtime_streaming": "streaming",
}


@dataclass(frozen=True)
class PerformanceMetrics:
    """One operation before and after it was optimised.

    Attributes
    ----------
    service_name, operation : str
    execution_time_before, execution_time_after : float
        Medians in seconds; NaN where nothing was timed.
    memory_usage_before, memory_usage_after : float
        MiB resident, NaN if not measured.
    improvement_percentage : float
        Percent of the time before that is saved; negative if it is slower.
    timestamp : datetime

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> from fastcore.monitor import PerformanceMetrics
    >>> nan = float("nan")
    >>> moment = datetime(2026, 3, 2, tzinfo=timezone.utc)
    >>> PerformanceMetrics("desk", "analyse", 0.010, 0.002, nan, nan, 80.0, moment).improvement_percentage
    80.0
    """

    service_name: str
    operation: str
    execution_time_before: float
    execution_time_after: float
    memory_usage_before: float
    memory_usage_after: float
    improvement_percentage: float
    timestamp: datetime

    @classmethod
    def of(
        cls,
        comparison: Comparison,
        memory_before: float = math.nan,
        memory_after: float = math.nan,
        now: datetime | None = None,
    ) -> PerformanceMetrics:
        """Return what a Switch has measured: its control is before, its candidate after."""
        service, _, operation = comparison.name.partition(".")
        before, after = comparison._medians
        return cls(
            service,
            operation or service,
            before,
            after,
            memory_before,
            memory_after,
            comparison.improvement,
            datetime.now(UTC) if now is None else now,
        )


@dataclass(frozen=True)
class OptimizationStatus:
    """One optimisation of a service.

    Attributes
    ----------
    service_name : str
        The Switch or flag.
    optimization_type : str
        ``memory``, ``async``, ``cache``, ``queue``, ``streaming``, or ``native`` for compiled code.
    status : {'applied', 'testing', 'completed', 'rolled_back', 'off'}
        On; in shadow, ramp or canary; promoted by its guard or the default; rolled back; not on.
    performance_gain : float or None
        Percent of the time saved, where both arms were timed.
    applied_at : datetime
        Since when this is so.

    Examples
    --------
    >>> from fastcore import flags
    >>> from fastcore.monitor import optimization_status
    >>> flag = flags.declare("desk_cache")
    >>> [found.status for found in optimization_status() if found.service_name == "desk_cache"]
    ['off']
    """

    service_name: str
    optimization_type: str
    status: Literal["applied", "testing", "completed", "rolled_back", "off"]
    performance_gain: float | None
    applied_at: datetime


def optimization_status() -> list[OptimizationStatus]:
    """Return every flag as an optimisation, with what its Switches have gained.

    Examples
    --------
    >>> from fastcore.monitor import optimization_status
    >>> "indicators" in {found.service_name for found in optimization_status()}
    True
    """
    from fastcore.dispatch.switch import live

    gains: dict[str, list[float]] = {}
    for switch in live().values():
        improvement = switch.report().improvement
        if not math.isnan(improvement):
            gains.setdefault(switch.flag, []).append(improvement)
    found = []
    for name, flag in flags.snapshot().items():
        known = gains.get(name)
        gain = sum(known) / len(known) if known else None
        kind = _TYPES.get(name, "native")
        found.append(OptimizationStatus(name, kind, _status(name, flag), gain, flag.since))
    return found


def _status(name: str, flag: flags.Flag) -> Literal["applied", "testing", "completed", "rolled_back", "off"]:
    word = flag.mode.partition(":")[0]
    if flag.rolled_back:
        return "rolled_back"
    if word in ("control", "python"):
        return "off"
    if flag.state == "trial":
        return "testing"
    promoted = flag.state == "promoted" or (flag.state == "default" and name in HOT_PATHS)
    return "completed" if promoted else "applied"
