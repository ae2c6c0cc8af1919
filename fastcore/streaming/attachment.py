"""A hub's backplane: whether it has started, and its readiness."""

from __future__ import annotations

import asyncio
import atexit
import logging
import weakref
from typing import TYPE_CHECKING

from fastcore.streaming.backplanes.backplane import Backplane

if TYPE_CHECKING:
    from fastcore.streaming.hub import Hub

__all__ = ["Attachment", "say_unsent"]

_log = logging.getLogger("fastcore.streaming")

CUT = 5.0  # seconds without connection, after which a hub is not ready


class Attachment:
    """Starts a hub's backplane, once."""

    def __init__(self, backplane: Backplane | None) -> None:
        self._backplane = backplane
        self.ready = backplane is None
        self._error: Exception | None = None  # why it does not start
        self._cut: float | None = None  # since when it was seen to be without connection
        self._attempt: asyncio.Task[None] | None = None
        self._starting: asyncio.Lock | None = None

    async def start(self, hub: Hub) -> bool:
        """Start the backplane unless it has started; return whether it was started."""
        if self.ready or self._backplane is None:
            return False
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self.ready:
                return False
            try:
                await self._backplane.start(hub)
            except Exception as error:
                self._error = error
                raise
            self._error = None
            self.ready = True
            return True

    async def aclose(self) -> None:
        """Leave."""
        if self._backplane is not None and self.ready:
            self.ready = False
            await self._backplane.aclose()

    def forget(self) -> None:
        """Handle the end of its loop."""
        self._starting = None
        self.ready = self._backplane is None

    def readiness(self, hub: Hub, now: float) -> tuple[bool, str]:
        """Return whether the backplane is dead, with a description; in the hub's loop, try to start it."""
        if self._backplane is None:
            return False, ""
        if not self.ready:
            self._try(hub)
            if self._error is None:
                return True, "the backplane has not started yet"
            return True, f"the backplane does not start: {self._error!r}"[:300]
        if self._backplane.state().connected:
            self._cut = None
            return False, ""
        if self._cut is None:
            self._cut = now
        return now - self._cut >= CUT, "the backplane is not connected: what is published here waits"

    def _try(self, hub: Hub) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if hub.lives_in(loop) and (self._attempt is None or self._attempt.done()):
            self._attempt = loop.create_task(hub.start())
            self._attempt.add_done_callback(lambda task: task.cancelled() or task.exception())


_waiting_hubs: weakref.WeakSet[Hub] = weakref.WeakSet()


def say_unsent(hub: Hub) -> None:
    """Log at the end of the process which messages a hub has not sent."""
    _waiting_hubs.add(hub)


def _tell_unsent() -> None:
    """At the end of the process: log messages that were published and never sent."""
    for hub in list(_waiting_hubs):
        if hub.unsent():
            _log.error(
                "%d messages were published and not sent: their hub was not started in this process; "
                "a program without an event loop uses fastcore.streaming.Publisher",
                hub.unsent(),
            )


atexit.register(_tell_unsent)
