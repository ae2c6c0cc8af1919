"""Maintenance: what an engine does periodically, apart from running tasks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastcore.tasks.engine.unregistered import Unregistered
from fastcore.tasks.hooks import Hooks
from fastcore.tasks.ports import arrived
from fastcore.tasks.records import Hold
from fastcore.tasks.task import Task

if TYPE_CHECKING:
    from fastcore.tasks.engine.engine import Engine

__all__ = ["Maintenance"]

_STEP = 1.0  # seconds by which the clock must run ahead of the monotonic one to count as set forward

_log = logging.getLogger("fastcore.tasks")


class Maintenance:
    """Renews leases, takes back lost tasks, drops expired results, reports tasks that nobody knows.

    Parameters
    ----------
    engine : Engine
    tasks : mapping of name to Task
    hooks : Hooks
    lease : float
        Seconds for which a claim is renewed.
    clock : callable
        Seconds since the epoch.
    monotonic : callable
        Seconds that only grow, and not while the machine sleeps.
    """

    def __init__(
        self,
        engine: Engine,
        tasks: Mapping[str, Task[..., Any]],
        hooks: Hooks,
        lease: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._hooks = hooks
        self._lease = lease
        self._clock = clock
        self._monotonic = monotonic
        self._looked = clock(), monotonic()
        self._ahead = 0.0  # seconds by which the clock was set forward lately
        self._set_at = 0.0  # when it was, on the monotonic clock
        self._heartbeat = lease
        self._renewed = clock()
        self._unregistered = Unregistered(engine.store, tasks)
        self._doing: list[asyncio.Task[None]] = []

    def start(self, *, rescue: float, heartbeat: float, prune: float) -> None:
        """Do each job at its interval."""
        loop = asyncio.get_running_loop()
        self._heartbeat = heartbeat
        self._renewed = self._clock()
        self._looked = self._renewed, self._monotonic()
        self._doing = [
            loop.create_task(_every(rescue, self.take_back, at_once=True)),
            loop.create_task(_every(heartbeat, self.renew)),
            loop.create_task(_every(prune, self.expire)),
            loop.create_task(_every(prune, self._unregistered.look, at_once=True)),
        ]

    async def stop(self) -> None:
        """Stop the periodic work."""
        for chore in self._doing:
            chore.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)
        self._unregistered.clear()

    async def take_back(self) -> None:
        """Take back tasks of dead owners."""
        if self._clock() - self._renewed > self._heartbeat:  # blocked, or asleep: this process is alive
            await self.renew()
        for rescued in await arrived(self._engine.store.rescue(self._now())):
            _log.warning("task %s (%s) was taken back from a dead owner: %s", *rescued[:3])
            self._engine.ledger.enter_lost(rescued, self._clock())

    def _now(self) -> float:
        """Return the time by which leases are judged: the earlier one for a while after the clock was set forward.

        By its end all living owners have renewed theirs. After a machine slept, the clock is ahead too.
        """
        now, passed = self._clock(), self._monotonic()
        ahead = (now - self._looked[0]) - (passed - self._looked[1])
        self._looked = now, passed
        if passed - self._set_at > self._lease:
            self._ahead = 0.0
        if ahead > _STEP:
            self._ahead += ahead
            self._set_at = passed
        return now - self._ahead

    async def renew(self) -> None:
        """Renew the leases of running tasks; stop those that were lost or cancelled elsewhere."""
        self._renewed = self._clock()
        jobs = list(self._engine.running.values())
        if not jobs:
            return
        holds = await arrived(self._engine.store.renew([job.claim for job in jobs], self._lease, self._clock()))
        for job, hold in zip(jobs, holds, strict=True):
            if job.told or hold is Hold.KEPT:
                continue
            self._engine.stop_job(job)
            if hold is Hold.LOST and not job.told:  # whatever it brings would be refused
                job.told = True
                if self._engine.running.get(job.id) is job:
                    del self._engine.running[job.id]

    async def expire(self) -> None:
        """Drop expired results."""
        await arrived(self._engine.store.prune(self._clock()))


async def _every(seconds: float, chore: Callable[[], Awaitable[None]], *, at_once: bool = False) -> None:
    if not at_once:
        await asyncio.sleep(seconds)
    while True:
        try:
            await chore()
        except Exception:
            _log.exception("maintenance of the queue failed; it is tried again")
        await asyncio.sleep(seconds)
