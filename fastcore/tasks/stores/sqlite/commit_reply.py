"""The reply of the writing thread: a cheap future, and one wake-up of an event loop for many of them."""

from __future__ import annotations

import asyncio
import logging
from _thread import allocate_lock
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from fastcore.tasks.errors import StoreError

__all__ = ["CommitReply", "give"]

R = TypeVar("R")

_log = logging.getLogger("fastcore.tasks")


class CommitReply(Generic[R]):
    """A result that arrives later. ``concurrent.futures.Future`` has a condition and a lock each; this has a list.

    Notes
    -----
    A waiter adds its callback to the list and then checks whether the result has arrived: either it sees the result,
    or the thread that sets the result sees the callback. Each callback is removed from the list once, by one of them.
    """

    __slots__ = ("_done", "_error", "_forbidden", "_value", "_waiting")

    _value: R

    def __init__(self) -> None:
        self._done = False
        self._forbidden = ""
        self._error: BaseException | None = None
        self._waiting: list[Callable[[Any], object] | tuple[asyncio.AbstractEventLoop, Bell]] = []

    def done(self) -> bool:
        """Whether the result has arrived."""
        return self._done

    def result(self, timeout: float | None = None) -> R:
        """Return the value, or raise the error, when it has come.

        Raises
        ------
        TimeoutError
            If it has not come after `timeout` seconds.
        StoreError
            If the thread that is to bring it asks.
        """
        if not self._done:
            if self._forbidden:
                raise StoreError(self._forbidden)
            lock = allocate_lock()
            lock.acquire()
            self.add_done_callback(lambda _: lock.release())
            if not lock.acquire(timeout=-1 if timeout is None else max(timeout, 0.0)) and not self._done:
                raise TimeoutError(f"result: expected an answer of the store within {timeout} s, got none")
        if self._error is not None:
            try:
                raise self._error
            finally:
                del self  # else the traceback would keep what it is part of
        return self._value

    def forbid_waiting(self, path: str) -> None:
        """Have `result` raise before the answer has come: in the thread that brings it, which would wait for itself."""
        self._forbidden = (
            f"{path}: expected another thread to wait for the store than the one that writes, got a call of a "
            "destructor in that thread; what it asked for is done all the same"
        )

    def error(self) -> BaseException | None:
        """Return the error, if the request failed."""
        return self._error

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
        """Call a function with this reply when the result has arrived: from the writing thread, or now."""
        self._waiting.append(fn)
        if self._done:
            self._tell(None)

    def call_on(self, loop: asyncio.AbstractEventLoop, fn: Callable[[], object], /) -> None:
        """Call a function on a loop when the result has arrived."""
        self._waiting.append((loop, fn))
        if self._done:
            self._tell(None)

    def set_result(self, value: R) -> None:
        """Set the value."""
        self._value = value
        self._done = True
        self._tell(None)

    def set_exception(self, error: BaseException) -> None:
        """Set an error."""
        self._error = error
        self._done = True
        self._tell(None)

    async def arrive(self) -> None:
        """Wait for the result without blocking the loop."""
        if self._done:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append((loop, future))
        if self._done:
            self._tell(None)
        await future

    def _tell(self, bells: Bells | None) -> None:
        waiting = self._waiting
        while waiting:
            try:
                one = waiting.pop(0)
            except IndexError:  # another thread was quicker
                return
            if type(one) is tuple:
                loop, bell = one
                if bells is None:
                    _ring(loop, [bell])
                else:
                    bells.setdefault(loop, []).append(bell)
                continue
            try:
                one(self)  # type: ignore[operator]
            except Exception:
                _log.exception("a callback of a reply of the store failed")


Bell = asyncio.Future[None] | Callable[[], object]
"""What is rung on a loop: a future that someone there awaits, or a function."""
Bells = dict[asyncio.AbstractEventLoop, list[Bell]]


def give(
    answers: Iterable[tuple[CommitReply[Any], Any]],
    then: Iterable[tuple[asyncio.AbstractEventLoop, Bell]] = (),
) -> None:
    """Bring values, or errors, to many at once, and ring further bells after theirs: every loop is woken once."""
    bells: Bells = {}
    for answer, value in answers:
        if isinstance(value, BaseException):
            answer._error = value
        else:
            answer._value = value
        answer._done = True
        if answer._waiting:
            answer._tell(bells)
    for loop, bell in then:
        bells.setdefault(loop, []).append(bell)
    for loop, its in bells.items():
        _ring(loop, its)


def _ring(loop: asyncio.AbstractEventLoop, bells: list[Bell]) -> None:
    try:
        loop.call_soon_threadsafe(_wake, bells)
    except RuntimeError:  # the loop was closed; no task waits
        pass


def _wake(bells: list[Bell]) -> None:
    for bell in bells:
        if callable(bell):
            bell()
        elif not bell.done():
            bell.set_result(None)
