"""Triggers that switch optimisations on: advised by default, applied where that is allowed."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from fastcore import metrics
from fastcore._threads import on_own_thread
from fastcore.dispatch import flags, process
from fastcore.memory.shrinkers import shrink
from fastcore.monitor.collect import MetricsCollector, ServiceMetrics

__all__ = ["AutoOptimizationManager", "Outcome"]

Action = Literal["memory", "async", "background"]
What = Literal["advised", "applied", "refused", "reverted"]

FLAGS: dict[Action, str] = {
    "memory": "memory_optimization",
    "async": "async_processing",
    "background": "background_tasks",
}
_ON = ("candidate", "compiled")
_log = logging.getLogger("fastcore.monitor")


@dataclass(frozen=True)
class Outcome:
    """The outcome of one trigger.

    Attributes
    ----------
    service : str
    action : {'memory', 'async', 'background'}
    what : {'advised', 'applied', 'refused', 'reverted'}
    why : str

    Examples
    --------
    >>> from fastcore.monitor import Outcome
    >>> Outcome("desk", action="memory", what="advised", why="memory in use 91 %").what
    'advised'
    """

    service: str
    action: Action
    what: What
    why: str


class AutoOptimizationManager:
    """Switches an optimisation on where a service needs it, only by its flag.

    ========================= ================= ==========================================
    above                     action            flag
    ========================= ================= ==========================================
    memory in use 80 %        ``memory``        ``memory_optimization``; caches shrink too
    response time 5 s         ``async``         ``async_processing``
    CPUs in use 90 %          ``background``    ``background_tasks``
    ========================= ================= ==========================================

    Parameters
    ----------
    metrics_collector : MetricsCollector, optional
    services : iterable of str, optional
        By default those that the collector finds, or ``process`` while it finds none.
    mode : {'advise', 'act'}, default 'advise'
        Whether flags are set or it is only said which to set, in the log and the journal.
    allowed : collection of str, default all three actions
        What `act` may do.
    memory_usage, response_time, cpu_usage : float
        Percent, seconds and percent: the thresholds.
    cooldown : float, default 600.0
        Seconds during which the same is neither advised nor taken again: `async` for the same service, the others at
        all, as memory and CPUs are those of the process.
    clock : callable, default time.monotonic

    Notes
    -----
    A flag that was rolled back is not changed: a guard or a person has decided. Each step is in the journal of the
    flags, and :meth:`revert` puts back what was there before.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.monitor import AutoOptimizationManager
    >>> triggers = AutoOptimizationManager(mode="advise", response_time=5.0)
    >>> asyncio.run(triggers.auto_apply_optimizations())     # `run()` does so every minute
    [...]
    """

    def __init__(
        self,
        metrics_collector: MetricsCollector | None = None,
        *,
        services: Iterable[str] | None = None,
        mode: Literal["advise", "act"] = "advise",
        allowed: Collection[Action] = ("memory", "async", "background"),
        memory_usage: float = 80.0,
        response_time: float = 5.0,
        cpu_usage: float = 90.0,
        cooldown: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if mode not in ("advise", "act"):
            raise ValueError(f"mode: expected 'advise' or 'act', got {mode!r}")
        if unknown := sorted(set(allowed) - set(FLAGS)):
            raise ValueError(f"allowed: expected names of {', '.join(FLAGS)}, got {unknown[0]!r}")
        if not cooldown >= 0:
            raise ValueError(f"cooldown: expected a number >= 0, got {cooldown!r}")
        self.metrics_collector = MetricsCollector() if metrics_collector is None else metrics_collector
        self.mode = mode
        self._services = None if services is None else tuple(services)
        self._allowed = frozenset(allowed)
        self._limits: dict[Action, float] = {
            "memory": float(memory_usage),
            "async": float(response_time),
            "background": float(cpu_usage),
        }
        self._cooldown, self._clock = cooldown, clock
        self._lock = threading.Lock()
        self._last: dict[tuple[str, Action], float] = {}
        self._applied: dict[Action, flags.Flag] = {}
        for name in FLAGS.values():
            flags.declare(name)

    async def get_services_needing_optimization(self) -> list[ServiceMetrics]:
        """Return what the services did that are above one of the thresholds."""
        looked = await on_own_thread(self._look)
        return [found for found in looked if any(self._above(found, action) for action in FLAGS)]

    def _look(self) -> list[ServiceMetrics]:
        if self._services is None and (found := self.metrics_collector._collect_all()):
            return found
        return self.metrics_collector._collect_all(self._services or ("process",))

    async def auto_apply_optimizations(self) -> list[Outcome]:
        """Look at the services once, and advise or apply what they need; returns what was done."""
        out: list[Outcome | None] = []
        for service in await self.get_services_needing_optimization():
            if self._above(service, "memory"):
                out.append(await self.apply_memory_optimization(service))
            if self._above(service, "async"):
                out.append(await self.apply_async_optimization(service))
            if self._above(service, "background"):
                out.append(await self.apply_background_processing(service))
        return [outcome for outcome in out if outcome is not None]

    async def apply_memory_optimization(self, service: ServiceMetrics) -> Outcome | None:
        """Turn on ``memory_optimization`` and have caches shrink; None while it cools down."""
        why = f"{service.memory_usage:.0f} % of the memory is in use"
        outcome = self._apply("memory", service, why, {"memory_usage": service.memory_usage})
        if outcome is not None and outcome.what == "applied":
            await on_own_thread(shrink)
        return outcome

    async def apply_async_optimization(self, service: ServiceMetrics) -> Outcome | None:
        """Turn on ``async_processing``; None while it cools down."""
        why = f"one call in twenty takes over {service.response_time:.2f} s"
        return self._apply("async", service, why, {"response_time": service.response_time})

    async def apply_background_processing(self, service: ServiceMetrics) -> Outcome | None:
        """Turn on ``background_tasks``; None while it cools down."""
        why = f"{service.cpu_usage:.0f} % of the CPUs are in use"
        return self._apply("background", service, why, {"cpu_usage": service.cpu_usage})

    def revert(self, action: Action, why: str = "reverted") -> Outcome | None:
        """Restore the flag's previous mode; None if this manager did not set it, or it was set again meanwhile."""
        if action not in FLAGS:
            raise ValueError(f"action: expected one of {', '.join(FLAGS)}, got {action!r}")
        with self._lock:
            before = self._applied.pop(action, None)
            if before is None:
                return None
            name = FLAGS[action]
            now = flags.get(name)
            if now.source != "set" or not now.reason.startswith("trigger:"):
                return None
            if before.source == "set":
                flags.set(name, before.mode, before.reason, who="trigger")
            else:
                flags.clear(name, who="trigger")
        return self._said(Outcome("", action, "reverted", why), {})

    async def run(self, interval: float = 60.0) -> None:
        """Look every `interval` seconds until cancelled."""
        if not interval > 0:
            raise ValueError(f"interval: expected a number above 0, got {interval!r}")
        while True:
            try:
                await self.auto_apply_optimizations()
            except Exception:
                _log.exception("the triggers could not be evaluated")
            await asyncio.sleep(interval)

    def _above(self, found: ServiceMetrics, action: Action) -> bool:
        value = {"memory": found.memory_usage, "async": found.response_time, "background": found.cpu_usage}[action]
        return value > self._limits[action]  # NaN is not

    def _apply(self, action: Action, service: ServiceMetrics, why: str, evidence: dict[str, Any]) -> Outcome | None:
        name, now = FLAGS[action], self._clock()
        key = service.service_name if action == "async" else "", action
        with self._lock:
            last = self._last.get(key)
            if last is not None and now - last < self._cooldown:
                return None
            self._last[key] = now
            flag = flags.get(name)
            if flag.mode in _ON:
                return None  # it is on; there is nothing more to do
            outcome = self._decided(action, service, why, flag)
            if outcome.what == "applied":
                flags.set(name, "candidate", f"trigger: {service.service_name}: {why}", who="trigger")
                self._applied.setdefault(action, flag)
        return self._said(outcome, {**evidence, "threshold": self._limits[action]})

    def _decided(self, action: Action, service: ServiceMetrics, why: str, flag: flags.Flag) -> Outcome:
        name = service.service_name
        if flag.rolled_back:
            return Outcome(name, action, "refused", f"{why}; {flag.name} is rolled back: {flag.reason}")
        if self.mode == "advise":
            return Outcome(name, action, "advised", why)
        if action not in self._allowed:
            return Outcome(name, action, "refused", f"{why}; {action} is not among what is allowed")
        return Outcome(name, action, "applied", why)

    def _said(self, outcome: Outcome, evidence: dict[str, Any]) -> Outcome:
        name = FLAGS[outcome.action]
        why = f"{outcome.service}: {outcome.why}" if outcome.service else outcome.why
        mode = {"mode": flags.get(name).mode}
        process.store.journal.write("trigger", outcome.what, name, why, old=mode, new=mode, evidence=evidence)
        metrics.counter("fastcore_triggers_total", action=outcome.action, result=outcome.what).add()
        level = logging.INFO if outcome.what == "advised" else logging.WARNING
        _log.log(level, "optimisation %s %s: %s", name, outcome.what, why)
        return outcome
