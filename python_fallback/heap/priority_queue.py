"""PriorityQueue, the readable twin: with queues of threads that wait for items, for room, and for the last task."""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, Full
from typing import Any

from python_fallback.heap.base import HeldQueue
from python_fallback.heap.contents import Closed, Overfull, Record
from python_fallback.heap.numbers import real
from python_fallback.heap.priority_heap import UNSET
from python_fallback.shared.heap import QueueMixin, ShutDown

FOREVER = float("inf")


class Line:
    """Threads that wait, in order of arrival. To wake one means that it tries again.

    A condition would not do: a signal handler may put between the look at the queue and the wait, in the same thread.
    """

    def __init__(self) -> None:
        self._waiters: deque[tuple[Any, int]] = deque()  # the lock that a waiter blocks on, and its thread

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def wait(self, served: Callable[[], bool], seconds: float = FOREVER) -> None:
        """Block until woken, for at most `seconds`, unless served already."""
        lock = threading.Lock()
        lock.acquire()
        waiter = (lock, threading.get_ident())
        self._waiters.append(waiter)
        try:
            if not served():
                lock.acquire(timeout=-1 if seconds == FOREVER else min(max(seconds, 0.0), threading.TIMEOUT_MAX))
        except BaseException:
            if not self._leave(waiter):
                self.wake()  # pass the wakeup on to the next waiter
            raise
        self._leave(waiter)

    def _leave(self, waiter: tuple[Any, int]) -> bool:
        """False: it was woken."""
        try:
            self._waiters.remove(waiter)
        except ValueError:
            return False
        return True

    def wake(self) -> None:
        try:
            self._waiters.popleft()[0].release()
        except IndexError:
            pass

    def wake_all(self) -> None:
        for _ in range(len(self._waiters)):
            self.wake()

    def keep_own(self) -> None:
        """In a forked process: only the forking thread is there."""
        me = threading.get_ident()
        self._waiters = deque(waiter for waiter in self._waiters if waiter[1] == me)


def read_timeout(block: bool, timeout: float | None) -> float:
    """How long a call may block."""
    if not block:
        return 0.0
    if timeout is None:
        return FOREVER
    seconds = real("timeout", timeout)
    if seconds < 0:
        raise ValueError("'timeout' must be a non-negative number")
    return seconds


class PriorityQueue(HeldQueue, QueueMixin):
    __slots__ = (
        "__weakref__",
        "_getters",
        "_joiners",
        "_putters",
    )
    _public_path = "heap"

    def _begin(self) -> None:
        self._getters, self._putters, self._joiners = Line(), Line(), Line()
        super()._begin()

    def _renew(self) -> None:
        super()._renew()
        for line in (self._getters, self._putters, self._joiners):
            line.keep_own()

    def put(
        self,
        item: Any,
        block: bool = True,
        timeout: float | None = None,
        *,
        priority: Any = UNSET,
        due: float | None = None,
        delay: float | None = None,
    ) -> int:
        if self._contents.closed:
            raise ShutDown
        seconds = read_timeout(block, timeout) if self.maxsize else FOREVER
        prepared = self._contents.prepare(item if priority is UNSET else priority, due, delay)
        deadline = time.monotonic() + seconds
        try:
            while True:
                try:
                    with self._turn:
                        handle = self._contents.insert(item, *prepared)
                    break
                except Closed:
                    raise ShutDown from None
                except Overfull:
                    pass
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Full
                self._putters.wait(lambda: self._contents.closed or not self.full(), left)
        except BaseException:
            if self._putters and not self.full():
                self._putters.wake()  # pass the wakeup on to the next waiter
            raise
        self._getters.wake()
        return handle

    def put_nowait(
        self, item: Any, *, priority: Any = UNSET, due: float | None = None, delay: float | None = None
    ) -> int:
        return self.put(item, False, priority=priority, due=due, delay=delay)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        deadline = time.monotonic() + read_timeout(block, timeout)
        waited = False
        try:
            while True:
                now = self._contents.tick()
                with self._turn:
                    self._contents.enter()
                    record = self._contents.take_ready(now)
                    if record is None and self._contents.closed and not self._contents:
                        raise ShutDown
                    due = self._contents.later.first(self._contents) if record is None else None
                if record is not None:
                    self._left()
                    return record.item
                if due is not None and now is None:
                    continue  # put since: read the clock first
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Empty
                waited = True
                if due is not None and due.due is not None and now is not None:
                    left = min(left, due.due - now)
                self._getters.wait(functools.partial(self._gettable, due), left)
        except BaseException:
            if waited and self._contents:
                self._getters.wake()  # another thread now waits for this due time
            raise

    def _gettable(self, due: Record | None) -> bool:
        """Whether a getter need not wait, or not for this due time."""
        if self._contents.ready.count or (self._contents.closed and not self._contents):
            return True
        return self._contents.later.first(self._contents) is not due

    def get_nowait(self) -> Any:
        return self.get(False)

    def _left(self) -> None:
        """An item left: a putter has room, and getters that wait for a due time have another one, or none."""
        self._putters.wake()
        if self._contents.later.count:
            self._getters.wake()
        elif self._contents.closed and not self._contents:
            self._getters.wake_all()

    def task_done(self) -> None:
        with self._turn:
            if self._contents.unfinished <= 0:
                raise ValueError("task_done() called too many times")
            self._contents.unfinished -= 1
        self._finished(0)

    def _finished(self, count: int) -> None:
        with self._turn:
            left = self._contents.unfinished - count
            self._contents.unfinished = left if left > 0 else 0
        if not self._contents.unfinished:
            self._joiners.wake_all()

    def join(self) -> None:
        while self._contents.unfinished:
            self._joiners.wait(lambda: not self._contents.unfinished)

    def shutdown(self, immediate: bool = False) -> None:
        with self._turn:
            self._contents.enter()
            self._contents.closed = True
        if immediate:
            self.clear()
        self._getters.wake_all()
        self._putters.wake_all()

    def clear(self) -> None:
        with self._turn:
            self._contents.enter()
            dropped = self._contents.clear()
        if dropped:
            self._finished(len(dropped))
            self._putters.wake_all()
            self._getters.wake_all()  # the item they wait for will not come due
        del dropped  # outside the lock: destructors may come back to us

    def remove(self, handle: int) -> Any:
        with self._turn:
            self._contents.enter()
            record = self._contents.take_handle(handle)
        self._finished(1)  # it is handed out to no getter, so none will report it done
        self._left()
        return record.item

    def _wake_putters(self) -> None:
        self._putters.wake_all()

    def __repr__(self) -> str:
        return f"<PriorityQueue of {self.qsize()} items, maxsize {self.maxsize}>"
