"""Checks every service of a process: slowdowns are a metric that the default rules alert on."""

from __future__ import annotations

import asyncio
import logging

from fastcore._threads import on_own_thread
from fastcore.dispatch.switch import live
from fastcore.monitor.collect import MetricsCollector
from fastcore.monitor.degradation import DegradationDetector
from fastcore.monitor.triggers import AutoOptimizationManager

__all__ = ["ServiceWatch"]

FIRST, INTERVAL = 0.5, 15.0  # seconds to the second look, doubled from one to the next, and between later ones

_log = logging.getLogger("fastcore.service")


class ServiceWatch:
    """Compares each service with its live control and its baseline, and lets triggers advise.

    Parameters
    ----------
    triggers : AutoOptimizationManager, optional
    """

    def __init__(self, triggers: AutoOptimizationManager | None = None) -> None:
        self._collector = MetricsCollector()
        self._detector = DegradationDetector()
        self._triggers = triggers
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.ensure_future(self._watch())]
        if self._triggers is not None:
            self._tasks.append(asyncio.ensure_future(self._triggers.run()))

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        wait = FIRST
        while True:
            try:
                await on_own_thread(self.look)
            except Exception:
                _log.exception("the services could not be checked")
            await asyncio.sleep(wait)
            wait = min(INTERVAL, wait * 2)

    def look(self) -> None:
        """Look at every service once."""
        for switch in live().values():
            switch._tune()
        for found in self._collector._collect_all():
            self._detector.look(found)
