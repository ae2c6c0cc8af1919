"""One caller's seat in a flight: it computes the value, or waits for the caller that does."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Token
from typing import TYPE_CHECKING, Any

from python_fallback.shared.cache.blocked import waits_for_this_thread
from python_fallback.shared.cache.hashed_key import HashedKey
from python_fallback.shared.cache.shape import MISSING
from python_fallback.shared.cache.singleflight import Flight, Flights, aboard, is_cancellation

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("fastcore.cache")

_FIRST_LOOK, _LOOKS = 0.05, 1.0  # seconds between checks whether a flight is still running
_LONG = 60.0  # seconds after which waiting is logged


class Seat:
    """A ``with`` statement in which the value of a missing key is computed, or has been.

    >>> with Seat(cache, key) as seat:
    ...     if seat.value is MISSING:
    ...         seat.value = compute()
    ...         cache._store_if(seat.permit, key, seat.value, None, None)

    Nothing of it is on the stack while the value is computed.

    Attributes
    ----------
    outer : BaseException or None
        What the caller handles while it computes.
    value : object
        MISSING where this caller is to compute.
    permit : list
        Only while it holds an item may the value be stored. It is empty where this caller computes for itself alone, as
        waiting would be waiting for itself.

    Parameters
    ----------
    cache : cache of fastcore
    key : hashable
    find : callable, optional
        Looks again whether the value came since the caller's lookup; by default ``cache.peek``.
    tags : iterable, optional
        As of `Flight`.
    """

    __slots__ = (
        "_cache",
        "_find",
        "_flight",
        "_flights",
        "_held",
        "_key",
        "_tags",
        "_token",
        "outer",
        "permit",
        "value",
    )

    def __init__(self, cache: Any, key: Any, find: Callable[[], Any] | None = None, tags: Iterable[Any] = ()) -> None:
        self._cache = cache
        self._key = key
        self._find = find
        self._tags = tags
        self.outer: BaseException | None = None
        self._flight: Flight | None = None  # that this caller leads
        self.permit: list[None] = []
        self.value: Any = MISSING

    def __enter__(self) -> Seat:
        flights: Flights = self._cache._flights
        while True:
            held, flight, leading = flights.board(HashedKey(self._key), self._tags)
            if leading:
                self._lead(flights, held, flight)
                return self
            mine = aboard.get()
            landed = threading.Event()
            if _runs_here(flight.loop) or not flight.join(landed.set, mine):
                return self
            try:
                if not _await_landing(flight, flights, held, landed):
                    return self
                self.value = flight.result()
            finally:
                if flight.leave(mine):
                    abandon(flight, flights, held)
            if self.value is not MISSING:
                return self

    def _lead(self, flights: Flights, held: HashedKey, flight: Flight) -> None:
        self._flight, self.permit = flight, flight.permit
        self._flights, self._held = flights, held  # these move to the other twin; the cache has others then
        self.outer = sys.exception()
        self._token: Token[tuple[Flight, ...]] = aboard.set((*aboard.get(), flight))
        try:
            self.value = self._cache.peek(self._key, MISSING) if self._find is None else self._find()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: Any) -> None:
        flight = self._flight
        if flight is None:
            return
        aboard.reset(self._token)
        self._flights.remove(self._held)
        if error is None:
            flight.land(self.value)
        elif isinstance(error, Exception) or is_cancellation(error):
            flight.fail(error, self.outer, raised=True)
        else:
            flight.land()  # an interrupt is this caller's own: the others try again
        self.outer = None


class Computation(Seat):
    """A seat in which a function computes the answer to a call, kept and given by what made it.

    Attributes
    ----------
    function : callable
    """

    __slots__ = ("function",)

    function: Callable[..., Any]

    def result(self) -> Any:
        """Return the answer, after the ``with`` statement."""
        raise NotImplementedError


def _runs_here(loop: Any) -> bool:
    """Whether this thread is the one that runs `loop`: blocking it would stop what it waits for."""
    if loop is None:
        return False
    import asyncio

    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


class _Patience:
    """The periodic check of waiters."""

    def __init__(self, flight: Flight, flights: Flights, held: HashedKey) -> None:
        self._flight, self._flights, self._held = flight, flights, held
        self._start = time.monotonic()
        self._stopped = 0
        self._said = False
        self.interval = _FIRST_LOOK

    def look(self) -> None:
        """Abandon the flight if its loop has stopped; log if waiting takes long."""
        self.interval = min(2 * self.interval, _LOOKS)
        loop = self._flight.loop
        self._stopped = 0 if loop is None or loop.is_running() else self._stopped + 1
        if self._stopped >= 2:
            self._flights.give_up(self._held, self._flight)
            self._flight.land()
        if not self._said and time.monotonic() - self._start > _LONG:
            self._said = True
            logger.warning(
                "a caller has waited %.0f s for the value of %.200r, which %s computes; where that computation waits "
                "for this caller, neither ends",
                _LONG,
                self._held.key,
                f"thread {self._flight.thread}" if loop is None else f"{loop!r}",
            )


def _await_landing(flight: Flight, flights: Flights, held: HashedKey, landed: threading.Event) -> bool:
    """Block until the flight has landed; False where its computation waits for this thread."""
    patience = _Patience(flight, flights, held)
    while not landed.wait(patience.interval):
        if flight.loop is None and waits_for_this_thread(flight.thread):
            return False
        patience.look()
    return True


def abandon(flight: Flight, flights: Flights, held: HashedKey) -> None:
    """Stop an asynchronous computation that no caller waits for (a thread cannot be stopped)."""
    task, loop = flight.task, flight.loop
    flights.give_up(held, flight)
    if task is None or loop is None:
        return
    try:
        loop.call_soon_threadsafe(task.cancel)
    except RuntimeError:  # the loop is closed
        pass


async def fly_async(
    cache: Any,
    key: Any,
    compute: Callable[[list[None]], Awaitable[Any] | Any],
    find: Callable[[], Any] | None = None,
    tags: Iterable[Any] = (),
) -> Any:
    """Return the value of a missing key without blocking the event loop; one caller's cancellation is its own alone.

    ``compute(permit)`` of the first caller runs in a separate task, and stores the value while it has the permit.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    flights: Flights = cache._flights
    while True:
        held, flight, leading = flights.board(HashedKey(key), tags)
        mine = aboard.get()
        landed = loop.create_future()
        if leading:
            flight.loop = loop
        if not flight.join(_waker(loop, landed), mine):
            return await _finish(compute([]))
        try:
            if leading:
                _start(loop, flight, flights, held, _lead_async(cache, flights, held, flight, compute, find))
            if flight.loop is loop:
                await landed
            else:
                patience = _Patience(flight, flights, held)
                while not (await asyncio.wait([landed], timeout=patience.interval))[0]:
                    patience.look()
            value = flight.result(loop)
        finally:
            if flight.leave(mine):
                abandon(flight, flights, held)
        if value is not MISSING:
            return value


def _start(loop: asyncio.AbstractEventLoop, flight: Flight, flights: Flights, held: HashedKey, leader: Any) -> None:
    try:
        task = loop.create_task(leader)
    except BaseException:
        leader.close()
        flights.give_up(held, flight)
        flight.land()
        raise
    if not flight.landed:  # a task that starts eagerly may have ended
        flight.task = task


def _waker(loop: asyncio.AbstractEventLoop, landed: asyncio.Future[None]) -> Callable[[], None]:
    def settle() -> None:
        if not landed.done():
            landed.set_result(None)

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the waiter's loop is closed, so the waiter no longer exists
            pass

    return wake


async def _finish(result: Any) -> Any:
    return await result if hasattr(result, "__await__") else result


async def _lead_async(
    cache: Any,
    flights: Flights,
    held: HashedKey,
    flight: Flight,
    compute: Callable[[list[None]], Awaitable[Any] | Any],
    find: Callable[[], Any] | None,
) -> None:
    aboard.set((*aboard.get(), flight))
    value: Any = MISSING
    failed: BaseException | None = None
    try:
        value = cache.peek(held.key, MISSING) if find is None else find()
        if value is MISSING:
            value = await _finish(compute(flight.permit))
    except BaseException as error:
        value = MISSING
        if not isinstance(error, Exception) and not is_cancellation(error):
            raise
        failed = error
    finally:
        flight.task = None  # it holds this flight, through its context
        flights.remove(held)
        if failed is None:
            flight.land(value)
        else:
            flight.fail(failed)
        del failed  # it would make a cycle through this frame
