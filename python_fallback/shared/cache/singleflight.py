"""One flight per key: callers that arrive while a value is being computed wait for it instead of computing it again.

Threads and tasks of any event loop share a flight. No code of the caller runs while the lock here is held. A caller
that is itself part of the computation it would wait for (recursion on one key, or two computations that need each
other's keys) computes the value itself, uncached, instead of waiting forever.

A flight ends for its waiters with a value or an error, or it is abandoned and they try again: its task was cancelled
because all waiters had left, its thread was interrupted, or its event loop stopped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from python_fallback.shared.cache.errors import copy_error
from python_fallback.shared.cache.hashed_key import Exactly, HashedKey
from python_fallback.shared.cache.shape import MISSING

if TYPE_CHECKING:
    import asyncio


_lock = threading.RLock()  # reentrant: a finalizer may come here while it is held
_process = object()  # another one after a fork
aboard: ContextVar[tuple[Flight, ...]] = ContextVar("aboard", default=())


class Flight:
    """One computation under way, and how it ended.

    Attributes
    ----------
    permit : list
        Holds one item until the key is invalidated: only with it may the value be stored.
    tags : iterable
        What the value depends on, each with an attribute `valid`; once one is invalid, no caller joins any more.
    loop, task : optional
        Where an asynchronous computation runs.
    thread : int
        Identifies the thread of a synchronous one.
    """

    __slots__ = (
        "_abandoned",
        "_error",
        "_process",
        "_template",
        "_waiters",
        "blocked_on",
        "landed",
        "loop",
        "permit",
        "riders",
        "tags",
        "task",
        "thread",
        "value",
    )

    def __init__(self, tags: Iterable[Any] = ()) -> None:
        self.value: Any = MISSING
        self.landed = False
        self.permit: list[None] = [None]
        self.tags = tags
        self.riders = 0
        self.blocked_on: list[Flight] = []  # flights that this one's computation waits for
        self.loop: asyncio.AbstractEventLoop | None = None
        self.task: asyncio.Task[None] | None = None
        self.thread = threading.get_ident()
        self._waiters: list[Callable[[], None]] = []
        self._abandoned = False
        self._error: BaseException | None = None  # for one waiter
        self._template: BaseException | None = None  # for copies to the others
        self._process = _process

    def may_be_joined(self) -> bool:
        """Whether its value will come, and is not outdated already."""
        return (
            self._process is _process
            and (self.loop is None or self.loop.is_running())
            and all(tag.valid for tag in self.tags)
        )

    def land(self, value: Any = MISSING) -> None:
        """End the flight with a value, or given up, and wake everyone."""
        self._land(value, None, None)

    def fail(self, error: BaseException, outer: BaseException | None = None, raised: bool = False) -> None:
        """End the flight with an error and wake everyone; each gets an exception of its own.

        The first gets `error` itself, unless the leader has `raised` it; the others get copies without `outer`, which
        the leader's caller handled when it began.
        """
        template = copy_error(error, outer=outer) if self.riders > (not raised) else error
        self._land(MISSING, None if raised else error, template)

    def _land(self, value: Any, error: BaseException | None, template: BaseException | None) -> None:
        with _lock:
            self.landed = True
            if self.riders:  # else no rider clears it later: an error's frames may hold this flight
                self.value, self._error, self._template = value, error, template
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

    def result(self, loop: asyncio.AbstractEventLoop | None = None) -> Any:
        """Return the value, raise the error, or return MISSING if the flight was abandoned.

        A cancellation concerns only those of the loop it happened in.
        """
        with _lock:
            own, self._error = self._error, None
            template = self._template
        if template is None or (loop is not self.loop and is_cancellation(template)):
            return self.value
        try:
            raise own or copy_error(template)
        finally:
            del own, template  # they would make a cycle through this frame

    def join(self, wake: Callable[[], None], mine: tuple[Flight, ...]) -> bool:
        """Register `wake` for the end of the flight; False if waiting would be a deadlock with oneself."""
        with _lock:
            if self._leads_to(mine):
                return False
            self.riders += 1
            for flight in mine:
                flight.blocked_on.append(self)
            if not self.landed and not self._abandoned:
                self._waiters.append(wake)
                return True
        wake()
        return True

    def leave(self, mine: tuple[Flight, ...]) -> bool:
        """Stop waiting; True if no other caller waits for the value."""
        with _lock:
            self.riders -= 1
            for flight in mine:
                flight.blocked_on.remove(self)
            if self.riders:
                return False
            self.value, self._error, self._template = MISSING, None, None
            self._abandoned = self.task is not None and not self.landed
            return self._abandoned

    def _leads_to(self, mine: tuple[Flight, ...]) -> bool:
        todo, seen = [self], set()
        while todo:
            flight = todo.pop()
            if flight in mine:
                return True
            if id(flight) not in seen:
                seen.add(id(flight))
                todo.extend(flight.blocked_on)
        return False


def is_cancellation(error: BaseException) -> bool:
    """Whether it is asyncio's CancelledError, which is no Exception."""
    if isinstance(error, Exception):
        return False
    import asyncio

    return isinstance(error, asyncio.CancelledError)


class Flights:
    """The flights of one cache, by key."""

    __slots__ = ("by_key",)

    def __init__(self) -> None:
        self.by_key: dict[
            Any, tuple[HashedKey, Flight]
        ] = {}  # always the same dict: the compiled twin looks at its size

    def board(self, held: HashedKey, tags: Iterable[Any] = ()) -> tuple[HashedKey, Flight, bool]:
        """Return the flight of the key, and whether the caller is to lead it."""
        mine = (held, Flight(tags))
        while True:
            holder, flight = self.by_key.setdefault(held, mine)
            if flight is mine[1]:
                return holder, flight, True
            if flight.may_be_joined():
                return holder, flight, False
            self.give_up(holder, flight)

    def remove(self, held: HashedKey) -> None:
        """Forget a flight: the next caller begins another."""
        self.by_key.pop(Exactly(held), None)

    def give_up(self, held: HashedKey, flight: Flight) -> None:
        """Forget a flight whose value is not to be stored any more."""
        flight.permit.clear()
        self.remove(held)

    def disown(self, key: Any) -> None:
        """Let what is computed for a key now not be kept, and the next caller compute another value."""
        found = self.by_key.pop(HashedKey(key), None)
        if found is not None:
            found[1].permit.clear()

    def disown_all(self) -> None:
        """Let nothing that is computed now be kept."""
        while self.by_key:
            try:
                self.by_key.popitem()[1][1].permit.clear()
            except KeyError:
                break

    def __len__(self) -> int:
        return len(self.by_key)


def _after_fork() -> None:
    """The threads that were computing are not in this process."""
    global _lock, _process
    _lock, _process = threading.RLock(), object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
