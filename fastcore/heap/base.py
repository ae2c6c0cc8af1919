"""Shared interface of heaps and queues, documented once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fastcore.dispatch.twins import Generic, Twin
from python_fallback.shared.heap import Entry

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # its defaults, which typing's has since Python 3.13

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")


class Held(Generic[T], metaclass=Twin, path="heap"):
    """Items in an order of priorities."""

    def peek(self) -> T:
        """Return the first item and leave it there.

        Raises
        ------
        IndexError
            If none is ready.
        """
        raise NotImplementedError

    def update(self, handle: int, priority: Any) -> None:
        """Give the item of `handle` another priority. It keeps its age, and its place of arrival among equals."""
        raise NotImplementedError

    def priority(self, handle: int) -> Any:
        """Return the priority of the item of `handle`: numbers as a float where a float equals them, else as an int."""
        raise NotImplementedError

    def ready(self) -> int:
        """Return how many items could be handed out now."""
        raise NotImplementedError

    def next_due(self) -> float | None:
        """Return when the next delayed item is due; None if none is delayed."""
        raise NotImplementedError

    @property
    def order(self) -> str:
        """Which comes first: ``"min"`` or ``"max"``."""
        raise NotImplementedError

    @property
    def aging(self) -> float:
        """By how much a second of waiting makes an item more urgent."""
        raise NotImplementedError

    @property
    def clock(self) -> Callable[[], float] | None:
        """The clock that was given."""
        raise NotImplementedError

    def entries(self) -> list[Entry]:
        """Return all items as ``Entry(item, priority, handle)``: the ready in order, then the delayed by due time."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[T]:
        """All items in the order of `entries`, as they are now."""
        raise NotImplementedError

    def __contains__(self, handle: object) -> bool:
        raise NotImplementedError

    def __copy__(self) -> Any:
        """Return another with the same items, priorities and handles."""

    def __setstate__(self, state: Any) -> None:
        """Take over the state of a pickle."""


class HeldQueue(Held[T], metaclass=Twin, path="heap"):
    """A queue's items, its size and its count of unfinished tasks."""

    def task_done(self) -> None:
        """Report that one item handed out is done with.

        Raises
        ------
        ValueError
            If called more often than items were put.
        """
        raise NotImplementedError

    def shutdown(self, immediate: bool = False) -> None:
        """Refuse further items, and getters too once the queue is empty; `immediate` empties it now."""
        raise NotImplementedError

    def clear(self) -> None:
        """Drop all items; they count as done."""
        raise NotImplementedError

    def remove(self, handle: int) -> T:
        """Remove and return the item of `handle`; it counts as done.

        Raises
        ------
        KeyError
            If it is no longer in the queue.
        """
        raise NotImplementedError

    def qsize(self) -> int:
        """Return how many items the queue holds, delayed ones counted."""
        raise NotImplementedError

    def empty(self) -> bool:
        """Whether the queue holds nothing."""
        raise NotImplementedError

    def full(self) -> bool:
        """Whether `put` would have to wait."""
        raise NotImplementedError

    @property
    def maxsize(self) -> int:
        """How many items the queue holds before `put` blocks; 0: no limit. May be set: what it holds stays."""
        raise NotImplementedError

    @maxsize.setter
    def maxsize(self, given: float) -> None:
        raise NotImplementedError

    @property
    def unfinished_tasks(self) -> int:
        """How many items were put and not yet reported done."""
        raise NotImplementedError

    @property
    def is_shutdown(self) -> bool:
        """Whether `shutdown` was called."""
        raise NotImplementedError
