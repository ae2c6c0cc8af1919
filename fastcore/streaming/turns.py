"""Turns of the event loop that many share: each is given a bounded time, so that none holds up the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["SLICE", "Steps", "Turns"]

SLICE = 0.004  # seconds of a turn for waiting work, and as much for new work


class Steps(Protocol):
    """Something that is done step by step."""

    def step(self) -> bool:
        """Do one step; return whether more remains."""


class Turns:
    """How much of a turn of the loop has been spent; subclasses say whose steps are made, and in which order.

    Parameters
    ----------
    clock : callable, default time.perf_counter
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._handle: asyncio.Handle | None = None
        self._spent = 0.0  # in this turn

    def _run(self) -> None:
        """Make steps of the waiting items."""
        raise NotImplementedError

    def _is_waiting(self) -> bool:
        """Whether steps remain for the next turn."""
        raise NotImplementedError

    def _has_room(self) -> bool:
        """Whether a new item may begin in this turn."""
        return self._spent < 2 * SLICE

    def _soon(self) -> None:
        """Schedule the next turn."""
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._handle = None
        self._spent = 0.0
        try:
            self._run()
        finally:  # an error of one is not the end of the others
            if self._is_waiting():
                self._soon()

    def _step(self, one: Steps) -> bool:
        """Make one step and count its time; return whether more remains."""
        begun = self._clock()
        try:
            return one.step()
        finally:
            self._spent += self._clock() - begun
