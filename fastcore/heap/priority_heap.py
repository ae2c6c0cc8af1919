"""PriorityHeap, the public class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastcore.dispatch.twins import Twin
from fastcore.heap.base import Held, T
from python_fallback.shared.heap import Entry


class PriorityHeap(Held[T], metaclass=Twin, path="heap"):
    """A priority queue with handles: push, pop, and change or remove anything in between.

    Parameters
    ----------
    order : {"min", "max"}, default "min"
        Whether the smallest or the largest priority comes first. Equal priorities come in the order of their push.
    priorities : {"number", "any"}, default "number"
        Numbers are compared exactly, ints of any size with floats too; what is neither int nor float is read by its
        ``__index__`` or else its ``__float__``, and refused where it does not equal that (``Decimal("0.1")``). With
        ``"any"`` a priority may be whatever has ``<``, Decimal and datetime for instance, and an item pushed without
        one is its own priority.
    aging : float, default 0.0
        By how much a second of waiting makes an item more urgent, so that nothing starves. Priorities are read as
        floats then.
    clock : callable, optional
        Returns the time in seconds, for `aging` and for due times; ``time.monotonic`` unless given.

    Notes
    -----
    Every operation is O(log n), is atomic among threads, and happens whole or not at all: where a comparison of
    priorities raises, the heap is as before. Signal handlers and finalizers may use a heap in the middle of its
    operations, except while a comparison written in Python runs: to them as to the comparison itself the heap raises
    RuntimeError then. A heap holds up to 2**28 items. Its length counts delayed items too.

    Examples
    --------
    >>> heap = PriorityHeap()
    >>> handle = heap.push("rebalance", 5)
    >>> _ = heap.push("stop loss", 0)
    >>> heap.update(handle, -1)
    >>> heap.pop(), heap.pop()
    ('rebalance', 'stop loss')
    """

    def __init__(
        self,
        *,
        order: str = "min",
        priorities: str = "number",
        aging: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        raise NotImplementedError

    def push(self, item: T, priority: Any = ..., *, due: float | None = None, delay: float | None = None) -> int:
        """Add an item.

        Parameters
        ----------
        item : object
        priority : number, optional
            0.0 unless given; with ``priorities="any"`` the item itself. NaN has no place in an order, nor has a tuple
            or list that begins with it: ValueError.
        due : float, optional
            A time on the heap's clock, at most ten years ahead, before which the item is not handed out.
        delay : float, optional
            The same in seconds from now.

        Returns
        -------
        int
            The item's handle: it is never given to another item of this heap.
        """
        raise NotImplementedError

    def push_many(
        self,
        items: Iterable[T],
        priorities: Iterable[Any] | None = None,
        *,
        due: float | None = None,
        delay: float | None = None,
    ) -> list[int]:
        """Add many items: all of them, or none if one is invalid.

        Parameters
        ----------
        items : iterable
        priorities : iterable of numbers, optional
            One for each item. A NumPy array of float64 is read without making Python numbers.
        due, delay : float, optional
            As of `push`, for all of them.

        Returns
        -------
        list of int
            The handles.

        Raises
        ------
        ValueError
            If there are not as many priorities as items.
        """
        raise NotImplementedError

    def pop_many(self, n: int) -> list[T]:
        """Remove and return the first `n` ready items in order, or as many as there are."""
        raise NotImplementedError

    def pop(self) -> T:
        """Remove and return the first item.

        Raises
        ------
        IndexError
            If no item is ready: the heap is empty, or what it holds is not due.
        """
        raise NotImplementedError

    def pop_entry(self) -> Entry:
        """Remove the first item; return it as ``Entry(item, priority, handle)``."""
        raise NotImplementedError

    def peek_entry(self) -> Entry:
        """Return the first item as ``Entry(item, priority, handle)`` and leave it there."""
        raise NotImplementedError

    def remove(self, handle: int) -> T:
        """Remove and return the item of `handle`, ready or not.

        Raises
        ------
        KeyError
            If it is no longer in the heap.
        """
        raise NotImplementedError

    def clear(self) -> None:
        """Drop all items."""
        raise NotImplementedError

    @property
    def priorities(self) -> str:
        """What priorities may be: ``"number"`` or ``"any"``."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError
