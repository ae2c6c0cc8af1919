"""Waiting: the memory store's tasks that are queued, in the order in which they are to run."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from fastcore.heap import PriorityHeap
from fastcore.tasks.ports import Want
from fastcore.tasks.records import State
from fastcore.tasks.stores.memory.records import KindRecords, Record

__all__ = ["Queued"]

_KIND = attrgetter("kind")
_PLACE = attrgetter("rank", "number")
_QUEUED = State.QUEUED


class Queued:
    """Tasks that are ready, by kind and rank, and those whose time has not come."""

    def __init__(self) -> None:
        self.kinds: dict[str, KindRecords] = {}
        self._delayed = PriorityHeap()  # of all kinds, by run_at
        self._holders: dict[str, Record] = {}  # by serial key: who is ready, runs, or waits for its next attempt
        self._blocked: dict[str, PriorityHeap] = {}  # by serial key: those who wait for the holder's end, by rank
        self._entered = 0

    def enter(self, records: Sequence[Record]) -> None:
        """Add new tasks; consecutive ones of one kind go into its heap in one step."""
        number = self._entered
        self._entered += len(records)
        for name, group in groupby(records, _KIND):
            kind = self.kind(name)
            ready: list[Record] = []
            ranks: list[float] = []
            for record in group:
                number += 1
                record.number = number
                record.state = _QUEUED
                record.attempt = record.token = 0
                record.version = 1
                record.waits_in = None
                record.cancel_requested = False
                record.kept = kind
                if record.run_at > record.submitted_at:
                    self.delay(record)
                elif record.serial_key is not None:
                    self.ready(record)
                else:
                    ready.append(record)
                    ranks.append(record.rank)
            for record, handle in zip(ready, kind.ready.push_many(ready, ranks), strict=True):
                record.handle = handle

    def kind(self, name: str) -> KindRecords:
        """Return what is kept of a kind."""
        found = self.kinds.get(name)
        if found is None:
            found = self.kinds[name] = KindRecords(name)
        return found

    def delay(self, record: Record) -> None:
        """Delay a task until its time."""
        self._hold_back(record, self._delayed, record.run_at)

    def ready(self, record: Record) -> None:
        """Queue a task, or keep it until the holder of its serial key ends."""
        key = record.serial_key
        if key is not None and self._holders.setdefault(key, record) is not record:
            self._hold_back(record, self._blocked.setdefault(key, PriorityHeap()), record.rank)
        else:
            record.handle = record.kept.ready.push(record, record.rank)

    def release(self, record: Record) -> None:
        """Release the key of a task that has ended; the next one is ready."""
        key = record.serial_key
        if key is None or self._holders.get(key) is not record:
            return
        del self._holders[key]
        blocked = self._blocked.get(key)
        if blocked is not None:
            following: Record = blocked.pop()
            if not len(blocked):
                del self._blocked[key]
            self._let_in(following)

    def _hold_back(self, record: Record, heap: PriorityHeap, priority: float) -> None:
        record.waits_in = heap
        record.kept.held_back += 1
        record.handle = heap.push(record, priority)

    def _let_in(self, record: Record) -> None:
        record.waits_in = None
        record.kept.held_back -= 1
        self.ready(record)

    def promote(self, now: float) -> None:
        """Make due tasks ready."""
        delayed = self._delayed
        keyed: list[Record] = []  # let in last, by rank: the first of a key keeps out the others
        while len(delayed) and delayed.peek_entry().priority <= now:
            record: Record = delayed.pop()
            if record.serial_key is None:
                self._let_in(record)
            else:
                keyed.append(record)
        for record in sorted(keyed, key=_PLACE):
            self._let_in(record)

    @property
    def due(self) -> float | None:
        """When the next delayed task is due."""
        return self._delayed.peek_entry().priority if len(self._delayed) else None

    def remove(self, record: Record) -> None:
        """Remove a task."""
        heap = record.waits_in
        if heap is None:
            record.kept.ready.remove(record.handle)
            return
        heap.remove(record.handle)
        record.waits_in = None
        record.kept.held_back -= 1
        key = record.serial_key
        if heap is not self._delayed and key is not None and not len(heap):
            del self._blocked[key]

    def take(self, want: Want) -> list[Record]:
        """Remove and return the first tasks, in order, that a pool has room for."""
        heaps = [
            (self.kinds[name].ready, room)
            for name, room in want.kinds.items()
            if room > 0 and name in self.kinds and len(self.kinds[name].ready)
        ]
        if len(heaps) == 1:
            taken: list[Record] = heaps[0][0].pop_many(min(want.limit, heaps[0][1]))
            return taken
        taken = []
        heads = [(*_place(heap), heap, room) for heap, room in heaps]
        heapq.heapify(heads)
        while heads and len(taken) < want.limit:
            *_, heap, room = heads[0]
            taken.append(heap.pop())
            if room > 1 and len(heap):
                heapq.heapreplace(heads, (*_place(heap), heap, room - 1))
            else:
                heapq.heappop(heads)
        return taken


def _place(heap: PriorityHeap) -> tuple[float, int]:
    """Where the first of a heap stands among those of other kinds: equals are taken as they came."""
    head = heap.peek_entry()
    return head.priority, head.item.number
