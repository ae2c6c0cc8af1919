"""The items of one heap, ready and delayed, and the rules of their order.

Threads are kept apart by their owner's lock. Within a thread a signal handler or a finalizer may use the heap in the
middle of an operation, and is served at once. The interpreter runs them after calls, at the turn of a loop and where a
container is made, nowhere else. So what belongs together is done here in statements that do none of that, with at most
one call of a built-in function, as the last; and what was seen before a call is looked at again after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from operator import index
from typing import Any

from python_fallback.heap.numbers import exact, ordered, real
from python_fallback.heap.ranking import ComparedRanking, Comparison, NumberRanking, Place, Ranking

SLOT_BITS = 28  # a handle is a serial number in the bits above a slot number, as in the compiled twin
SLOT_MASK = (1 << SLOT_BITS) - 1
SERIALS = 1 << 36
KEEP = 1024  # an empty heap keeps a table of slots up to this size
FARTHEST = 10 * 365 * 86400  # seconds: a later due time was read from another clock


class Record:
    """One item and what its place follows from."""

    __slots__ = ("born", "due", "handle", "item", "place", "priority", "ranking", "sequence")

    def __init__(self, item: Any, priority: Any, born: float, due: float | None, handle: int, sequence: int) -> None:
        self.item, self.priority, self.born, self.due = item, priority, born, due
        self.handle, self.sequence = handle, sequence  # the handle is 0 until it is enrolled
        self.ranking: Ranking | None = None
        self.place: Place | None = None  # there


class Overfull(Exception):
    """A queue is full."""


class Closed(Exception):
    """A queue was shut down."""


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
        self.comparison = Comparison()
        self.size = 0  # as len(records), which is a call
        self.limit = self.unfinished = 0  # of a queue, as the next
        self.closed = False
        self.records: dict[int, Record] = {}
        self.ready: Ranking = (
            ComparedRanking(self.order == "max", self.comparison) if self._compared() else NumberRanking()
        )
        self.later: Ranking = NumberRanking()
        self.free: list[int] = []
        self.used = 0
        self.sequence = 0

    def __len__(self) -> int:
        return len(self.records)

    def enter(self) -> None:
        """Begin an operation; the lock is held."""
        if self.comparison.runs:
            raise RuntimeError("heap: a comparison may not use the heap that it orders")

    def clear(self, seen: int | None = None) -> dict[int, Record] | None:
        """Drop all items; returns the records, so that their destructors run where the caller wants. None, and nothing
        is dropped, where something changed since `changes` was `seen`."""
        records: dict[int, Record] = {}
        free: list[int] = []
        ready: list[Any] = []
        later: list[Any] = []
        if seen is not None and self.ready.changes + self.later.changes != seen:
            return None
        dropped = self.records
        self.records = records
        self.free = free
        self.size = self.used = self.sequence = self.ready.count = self.later.count = 0
        self.ready.changes += 1
        self.later.changes += 1
        self.ready.places = ready
        self.later.places = later
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
            return ordered("priority", given)
        return exact("priority", given)

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

    def when(self, due: Any, delay: Any) -> float | None:
        """Return the due time that `due` or `delay` says."""
        if delay is None:
            return due  # type: ignore[no-any-return]  # checked by `prepare`
        if due is not None:
            raise ValueError("delay: expected either due= or delay=, got both")
        seconds = real("delay", delay)
        if not 0 <= seconds <= FARTHEST:
            raise ValueError(f"delay: expected 0 to {FARTHEST} seconds, got {seconds!r}")
        return self.now() + seconds

    def prepare(self, priority: Any, due: Any, delay: Any = None) -> tuple[Any, float, float | None]:
        """Check the arguments of a push; returns the priority, when its age began, and when it is due if delayed."""
        due = self.when(due, delay)
        kept = self.parse(priority)
        when = None if due is None else real("due", due)
        now = self.now() if when is not None or self.aging else 0.0
        if when is not None and when > now:
            if when - now > FARTHEST:
                clock = "time.monotonic" if self.clock is None else repr(self.clock)
                raise ValueError(
                    f"due: expected a time within ten years on the heap's clock, {clock}, which shows {now!r}, "
                    f"got {when!r}"
                )
            return kept, when, when
        return kept, now, None

    def admit(self) -> None:
        """Raise where a queue takes nothing."""
        if self.closed:
            raise Closed
        if 0 < self.limit <= self.size:
            raise Overfull

    def insert(self, item: Any, priority: Any, born: float, due: float | None) -> int:
        self.enter()
        self.admit()
        sequence = self.sequence
        self.sequence = sequence + 1  # no call since it was read: no signal handler has drawn the same number
        record = Record(item, priority, born, due, 0, sequence)
        self._rank(record)
        return record.handle

    def _rank(self, record: Record) -> None:
        if record.due is None:
            self.ready.add(self, self.key(record.priority, record.born), record)
        else:
            self.later.add(self, record.due, record)

    def place(self, record: Record, ranking: Ranking, place: Place, seen: int | None = None) -> bool | None:
        """Give it its handle, if it has none yet, and its place in a ranking. Nothing comes in between this and the
        caller's next call. None: not done, the ranking changed since its `changes` were `seen`. False: it has left."""
        if not record.handle:
            self.admit()
        if seen is not None and ranking.changes != seen:
            return None
        if not record.handle:
            if self.free:
                slot = self.free[-1]
                del self.free[-1]
            else:
                slot = self.used
                self.used = slot + 1
            record.handle = self.serial << SLOT_BITS | slot
            self.serial = self.serial % (SERIALS - 1) + 1
            if self.sequence <= record.sequence:
                self.sequence = record.sequence + 1
            self.records[record.handle] = record
            self.size += 1
            self.unfinished += 1
        elif record.handle not in self.records:
            return False
        if record.ranking is not None and record.place is not None:
            record.place.handle = 0
            record.ranking.count -= 1
            record.ranking.changes += 1
        record.ranking = ranking
        record.place = place
        place.handle = record.handle
        ranking.count += 1
        ranking.changes += 1
        return True

    def tick(self) -> float | None:
        """Return the time now if some item is delayed. The clock is the caller's code: it runs outside the lock."""
        return self.now() if self.later.count else None

    def promote(self, now: float | None) -> None:
        """Delayed items that are due become ready."""
        while now is not None:
            record = self.later.first(self)
            if record is None or record.due is None or record.due > now:
                return
            self.ready.add(self, self.key(record.priority, record.born), record)  # this takes it out of the other
            record.due = None

    def first(self, method: str, now: float | None) -> Record:
        self.promote(now)
        record = self.ready.first(self)
        if record is not None:
            return record
        if self.later.count:
            raise IndexError(f"{method}: expected a ready item, got none: {self.later.count} delayed")
        raise IndexError(f"{method}: expected an item, got an empty heap")

    def find(self, handle: Any) -> Record:
        if not isinstance(handle, int):
            raise TypeError(f"handle: expected an int, got {type(handle).__name__}")
        record = self.records.get(handle)
        if record is None:
            raise KeyError(f"handle: expected that of an item in this heap, got {handle}")
        return record

    def take(self, record: Record) -> bool:
        """Remove it; False where what came in between has done so. The caller holds `record` until its lock is
        released: the destructor of a priority may come back to us."""
        fresh: list[int] = []
        if record.handle not in self.records:
            return False
        del self.records[record.handle]
        self.size -= 1
        ranking = record.ranking
        place = record.place
        if ranking is not None and place is not None:
            place.handle = 0
            ranking.count -= 1
            ranking.changes += 1
        if not self.records:
            self.sequence = 0
        if not self.records and self.used > KEEP:
            self.used = 0
            self.free = fresh
        else:
            self.free.append(record.handle & SLOT_MASK)
        if ranking is not None and place is not None:
            ranking.forget(place)
        return True

    def take_first(self, method: str, now: float | None) -> Record:
        while True:
            record = self.first(method, now)
            if self.take(record):
                return record

    def take_handle(self, handle: Any) -> Record:
        while True:
            record = self.find(handle)
            if self.take(record):
                return record

    def take_ready(self, now: float | None) -> Record | None:
        """None: nothing is ready."""
        self.promote(now)
        while True:
            record = self.ready.first(self)
            if record is None or self.take(record):
                return record

    def update(self, handle: Any, kept: Any) -> Any:
        """Return the old priority, for the caller to drop."""
        record = self.find(handle)
        old = record.priority
        if record.ranking is self.later:
            record.priority = kept
        elif not self.ready.replace(self, self.key(kept, record.born), record, kept):
            self.find(handle)
        return old

    def insert_many(self, items: tuple[Any, ...], priorities: list[Any], born: float, due: float | None) -> list[int]:
        """All or none."""
        records: list[Record] = []
        try:
            for item, priority in zip(items, priorities):
                sequence = self.sequence
                self.sequence = sequence + 1
                records.append(Record(item, priority, born, due, 0, sequence))
                self._rank(records[-1])
        except BaseException:
            for record in reversed(records):
                self._untake(record)
            raise
        return [record.handle for record in records]

    def _untake(self, record: Record) -> None:
        """Its handle was never given out: the next may have it."""
        serial = record.handle >> SLOT_BITS
        if self.take(record) and self.serial == serial % (SERIALS - 1) + 1:
            self.serial = serial

    def take_many(self, limit: int, now: float | None) -> list[Record]:
        taken: list[Record] = []
        self.promote(now)
        for _ in range(min(limit, self.ready.count)):
            record = self.take_ready(None)
            if record is None:
                break
            taken.append(record)
        return taken

    def rows(self) -> list[tuple[Any, ...]]:
        """Everything, as both twins write it down: the ready in order, then the delayed by due time."""
        return [
            (r.item, r.priority, r.handle, r.sequence, r.born, None if r.ranking is self.ready else r.due)
            for r in (*self.ready.in_order(self), *self.later.in_order(self))
        ]

    def take_rows(self) -> list[tuple[Any, ...]]:
        while True:
            seen = self.changes()
            rows = self.rows()
            if self.clear(seen) is not None:
                return rows

    def changes(self) -> int:
        return self.ready.changes + self.later.changes

    def load(self, given: Iterable[Any], serial: Any, origin: float, shift: float, most: int) -> Any:
        """Return what was there, for the caller to drop."""
        rows = tuple(given)
        if not isinstance(serial, int) or not 0 < serial < SERIALS:
            raise ValueError("state: expected a serial number in its range")
        records = [self._record(row, shift, most) for row in rows]
        dropped = self.clear()
        self.serial, self.origin = serial, origin
        for record in records:
            if record.handle in self.records or not 0 < record.handle >> SLOT_BITS < serial:
                self.clear()
                raise ValueError("state: expected a handle of its own for every item, below the serial number")
            self.records[record.handle] = record
            self.size += 1
            if self.sequence <= record.sequence:
                self.sequence = record.sequence + 1
            if record.due is None:
                self.ready.append(self, self.key(record.priority, record.born), record)  # they come in order
            else:
                self.later.append(self, record.due, record)
        slots = {handle & SLOT_MASK for handle in self.records}
        self.used = max(slots, default=-1) + 1
        self.free = [slot for slot in reversed(range(self.used)) if slot not in slots]
        return dropped

    def _record(self, row: Any, shift: float, most: int) -> Record:
        try:
            if not isinstance(row, tuple):
                raise TypeError
            item, priority, handle, sequence, born, due = row
            handle, sequence, born = index(handle), index(sequence), float(born)
            if born != born:
                raise ValueError
        except (TypeError, ValueError):
            raise ValueError("state: expected rows of (item, priority, handle, sequence, born, due)") from None
        due = None if due is None else real("due", due) + shift
        priority = self.parse(priority)
        if not (0 <= sequence < SERIALS and 0 < handle >> SLOT_BITS < SERIALS and handle & SLOT_MASK < most):
            raise ValueError("state: expected handles and sequence numbers in their range")
        return Record(item, priority, born + shift, due, handle, sequence)

    def check(self) -> None:
        for ranking in (self.ready, self.later):
            assert ranking.count == len(ranking.in_order(self))
        ranked = self.ready.in_order(self) + self.later.in_order(self)
        assert sorted(record.handle for record in ranked) == sorted(self.records)
        slots = [handle & SLOT_MASK for handle in self.records]
        assert sorted(slots + self.free) == list(range(self.used))
        for handle, record in self.records.items():
            assert record.handle == handle
            assert record.sequence < self.sequence
        assert self.size == len(self.records)
