"""Code that both twins of the heap share, off the hot path: iteration, pickles, copies, the change of twins.

The compiled types inherit from these classes too. They need ``_rows(take)``, the contents in order, and
``_load(rows, serial, origin, shift)``, the way back.
"""

from __future__ import annotations

import copyreg
import queue
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

HOOKS = ("_init", "_qsize", "_put", "_get")  # what subclasses of the standard library's queues may override

SLOTS, SLOTS_PER_ROW = 4096, 64  # how large a table of slots a state may ask for

restore: Callable[[str], Any] | None = None  # set by the public package, so that pickles name the public class


class Entry(NamedTuple):
    """An item with its priority and its handle.

    Examples
    --------
    >>> from fastcore.heap import PriorityHeap
    >>> heap = PriorityHeap()
    >>> handle = heap.push("report", 9)
    >>> entry = heap.pop_entry()
    >>> entry.item, entry.priority == 9, entry.handle == handle
    ('report', True, True)
    """

    item: Any
    priority: Any
    handle: int


if hasattr(queue, "ShutDown"):  # Python 3.13
    ShutDown = queue.ShutDown
else:

    class ShutDown(Exception):  # type: ignore[no-redef]
        """The queue was shut down; ``queue.ShutDown`` on Python 3.13 and later.

        Examples
        --------
        >>> from fastcore.heap import PriorityQueue, ShutDown
        >>> queue = PriorityQueue()
        >>> queue.shutdown()
        >>> try:
        ...     queue.get()
        ... except ShutDown:
        ...     print("the worker ends")
        the worker ends
        """

        __module__ = "fastcore.heap"


# Where it is public: pickles name that place and outlive this one.
Entry.__module__ = "fastcore.heap"


def twin_of(cls: type) -> Any:
    """The twin class that `cls` is or comes from."""
    return next(base for base in cls.__mro__ if "_public_path" in base.__dict__)


class Mixin:
    __slots__ = ()

    def __iter__(self: Any) -> Iterator[Any]:
        return iter([row[0] for row in self._rows()])

    def entries(self: Any) -> list[Entry]:
        return [Entry(*row[:3]) for row in self._rows()]

    def _state(self: Any, take: bool, moved: bool) -> dict[str, Any]:
        """`moved`: to another process, whose monotonic clock may show another time."""
        options = {name: getattr(self, name) for name in self._OPTIONS}
        rows, slots = self._rows(take), self._slots
        return {
            "options": options,
            "counts": self._counts(),
            "attributes": dict(getattr(self, "__dict__", {})),
            "serial": self._serial,
            "origin": self._origin,
            "now": time.monotonic() if moved and options["clock"] is None else None,
            "rows": rows,
            # A state may ask for a table as large as itself: one that few items are left in is as large as these.
            "room": bytes(slots) if slots > max(SLOTS, SLOTS_PER_ROW * len(rows)) else b"",
        }

    def _counts(self: Any) -> tuple[Any, ...]:
        return ()

    def __reduce__(self: Any) -> tuple[Any, ...]:
        cls = type(self)
        state = self._state(False, True)
        if restore is not None and "_public_path" in cls.__dict__:
            return restore, (cls.__name__,), state
        return copyreg.__newobj__, (cls,), state  # type: ignore[attr-defined]

    def __setstate__(self: Any, state: dict[str, Any]) -> None:
        twin_of(type(self)).__init__(self, **state["options"])
        shift = 0.0 if state["now"] is None else time.monotonic() - state["now"]
        rows, room = state["rows"], state.get("room", b"")
        if not isinstance(room, bytes):
            raise ValueError(f"state: expected bytes for its room, got {type(room).__name__}")
        most = max(SLOTS, SLOTS_PER_ROW * len(rows), len(room))
        self._load(rows, state["serial"], state["origin"] + shift, shift, most)
        if state["counts"]:
            self._set_counts(*state["counts"])
        if state["attributes"]:
            self.__dict__.update(state["attributes"])

    def __copy__(self: Any) -> Any:
        return self._from_state(self._state(False, False))

    def _take_state(self: Any) -> dict[str, Any]:
        state: dict[str, Any] = self._state(True, False)
        if hasattr(self, "maxsize"):
            self.maxsize = self.maxsize  # wakes waiting putters
        return state

    @classmethod
    def _from_state(cls, state: dict[str, Any]) -> Any:
        made: Any = cls.__new__(cls)
        made.__setstate__(state)
        return made


class HeapMixin(Mixin):
    __slots__ = ()
    _OPTIONS = ("order", "priorities", "aging", "clock")


class QueueMixin(Mixin):
    __slots__ = ()
    _OPTIONS = ("maxsize", "order", "aging", "clock")

    def _counts(self: Any) -> tuple[Any, ...]:
        return self.unfinished_tasks, self.is_shutdown

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        overridden = [name for name in HOOKS if name in cls.__dict__]
        if overridden:
            raise TypeError(f"{cls.__name__}: expected no {overridden[0]} in a subclass: this queue never calls it")
