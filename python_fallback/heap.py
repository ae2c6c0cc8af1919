"""The readable twin of the heap: what ``fastcore.heap`` runs where the compiled one may not."""

from __future__ import annotations

from python_fallback.heap_object import PriorityHeap
from python_fallback.heap_queue import PriorityQueue
from python_fallback.heap_types import Entry, ShutDown

__all__ = ["Entry", "PriorityHeap", "PriorityQueue", "ShutDown"]
