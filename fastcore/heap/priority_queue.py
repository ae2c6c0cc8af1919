"""PriorityQueue, the public class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcore.dispatch.twins import Twin
from fastcore.heap.base import HeldQueue, T


class PriorityQueue(HeldQueue[T], metaclass=Twin, path="heap"):
    """A thread-safe queue that replaces ``queue.PriorityQueue``.

    In addition: a separate priority for every item (``put(item, priority=3)``), first in first out among equals,
    handles to remove or re-prioritise what waits, delayed items, aging, ``shutdown`` on every Python, and signal
    handlers and finalizers may use it at any time, other than while a comparison of items written in Python runs.

    Parameters
    ----------
    maxsize : int, default 0
        How many items it holds before `put` blocks, delayed ones counted; 0 or less is no limit.
    order : {"min", "max"}, default "min"
        Whether the smallest or the largest comes first.
    aging : float, default 0.0
        By how much a second of waiting makes an item more urgent; priorities must be numbers then.
    clock : callable, optional
        Returns the time in seconds, for `aging` and for due times; ``time.monotonic`` unless given.

    Notes
    -----
    What ``queue.PriorityQueue`` does not document is not there: ``mutex``, ``queue``, the conditions, and the methods
    ``_init _qsize _put _get`` for subclasses; overriding one of those raises TypeError.

    Examples
    --------
    >>> queue = PriorityQueue()
    >>> _ = queue.put("report", priority=5)
    >>> _ = queue.put("order", priority=0)
    >>> queue.get()
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
        self,
        item: T,
        block: bool = True,
        timeout: float | None = None,
        *,
        priority: Any = ...,
        due: float | None = None,
        delay: float | None = None,
    ) -> int:
        """Add an item; wait for room where the queue is full.

        Parameters
        ----------
        item : object
        block : bool, default True
            Whether to wait for room at all.
        timeout : float, optional
            Seconds to wait at most.
        priority : object, optional
            What orders the item, a number or anything with ``<``; unless given the item itself does.
        due : float, optional
            A time on the queue's clock, at most ten years ahead, before which the item is not handed out.
        delay : float, optional
            The same in seconds from now.

        Returns
        -------
        int
            The item's handle.

        Raises
        ------
        queue.Full
            If there was no room in time.
        ShutDown
            If the queue was shut down; ``queue.ShutDown`` where the standard library has it.
        """
        raise NotImplementedError

    def put_nowait(self, item: T, *, priority: Any = ..., due: float | None = None, delay: float | None = None) -> int:
        """Add an item if there is room now."""
        raise NotImplementedError

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Remove and return the first item; wait for one where none is ready.

        Raises
        ------
        queue.Empty
            If none was ready in time.
        ShutDown
            If the queue was shut down and is empty.
        """
        raise NotImplementedError

    def get_nowait(self) -> T:
        """Remove and return the first item if one is ready now."""
        raise NotImplementedError

    def join(self) -> None:
        """Wait until every item put was handed out and reported done, or removed."""
        raise NotImplementedError
