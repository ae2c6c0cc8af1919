"""Leases of a process whose event loop is held up: the writing thread renews them, and says so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from fastcore import metrics

__all__ = ["Extension", "LeaseKeeper"]

_log = logging.getLogger("fastcore.tasks")


class Extension(NamedTuple):
    """Until when all that an owner works on is to be its own."""

    owner: str
    until: float


class LeaseKeeper:
    """Watches the loop of the engine that works here.

    A task that blocks the loop keeps the engine from renewing leases. Another process would then run the same tasks, so
    they are renewed from the writing thread for as long as the loop is not closed. A process that is stopped or whose
    machine sleeps renews nothing, and loses its tasks.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._owner = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lease = 0.0
        self._now = 0.0  # the engine's time at its last claim or renewal, and ours
        self._heard_at = 0.0
        self._renewed_at = 0.0
        self._asked_at: float | None = None  # since when the loop owes a sign of life
        self._said = False
        self._blocked = metrics.counter("fastcore_tasks_loop_blocked_total")

    def attach(self, owner: str, loop: asyncio.AbstractEventLoop) -> None:
        """Say whose leases they are, and on which loop it lives."""
        self._owner, self._loop = owner, loop
        self._asked_at = None

    def claimed(self, lease: float, now: float) -> None:
        """Note a claim of the engine."""
        if not self._lease:
            self._renewed_at = self._clock()
        self._lease, self._now, self._heard_at = lease, now, self._clock()

    def renewed(self, lease: float, now: float) -> None:
        """Note that the engine renews all it has."""
        self.claimed(lease, now)
        self._renewed_at = self._heard_at

    def look(self, path: str) -> Extension | None:
        """Return what is to be renewed; called in the writing thread, every now and then while tasks are held."""
        loop, now = self._loop, self._clock()
        if loop is None or not self._lease:
            return None
        if self._asked_at is None:
            self._asked_at = now
            try:
                loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # the loop was closed: nothing runs there any more
                self._loop = None
                return None
        elif now - self._asked_at > self._lease and not self._said:
            self._said = True
            self._blocked.add()
            _log.warning(
                "%s: the event loop of %s has not run for %.1f s, longer than a lease; a task blocks it. "
                "Its leases are renewed meanwhile",
                path,
                self._owner,
                now - self._asked_at,
            )
        if now - self._renewed_at < self._lease / 3:
            return None
        self._renewed_at = now
        return Extension(self._owner, self._now + (now - self._heard_at) + self._lease)

    def _answer(self) -> None:
        if self._said and self._asked_at is not None:
            _log.warning("the event loop of %s runs again, after %.1f s", self._owner, self._clock() - self._asked_at)
        self._said = False
        self._asked_at = None
