"""What clients have asked for, done in slices: no client's requests hold up the event loop, or the other clients."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastcore.streaming.session import Session

__all__ = ["Work"]

SLICE = 0.004  # seconds of a turn of the loop for those who wait, and as much for those who come
WRITING = 2e-6  # seconds for a topic of an answer


class Work:
    """Sessions with requests to be answered, one step of one session after the other.

    Those whose answers have not begun go first: what takes one step does not wait for what takes many.
    """

    def __init__(self) -> None:
        self._new: dict[Session, None] = {}
        self._begun: dict[Session, None] = {}
        self._handle: asyncio.Handle | None = None
        self._spent = 0.0  # in this turn of the loop

    def add(self, session: Session) -> None:
        """Have a session's requests answered: begun now, if there is time in this turn, or soon."""
        if session in self._new or session in self._begun or not session.has_work:
            return
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self._turn)
        if self._spent >= 2 * SLICE:
            self._new[session] = None
        else:
            self._step(session)

    def spend(self, topics: int) -> None:
        """Count what writing the messages of so many topics will take at the end of this turn."""
        self._spent += topics * WRITING

    def drop(self, session: Session) -> None:
        """Forget a session."""
        self._new.pop(session, None)
        self._begun.pop(session, None)

    def _turn(self) -> None:
        self._handle = None
        self._spent = 0.0
        while self._new and self._spent < SLICE:
            self._step(_first(self._new))
        if self._begun:  # however many come
            self._step(_first(self._begun))
        while self._begun and self._spent < SLICE:
            self._step(_first(self._begun))
        if self._new or self._begun:
            self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def _step(self, session: Session) -> None:
        begun = time.perf_counter()
        if session.step():
            self._begun[session] = None  # behind the others
        self._spent += time.perf_counter() - begun

    def stop(self) -> None:
        """Let everything be."""
        self._new.clear()
        self._begun.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def _first(sessions: dict[Session, None]) -> Session:
    """Take out the one that waits longest."""
    session = next(iter(sessions))
    del sessions[session]
    return session
