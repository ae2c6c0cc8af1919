"""The items of one heap, ready and delayed, and the rules of their order. Not safe for threads: its owner locks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from python_fallback.heap_numbers import canonical, number, real
from python_fallback.heap_ranking import ComparedRanking, NumberRanking, Ranking

SLOT_BITS = 28  # a handle is a serial number above the number of a slot, as the compiled twin needs it
SLOT_MASK = (1 << SLOT_BITS) - 1
SERIALS = 1 << 36
KEEP = 1024  # an empty heap keeps a table of slots up to this size


class Turn:
    """A lock that tells a comparison which comes back to the heap it orders, instead of blocking for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0

    def acquire(self) -> bool:
        if self._is_owned():
            raise RuntimeError("heap: a comparison may not use the heap that it orders")
        self._lock.acquire()
        self._owner = threading.get_ident()
        return True

    def release(self) -> None:
        self._owner = 0
        self._lock.release()

    def _is_owned(self) -> bool:  # asked by threading.Condition too
        return self._owner == threading.get_ident()

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()


class Record:
    """One item and what its place follows from."""

    __slots__ = ("born", "due", "handle", "item", "priority", "sequence")

    def __init__(self, item: Any, priority: Any, born: float, due: float | None, handle: int, sequence: int) -> None:
        self.item, self.priority, self.born, self.due = item, priority, born, due
        self.handle, self.sequence = handle, sequence


def choose(name: str, given: Any, allowed: tuple[str, str]) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{name}: expected '{allowed[0]}' or '{allowed[1]}', got {type(given).__name__}")
    if given not in allowed:
        raise ValueError(f"{name}: expected '{allowed[0]}' or '{allowed[1]}', got {given!r}")
    return given


class Contents:
    """Records by handle, ranked in two orders: the ready by priority, the delayed by due time."""

    def __init__(self, order: Any, priorities: Any, aging: Any, clock: Callable[[], float] | None) -> None:
        self.order = choose("order", order, ("min", "max"))
        self.priorities = choose("priorities", priorities, ("number", "any"))
        self.aging = real("aging", aging)
        if not 0 <= self.aging < float("inf"):
            raise ValueError(f"aging: expected a finite rate of 0 or more a second, got {aging!r}")
        if clock is not None and not callable(clock):
            raise TypeError(f"clock: expected a callable or None, got {type(clock).__name__}")
        self.clock = clock
        self.origin = self.now() if self.aging else 0.0
        self.serial = 1
        self.clear()

    def __len__(self) -> int:
        return len(self.records)

    def clear(self) -> dict[int, Record]:
        """Drop all items; returns the records, so that their destructors run where the caller wants."""
        dropped = getattr(self, "records", {})
        self.records: dict[int, Record] = {}
        self.ready: Ranking = ComparedRanking(self.order == "max") if self._compared() else NumberRanking()
        self.later = NumberRanking()
        self.free: list[int] = []
        self.used = 0
        self.sequence = 0
        return dropped

    def _compared(self) -> bool:
        return self.priorities == "any" and not self.aging

    def now(self) -> float:
        value = real("clock", (self.clock or time.monotonic)())
        if value in (float("inf"), float("-inf")):
            raise ValueError("clock: expected a finite number, got inf")
        return value

    def parse(self, given: Any) -> Any:
        """Return a priority in the form that is kept: the float that equals it where there is one."""
        if self.aging:
            return real("priority", given)
        if self.priorities == "any" and type(given) not in (int, float):
            return given
        return canonical(number("priority", given))

    def parse_many(self, items: tuple[Any, ...], priorities: Iterable[Any] | None) -> list[Any]:
        if priorities is None:
            return [self.parse(item) for item in items] if self.priorities == "any" else [0.0] * len(items)
        given = tuple(priorities)
        if len(given) != len(items):
            raise ValueError(f"priorities: expected {len(items)} of them, one for each item, got {len(given)}")
        return [self.parse(priority) for priority in given]

    def key(self, priority: Any, born: float) -> Any:
        """What `ready` orders by; smaller is sooner, except that a ComparedRanking turns the order itself."""
        if self._compared():
            return priority
        if not self.aging:
            return priority if self.order == "min" else -priority
        # Waiting makes it more urgent at one rate for all, so p - rate * (now - born) orders as p + rate * born.
        credit = self.aging * (born - self.origin)
        return priority + credit if self.order == "min" else -(priority - credit)

    def prepare(self, priority: Any, due: Any) -> tuple[Any, float, float | None]:
        """Check the arguments of a push; returns the priority, when its age began, and when it is due if delayed."""
        kept = self.parse(priority)
        when = None if due is None else real("due", due)
        now = self.now() if when is not None or self.aging else 0.0
        if when is not None and when > now:
            return kept, when, when
        return kept, now, None

    def insert(self, item: Any, priority: Any, born: float, due: float | None) -> int:
        slot = self.free[-1] if self.free else self.used
        record = Record(item, priority, born, due, self.serial << SLOT_BITS | slot, self.sequence)
        self.rank(record)  # the last thing that may raise
        if self.free:
            self.free.pop()
        else:
            self.used += 1
        self.serial = self.serial % (SERIALS - 1) + 1
        self.sequence += 1
        self.records[record.handle] = record
        return record.handle

    def rank(self, record: Record) -> None:
        if record.due is None:
            self.ready.add(self.key(record.priority, record.born), record.sequence, record.handle)
        else:
            self.later.add(record.due, record.sequence, record.handle)

    def tick(self) -> float | None:
        """Return the time now if some item is delayed. The clock is the caller's code: it runs outside the lock."""
        return self.now() if self.later else None

    def promote(self, now: float | None) -> None:
        """Delayed items that are due become ready."""
        while now is not None and self.later and self.later.first_key() <= now:
            record = self.records[self.later.first()]
            self.ready.add(self.key(record.priority, record.born), record.sequence, record.handle)
            record.due = None
            self.later.discard(record.sequence)

    def first(self, method: str, now: float | None) -> Record:
        self.promote(now)
        if self.ready:
            return self.records[self.ready.first()]
        if self.later:
            raise IndexError(f"{method}: expected a ready item, got none: {len(self.later)} delayed")
        raise IndexError(f"{method}: expected an item, got an empty heap")

    def find(self, handle: Any) -> Record:
        if not isinstance(handle, int):
            raise TypeError(f"handle: expected an int, got {type(handle).__name__}")
        if handle not in self.records:
            raise KeyError(f"handle: expected that of an item in this heap, got {handle}")
        return self.records[handle]

    def take(self, record: Record) -> None:
        """The caller holds `record` until its lock is released: the destructor of a priority may come back to us."""
        (self.ready if record.due is None else self.later).discard(record.sequence)
        del self.records[record.handle]
        self.free.append(record.handle & SLOT_MASK)
        if not self.records:
            self.sequence = 0
            if self.used > KEEP:
                self.free, self.used = [], 0

    def update(self, handle: Any, kept: Any) -> Any:
        """Return the old priority, for the caller to drop."""
        record = self.find(handle)
        if record.due is None:
            self.ready.replace(self.key(kept, record.born), record.sequence, record.handle)
        old, record.priority = record.priority, kept
        return old

    def insert_many(self, items: tuple[Any, ...], priorities: list[Any], born: float, due: float | None) -> list[int]:
        """All or none."""
        handles: list[int] = []
        try:
            for item, priority in zip(items, priorities):
                handles.append(self.insert(item, priority, born, due))
        except BaseException:
            for handle in reversed(handles):
                self.take(self.records[handle])
            self.serial -= len(handles)
            raise
        return handles

    def take_many(self, limit: int) -> list[Record]:
        taken = []
        for _ in range(min(limit, len(self.ready))):
            taken.append(self.records[self.ready.first()])
            self.take(taken[-1])
        return taken

    def rows(self) -> list[tuple[Any, ...]]:
        """Everything, as both twins write it down: the ready in order, then the delayed by due time."""
        handles = [*self.ready, *self.later]
        return [
            (r.item, r.priority, r.handle, r.sequence, r.born, r.due)
            for r in (self.records[handle] for handle in handles)
        ]

    def load(self, rows: Iterable[tuple[Any, ...]], serial: int, origin: float, shift: float) -> Any:
        """Return what was there, for the caller to drop."""
        dropped = self.clear()
        self.serial, self.origin = serial, origin
        for item, priority, handle, sequence, born, due in rows:
            if handle in self.records or not 0 < handle >> SLOT_BITS < serial:
                self.clear()
                raise ValueError("state: expected a handle of its own for every item, below the serial number")
            due = None if due is None else due + shift
            record = self.records[handle] = Record(item, priority, born + shift, due, handle, sequence)
            self.sequence = max(self.sequence, sequence + 1)
            if due is None:
                self.ready.append(self.key(priority, record.born), sequence, handle)  # they come in order
            else:
                self.later.append(due, sequence, handle)
        slots = {handle & SLOT_MASK for handle in self.records}
        self.used = max(slots, default=-1) + 1
        self.free = [slot for slot in reversed(range(self.used)) if slot not in slots]
        return dropped

    def check(self) -> None:
        assert len(self.ready) + len(self.later) == len(self.records)
        assert sorted(handle for ranking in (self.ready, self.later) for handle in ranking) == sorted(self.records)
        slots = [handle & SLOT_MASK for handle in self.records]
        assert sorted(slots + self.free) == list(range(self.used))
        for handle, record in self.records.items():
            assert record.handle == handle
            assert record.sequence < self.sequence
