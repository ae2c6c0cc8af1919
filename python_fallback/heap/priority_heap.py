"""PriorityHeap, the readable twin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from python_fallback.heap.base import Held
from python_fallback.heap.contents import Contents
from python_fallback.heap.numbers import count
from python_fallback.shared.heap import Entry, HeapMixin

UNSET: Any = type("Unset", (), {"__repr__": lambda self: "<unset>"})()


class PriorityHeap(Held, HeapMixin):
    __slots__ = ("__weakref__",)
    _public_path = "heap"

    def __init__(
        self,
        *,
        order: str = "min",
        priorities: str = "number",
        aging: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._contents = Contents(order, priorities, aging, clock)
        self._begin()

    def push(self, item: Any, priority: Any = UNSET, *, due: float | None = None, delay: float | None = None) -> int:
        if priority is UNSET:
            priority = item if self._contents.priorities == "any" else 0.0
        prepared = self._contents.prepare(priority, due, delay)
        with self._turn:
            return self._contents.insert(item, *prepared)

    def push_many(
        self,
        items: Iterable[Any],
        priorities: Iterable[Any] | None = None,
        *,
        due: float | None = None,
        delay: float | None = None,
    ) -> list[int]:
        due = self._contents.when(due, delay)
        items = tuple(items)
        kept = self._contents.parse_many(items, priorities)
        _, born, when = self._contents.prepare(0.0, due)
        with self._turn:
            self._contents.enter()
            return self._contents.insert_many(items, kept, born, when)

    def pop_many(self, n: int) -> list[Any]:
        limit = count("n", n)
        now = self._contents.tick()
        with self._turn:
            self._contents.enter()
            taken = self._contents.take_many(limit, now)
        return [record.item for record in taken]

    def pop(self) -> Any:
        now = self._contents.tick()
        with self._turn:
            self._contents.enter()
            record = self._contents.take_first("pop", now)
        return record.item

    def pop_entry(self) -> Entry:
        now = self._contents.tick()
        with self._turn:
            self._contents.enter()
            record = self._contents.take_first("pop_entry", now)
        return Entry(record.item, record.priority, record.handle)

    def peek_entry(self) -> Entry:
        now = self._contents.tick()
        with self._turn:
            self._contents.enter()
            record = self._contents.first("peek_entry", now)
            return Entry(record.item, record.priority, record.handle)

    def remove(self, handle: int) -> Any:
        with self._turn:
            self._contents.enter()
            record = self._contents.take_handle(handle)
        return record.item

    def clear(self) -> None:
        with self._turn:
            self._contents.enter()
            dropped = self._contents.clear()
        del dropped  # outside the lock: destructors may come back to us

    @property
    def priorities(self) -> str:
        return self._contents.priorities

    def __len__(self) -> int:
        return len(self._contents)

    def __repr__(self) -> str:
        return f"<PriorityHeap of {len(self)} items, order '{self.order}'>"
