"""The two ways a heap keeps its items in order: heapq where keys are numbers, a sorted list where they are anything.

A record has one place; one that it left is passed over when it comes up. Signal handlers and finalizers may use the
heap between any two steps; see `contents`. `owner` is handed in, so that a heap is no reference cycle.
"""

from __future__ import annotations

import bisect
import itertools
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from python_fallback.heap.contents import Contents, Record


class Ranking(Protocol):
    """Places in the order of their keys, and among equal keys of their records' sequence numbers."""

    places: list[Any]
    count: int  # of the places that have not been left
    changes: int

    def add(self, owner: Contents, key: Any, record: Record) -> None: ...
    def append(self, owner: Contents, key: Any, record: Record) -> None: ...
    def replace(self, owner: Contents, key: Any, record: Record, priority: Any) -> bool: ...
    def forget(self, place: Place) -> None: ...
    def first(self, owner: Contents) -> Record | None: ...
    def in_order(self, owner: Contents) -> list[Record]: ...


class Place:
    """Where a record is in a ranking."""

    __slots__ = ("handle",)

    def __init__(self) -> None:
        self.handle = 0  # of its record; 0: it has left, or is not there yet


class NumberRanking:
    """A heapq of (key, sequence, stamp, place)."""

    def __init__(self) -> None:
        self._stamps = itertools.count()  # no two entries are equal, so places are never compared
        self.places: list[Any] = []
        self.count = self.changes = 0

    def add(self, owner: Contents, key: Any, record: Record) -> None:
        place = Place()
        entry = (key, record.sequence, next(self._stamps), place)
        if owner.place(record, self, place):
            heappush(self.places, entry)

    append = add

    def replace(self, owner: Contents, key: Any, record: Record, priority: Any) -> bool:
        """False: it has left."""
        place = Place()
        entry = (key, record.sequence, next(self._stamps), place)
        if not owner.place(record, self, place):
            return False
        record.priority = priority
        heappush(self.places, entry)
        self.forget(place)
        return True

    def forget(self, place: Place) -> None:
        if len(self.places) > 2 * self.count + 64:
            seen = self.changes
            fresh = sorted([entry for entry in list(self.places) if entry[3].handle])
            if self.changes == seen:
                self.places = fresh

    def first(self, owner: Contents) -> Record | None:
        while True:
            if not self.places:
                return None
            handle = self.places[0][3].handle
            if handle in owner.records:
                return owner.records[handle]
            heappop(self.places)

    def in_order(self, owner: Contents) -> list[Record]:
        return existing(owner, [entry[3] for entry in sorted(self.places)])


class Comparison:
    """Whether the caller's comparison of two priorities runs, in the thread that holds the lock."""

    __slots__ = ("runs",)

    def __init__(self) -> None:
        self.runs = False


class Rank(Place):
    """Orders keys by ``<`` alone, and keys of which neither is less by their sequence numbers."""

    __slots__ = ("comparison", "key", "reverse", "sequence")

    def __init__(self, key: Any, sequence: int, comparison: Comparison, reverse: bool) -> None:
        super().__init__()
        self.key, self.sequence, self.comparison, self.reverse = key, sequence, comparison, reverse

    def __lt__(self, other: Rank) -> bool:
        low, high = (other, self) if self.reverse else (self, other)
        if self.sequence <= other.sequence:
            low, high = high, low
        self.comparison.runs = True
        try:
            less = low.key < high.key
            if less is not True and less is not False:
                less = bool(less)
        finally:
            self.comparison.runs = False
        return less if self.sequence > other.sequence else not less


class ComparedRanking:
    """A list kept sorted by bisection. A comparison that raises leaves it as it was."""

    def __init__(self, reverse: bool, comparison: Comparison) -> None:
        self._reverse, self._comparison = reverse, comparison
        self.places: list[Any] = []
        self.count = self.changes = 0

    def add(self, owner: Contents, key: Any, record: Record) -> None:
        rank = Rank(key, record.sequence, self._comparison, self._reverse)
        while True:
            seen = self.changes
            if len(self.places) != self.count:
                self._purge()
                continue
            at = self._bisect(self.places, rank, seen)
            if at is None:
                continue
            placed = owner.place(record, self, rank, seen)
            if placed:
                self.places.insert(at, rank)
            if placed is not None:
                return

    def append(self, owner: Contents, key: Any, record: Record) -> None:
        rank = Rank(key, record.sequence, self._comparison, self._reverse)
        if owner.place(record, self, rank):
            self.places.append(rank)

    def replace(self, owner: Contents, key: Any, record: Record, priority: Any) -> bool:
        """False: it has left."""
        rank = Rank(key, record.sequence, self._comparison, self._reverse)
        while True:
            seen = self.changes
            others = [each for each in list(self.places) if each.handle and each is not record.place]
            at = self._bisect(others, rank, seen)
            if at is None:
                continue
            others.insert(at, rank)
            placed = owner.place(record, self, rank, seen)
            if placed:
                self.places = others
                record.priority = priority
            if placed is not None:
                return placed

    def _purge(self) -> None:
        """A signal handler raised, or runs, before a place that was left could be forgotten."""
        seen = self.changes
        ranks = [rank for rank in list(self.places) if rank.handle]
        if self.changes == seen:
            self.changes = seen + 1
            self.places = ranks

    def _bisect(self, ranks: list[Rank], rank: Rank, seen: int) -> int | None:
        """None: something came in between."""
        try:
            return bisect.bisect(ranks, rank)
        except IndexError:  # the list became shorter, unless a comparison raised it
            if self.changes == seen:
                raise
            return None

    def forget(self, place: Place) -> None:
        while True:
            seen = self.changes
            for at, rank in enumerate(self.places):
                if self.changes != seen:
                    break
                if rank is place:
                    self.changes += 1
                    del self.places[at]
                    return
            if self.changes == seen:
                return

    def first(self, owner: Contents) -> Record | None:
        while True:
            if not self.places:
                return None
            handle = self.places[0].handle
            if handle in owner.records:
                return owner.records[handle]
            self.changes += 1
            del self.places[0]

    def in_order(self, owner: Contents) -> list[Record]:
        return existing(owner, list(self.places))


def existing(owner: Contents, places: list[Place]) -> list[Record]:
    records = [owner.records.get(place.handle) for place in places]
    return [record for record in records if record is not None]
