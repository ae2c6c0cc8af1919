"""Schedules: calls that are submitted again and again, once for the whole fleet."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import NamedTuple

from fastcore.concurrency.waiting import happened
from fastcore.tasks.cron import Cron
from fastcore.tasks.ports import TaskStore, arrived
from fastcore.tasks.records import TaskSpec

__all__ = ["Every", "Schedule", "Schedules"]

_LONGEST = 30.0  # seconds of sleep: the clock on the wall may be set meanwhile

_log = logging.getLogger("fastcore.tasks")


class Every(NamedTuple):
    """Every so many seconds; slots that have passed are made up for by one."""

    seconds: float

    def after(self, now: float) -> float:
        """Return the first slot of a schedule that begins now."""
        return now + self.seconds

    def next(self, slot: float, now: float) -> float:
        """Return the first slot after `now` in step with `slot`."""
        return slot + self.seconds * max(1, math.floor((now - slot) / self.seconds) + 1)


class Schedule(NamedTuple):
    """A schedule as this process knows it."""

    name: str
    definition: str
    when: Every | Cron
    make: Callable[[float], TaskSpec]
    """Makes the call that is to be submitted for a slot."""

    def next(self, slot: float, now: float) -> float:
        """Return the slot after one that is due."""
        return self.when.next(slot, now) if isinstance(self.when, Every) else self.when.after(max(slot, now))


class Schedules:
    """The schedules of a queue, and who sees to them while it runs."""

    def __init__(self, store: TaskStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, Schedule] = {}
        self._slots: dict[str, float] = {}
        self._wake: Callable[[], None] = lambda: None

    def add(self, schedule: Schedule) -> None:
        """Take in a schedule; the store is asked for its next slot when the queue runs."""
        self._known[schedule.name] = schedule
        self._slots.pop(schedule.name, None)
        self._wake()

    def drop(self, name: str) -> None:
        """See to a schedule no longer."""
        self._known.pop(name, None)
        self._slots.pop(name, None)

    async def run(self) -> None:
        """See to the schedules until cancelled."""
        loop = asyncio.get_running_loop()
        event = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # the loop was closed
                pass

        self._wake = wake
        while True:
            event.clear()
            try:
                delay = await self.tick()
            except Exception:
                _log.exception("the schedules could not be seen to; trying again")
                delay = 1.0
            await happened(event, min(delay, _LONGEST))

    async def tick(self) -> float:
        """Submit what is due; returns the seconds until the next slot."""
        soonest = math.inf
        for schedule in list(self._known.values()):
            slot = self._slots.get(schedule.name)
            now = self._clock()
            if slot is None:
                first = schedule.when.after(now)
                slot = await arrived(self._store.schedule(schedule.name, schedule.definition, first))
            if slot <= now:
                fired = await arrived(
                    self._store.fire(schedule.name, slot, schedule.next(slot, now), schedule.make(slot))
                )
                slot = fired.next_at
            if self._known.get(schedule.name) is schedule:
                self._slots[schedule.name] = slot
                soonest = min(soonest, slot)
        return max(0.0, soonest - self._clock())
