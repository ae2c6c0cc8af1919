"""Short names for functions of the dispatcher: gradual rollout, rollback, A/B tests, comparisons.

Each is a thin wrapper: the flags decide, the Switches measure. :class:`AssignmentMiddleware` and :class:`AdminApp`,
which a service mounts, are here as well, and so are the names of `fastcore.monitor` that observe a rollout.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import random
import time
from collections.abc import Callable, Coroutine, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, TypedDict

from fastcore._lazy import later
from fastcore.dispatch import flags
from fastcore.dispatch.admin import AdminApp
from fastcore.dispatch.assignment import belongs
from fastcore.dispatch.comparison import ArmReport, Comparison, Paired
from fastcore.dispatch.experiment import Decision, Pair, Trial
from fastcore.dispatch.guard import Guard
from fastcore.dispatch.middleware import AssignmentMiddleware, exposures
from fastcore.dispatch.switch import Switch, live

if TYPE_CHECKING:
    from fastcore.monitor import (
        AlertManager,
        AutoOptimizationManager,
        MetricsCollector,
        OptimizationStatus,
        PerformanceMetrics,
        PerformanceMonitor,
    )

__all__ = [
    "OPTIMIZATIONS",
    "ABTestManager",
    "AdminApp",
    "AlertManager",
    "ArmReport",
    "AssignmentMiddleware",
    "AutoOptimizationManager",
    "Comparison",
    "ComparisonResult",
    "Decision",
    "GradualOptimizationManager",
    "Guard",
    "Measurement",
    "MetricsCollector",
    "OptimizationRollback",
    "OptimizationStatus",
    "Pair",
    "Paired",
    "PerformanceComparisonTest",
    "PerformanceMetrics",
    "PerformanceMonitor",
    "Switch",
    "Trial",
    "alert_rollbacks",
    "exposures",
]

_MONITORING = (
    "AlertManager", "AutoOptimizationManager", "MetricsCollector", "OptimizationStatus", "PerformanceMetrics",
    "PerformanceMonitor",
)  # fmt: skip

_ALERTED = {"rollback": "critical", "breaker": "warning", "pause": "warning", "promote": "info"}

OPTIMIZATIONS = ("memory_optimization", "async_processing", "background_tasks", "realtime_streaming")


__getattr__, __dir__ = later(globals(), {name: ("fastcore.monitor", name) for name in _MONITORING})


def alert_rollbacks(manager: AlertManager) -> Callable[[], None]:
    """Let `manager` send an alert for each rollback, opened breaker, pause and promotion that this process decides.

    Other processes follow the journal and send nothing, so that one event is one alert. A manager with the rule "rolled
    back", which is one of the default rules, alerts on rollbacks by that rule; for another, the alert of a rollback is
    resolved when the rollback ends.

    Parameters
    ----------
    manager : AlertManager

    Returns
    -------
    callable
        Ends it.

    Examples
    --------
    >>> from fastcore.monitor import AlertManager
    >>> from fastcore.rollout import alert_rollbacks
    >>> stop = alert_rollbacks(AlertManager())
    >>> stop()
    """

    by_rule = any(rule.name == "rolled back" for rule in manager.rules)
    open_alerts: dict[str, str] = {}

    def tell(entry: flags.Entry) -> None:
        if entry.what == "resume" and entry.flag in open_alerts:
            _begin(manager.resolve_alert(open_alerts.pop(entry.flag)))
        severity = _ALERTED.get(entry.what)
        if severity is None or (entry.what == "rollback" and by_rule):
            return
        message = f"flag {entry.flag}: {entry.why} ({entry.what} by {entry.who}, process {entry.pid}, {entry.when})"
        if entry.what == "rollback":
            open_alerts[entry.flag] = message
        _begin(manager.send_alert(message, entry._asdict(), severity=severity))

    return flags.subscribe_journal(tell)


def _begin(sending: Coroutine[Any, Any, bool]) -> None:
    """Run a coroutine that hands an alert over and never waits, so it needs no loop."""
    with contextlib.suppress(StopIteration):
        sending.send(None)


class _OptimizationFlags(MutableMapping[str, bool]):
    """The optimisations as a mapping of names to whether they are on; what is written sets the flag."""

    def __getitem__(self, name: str) -> bool:
        _known(name)
        mode = flags.mode_of(name)
        if mode.word in ("ramp", "canary"):
            return belongs(name, mode.threshold)
        return mode.word in ("candidate", "compiled", "auto")

    def __setitem__(self, name: str, on: bool) -> None:
        flags.declare(name)
        flags.set(name, "candidate" if on else "control")

    def __delitem__(self, name: str) -> None:
        _known(name)
        flags.clear(name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in flags.snapshot() if name not in flags.HOT_PATHS])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))


def _known(name: str) -> None:
    try:
        flags.get(name)
    except ValueError:
        raise KeyError(name) from None


class GradualOptimizationManager:
    """Turns optimisations on one by one; each is the flag of its name, with all that a flag can do.

    Attributes
    ----------
    optimization_flags : mapping of str to bool
        Live: while a flag ramps, the answer is that for the key of the context.

    Examples
    --------
    >>> manager = GradualOptimizationManager()
    >>> manager.is_optimization_enabled("memory_optimization")
    False
    >>> manager.enable_optimization("memory_optimization")
    >>> manager.is_optimization_enabled("memory_optimization")
    True
    >>> manager.disable_optimization("memory_optimization")
    """

    def __init__(self) -> None:
        for name in OPTIMIZATIONS:
            flags.declare(name)
        self.optimization_flags: MutableMapping[str, bool] = _OptimizationFlags()

    def enable_optimization(self, optimization_type: str) -> None:
        """Turn an optimisation on; an unknown name is declared."""
        self.optimization_flags[optimization_type] = True

    def disable_optimization(self, optimization_type: str) -> None:
        """Turn an optimisation off."""
        self.optimization_flags[optimization_type] = False

    def is_optimization_enabled(self, optimization_type: str) -> bool:
        """Return whether an optimisation is on, for the key of the context while it ramps; False for an unknown one."""
        return self.optimization_flags.get(optimization_type, False)


class OptimizationRollback:
    """Keeps what optimised functions were before, and puts it back.

    A function behind the Switch ``"service.function"`` is rolled back there, for every caller at once; for any other
    the caller is given the original to put in place itself.

    Examples
    --------
    >>> from fastcore import Switch, flags
    >>> from fastcore.rollout import OptimizationRollback
    >>> total = Switch("desk.added", control=sum, candidate=lambda values: sum(values))
    >>> rollback = OptimizationRollback()
    >>> rollback.backup_original_function("desk", "added", total)
    >>> rollback.rollback_optimization("desk", "added", "ticket 42") is sum
    True
    >>> flags.get("desk.added").source
    'rollback'
    """

    def __init__(self) -> None:
        self.backup_functions: dict[str, Callable[..., Any]] = {}

    def backup_original_function(self, service_name: str, func_name: str, func: Callable[..., Any]) -> None:
        """Keep `func`, or the control of `func` where that is a Switch."""
        self.backup_functions[f"{service_name}.{func_name}"] = func

    def rollback_optimization(
        self, service_name: str, func_name: str, reason: str = "rollback_optimization"
    ) -> Callable[..., Any] | None:
        """Roll the Switch of that name back, if there is one; returns the original, None if none was kept."""
        key = f"{service_name}.{func_name}"
        kept = self.backup_functions.get(key)
        switch = kept if isinstance(kept, Switch) else live().get(key)
        if switch is None:
            return kept
        switch.rollback(reason)
        return switch.control if kept is None or kept is switch else kept


class ABTestManager:
    """Says which version a request gets: always the same one, in every process.

    Parameters
    ----------
    test_ratio : float, default 0.1
        The share of requests that get the optimised version, in 0..1. It may be changed; raising it only adds requests.
    name : str, default "ab_test"
        Tests of different names divide the requests differently.

    Examples
    --------
    >>> from fastcore.rollout import ABTestManager
    >>> test = ABTestManager(test_ratio=0.5, name="new page")
    >>> len({test.should_use_optimized_version("user 1") for _ in range(100)})    # a user always gets the same one
    1
    """

    def __init__(self, test_ratio: float = 0.1, name: str = "ab_test") -> None:
        self.name = name
        self.test_ratio = test_ratio

    @property
    def test_ratio(self) -> float:
        return self._ratio

    @test_ratio.setter
    def test_ratio(self, ratio: float) -> None:
        if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 <= ratio <= 1:
            raise ValueError(f"test_ratio: expected a number in 0..1, got {ratio!r}")
        self._ratio = float(ratio)

    def should_use_optimized_version(self, request_id: str) -> bool:
        """Return whether the request gets the optimised version."""
        return belongs(self.name, math.ceil(self._ratio * 2**32), request_id)


class Measurement(TypedDict):
    """One arm's calls, failed calls, and latencies in seconds (None where none was timed).

    Examples
    --------
    >>> import asyncio
    >>> from fastcore import Switch
    >>> from fastcore.rollout import PerformanceComparisonTest
    >>> total = Switch("desk.measured", control=sum, candidate=lambda values: sum(values))
    >>> total([1, 2])
    3
    >>> asyncio.run(PerformanceComparisonTest().measure_performance("desk", "measured", optimized=False))["calls"]
    1
    """

    calls: int
    errors: int
    timed: int
    p50: float | None
    p95: float | None
    p99: float | None


class ComparisonResult(TypedDict):
    """Both arms of one operation; `improvement` in percent of the median time before, None where it is not known.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore import Switch
    >>> from fastcore.rollout import PerformanceComparisonTest
    >>> total = Switch("desk.total", control=sum, candidate=lambda values: sum(values))
    >>> result = asyncio.run(PerformanceComparisonTest(rounds=10).compare_performance("desk", "total", [1, 2]))
    >>> result["before"]["calls"], result["after"]["errors"]
    (10, 0)
    """

    service: str
    operation: str
    before: Measurement
    after: Measurement
    improvement: float | None


class PerformanceComparisonTest:
    """Compares an operation before and after its optimisation: the arms of the Switch ``"service.operation"``.

    Parameters
    ----------
    rounds : int, default 30
        How often each arm is called where arguments are given.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore import Switch
    >>> from fastcore.rollout import PerformanceComparisonTest
    >>> total = Switch("desk.sum", control=sum, candidate=lambda values: sum(values))
    >>> result = asyncio.run(PerformanceComparisonTest(rounds=10).compare_performance("desk", "sum", [1, 2]))
    >>> result["improvement"] is not None            # percent
    True
    """

    def __init__(self, rounds: int = 30) -> None:
        if not isinstance(rounds, int) or rounds < 1:
            raise ValueError(f"rounds: expected an int >= 1, got {rounds!r}")
        self.rounds = rounds

    async def compare_performance(
        self, service_name: str, operation: str, *args: Any, **kwargs: Any
    ) -> ComparisonResult:  # fmt: skip
        """Return both arms' latencies: those of the calls so far, or with arguments of calls made now, in random order.

        Raises
        ------
        LookupError
            If there is no Switch of that name.
        """
        if args or kwargs:
            before, after = await self._measure_now(service_name, operation, args, kwargs)
        else:
            before = await self.measure_performance(service_name, operation, optimized=False)
            after = await self.measure_performance(service_name, operation, optimized=True)
        return {
            "service": service_name,
            "operation": operation,
            "before": before,
            "after": after,
            "improvement": self.calculate_improvement(before, after),
        }

    async def measure_performance(self, service_name: str, operation: str, optimized: bool) -> Measurement:
        """Return what one arm's calls have taken so far."""
        report = _switch(service_name, operation).report()
        return _measured(report.candidate if optimized else report.control)

    @staticmethod
    def calculate_improvement(before: Measurement, after: Measurement) -> float | None:
        """Return the percentage of the median time that is saved; None where it is not known."""
        if not before["p50"] or after["p50"] is None:
            return None
        return (1 - after["p50"] / before["p50"]) * 100

    async def _measure_now(
        self, service_name: str, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Measurement, Measurement]:
        switch = _switch(service_name, operation)
        if switch.candidate is None:
            raise LookupError(f"{switch.name}: expected a Switch with a candidate")
        arms = [switch.control, switch.candidate]
        seconds: list[list[float]] = [[], []]
        errors = [0, 0]
        order = [0, 1] * self.rounds
        random.Random(0).shuffle(order)
        for index in order:
            start = time.perf_counter()
            try:
                result = arms[index](*args, **kwargs)
                if inspect.isawaitable(result):
                    await result
            except Exception:
                errors[index] += 1
            else:
                seconds[index].append(time.perf_counter() - start)
        before, after = (_of(taken, failed) for taken, failed in zip(seconds, errors))
        return before, after


def _switch(service_name: str, operation: str) -> Switch[..., Any]:
    found = live().get(f"{service_name}.{operation}")
    if found is None:
        known = ", ".join(name for name, switch in live().items() if switch.flag not in flags.HOT_PATHS) or "none"
        raise LookupError(f"{service_name}.{operation}: expected a Switch of that name; there are: {known}")
    return found


def _measured(arm: ArmReport) -> Measurement:
    p50, p95, p99 = (None if math.isnan(value) else value for value in (arm.p50, arm.p95, arm.p99))
    return {"calls": arm.calls, "errors": arm.errors, "timed": arm.timed, "p50": p50, "p95": p95, "p99": p99}


def _of(seconds: list[float], errors: int) -> Measurement:
    ordered = sorted(seconds)

    def quantile(q: float) -> float | None:
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else None

    calls = len(ordered) + errors
    return {
        "calls": calls, "errors": errors, "timed": len(ordered),
        "p50": quantile(0.5), "p95": quantile(0.95), "p99": quantile(0.99),
    }  # fmt: skip
