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
from fastcore.tasks.records import ScheduleView, TaskSpec

__all__ = ["Every", "Schedule", "Schedules"]

_LONGEST = 30.0  # seconds of sleep: the clock on the wall may be set meanwhile
_AGAIN = 1.0  # seconds before a schedule that failed is tried again; twice as many each time, up to the longest sleep
_OVERDUE = 300.0  # seconds after its slot from which a schedule that this process does not know is reported
_FORGOTTEN = 7 * 86400.0  # and from which it is dropped
_SURVEY = 60.0

_log = logging.getLogger("fastcore.tasks")


class Every(NamedTuple):
    """Every so many seconds; slots that have passed are made up for by one."""

    seconds: float

    @property
    def text(self) -> str:
        """What is stored of it."""
        return f"every {self.seconds!r} s"

    def after(self, now: float) -> float:
        """Return the first slot of a schedule that begins now."""
        return now + self.seconds

    def next(self, slot: float, now: float) -> float:
        """Return the first slot after both `now` and `slot`, in step with `slot`."""
        return slot + self.seconds * max(1, math.floor((now - slot) / self.seconds) + 1)

    def latest(self, slot: float, now: float) -> float:
        """Return the last slot up to `now` in step with `slot`, which has passed."""
        return slot + self.seconds * math.floor((now - slot) / self.seconds)

    def within(self, slot: float, now: float) -> float:
        """Return `slot`; one in step with it if it lies further ahead than two slots can."""
        ahead = math.floor((slot - now) / self.seconds)
        return slot - self.seconds * ahead if ahead >= 2 else slot


class Schedule(NamedTuple):
    """A schedule as this process knows it."""

    name: str
    definition: str
    when: Every | Cron
    make: Callable[[float], TaskSpec]
    """Makes the call that is to be submitted for a slot."""
    limit: float | None = None
    """Seconds after a slot from which it is skipped."""

    def next(self, slot: float, now: float) -> float:
        """Return the slot after one that is due."""
        return self.when.next(slot, now) if isinstance(self.when, Every) else self.when.after(max(slot, now))

    def within(self, slot: float, now: float) -> float:
        """Return the next slot; an earlier one where the clock was set back by more than a slot, which says nothing."""
        if isinstance(self.when, Every):
            return self.when.within(slot, now)
        first = self.when.after(now)
        return first if slot > self.when.after(first) else slot

    def is_too_late(self, slot: float, now: float) -> bool:
        """Whether the last of the slots that are due passed too long ago."""
        return self.limit is not None and now - self.when.latest(slot, now) > self.limit


class _Known:
    """A schedule, and where this process stands in it."""

    __slots__ = ("failures", "retry_at", "schedule", "slot")

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.slot: float | None = None
        """The next slot, once the store was asked for it."""
        self.failures = 0
        self.retry_at = 0.0
        """On the monotonic clock."""


class Schedules:
    """The schedules of a queue; submits their calls while it runs."""

    def __init__(self, store: TaskStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._reported: set[str] = set()
        self._wake: Callable[[], None] = lambda: None

    def add(self, schedule: Schedule) -> None:
        """Take in a schedule; the store is asked for its next slot when the queue runs."""
        known = self._known.get(schedule.name)
        if known is not None and known.schedule.definition != schedule.definition:
            _log.warning("schedule %r is defined twice: the later definition replaces the earlier", schedule.name)
        self._known[schedule.name] = _Known(schedule)
        self._wake()

    def drop(self, name: str) -> None:
        """Remove a schedule."""
        self._known.pop(name, None)

    async def run(self) -> None:
        """Fire the schedules until cancelled."""
        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        survey_at = loop.time()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # the loop was closed
                pass

        self._wake = wake
        while True:
            event.clear()
            delay = await self.tick()
            if loop.time() >= survey_at:
                survey_at = loop.time() + _SURVEY
                await self.survey()
            await happened(event, min(delay, _LONGEST))

    async def tick(self) -> float:
        """Submit what is due; returns the seconds until the next slot. A schedule that fails stops no other."""
        wait = math.inf
        for known in list(self._known.values()):
            left = known.retry_at - time.monotonic()
            if known.failures and left > 0:
                wait = min(wait, left)
                continue
            try:
                slot = await self._seen_to(known)
            except Exception:
                delay = min(_LONGEST, _AGAIN * 2.0**known.failures)
                if not known.failures:
                    _log.exception("schedule %r failed; it is tried again", known.schedule.name)
                known.failures = min(known.failures + 1, 10)
                known.retry_at = time.monotonic() + delay
                wait = min(wait, delay)
                continue
            known.failures = 0
            wait = min(wait, max(0.0, slot - self._clock()))
        return wait

    async def _seen_to(self, known: _Known) -> float:
        """Submit a schedule's call if it is due; returns its next slot."""
        schedule = known.schedule
        name, definition, slot = schedule.name, schedule.definition, known.slot
        if slot is None:
            first = schedule.when.after(self._clock())
            slot = await arrived(self._store.schedule(name, definition, first))
        now = self._clock()
        if slot <= now:
            following = schedule.next(slot, now)
            spec = None if schedule.is_too_late(slot, now) else schedule.make(slot)
            fired = await arrived(self._store.fire(name, slot, following, spec, definition))
            if fired.won and spec is None:
                _log.warning("schedule %r: a slot that passed more than %s s ago is skipped", name, schedule.limit)
            # Another process's definition may stand at the same slot: not asked again before the next.
            slot = fired.next_at if fired.next_at != slot else following
        elif (sooner := schedule.within(slot, now)) != slot:  # the clock was set back
            slot = (await arrived(self._store.fire(name, slot, sooner, None, definition))).next_at
        known.slot = slot
        return slot

    async def survey(self) -> None:
        """Report schedules that no process sees to any more, and in the end drop them."""
        try:
            for view in await arrived(self._store.schedules()):
                if view.name not in self._known:
                    await self._report(view, self._clock() - view.next_at)
        except Exception:
            _log.exception("the store's schedules could not be read")

    async def _report(self, view: ScheduleView, late: float) -> None:
        if late > _FORGOTTEN:
            _log.warning("schedule %r (%s) is dropped: no process has served it for days", view.name, view.definition)
            await arrived(self._store.unschedule(view.name))
        elif late > _OVERDUE and view.name not in self._reported:
            self._reported.add(view.name)
            _log.warning(
                "schedule %r (%s) is stored, but its last slot passed %.0f s ago and no process serves it: "
                "unschedule it if it is no longer wanted",
                view.name,
                view.definition,
                late,
            )
