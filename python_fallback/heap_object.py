"""PriorityHeap, the readable twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from python_fallback.heap_contents import Contents, Turn
from python_fallback.heap_types import Entry

UNSET: Any = type("Unset", (), {"__repr__": lambda self: "<unset>"})()


class PriorityHeap:
    _public_path = "heap"

    def __init__(
        self,
        *,
        order: str = "min",
        priorities: str = "number",
        aging: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._turn = Turn()
        self._contents = Contents(order, priorities, aging, clock)

    def push(self, item: Any, priority: Any = UNSET, *, due: float | None = None) -> int:
        if priority is UNSET:
            priority = item if self._contents.priorities == "any" else 0.0
        prepared = self._contents.prepare(priority, due)
        with self._turn:
            return self._contents.insert(item, *prepared)

    def pop(self) -> Any:
        now = self._contents.tick()
        with self._turn:
            return self._contents.take(self._contents.first("pop", now))

    def pop_entry(self) -> Entry:
        now = self._contents.tick()
        with self._turn:
            record = self._contents.first("pop_entry", now)
            return Entry(self._contents.take(record), record.priority, record.handle)

    def peek(self) -> Any:
        now = self._contents.tick()
        with self._turn:
            return self._contents.first("peek", now).item

    def peek_entry(self) -> Entry:
        now = self._contents.tick()
        with self._turn:
            record = self._contents.first("peek_entry", now)
            return Entry(record.item, record.priority, record.handle)

    def remove(self, handle: int) -> Any:
        with self._turn:
            return self._contents.take(self._contents.find(handle))

    def update(self, handle: int, priority: Any) -> None:
        kept = self._contents.parse(priority)
        with self._turn:
            self._contents.update(handle, kept)

    def priority(self, handle: int) -> Any:
        with self._turn:
            return self._contents.find(handle).priority

    def clear(self) -> None:
        with self._turn:
            dropped = self._contents.clear()
        del dropped  # outside the lock: destructors may come back to us

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

    @property
    def order(self) -> str:
        return self._contents.order

    @property
    def priorities(self) -> str:
        return self._contents.priorities

    @property
    def aging(self) -> float:
        return self._contents.aging

    def __len__(self) -> int:
        return len(self._contents)

    def __contains__(self, handle: object) -> bool:
        if not isinstance(handle, int):
            raise TypeError(f"handle: expected an int, got {type(handle).__name__}")
        return handle in self._contents.records

    def __repr__(self) -> str:
        return f"<PriorityHeap of {len(self)} items, order '{self.order}'>"

    def _check(self) -> None:
        with self._turn:
            self._contents.check()
