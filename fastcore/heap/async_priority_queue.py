"""AsyncPriorityQueue, the public class."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastcore.dispatch.twins import Twin
from fastcore.heap.base import HeldQueue, T


class AsyncPriorityQueue(HeldQueue[T], metaclass=Twin, path="heap"):
    """A queue for asyncio that replaces ``asyncio.PriorityQueue``.

    In addition: a separate priority for every item (``await put(item, priority=3)``), first in first out among equals,
    handles to remove or re-prioritise what waits, delayed items, aging, ``shutdown`` on every Python, and use from
    threads other than the loop's: ``put_nowait`` there wakes a getter in its loop.

    Parameters
    ----------
    maxsize : int, default 0
        How many items it holds before `put` waits, delayed ones counted; 0 or less is no limit.
    order : {"min", "max"}, default "min"
        Whether the smallest or the largest comes first.
    aging : float, default 0.0
        By how much a second of waiting makes an item more urgent; priorities must be numbers then.
    clock : callable, optional
        Returns the time in seconds, for `aging` and for due times; ``time.monotonic`` unless given.

    Notes
    -----
    It may be made where no loop runs; it belongs to the first loop in which something waits. A `put` or `get` that is
    cancelled has completed or had no effect: no item is lost. `put` and `get` return a coroutine for asyncio
    (``create_task``, ``wait_for`` and ``gather`` take it), but ``inspect.iscoroutine`` is False for it.

    Examples
    --------
    >>> import asyncio
    >>> async def main():
    ...     queue = AsyncPriorityQueue()
    ...     await queue.put("report", priority=5)
    ...     await queue.put("order", priority=0)
    ...     return await queue.get()
    >>> asyncio.run(main())
    'order'
    """

    def __init__(
        self,
        maxsize: int = 0,
        *,
        order: str = "min",
        aging: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        raise NotImplementedError

    def put(
        self, item: T, *, priority: Any = ..., due: float | None = None, delay: float | None = None
    ) -> Coroutine[Any, Any, int]:
        """Add an item; wait for room where the queue is full.

        Parameters
        ----------
        item : object
        priority : object, optional
            What orders the item, a number or anything with ``<``; unless given the item itself does.
        due : float, optional
            A time on the queue's clock, at most ten years ahead, before which the item is not handed out.
        delay : float, optional
            The same in seconds from now.

        Returns
        -------
        int
            The item's handle, once awaited.

        Raises
        ------
        QueueShutDown
            If the queue was shut down; ``asyncio.QueueShutDown`` where the standard library has it.
        """
        raise NotImplementedError

    def put_nowait(self, item: T, *, priority: Any = ..., due: float | None = None, delay: float | None = None) -> int:
        """Add an item if there is room now.

        Raises
        ------
        asyncio.QueueFull
            If there is none.
        """
        raise NotImplementedError

    def get(self) -> Coroutine[Any, Any, T]:
        """Remove and return the first item; wait for one where none is ready.

        Raises
        ------
        QueueShutDown
            If the queue was shut down and is empty.
        """
        raise NotImplementedError

    def get_nowait(self) -> T:
        """Remove and return the first item if one is ready now.

        Raises
        ------
        asyncio.QueueEmpty
            If none is.
        """
        raise NotImplementedError

    async def join(self) -> None:
        """Wait until every item put was handed out and reported done, or removed."""
        raise NotImplementedError
