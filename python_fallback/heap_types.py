"""What both twins of the heap share: the exception that older Pythons lack, and the entry a heap hands out."""

from __future__ import annotations

import queue
from typing import Any, NamedTuple

__all__ = ["Entry", "ShutDown"]


class Entry(NamedTuple):
    """An item with its priority and its handle."""

    item: Any
    priority: Any
    handle: int


if hasattr(queue, "ShutDown"):  # Python 3.13
    ShutDown = queue.ShutDown
else:

    class ShutDown(Exception):  # type: ignore[no-redef]
        """The queue was shut down; ``queue.ShutDown`` on Python 3.13 and later."""

        __module__ = "fastcore.heap"


# Where it is public: pickles name that place and outlive this one.
Entry.__module__ = "fastcore.heap"
