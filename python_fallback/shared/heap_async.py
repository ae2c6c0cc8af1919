"""Waiting in put and get of an AsyncPriorityQueue: the coroutines that both twins share.

A waiter is a future; to wake it means to try again, not to hand it an item: so a cancelled waiter loses none. Queues
may be used from threads other than the loop's; a future is always resolved in its own loop.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from python_fallback.shared.heap import QueueMixin


class Alarm:
    """The loop a queue waits in, and the one timer for its next due time."""

    __slots__ = ("due", "loop", "timer")

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.timer: Any = None
        self.due = float("inf")

    def cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer, self.due = None, float("inf")


class AsyncMixin(QueueMixin):
    __slots__ = ()

    async def join(self: Any) -> None:
        while self.unfinished_tasks:
            await self._wait("_joiners", lambda: not self.unfinished_tasks)

    async def _wait_get(self: Any) -> Any:
        from asyncio import QueueEmpty

        while True:
            await self._wait("_getters", self._gettable)
            try:
                return self.get_nowait()
            except QueueEmpty:
                continue
            except BaseException:
                self._pass_on()
                raise

    async def _wait_put(self: Any, item: Any, priority: Any, due: float | None) -> int:
        from asyncio import QueueFull

        while True:
            await self._wait("_putters", self._puttable)
            try:
                handle: int = self.put_nowait(item, priority=priority, due=due)
                return handle
            except QueueFull:
                continue
            except BaseException:
                self._pass_on()
                raise

    def _gettable(self: Any) -> bool:
        return bool(self.ready() or (self.is_shutdown and self.empty()))

    def _puttable(self: Any) -> bool:
        return bool(self.is_shutdown or not self.full())

    def _pass_on(self: Any) -> None:
        """Pass the wakeup on to the next waiter."""
        if self._getters and self._gettable():
            self._wake_getter()
        if self._putters and self._puttable():
            self._wake_putter()

    async def _wait(self: Any, line: str, served: Any) -> None:
        """Stand in line until woken, unless served already: another thread may have come between."""
        waiters = getattr(self, line)
        if waiters is None:
            waiters = deque()
            setattr(self, line, waiters)
        waiter = self._loop().create_future()
        waiters.append(waiter)
        try:
            if served():
                return
            if line == "_getters":
                self._set_alarm()
            await waiter
        except BaseException:
            waiter.cancel()  # it may not be done yet
            if not waiter.cancelled():
                self._pass_on()
            raise
        finally:
            try:
                waiters.remove(waiter)
            except ValueError:
                pass  # woken: the waking call removed it

    def _loop(self: Any) -> Any:
        """The running loop; a queue belongs to the first one it waits in."""
        import asyncio

        loop = asyncio.get_running_loop()
        if self._waiting is None:
            self._waiting = Alarm(loop)
        if self._waiting.loop is not loop:
            raise RuntimeError(f"{self!r} is bound to a different event loop")
        return loop

    def _wake(self: Any, waiters: Any, everyone: bool) -> None:
        import asyncio

        # In a task's step the loop looks at what is ready before it sleeps. A signal handler may come while it sleeps.
        running = asyncio._get_running_loop()
        running = running if running is not None and asyncio.current_task(running) is not None else None
        while waiters:
            try:
                waiter = waiters.popleft()
            except IndexError:
                return  # a signal handler took the last
            if waiter.done():
                continue
            loop = waiter.get_loop()
            if loop is running:
                waiter.set_result(None)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(self._resolve, waiter)
            else:
                continue
            if not everyone:
                return

    def _resolve(self: Any, waiter: Any) -> None:
        if waiter.done():
            self._pass_on()  # cancelled while the wakeup was in transit
        else:
            waiter.set_result(None)

    def _wake_getter(self: Any) -> None:
        self._wake(self._getters, False)

    def _wake_putter(self: Any) -> None:
        self._wake(self._putters, False)

    def _wake_getters(self: Any) -> None:
        self._wake(self._getters, True)

    def _wake_putters(self: Any) -> None:
        self._wake(self._putters, True)

    def _wake_joiners(self: Any) -> None:
        self._wake(self._joiners, True)

    def _set_alarm(self: Any) -> None:
        """Ensure that a waiter is woken when the next delayed item is due."""
        alarm, due = self._waiting, self.next_due()
        if due is None or due >= alarm.due:
            return
        alarm.cancel()
        now = (self.clock or time.monotonic)()
        alarm.timer, alarm.due = alarm.loop.call_later(max(0.0, due - now), self._ring), due

    def _ring(self: Any) -> None:
        self._waiting.cancel()
        for _ in range(min(self.ready(), len(self._getters))):
            self._wake_getter()
        if self._getters:
            self._set_alarm()
