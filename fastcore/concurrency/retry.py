"""Exponential backoff with jitter: one schedule for functions, coroutine functions and task engines."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from fastcore.concurrency.checks import called, count, is_async, is_generator, number

__all__ = ["Attempt", "Errors", "Retry"]

P = ParamSpec("P")
R = TypeVar("R")
Errors = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]

_log = logging.getLogger("fastcore.concurrency")


class Attempt(NamedTuple):
    """The argument of ``on_retry``: which attempt failed, with what error, and how long the next one waits.

    Examples
    --------
    >>> from fastcore.concurrency import Retry
    >>> answers = iter([OSError("busy"), 187.2])
    >>> def quote():
    ...     answer = next(answers)
    ...     if isinstance(answer, Exception):
    ...         raise answer
    ...     return answer
    >>> retry = Retry(3, sleep=lambda seconds: None, on_retry=lambda attempt: print(attempt.number, attempt.error))
    >>> retry.call(quote)
    1 busy
    187.2
    """

    number: int
    error: Exception
    delay: float


def _uniform() -> float:  # by name, so that a policy can be pickled without carrying the generator's state
    return random.random()


def _told_by(error: Exception) -> object:
    return getattr(error, "retry_after", None)


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry policy: how often to try again, and how long to wait in between.

    Before attempt n+1 it waits ``min(cap, base * 2**(n-1)) * U(0.5, 1)`` seconds: "equal jitter", which spreads callers
    that failed together without ever hurrying one of them.

    Parameters
    ----------
    attempts : int or None, default 5
        Calls in all, the first one included; None for no bound.
    base, cap : float, default 1.0 and 300.0
        First and longest wait in seconds.
    timeout : float, optional
        Seconds from the first call on after which no other call begins. It interrupts no call.
    retry_on : exception type, tuple of them, or callable, default Exception
        Errors that are retried; a callable gets the error and returns whether to retry.
    give_up_on : the same, default none
        Errors that are not retried, even if `retry_on` matches.
    retry_after : callable, default the error's attribute ``retry_after``
        ``retry_after(error)`` gives seconds (or a timedelta) to wait at least, or None. It may exceed `cap`; if it ends
        past `timeout`, the error is raised at once.
    on_retry : callable, optional
        Called with an :class:`Attempt` before each wait. Its errors are logged and not raised.
    clock, sleep, rng : callable
        Seconds that only grow; a wait (awaited if it returns an awaitable); a number from [0, 1).

    Notes
    -----
    ``KeyboardInterrupt``, ``SystemExit`` and cancellation are never retried. The last error is raised as it was.

    Examples
    --------
    >>> from fastcore.concurrency import Retry
    >>> @Retry(3, base=0.01, retry_on=ConnectionError)
    ... def fetch(): ...
    >>> [round(delay, 3) for delay in Retry(5, base=1, cap=5, rng=lambda: 1.0)]
    [1.0, 2.0, 4.0, 5.0]
    """

    attempts: int | None = 5
    _: KW_ONLY
    base: float = 1.0
    cap: float = 300.0
    timeout: float | None = None
    retry_on: Errors = Exception
    give_up_on: Errors = ()
    retry_after: Callable[[Exception], object] = _told_by
    on_retry: Callable[[Attempt], object] | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    rng: Callable[[], float] = _uniform

    def __post_init__(self) -> None:
        if self.attempts is not None:
            count("attempts", self.attempts)
        number("base", self.base, zero=True)
        if number("cap", self.cap, zero=True) < self.base:
            raise ValueError(f"cap: expected a number >= base ({self.base!r}), got {self.cap!r}")
        if self.timeout is not None:
            number("timeout", self.timeout)
        _check_errors("retry_on", self.retry_on)
        _check_errors("give_up_on", self.give_up_on)
        for name in ("retry_after", "clock", "rng"):
            called(name, getattr(self, name), plain=True)
        if self.on_retry is not None:
            called("on_retry", self.on_retry, plain=True)
        if self.sleep is not None:
            called("sleep", self.sleep)

    # ---- the schedule ----

    def delay(self, n: int) -> float:
        """Return the seconds between the n-th call, which failed, and the next one."""
        try:
            grown = math.ldexp(self.base, count("n", n) - 1)
        except OverflowError:
            grown = math.inf
        return min(self.cap, grown) * (0.5 + 0.5 * self.rng())

    def next_delay(self, n: int, error: Exception, elapsed: float = 0.0) -> float | None:
        """Decide after the n-th failure.

        Parameters
        ----------
        n : int
            Calls made, at least 1.
        error : Exception
            What the last one raised.
        elapsed : float
            Seconds since the first one began.

        Returns
        -------
        float or None
            Seconds to wait before the next call; None to give up.
        """
        if self.attempts is not None and n >= self.attempts:
            return None
        if not isinstance(error, Exception) or _matches(self.give_up_on, error) or not _matches(self.retry_on, error):
            return None
        told = _seconds(self.retry_after(error))
        delay = self.delay(n) if told is None else max(told, self.delay(n))
        if delay == math.inf or (self.timeout is not None and elapsed + delay >= self.timeout):
            return None
        return delay

    def __iter__(self) -> Iterator[float]:
        """Yield the waits of one series: ``attempts - 1``, or fewer if `timeout` passes."""
        began = self.clock()
        n = 1
        while self.attempts is None or n < self.attempts:
            delay = self.delay(n)
            if self.timeout is not None and self.clock() - began + delay >= self.timeout:
                return
            yield delay
            n += 1

    # ---- calling ----

    def call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function until it returns or the policy gives up; waits block the thread."""
        began = self.clock()
        n = 1
        while True:
            try:
                return fn(*args, **kwargs)
            except Exception as error:
                delay = self._judge(n, error, began)
                if delay is None:
                    raise
            (self.sleep or time.sleep)(delay)
            n += 1

    async def acall(self, fn: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call and await a coroutine function until it returns or the policy gives up."""
        began = self.clock()
        n = 1
        while True:
            try:
                return await fn(*args, **kwargs)
            except Exception as error:
                delay = self._judge(n, error, began)
                if delay is None:
                    raise
            waited = (self.sleep or asyncio.sleep)(delay)
            if inspect.isawaitable(waited):
                await waited
            n += 1

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or a coroutine function.

        Raises
        ------
        TypeError
            For generator functions: they fail while they are consumed, where nothing could be tried again.
        """
        called("fn", fn)
        if is_generator(fn):
            raise TypeError("fn: expected a function or a coroutine function, got a generator function")
        if is_async(fn):
            waiting = cast(Callable[P, Awaitable[Any]], fn)

            @functools.wraps(fn)
            async def again_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await self.acall(waiting, *args, **kwargs)

            return cast(Callable[P, R], again_async)

        @functools.wraps(fn)
        def again(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.call(fn, *args, **kwargs)

        return again

    def _judge(self, n: int, error: Exception, began: float) -> float | None:
        delay = self.next_delay(n, error, self.clock() - began)
        if delay is not None and self.on_retry is not None:
            try:
                self.on_retry(Attempt(n, error, delay))
            except Exception:
                _log.exception("on_retry raised")
        return delay


def _check_errors(name: str, errors: Any) -> None:
    expected = "an exception type, a tuple of them, or a callable"
    for one in errors if isinstance(errors, tuple) else (errors,):
        if isinstance(one, type):
            if not issubclass(one, Exception):  # a BaseException ends a program or a task: it must not be held up
                raise TypeError(f"{name}: expected subclasses of Exception, got {one.__name__}")
        elif isinstance(errors, tuple) or not callable(one):
            raise TypeError(f"{name}: expected {expected}, got {type(one).__name__}")


def _matches(errors: Errors, error: Exception) -> bool:
    if isinstance(errors, (type, tuple)):
        return isinstance(error, errors)
    return bool(errors(error))


def _seconds(told: object) -> float | None:
    """The wait that an error requests; anything but a number or a timedelta is ignored."""
    if isinstance(told, timedelta):
        told = told.total_seconds()
    if isinstance(told, bool) or not isinstance(told, (int, float)):
        return None
    try:
        seconds = float(told)
    except OverflowError:
        seconds = math.inf
    return None if math.isnan(seconds) else max(0.0, seconds)
