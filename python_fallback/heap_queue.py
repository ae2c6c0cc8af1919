"""PriorityQueue, the readable twin: three conditions over one lock, as queue.Queue has them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, Full
from typing import Any

from python_fallback.heap_contents import Contents, Record, Turn
from python_fallback.heap_held import HeldQueue
from python_fallback.heap_numbers import limit, real
from python_fallback.heap_object import UNSET
from python_fallback.heap_surface import QueueSurface
from python_fallback.heap_types import ShutDown

FOREVER = float("inf")


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


class PriorityQueue(HeldQueue, QueueSurface):
    __slots__ = (
        "__weakref__",
        "_all_done",
        "_not_empty",
        "_not_full",
    )
    _public_path = "heap"

    def __init__(
        self,
        maxsize: int = 0,
        *,
        order: str = "min",
        aging: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._maxsize = limit(maxsize)
        self._contents = Contents(order, "any", aging, clock)
        self._turn = Turn()
        turn: Any = self._turn
        self._not_empty = threading.Condition(turn)
        self._not_full = threading.Condition(turn)
        self._all_done = threading.Condition(turn)
        self._unfinished = 0
        self._is_shutdown = False

    def put(
        self,
        item: Any,
        block: bool = True,
        timeout: float | None = None,
        *,
        priority: Any = UNSET,
        due: float | None = None,
    ) -> int:
        if self._is_shutdown:
            raise ShutDown
        seconds = read_timeout(block, timeout) if self._maxsize else FOREVER
        prepared = self._contents.prepare(item if priority is UNSET else priority, due)
        deadline = time.monotonic() + seconds
        with self._turn:
            while self.full() and not self._is_shutdown:
                self._wait(self._not_full, deadline, Full)
            if self._is_shutdown:
                raise ShutDown
            handle = self._contents.insert(item, *prepared)
            self._unfinished += 1
            self._not_empty.notify()
            return handle

    def put_nowait(self, item: Any, *, priority: Any = UNSET, due: float | None = None) -> int:
        return self.put(item, False, priority=priority, due=due)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        deadline = time.monotonic() + read_timeout(block, timeout)
        while True:
            now = self._contents.tick()
            with self._turn:
                self._contents.promote(now)
                if self._contents.ready:
                    record = self._take()
                    break
                if self._is_shutdown and not self._contents:
                    raise ShutDown
                until = deadline
                if self._contents.later:
                    if now is None:
                        continue  # put while nobody held the lock: read the clock first
                    until = min(until, time.monotonic() + self._contents.later.first_key() - now)
                try:
                    self._wait(self._not_empty, deadline, Empty, until)
                except BaseException:
                    if self._contents:
                        self._not_empty.notify()  # what we waited for is another's to wait for now
                    raise
        return record.item

    def get_nowait(self) -> Any:
        return self.get(False)

    def _wait(
        self, condition: threading.Condition, deadline: float, late: type[Exception], until: float = FOREVER
    ) -> None:
        now = time.monotonic()
        if now >= deadline:
            raise late
        left = min(deadline, until) - now
        condition.wait(None if left == FOREVER else min(max(left, 0.0), threading.TIMEOUT_MAX))

    def _take(self) -> Record:
        record = self._contents.records[self._contents.ready.first()]
        self._contents.take(record)
        self._left()
        return record

    def _left(self) -> None:
        """An item left: a putter has room, and getters that wait for a due time have another one, or none."""
        self._not_full.notify()
        if self._contents.later:
            self._not_empty.notify()
        elif self._is_shutdown and not self._contents:
            self._not_empty.notify_all()

    def task_done(self) -> None:
        with self._turn:
            if self._unfinished <= 0:
                raise ValueError("task_done() called too many times")
            self._finished(1)

    def _finished(self, count: int) -> None:
        self._unfinished = max(0, self._unfinished - count)
        if not self._unfinished:
            self._all_done.notify_all()

    def join(self) -> None:
        with self._turn:
            while self._unfinished:
                self._all_done.wait()

    def shutdown(self, immediate: bool = False) -> None:
        dropped = None
        with self._turn:
            self._is_shutdown = True
            self._not_empty.notify_all()
            self._not_full.notify_all()
            if immediate:
                dropped = self._drop()
        del dropped

    def clear(self) -> None:
        with self._turn:
            dropped = self._drop()
        del dropped  # outside the lock: destructors may come back to us

    def _drop(self) -> Any:
        if self._contents:
            self._finished(len(self._contents))
            self._not_full.notify_all()
            self._not_empty.notify_all()  # the item they wait for will not come due
        return self._contents.clear()

    def remove(self, handle: int) -> Any:
        with self._turn:
            record = self._contents.find(handle)
            self._contents.take(record)
            self._finished(1)  # nobody will get it, so nobody will report it done
            self._left()
        return record.item

    def _room(self) -> None:
        with self._turn:
            self._not_full.notify_all()

    def __repr__(self) -> str:
        return f"<PriorityQueue of {self.qsize()} items, maxsize {self._maxsize}>"
