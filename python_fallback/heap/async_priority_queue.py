"""AsyncPriorityQueue, the readable twin."""

from __future__ import annotations

from asyncio import QueueEmpty, QueueFull
from typing import Any

from python_fallback.heap.base import HeldQueue
from python_fallback.heap.contents import Closed, Overfull
from python_fallback.heap.priority_heap import UNSET
from python_fallback.shared.heap_async import AsyncMixin
from python_fallback.shared.queue_shutdown import QueueShutDown

__all__ = ["AsyncPriorityQueue", "QueueShutDown"]


class AsyncPriorityQueue(HeldQueue, AsyncMixin):
    __slots__ = (
        "__weakref__",
        "_getters",
        "_joiners",
        "_putters",
        "_waiting",
    )
    _public_path = "heap"

    def _renew(self) -> None:
        super()._renew()
        self._getters: Any = None
        self._putters: Any = None
        self._joiners: Any = None
        self._waiting: Any = None

    async def put(
        self, item: Any, *, priority: Any = UNSET, due: float | None = None, delay: float | None = None
    ) -> int:
        due = self._contents.when(due, delay)
        try:
            return self.put_nowait(item, priority=priority, due=due)
        except QueueFull:
            handle: int = await self._wait_put(item, item if priority is UNSET else priority, due)
            return handle

    def put_nowait(
        self, item: Any, *, priority: Any = UNSET, due: float | None = None, delay: float | None = None
    ) -> int:
        if self._contents.closed:
            raise QueueShutDown
        prepared = self._contents.prepare(item if priority is UNSET else priority, due, delay)
        try:
            with self._turn:
                handle = self._contents.insert(item, *prepared)
        except Closed:
            raise QueueShutDown from None
        except Overfull:
            raise QueueFull from None
        if self._getters:
            self._wake_getter()
        return handle

    async def get(self) -> Any:
        try:
            return self.get_nowait()
        except QueueEmpty:
            return await self._wait_get()

    def get_nowait(self) -> Any:
        now = self._contents.tick()
        with self._turn:
            self._contents.enter()
            record = self._contents.take_ready(now)
            if record is None:
                raise QueueShutDown if self._contents.closed and not self._contents else QueueEmpty
        self._taken()
        return record.item

    def _taken(self) -> None:
        if self._putters:
            self._wake_putter()
        if self._getters and self._contents.later.count:
            self._wake_getter()  # a getter may have to wait for another due time now
        elif self._getters and self._contents.closed and not self._contents:
            self._wake_getters()  # there is nothing left to wait for

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
        if self._joiners and not self._contents.unfinished:
            self._wake_joiners()

    def shutdown(self, immediate: bool = False) -> None:
        with self._turn:
            self._contents.enter()
            self._contents.closed = True
        if immediate:
            self.clear()
        if self._getters:
            self._wake_getters()
        if self._putters:
            self._wake_putters()

    def clear(self) -> None:
        with self._turn:
            self._contents.enter()
            dropped = self._contents.clear()
        if dropped:
            self._finished(len(dropped))
            if self._putters:
                self._wake_putters()
            if self._getters:
                self._wake_getters()  # the item they wait for will not come due
        del dropped  # outside the lock: destructors may come back to us

    def remove(self, handle: int) -> Any:
        with self._turn:
            self._contents.enter()
            record = self._contents.take_handle(handle)
        self._finished(1)  # it is handed out to no getter, so none will report it done
        self._taken()
        return record.item

    def __repr__(self) -> str:
        return f"<AsyncPriorityQueue of {self.qsize()} items, maxsize {self.maxsize}>"
