"""Shared base of the readable heap and queues: contents behind a lock, and read access."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import GenericAlias
from typing import Any

from python_fallback.heap.contents import Contents
from python_fallback.heap.fork import follow_forks
from python_fallback.heap.numbers import limit
from python_fallback.shared.heap import SLOTS


class Held:
    __slots__ = ("_contents", "_turn")
    _contents: Contents
    _turn: Any

    def _begin(self) -> None:
        self._renew()
        follow_forks(self)

    def _renew(self) -> None:
        """In a forked process too: threads that held a lock, or waited, do not exist in it."""
        # Keeps other threads out; what comes in between in the same thread is served, see `contents`.
        self._turn = threading.RLock()
        self._contents.comparison.runs = False

    def peek(self) -> Any:
        now = self._contents.tick()
        with self._turn:
            self._contents.enter()
            return self._contents.first("peek", now).item

    def update(self, handle: int, priority: Any) -> None:
        kept = self._contents.parse(priority)
        with self._turn:
            self._contents.enter()
            old = self._contents.update(handle, kept)
        del old  # outside the lock: its destructor may come back to us

    def priority(self, handle: int) -> Any:
        with self._turn:
            self._contents.enter()
            return self._contents.find(handle).priority

    def ready(self) -> int:
        now = self._contents.tick()
        with self._turn:
            self._contents.enter()
            self._contents.promote(now)
            return self._contents.ready.count

    def next_due(self) -> float | None:
        now = self._contents.tick()
        with self._turn:
            self._contents.enter()
            self._contents.promote(now)
            record = self._contents.later.first(self._contents)
            return None if record is None else record.due

    def __contains__(self, handle: object) -> bool:
        if not isinstance(handle, int):
            raise TypeError(f"handle: expected an int, got {type(handle).__name__}")
        return handle in self._contents.records

    @property
    def order(self) -> str:
        return self._contents.order

    @property
    def aging(self) -> float:
        return self._contents.aging

    @property
    def clock(self) -> Callable[[], float] | None:
        return self._contents.clock

    @property
    def _serial(self) -> int:
        return self._contents.serial

    @property
    def _origin(self) -> float:
        return self._contents.origin

    @property
    def _slots(self) -> int:
        return self._contents.used

    def _rows(self, take: bool = False) -> list[tuple[Any, ...]]:
        with self._turn:
            self._contents.enter()
            return self._contents.take_rows() if take else self._contents.rows()

    def _load(self, rows: list[tuple[Any, ...]], serial: int, origin: float, shift: float, most: int = SLOTS) -> None:
        with self._turn:
            self._contents.enter()
            dropped = self._contents.load(rows, serial, origin, shift, most)
        del dropped

    def _check(self) -> None:
        with self._turn:
            self._contents.enter()
            self._contents.check()


class HeldQueue(Held):
    __slots__ = ()
    _wake_putters: Callable[[], None]

    def __init__(
        self,
        maxsize: int = 0,
        *,
        order: str = "min",
        aging: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        size = limit(maxsize)
        self._contents = Contents(order, "any", aging, clock)
        self._contents.limit = size
        self._begin()

    def qsize(self) -> int:
        return len(self._contents)

    def empty(self) -> bool:
        return not self._contents

    def full(self) -> bool:
        return 0 < self._contents.limit <= len(self._contents)

    @property
    def maxsize(self) -> int:
        return self._contents.limit

    @maxsize.setter
    def maxsize(self, given: float) -> None:
        self._contents.limit = limit(given)
        self._wake_putters()

    @property
    def unfinished_tasks(self) -> int:
        return self._contents.unfinished

    @property
    def is_shutdown(self) -> bool:
        return self._contents.closed

    def _set_counts(self, unfinished: int, is_shutdown: bool) -> None:
        self._contents.unfinished, self._contents.closed = max(0, unfinished), bool(is_shutdown)

    def __class_getitem__(cls, item: Any) -> GenericAlias:
        return GenericAlias(cls, item)
