"""The readable twin of the heap: what ``fastcore.heap`` runs where the compiled one may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from python_fallback.heap.priority_heap import PriorityHeap
from python_fallback.heap.priority_queue import PriorityQueue
from python_fallback.shared.heap import Entry, ShutDown

if TYPE_CHECKING:
    from python_fallback.heap.async_priority_queue import AsyncPriorityQueue

__all__ = ["AsyncPriorityQueue", "Entry", "PriorityHeap", "PriorityQueue", "ShutDown"]


def __getattr__(name: str) -> Any:
    if name == "AsyncPriorityQueue":  # brings in asyncio, which takes longer to import than all of this
        from python_fallback.heap.async_priority_queue import AsyncPriorityQueue

        return AsyncPriorityQueue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
