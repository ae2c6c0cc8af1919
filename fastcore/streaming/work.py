"""What clients have asked for, done in slices: no client's requests hold up the event loop, or the other clients."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastcore.streaming.session import Session

__all__ = ["Work"]

SLICE = 0.004  # seconds of a turn of the loop
WRITING = 2e-6  # seconds for a topic of an answer


class Work:
    """Sessions with requests to be answered, one step of one session after the other."""

    def __init__(self) -> None:
        self._waiting: dict[Session, None] = {}
        self._handle: asyncio.Handle | None = None
        self._spent = 0.0  # in this turn of the loop

    def add(self, session: Session) -> None:
        """Have a session's requests answered: now, if nothing else waits and there is time in this turn, or soon."""
        if session in self._waiting or not session.has_work:
            return
        self._waiting[session] = None
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self._turn)
        if len(self._waiting) == 1:
            self._run()

    def spend(self, topics: int) -> None:
        """Count what writing the messages of so many topics will take at the end of this turn."""
        self._spent += topics * WRITING

    def drop(self, session: Session) -> None:
        """Forget a session."""
        self._waiting.pop(session, None)

    def _turn(self) -> None:
        self._handle = None
        self._spent = 0.0
        self._run()
        if self._waiting:
            self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def _run(self) -> None:
        clock = time.perf_counter
        while self._waiting and self._spent < SLICE:
            session = next(iter(self._waiting))
            del self._waiting[session]
            begun = clock()
            more = session.step()
            self._spent += clock() - begun
            if more:
                self._waiting[session] = None  # behind the others

    def stop(self) -> None:
        """Let everything be."""
        self._waiting.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
