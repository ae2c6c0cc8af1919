"""Ended: the memory store's tasks that have ended, until they expire, and the tombstones after that."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from fastcore.heap import PriorityHeap
from fastcore.tasks.records import State, TaskView
from fastcore.tasks.stores.memory.records import Record

__all__ = ["Ended", "Tombstone"]

_MAX_TOMBSTONES = 200_000


class Tombstone(NamedTuple):
    """What is kept of a task whose result has expired."""

    kind: str
    priority: float
    attempts: int
    submitted_at: float
    finished_at: float
    forget_at: float
    idempotency_key: str | None
    version: int
    group: str | None = None
    collects: str | None = None

    def view(self, id: str) -> TaskView:
        return TaskView(
            id=id,
            kind=self.kind,
            state=State.EXPIRED,
            priority=self.priority,
            attempt=0,
            attempts=self.attempts,
            submitted_at=self.submitted_at,
            run_at=self.submitted_at,
            started_at=None,
            finished_at=self.finished_at,
            expires_at=None,
            progress=None,
            note="",
            result=None,
            error=None,
            cancel_requested=False,
            unique_key=None,
            group=None,
            version=self.version,
        )


class Ended:
    """Ended tasks by the time when they expire."""

    def __init__(self, limit: int, dead_ttl: float, tombstone_ttl: float) -> None:
        self.limit = limit
        self._dead_ttl = dead_ttl
        self._tombstone_ttl = tombstone_ttl
        self._expiring = PriorityHeap()  # by expires_at
        self.failed: dict[str, Record] = {}  # FAILED and DEAD: what may be retried
        self.tombstones: dict[str, Tombstone] = {}  # in the order in which they are made, nearly that of `forget_at`

    def __len__(self) -> int:
        return len(self._expiring)

    def add(self, record: Record, now: float) -> None:
        """Add a task that has just ended."""
        state = record.state
        ttl = record.result_ttl
        if state is State.FAILED or state is State.DEAD:
            self.failed[record.id] = record
            ttl = self._dead_ttl
        record.finished_at = now
        record.expires_at = now + ttl
        record.handle = self._expiring.push(record, now + ttl)
        ended = record.kept.ended
        ended[state] = ended.get(state, 0) + 1

    def add_succeeded(self, records: list[Record]) -> None:
        """Add tasks that have just succeeded, in one step."""
        if not records:
            return
        times = [(record.finished_at or 0.0) + record.result_ttl for record in records]
        for record, at, handle in zip(records, times, self._expiring.push_many(records, times), strict=True):
            record.expires_at = at
            record.handle = handle
        for kind, n in Counter([record.kept for record in records]).items():
            kind.ended[State.SUCCEEDED] = kind.ended.get(State.SUCCEEDED, 0) + n

    def remove(self, record: Record) -> None:
        """Remove a task that will run again."""
        self._expiring.remove(record.handle)
        self._forget(record)

    def expire(self, now: float) -> list[Record]:
        """Replace expired tasks, and those above the limit, by tombstones."""
        expiring = self._expiring
        out: list[Record] = []
        while len(expiring) and (len(expiring) > self.limit or expiring.peek_entry().priority <= now):
            record: Record = expiring.pop()
            self._forget(record)
            self.tombstones[record.id] = Tombstone(
                record.kind,
                record.priority,
                record.attempts,
                record.submitted_at,
                record.finished_at or now,
                now + self._tombstone_ttl,
                record.idempotency_key,
                record.version + 1,
                record.group,
                record.collects,
            )
            out.append(record)
        return out

    def keep(self, record: Record, until: float) -> None:
        """Take back one that `expire` gave out."""
        del self.tombstones[record.id]
        state = record.state
        if state is State.FAILED or state is State.DEAD:
            self.failed[record.id] = record
        record.handle = self._expiring.push(record, until)
        record.kept.ended[state] = record.kept.ended.get(state, 0) + 1

    def forget(self, now: float) -> list[tuple[str, Tombstone]]:
        """Drop old tombstones, and return them with their ids."""
        out: list[tuple[str, Tombstone]] = []
        tombstones = self.tombstones
        while tombstones:
            id = next(iter(tombstones))
            if len(tombstones) <= _MAX_TOMBSTONES and tombstones[id].forget_at > now:
                break
            out.append((id, tombstones.pop(id)))
        return out

    def _forget(self, record: Record) -> None:
        self.failed.pop(record.id, None)
        record.kept.ended[record.state] -= 1
