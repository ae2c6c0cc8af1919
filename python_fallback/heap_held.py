"""What the readable heap and queues have in common: contents behind a lock, and the ways to look at them."""

from __future__ import annotations

from collections.abc import Callable
from types import GenericAlias
from typing import Any

from python_fallback.heap_contents import Contents, Turn
from python_fallback.heap_numbers import limit


class Held:
    __slots__ = ("_contents", "_turn")
    _contents: Contents
    _turn: Turn

    def peek(self) -> Any:
        now = self._contents.tick()
        with self._turn:
            return self._contents.first("peek", now).item

    def update(self, handle: int, priority: Any) -> None:
        kept = self._contents.parse(priority)
        with self._turn:
            old = self._contents.update(handle, kept)
        del old  # outside the lock: its destructor may come back to us

    def priority(self, handle: int) -> Any:
        with self._turn:
            return self._contents.find(handle).priority

    def ready(self) -> int:
        now = self._contents.tick()
        with self._turn:
            self._contents.promote(now)
            return len(self._contents.ready)

    def next_due(self) -> float | None:
        now = self._contents.tick()
        with self._turn:
            self._contents.promote(now)
            return self._contents.later.first_key() if self._contents.later else None

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

    def _rows(self, take: bool = False) -> list[tuple[Any, ...]]:
        with self._turn:
            rows = self._contents.rows()
            if take:
                self._contents.clear()
            return rows

    def _load(self, rows: list[tuple[Any, ...]], serial: int, origin: float, shift: float) -> None:
        with self._turn:
            dropped = self._contents.load(rows, serial, origin, shift)
        del dropped

    def _check(self) -> None:
        with self._turn:
            self._contents.check()


class HeldQueue(Held):
    __slots__ = ("_is_shutdown", "_maxsize", "_unfinished")
    _maxsize: int
    _unfinished: int
    _is_shutdown: bool

    def qsize(self) -> int:
        return len(self._contents)

    def empty(self) -> bool:
        return not self._contents

    def full(self) -> bool:
        return 0 < self._maxsize <= len(self._contents)

    @property
    def maxsize(self) -> int:
        return self._maxsize

    @maxsize.setter
    def maxsize(self, given: float) -> None:
        self._maxsize = limit(given)
        self._room()

    def _room(self) -> None:
        """Wake whoever waits for room."""
        raise NotImplementedError

    @property
    def unfinished_tasks(self) -> int:
        return self._unfinished

    @property
    def is_shutdown(self) -> bool:
        return self._is_shutdown

    def _set_counts(self, unfinished: int, is_shutdown: bool) -> None:
        self._unfinished, self._is_shutdown = max(0, unfinished), bool(is_shutdown)

    def __class_getitem__(cls, item: Any) -> GenericAlias:
        return GenericAlias(cls, item)
