"""What was read from a connection, handed to its parser in slices, so that one client cannot hold up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["FRAMES", "Intake"]

SLICE = 1024  # bytes parsed at once: at most 170 masked frames
FRAMES = 64  # after so many in one turn of the loop the others have theirs


class Intake:
    """The bytes of one connection that are not parsed yet; reading pauses while there are any.

    Parameters
    ----------
    transport : asyncio.Transport
    take : callable
        Parses a slice and returns how many frames were in it.
    waiting : bool, default False
        Whether to keep what comes until :meth:`go_on`.
    """

    __slots__ = ("_at", "_held", "_paused", "_scheduled", "_stopped", "_take", "transport", "waiting")

    def __init__(self, transport: asyncio.Transport, take: Callable[[bytes], int], waiting: bool = False) -> None:
        self.transport = transport
        self.waiting = waiting
        self._take = take
        self._held = b""
        self._at = 0
        self._paused = False
        self._scheduled = False
        self._stopped = False

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        if self._stopped:
            return
        self._held = self._held[self._at :] + data
        self._at = 0
        if not self._scheduled:
            self._turn()

    def go_on(self) -> None:
        """Wait no longer; what was kept is parsed from the next turn of the loop on."""
        self.waiting = False
        if self._held and not self._scheduled and not self._stopped:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def stop(self) -> None:
        """Parse nothing more, and read nothing more."""
        self.release()
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def release(self) -> bytes:
        """Give away what is not parsed yet; nothing more is parsed here."""
        rest, self._held = self._held[self._at :], b""
        self._stopped = True
        return rest

    def _turn(self) -> None:
        self._scheduled = False
        left = FRAMES
        while left > 0 and self._at < len(self._held) and not self.waiting and not self._stopped:
            part = self._held[self._at : self._at + SLICE]
            self._at += SLICE
            left -= self._take(part)
        if self._stopped or self.transport.is_closing():
            return
        if self._at < len(self._held):
            self._pause(True)
            if not self.waiting:
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._held = b""
            self._at = 0
            self._pause(False)

    def _pause(self, paused: bool) -> None:
        if paused is not self._paused:
            self._paused = paused
            if paused:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()
