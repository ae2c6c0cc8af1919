"""What was read from connections, parsed in slices, so that neither one client nor a crowd holds up the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from fastcore.streaming.turns import SLICE, Turns

__all__ = ["FRAMES", "Intake", "Parsing"]

PIECE = 1024  # bytes parsed at once: at most 170 masked frames
STEP = 16 * PIECE  # bytes of one connection; then it is another's turn
FRAMES = 64  # after so many in one turn of the loop the others have theirs


class Parsing(Turns):
    """The connections with bytes that are still to be parsed, one step of one connection after the other."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(clock)
        self._waiting: dict[Intake, None] = {}

    def add(self, intake: Intake) -> None:
        """Parse a connection's bytes: now, if this turn has time left, else soon."""
        if intake in self._waiting:
            return
        self._soon()
        if not (self._has_room() or intake.small) or self._step(intake):
            self._waiting[intake] = None

    def later(self, intake: Intake) -> None:
        """Parse a connection's bytes from the next turn of the loop on."""
        self._waiting[intake] = None
        self._soon()

    def drop(self, intake: Intake) -> None:
        """Remove a connection."""
        self._waiting.pop(intake, None)

    def _run(self) -> None:
        for intake in list(self._waiting):  # each once: FRAMES is for one turn
            if self._spent >= SLICE:
                break
            if intake in self._waiting:  # still: what another's bytes did may have stopped it
                del self._waiting[intake]
                if self._step(intake):
                    self._waiting[intake] = None  # behind the others

    def _is_waiting(self) -> bool:
        return bool(self._waiting)


class Intake:
    """The bytes of one connection that are not parsed yet; reading pauses while there are any.

    Parameters
    ----------
    transport : asyncio.Transport
    take : callable
        Parses a slice and returns how many frames were in it.
    parsing : Parsing, optional
        That of the connections that share their turns; by default this one has all of its turn.
    waiting : bool, default False
        Whether to keep what comes until :meth:`go_on`.
    """

    __slots__ = ("_at", "_held", "_parsing", "_paused", "_stopped", "_take", "transport", "waiting")

    def __init__(
        self,
        transport: asyncio.Transport,
        take: Callable[[bytes], int],
        parsing: Parsing | None = None,
        *,
        waiting: bool = False,
    ) -> None:
        self.transport = transport
        self.waiting = waiting
        self._take = take
        self._parsing = Parsing() if parsing is None else parsing
        self._held = b""
        self._at = 0
        self._paused = False
        self._stopped = False

    def feed(self, data: bytes) -> None:
        """Add bytes that were read."""
        if self._stopped:
            return
        self._held = self._held[self._at :] + data
        self._at = 0
        if not self.waiting:
            self._parsing.add(self)
        if self._at < len(self._held):
            self._pause(True)

    def go_on(self) -> None:
        """Stop waiting: parse the kept bytes from the next turn of the loop on."""
        self.waiting = False
        if self._held and not self._stopped:
            self._parsing.later(self)

    def stop(self) -> None:
        """Stop parsing and reading."""
        self.release()
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def release(self) -> bytes:
        """Return the bytes that are not parsed yet, and stop parsing."""
        rest, self._held = self._held[self._at :], b""
        self._stopped = True
        self._parsing.drop(self)
        return rest

    @property
    def small(self) -> bool:
        """Whether so few bytes are left that they need not wait for other connections."""
        return len(self._held) - self._at <= PIECE

    def step(self) -> bool:
        """Parse a slice; return whether more remains."""
        frames, end = FRAMES, self._at + STEP
        while frames > 0 and self._at < min(end, len(self._held)) and not self.waiting and not self._stopped:
            part = self._held[self._at : self._at + PIECE]
            self._at += PIECE
            frames -= self._take(part)
        if self._stopped or self.transport.is_closing():
            return False
        if self._at < len(self._held):
            self._pause(True)
            return not self.waiting
        self._held = b""
        self._at = 0
        self._pause(False)
        return False

    def _pause(self, paused: bool) -> None:
        if paused is not self._paused:
            self._paused = paused
            if paused:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()
