"""Waiting: the memory store's tasks that are queued, in the order in which they are to run."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from fastcore.heap import PriorityHeap
from fastcore.tasks.ports import Want
from fastcore.tasks.records import State
from fastcore.tasks.stores.memory_record import KindRecords, Record

__all__ = ["Waiting"]

_KIND = attrgetter("kind")
_QUEUED = State.QUEUED


class Waiting:
    """Tasks that are ready, by kind and rank, and those whose time has not come."""

    def __init__(self) -> None:
        self.kinds: dict[str, KindRecords] = {}
        self._delayed = PriorityHeap()  # of all kinds, by run_at
        self._entered = 0

    def enter(self, records: Sequence[Record]) -> None:
        """Take in new tasks; those of one kind that follow each other go into its heap in one step."""
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
                record.delayed = record.cancel_requested = False
                record.kept = kind
                if record.run_at > record.submitted_at:
                    self.delay(record)
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
        """Have a task wait for its time."""
        record.delayed = True
        record.kept.delayed += 1
        record.handle = self._delayed.push(record, record.run_at)

    def ready(self, record: Record) -> None:
        """Have a task wait for its turn."""
        record.handle = record.kept.ready.push(record, record.rank)

    def promote(self, now: float) -> None:
        """Make those ready whose time has come."""
        delayed = self._delayed
        while len(delayed) and delayed.peek_entry().priority <= now:
            record: Record = delayed.pop()
            record.delayed = False
            record.kept.delayed -= 1
            self.ready(record)

    @property
    def due(self) -> float | None:
        """When the next delayed task is due."""
        return self._delayed.peek_entry().priority if len(self._delayed) else None

    def remove(self, record: Record) -> None:
        """Take out a task."""
        if record.delayed:
            self._delayed.remove(record.handle)
            record.delayed = False
            record.kept.delayed -= 1
        else:
            record.kept.ready.remove(record.handle)

    def take(self, want: Want) -> list[Record]:
        """Take out the first tasks, in order, that a pool has room for."""
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
