"""One flight per key: who comes while a value is being computed waits for it instead of computing it again.

Threads and tasks of any event loop share a flight. Nothing of the caller's runs while the lock here is held. A caller
that is itself part of what it would wait for (recursion on one key, or two computations that need each other's keys)
computes for itself, uncached, instead of waiting for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from python_fallback.cache.held import Exactly, Held

if TYPE_CHECKING:
    import asyncio

MISSING = object()
_PATIENCE = 1.0  # seconds between looks at whether the loop of an asynchronous flight still runs

_lock = threading.RLock()  # reentrant: a finalizer may come here while it is held
_aboard: ContextVar[tuple[Flight, ...]] = ContextVar("aboard", default=())


class Flight:
    """One computation under way, and how it ended."""

    __slots__ = ("blocked_on", "disowned", "error", "landed", "loop", "riders", "task", "value", "waiters")

    def __init__(self) -> None:
        self.value: Any = MISSING
        self.error: BaseException | None = None
        self.landed = False
        self.disowned = False  # its key was invalidated: the value is not kept
        self.waiters: list[Callable[[], None]] = []
        self.riders = 0
        self.blocked_on: list[Flight] = []  # flights that this one's computation waits for
        self.loop: asyncio.AbstractEventLoop | None = None
        self.task: asyncio.Task[None] | None = None

    def land(self, value: Any = MISSING, error: BaseException | None = None) -> None:
        """End the flight and wake everyone; with neither value nor error it was given up, and they try again."""
        with _lock:
            self.value, self.error, self.landed = value, error, True
            waiters, self.waiters = self.waiters, []
        for wake in waiters:
            wake()

    def result(self) -> Any:
        """Return the value, raise the error, or return MISSING where the flight was given up."""
        if self.error is not None:
            raise self.error
        return self.value

    def join(self, wake: Callable[[], None], mine: tuple[Flight, ...]) -> bool:
        """Be woken at the landing; False where waiting for it would be waiting for oneself."""
        with _lock:
            if self._leads_to(mine):
                return False
            self.riders += 1
            for flight in mine:
                flight.blocked_on.append(self)
            if not self.landed:
                self.waiters.append(wake)
                return True
        wake()
        return True

    def leave(self, mine: tuple[Flight, ...]) -> bool:
        """Stop waiting; True where nobody is left who wants the value."""
        with _lock:
            self.riders -= 1
            for flight in mine:
                flight.blocked_on.remove(self)
            return self.riders == 0 and not self.landed

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


class Flights:
    """The flights of one cache, by key."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[Any, tuple[Held, Flight]] = {}

    def board(self, held: Held) -> tuple[Held, Flight, bool]:
        """Return the flight of the key, and whether the caller is to lead it."""
        mine = (held, Flight())
        holder, flight = self._by_key.setdefault(held, mine)
        return holder, flight, flight is mine[1]

    def remove(self, held: Held) -> None:
        """Forget a flight: the next caller begins another."""
        self._by_key.pop(Exactly(held), None)

    def disown(self, key: Any) -> None:
        """Let what is computed for a key now not be kept, and the next caller compute anew."""
        found = self._by_key.pop(Held(key), None)
        if found is not None:
            found[1].disowned = True

    def disown_all(self) -> None:
        """Let nothing that is computed now be kept."""
        while self._by_key:
            try:
                self._by_key.popitem()[1][1].disowned = True
            except KeyError:
                break

    def __len__(self) -> int:
        return len(self._by_key)


def fly(
    cache: Any,
    key: Any,
    compute: Callable[[], Any],
    keep: Callable[[Any], None],
    find: Callable[[], Any] | None = None,
) -> Any:
    """Return the value of a key that was missing, computed by one of the threads and tasks that ask for it.

    Who leads first looks with `find` whether the value came since the caller's lookup.
    """
    find = find or (lambda: cache.peek(key, MISSING))
    flights = cache._flights
    while True:
        held, flight, leading = flights.board(Held(key))
        if leading:
            return _lead(flights, held, flight, compute, keep, find)
        mine = _aboard.get()
        landed = threading.Event()
        if _runs_here(flight.loop) or not flight.join(landed.set, mine):
            return compute()
        try:
            _await_landing(flight, flights, held, landed)
        finally:
            if flight.leave(mine):
                _abandon(flight, flights, held)
        value = flight.result()
        if value is not MISSING:
            return value


def _lead(
    flights: Flights,
    held: Held,
    flight: Flight,
    compute: Callable[[], Any],
    keep: Callable[[Any], None],
    find: Callable[[], Any],
) -> Any:
    token = _aboard.set((*_aboard.get(), flight))
    value: Any = MISSING
    error: BaseException | None = None
    try:
        value = find()  # it may have landed since the caller's lookup
        if value is MISSING:
            value = compute()
            if not flight.disowned:
                keep(value)
        return value
    except Exception as raised:
        error = raised
        raise
    except BaseException:
        value = MISSING  # an interrupt is this caller's own: the others try again
        raise
    finally:
        _aboard.reset(token)
        flights.remove(held)
        flight.land(value, error)


def _runs_here(loop: Any) -> bool:
    """Whether this thread is the one that runs `loop`: blocking it would stop what it waits for."""
    if loop is None:
        return False
    import asyncio

    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _await_landing(flight: Flight, flights: Flights, held: Held, landed: threading.Event) -> None:
    stopped = 0
    while not landed.wait(_PATIENCE if flight.loop is not None else None):
        stopped = 0 if flight.loop is not None and flight.loop.is_running() else stopped + 1
        if stopped >= 2:  # the loop ended with the computation unfinished
            flights.remove(held)
            flight.land()


def _abandon(flight: Flight, flights: Flights, held: Held) -> None:
    """Nobody waits any more: stop an asynchronous computation (a thread's cannot be stopped)."""
    task, loop = flight.task, flight.loop
    if task is None or loop is None:
        return
    flights.remove(held)
    try:
        loop.call_soon_threadsafe(task.cancel)
    except RuntimeError:  # the loop is closed
        pass


async def fly_async(
    cache: Any,
    key: Any,
    compute: Callable[[], Awaitable[Any] | Any],
    keep: Callable[[Any], None],
    find: Callable[[], Any] | None = None,
) -> Any:
    """Do what `fly` does without blocking the event loop; the cancellation of one caller is that caller's alone."""
    find = find or (lambda: cache.peek(key, MISSING))
    import asyncio

    loop = asyncio.get_running_loop()
    flights = cache._flights
    while True:
        held, flight, leading = flights.board(Held(key))
        mine = _aboard.get()
        if leading:
            flight.loop = loop
            flight.task = loop.create_task(_lead_async(flights, held, flight, compute, keep, find))
        landed = loop.create_future()
        if not flight.join(_waker(loop, landed), mine):
            return await _finish(compute())
        try:
            await landed
        finally:
            if flight.leave(mine):
                _abandon(flight, flights, held)
        value = flight.result()
        if value is not MISSING:
            return value


def _waker(loop: asyncio.AbstractEventLoop, landed: asyncio.Future[None]) -> Callable[[], None]:
    def settle() -> None:
        if not landed.done():
            landed.set_result(None)

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the waiter's loop is closed, and so the waiter is gone
            pass

    return wake


async def _finish(result: Any) -> Any:
    return await result if hasattr(result, "__await__") else result


async def _lead_async(
    flights: Flights,
    held: Held,
    flight: Flight,
    compute: Callable[[], Awaitable[Any] | Any],
    keep: Callable[[Any], None],
    find: Callable[[], Any],
) -> None:
    _aboard.set((*_aboard.get(), flight))
    value: Any = MISSING
    error: BaseException | None = None
    try:
        value = find()
        if value is MISSING:
            value = await _finish(compute())
            if not flight.disowned:
                keep(value)
    except Exception as raised:
        error = raised
    except BaseException:
        value = MISSING
        raise
    finally:
        flights.remove(held)
        flight.land(value, error)
