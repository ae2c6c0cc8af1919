"""A priority heap with handles, and priority queues for threads and for asyncio.

The flag ``heap`` decides the twin of a new object; objects of both twins can be used in one process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastcore.heap import pickling as _pickling  # noqa: F401  (its import names the hook)
from fastcore.heap.async_priority_queue import AsyncPriorityQueue
from fastcore.heap.priority_heap import PriorityHeap
from fastcore.heap.priority_queue import PriorityQueue
from python_fallback.shared.heap import Entry, ShutDown

if TYPE_CHECKING:
    from python_fallback.shared.queue_shutdown import QueueShutDown

__all__ = ["AsyncPriorityQueue", "Entry", "PriorityHeap", "PriorityQueue", "QueueShutDown", "ShutDown"]


def __getattr__(name: str) -> Any:
    if name == "QueueShutDown":  # brings in asyncio, which takes longer to import than all of this
        from python_fallback.shared.queue_shutdown import QueueShutDown

        return QueueShutDown
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
