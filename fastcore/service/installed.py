"""Installed: the parts added to an application, and their lifecycle."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from fastcore._threads import on_own_thread
from fastcore.monitor import CheckResult, Health
from fastcore.service.checks import memory_check, stream_check, tasks_check
from fastcore.service.draining import Drain
from fastcore.service.routes import hidden_routes
from fastcore.service.siblings import apart
from fastcore.service.watching import ServiceWatch

if TYPE_CHECKING:
    from fastapi import FastAPI

    from fastcore.memory import MemoryWatch
    from fastcore.monitor import AlertManager, WorkerFiles
    from fastcore.service.dashboard import Dashboard
    from fastcore.streaming import Hub
    from fastcore.tasks import TaskQueue, TaskView

__all__ = ["Installed"]

_log = logging.getLogger("fastcore.service")
_GRACE = 0.25  # seconds in which a client that is sent away may go by itself


class Installed:
    """The parts that :func:`install` added to an application; also its ``app.state.fastcore``.

    Attributes
    ----------
    app : FastAPI
    health : Health
        For checks of the application's own: ``installed.health.check("database", ping)``.
    tasks, hub, watch, alerts, workers, dashboard
        The parts, None where there is none.

    Examples
    --------
    >>> from fastapi import FastAPI
    >>> from fastcore.service import install
    >>> installed = install(FastAPI(), token="sixteen characters or more", watch=False)
    >>> remove = installed.health.check("database", lambda: True)
    >>> installed.draining
    False
    """

    def __init__(
        self,
        app: FastAPI,
        health: Health,
        *,
        tasks: TaskQueue | None,
        hub: Hub | None,
        watch: MemoryWatch | None,
        alerts: AlertManager | None,
        services: ServiceWatch | None,
        workers: WorkerFiles | None,
        dashboard: Dashboard | None,
        report: Callable[[], object],
        drain_delay: float,
        drain_timeout: float,
    ) -> None:
        self.app = app
        self.health = health
        self.tasks = tasks
        self.hub = hub
        self.watch = watch
        self.alerts = alerts
        self.services = services
        self.workers = workers
        self.dashboard = dashboard
        self._report = report
        self._timeout = drain_timeout
        self._lives = False
        self.drainage = Drain(health, drain_delay, drain_timeout, self._send_away)
        health.check("lifespan", self._lifespan_check)
        if tasks is not None:
            health.check("tasks", tasks_check(tasks))
        if hub is not None:
            health.check("stream", stream_check(hub))
        if watch is not None:
            health.check("memory", memory_check(watch))

    @property
    def draining(self) -> bool:
        """Whether this process wants no new work."""
        return self.drainage.draining

    async def drain(self, reason: str = "asked to") -> None:
        """Do what SIGTERM does, without ending the server: fail `/readyz`, wait, send clients and tasks away."""
        await self.drainage.run(reason)

    async def _lifespan_check(self) -> CheckResult:
        if self._lives:
            return CheckResult()
        return CheckResult("fail", "the lifespan of the application has not run: is it mounted, or --lifespan off?")

    async def _send_away(self) -> None:
        """Send away streaming clients and waiting requests, and return the tasks of a shared store."""
        if self.tasks is not None:
            self.tasks.hooks.leave()
        if self.hub is not None:
            await self.hub.drain(grace=_GRACE)
        if self.dashboard is not None:
            await self.dashboard.feed.close()
        if self.tasks is not None and _outlives(self.tasks):
            await self.tasks.drain(self._timeout)

    async def _end(self) -> None:
        """The server has answered everything."""
        self.drainage.begin("the server ends")
        self._lives = False
        if self.tasks is not None and not _outlives(self.tasks):
            await self._finish(self.tasks)

    async def _finish(self, queue: TaskQueue) -> None:
        """Let a queue in memory run due tasks before the timeout; later tasks are lost, and those of paused kinds."""
        from fastcore.tasks import State

        paused = queue.paused()
        deadline = time.monotonic() + self._timeout
        while True:
            left = deadline - time.monotonic()
            live = await on_own_thread(queue.find, states=[State.QUEUED, State.RUNNING], limit=200)
            latest = time.time() + left
            due = [v for v in live if v.state is State.RUNNING or (v.run_at <= latest and v.kind not in paused)]
            if not due or left <= 0:
                break
            await asyncio.sleep(0.02)
        if live:
            _log.warning("tasks are lost with the process, as their store is in memory: %s", _counted(live))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the parts; the application's lifespan does."""
        self.drainage.renew()
        self._report()
        if lone := apart(self.tasks, self.hub):
            _log.warning("%s", lone)
        async with AsyncExitStack() as stack:
            if self.workers is not None:
                self.workers.start()
                stack.callback(self.workers.stop)
            if self.watch is not None:
                from fastcore.memory import record_gc_pauses

                stack.callback(record_gc_pauses())
                self.watch.start()
                stack.callback(self.watch.stop)
            if self.alerts is not None:
                self.alerts.start()
                stack.push_async_callback(on_own_thread, self.alerts.stop)
            if self.services is not None:
                self.services.start()
                stack.push_async_callback(self.services.stop)
            if self.hub is not None:
                self.hub.draining = False
                await self.hub.start()
                stack.push_async_callback(self.hub.drain, 0.0)
            if self.dashboard is not None:
                self.dashboard.recorder.start()
                stack.push_async_callback(self.dashboard.recorder.stop)
                stack.push_async_callback(self.dashboard.feed.close)
            if self.tasks is not None:
                await stack.enter_async_context(self.tasks)
            stack.push_async_callback(self._end)
            stack.callback(self.drainage.watch())
            self._lives = True
            hidden = hidden_routes(self.app)  # of those that were added after install()
            if hidden:
                _log.error("%s", hidden)
            yield


def _counted(live: Sequence[TaskView]) -> str:
    names = Counter(view.kind for view in live)
    return ", ".join(f"{count} {name}" for name, count in names.most_common(5))


def _outlives(queue: TaskQueue) -> bool:
    """Whether waiting tasks survive this process."""
    return queue.store.poll is not None
