"""The exception of asyncio's queues that older Pythons lack; a separate file, because asyncio is slow to import."""

from __future__ import annotations

import asyncio

__all__ = ["QueueShutDown"]

if hasattr(asyncio, "QueueShutDown"):  # Python 3.13
    QueueShutDown = asyncio.QueueShutDown
else:

    class QueueShutDown(Exception):  # type: ignore[no-redef]
        """The queue was shut down; ``asyncio.QueueShutDown`` on Python 3.13 and later.

        Examples
        --------
        >>> import asyncio
        >>> from fastcore.heap import AsyncPriorityQueue, QueueShutDown
        >>> async def main():
        ...     queue = AsyncPriorityQueue()
        ...     queue.shutdown()
        ...     try:
        ...         await queue.get()
        ...     except QueueShutDown:
        ...         return "the worker ends"
        >>> asyncio.run(main())
        'the worker ends'
        """

        __module__ = "fastcore.heap"
