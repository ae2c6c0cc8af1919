"""Requests of clients, handled in slices: no client's requests block the event loop or the other clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastcore.streaming.turns import SLICE, Turns

if TYPE_CHECKING:
    from fastcore.streaming.session import Session

__all__ = ["Work"]

WRITING = 2e-6  # seconds for a topic of an answer


class Work(Turns):
    """Sessions with requests to be answered, one step of one session after the other.

    Those whose answers have not begun go first: what takes one step does not wait for what takes many.
    """

    def __init__(self) -> None:
        super().__init__()
        self._new: dict[Session, None] = {}
        self._begun: dict[Session, None] = {}

    def add(self, session: Session) -> None:
        """Answer a session's requests: now, if this turn has time left, else soon."""
        if session in self._new or session in self._begun or not session.has_work:
            return
        self._soon()
        if self._has_room():
            self._answer(session)
        else:
            self._new[session] = None

    def spend(self, topics: int) -> None:
        """Charge this turn for the messages of so many topics, which are written at its end."""
        self._spent += topics * WRITING

    def drop(self, session: Session) -> None:
        """Remove a session."""
        self._new.pop(session, None)
        self._begun.pop(session, None)

    def stop(self) -> None:
        """Stop all work."""
        self._new.clear()
        self._begun.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _run(self) -> None:
        while self._new and self._spent < SLICE:
            self._answer(_first(self._new))
        if self._begun:  # however many come
            self._answer(_first(self._begun))
        while self._begun and self._spent < SLICE:
            self._answer(_first(self._begun))

    def _is_waiting(self) -> bool:
        return bool(self._new or self._begun)

    def _answer(self, session: Session) -> None:
        if self._step(session):
            self._begun[session] = None  # behind the others


def _first(sessions: dict[Session, None]) -> Session:
    """Remove the session that has waited longest."""
    session = next(iter(sessions))
    del sessions[session]
    return session
