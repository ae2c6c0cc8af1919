"""A priority heap with handles, and the thread-safe queue over it.

The flag ``heap`` says which twin a new object comes from; objects of both live side by side.
"""

from __future__ import annotations

from fastcore.heap import pickling as _pickling  # noqa: F401  (its import names the hook)
from fastcore.heap.priority_heap import PriorityHeap
from fastcore.heap.priority_queue import PriorityQueue
from python_fallback.heap_types import Entry, ShutDown

__all__ = ["Entry", "PriorityHeap", "PriorityQueue", "ShutDown"]
