"""A limit on calls at once and on calls per period, first come first served, for threads and asyncio alike."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

from fastcore.concurrency.checks import called, count, number

__all__ = ["Limiter", "Turns"]

W = TypeVar("W")
_SHORTEST = 1e-6  # of a timer, so that rounding cannot make one that does not move the clock


class Turns(Generic[W]):
    """The admission rules of a limiter, without the waiting; callers pass the time.

    Every window of `period` seconds, wherever it begins, holds at most `calls` admissions.
    """

    def __init__(self, concurrency: int | None, calls: int | None, period: float) -> None:
        self.in_flight = 0
        self._concurrency = concurrency
        self._period = period
        self._queue: OrderedDict[W, None] = OrderedDict()
        self._starts: deque[float] | None = None if calls is None else deque(maxlen=calls)

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def head(self) -> W | None:
        """The next waiter."""
        return next(iter(self._queue), None)

    def join(self, who: W) -> None:
        """Join the queue."""
        self._queue[who] = None

    def leave(self, who: W) -> None:
        """Leave the queue."""
        self._queue.pop(who, None)

    def release(self) -> None:
        """Count one call as over."""
        if not self.in_flight:
            raise RuntimeError("release: expected a turn that was acquired, got none in flight")
        self.in_flight -= 1

    def admit(self, now: float) -> list[W]:
        """Remove from the queue, in order, all waiters that may begin now."""
        admitted: list[W] = []
        while self._queue and self._has_room() and self._wait_for_rate(now) <= 0:
            admitted.append(self._queue.popitem(last=False)[0])
            self.in_flight += 1
            if self._starts is not None:
                self._starts.append(now)
        return admitted

    def wait(self, now: float) -> float | None:
        """Return the seconds after which the head may begin; None if there is none, or if only a release helps."""
        return self._wait_for_rate(now) if self._queue and self._has_room() else None

    def room(self, now: float) -> int | None:
        """Return how many the rate would let begin now; None if it is not bound."""
        starts = self._starts
        if starts is None:
            return None
        while starts and now >= starts[0] + self._period:
            starts.popleft()
        return (starts.maxlen or 0) - len(starts)

    def begin(self, n: int, now: float) -> None:
        """Count `n` beginnings for the rate, of those that `room` allowed."""
        if self._starts is not None:
            self._starts.extend([now] * n)

    def until_room(self, now: float) -> float:
        """Return the seconds after which the rate has room."""
        return self._wait_for_rate(now)

    def _has_room(self) -> bool:
        return self._concurrency is None or self.in_flight < self._concurrency

    def _wait_for_rate(self, now: float) -> float:
        starts = self._starts
        if starts is None or len(starts) < (starts.maxlen or 0) or now >= starts[0] + self._period:
            return 0.0
        return max(starts[0] + self._period - now, _SHORTEST)


class _Waiter:
    """A waiter; `poke` may be called from any thread and returns whether the waiter still waits."""

    admitted = False

    def poke(self) -> bool:
        raise NotImplementedError


class _WaitingThread(_Waiter):
    def __init__(self) -> None:
        self.event = threading.Event()

    def poke(self) -> bool:
        self.event.set()
        return True


class _WaitingTask(_Waiter):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] | None = None

    def poke(self) -> bool:
        try:
            self.loop.call_soon_threadsafe(self.wake)
        except RuntimeError:  # its loop was closed under it
            return False
        return True

    def wake(self) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(None)


class Limiter:
    """At most `concurrency` calls at once, and at most `calls` beginnings in any `period` seconds.

    Threads and tasks, also of several event loops, stand in one queue and are served in order.

    Parameters
    ----------
    concurrency : int, optional
        Calls at once; None for no bound.
    calls : int, optional
        Beginnings in every window of `period` seconds, wherever the window is laid; None for no bound. It keeps the
        last `calls` times, so memory grows with it.
    period : float, default 1.0
        Seconds.
    clock : callable, default time.monotonic
        Seconds that only grow.

    Examples
    --------
    >>> from fastcore.concurrency import Limiter
    >>> quotes = Limiter(8, calls=100, period=60)
    >>> with quotes:                    # in a thread; ``async with quotes:`` in a coroutine
    ...     quotes.in_flight
    1
    """

    def __init__(
        self,
        concurrency: int | None = None,
        *,
        calls: int | None = None,
        period: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if concurrency is None and calls is None:
            raise ValueError("Limiter: expected concurrency, calls or both, got neither")
        self._turns: Turns[_Waiter] = Turns(
            None if concurrency is None else count("concurrency", concurrency),
            None if calls is None else count("calls", calls),
            number("period", period),
        )
        self._clock = called("clock", clock, plain=True)
        self._lock = threading.RLock()  # re-entrant: a destructor may release in between
        self._timed: _Waiter | None = None  # the head, once it knows that it has to watch the clock
        self._text = f"Limiter(concurrency={concurrency!r}, calls={calls!r}, period={period!r})"

    def __repr__(self) -> str:
        return self._text

    @property
    def in_flight(self) -> int:
        """The number of calls that have begun and not ended."""
        return self._turns.in_flight

    @property
    def waiting(self) -> int:
        """The number of waiting threads and tasks."""
        return len(self._turns)

    def try_acquire(self) -> bool:
        """Begin a call if no wait is needed and no other caller is waiting; return whether it began."""
        who = _WaitingThread()
        with self._lock:
            self._turns.join(who)
            self._serve()
            if not who.admitted:
                self._turns.leave(who)
        return who.admitted

    def acquire(self, timeout: float | None = None) -> bool:
        """Begin a call, blocking the thread until its turn comes; False if `timeout` seconds passed before.

        Raises
        ------
        RuntimeError
            In the thread of a running event loop, which it would stop: use ``async with`` or :meth:`aacquire` there.
        """
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("acquire: expected no running event loop in this thread, got one: use `async with`")
        deadline = None if timeout is None else time.monotonic() + number("timeout", timeout, zero=True)
        who = _WaitingThread()
        try:
            with self._lock:
                self._turns.join(who)
            while True:
                with self._lock:
                    self._serve()
                    if who.admitted:
                        return True
                    left = None if deadline is None else deadline - time.monotonic()
                    delay = self._timer(who)
                if left is not None and left <= 0:
                    return not self._withdraw(who)
                waits = [seconds for seconds in (left, delay) if seconds is not None]
                who.event.wait(min(waits, default=None))
                who.event.clear()
        except BaseException:
            self._abandon(who)
            raise

    async def aacquire(self) -> None:
        """Begin a call, waiting until its turn comes; cancellation leaves the queue."""
        loop = asyncio.get_running_loop()
        who = _WaitingTask(loop)
        try:
            with self._lock:
                self._turns.join(who)
            while True:
                with self._lock:
                    self._serve()
                    if who.admitted:
                        return
                    delay = self._timer(who)
                    who.future = loop.create_future()
                timer = None if delay is None else loop.call_later(delay, who.wake)
                try:
                    await who.future
                finally:
                    if timer is not None:
                        timer.cancel()
        except BaseException:
            self._abandon(who)
            raise

    def release(self) -> None:
        """End a call; the next in the queue begins if the rate allows it.

        Raises
        ------
        RuntimeError
            If none has begun.
        """
        with self._lock:
            self._turns.release()
            self._serve()

    def __enter__(self) -> Limiter:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> Limiter:
        await self.aacquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    # ---- with the lock held ----

    def _serve(self) -> None:
        """Wake all waiters whose turn has come, and the new head if it has to watch the clock."""
        turns = self._turns
        while True:
            now = self._clock()
            gone = 0
            for who in turns.admit(now):
                who.admitted = who.poke()
                gone += not who.admitted
            for _ in range(gone):
                turns.release()
            head = turns.head
            if head is not None and head is not self._timed and turns.wait(now) is not None:
                self._timed = head
                if not head.poke():
                    turns.leave(head)
                    gone += 1
            if not gone:
                return

    def _timer(self, who: _Waiter) -> float | None:
        """Return the seconds after which this waiter has to check again; None if another event will wake it."""
        if who is not self._turns.head:
            return None
        delay: float | None = self._turns.wait(self._clock())
        self._timed = None if delay is None else who
        return delay

    # ---- without it ----

    def _withdraw(self, who: _Waiter) -> bool:
        """Leave the queue; False if the turn had come by then."""
        with self._lock:
            if who.admitted:
                return False
            self._turns.leave(who)
            self._serve()
            return True

    def _abandon(self, who: _Waiter) -> None:
        if not self._withdraw(who):
            self.release()
