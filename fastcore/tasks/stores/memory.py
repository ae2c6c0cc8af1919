"""MemoryStore: tasks in this process's memory. What a process loses when it ends, this store loses."""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from fastcore.heap import PriorityHeap
from fastcore.tasks.errors import IdempotencyConflict, QueueClosed, QueueFull, UnknownTask
from fastcore.tasks.ports import Done, Want
from fastcore.tasks.records import (
    LIVE,
    NO_ARGUMENTS,
    Batch,
    Claim,
    Failure,
    Fired,
    Group,
    Hold,
    Outcome,
    Progress,
    Rescued,
    ScheduleView,
    State,
    TaskSpec,
    TaskView,
)
from fastcore.tasks.stores.memory_ended import Ended
from fastcore.tasks.stores.memory_record import KindRecords, OpenGroup, Record

__all__ = ["MemoryStore"]

_HELD = 60.0  # seconds for which a member of an open group is kept at a time
_QUEUED, _RUNNING, _SUCCEEDED = State.QUEUED, State.RUNNING, State.SUCCEEDED


class MemoryStore:
    """The store of a single process: nothing is copied, nothing is durable.

    Parameters
    ----------
    max_queued : int, optional
        How many tasks may wait, delayed ones counted; further ones raise QueueFull.
    max_ended : int, default 100,000
        How many ended tasks are kept with their results; beyond that those that would expire first go early.
    dead_ttl : float, default 7 days
        Seconds for which a dead letter is kept.
    tombstone_ttl : float, default 24 hours
        Seconds for which it is still known that a task was there, after its result has gone.
    clock : callable, default time.time
        Seconds since the epoch.

    Notes
    -----
    Arguments and results are kept as they are, not copied: what a caller changes after `submit` the task sees changed.
    A task that is to run on any store leaves its arguments alone, and takes and returns what the codec can write.
    """

    encodes = False
    poll: float | None = None

    def __init__(
        self,
        *,
        max_queued: int | None = None,
        max_ended: int = 100_000,
        dead_ttl: float = 7 * 86400.0,
        tombstone_ttl: float = 86400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # Re-entrant, as dropping a task's arguments may run a destructor that submits.
        self._lock = threading.RLock()
        self._max_queued = max_queued
        self._clock = clock
        self._closed = False
        self._wake: Callable[[], None] = _nobody
        self._records: dict[str, Record] = {}
        self._kinds: dict[str, KindRecords] = {}
        self._delayed = PriorityHeap()  # of all kinds, by run_at
        self._running: dict[str, Record] = {}
        self._cancels: dict[str, Record] = {}  # running, and asked to stop
        self._unique: dict[str, str] = {}
        self._idempotent: dict[str, tuple[str, str | None]] = {}
        self._groups: dict[str, OpenGroup] = {}
        self._schedules: dict[str, ScheduleView] = {}
        self._ended = Ended(max_ended, dead_ttl, tombstone_ttl)

    def attach(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def close(self) -> None:
        self._closed = True
        self._wake = _nobody

    # ---- tasks ----

    def submit(self, specs: Sequence[TaskSpec], group: Group | None = None) -> Done[list[str]]:
        with self._lock:
            if self._closed:
                raise QueueClosed("submit: expected an open store, got one that was closed")
            ids, new = self._judge_keys(specs)
            waiting = len(self._records) - len(self._running) - len(self._ended)
            if self._max_queued is not None and waiting + len(new) > self._max_queued:
                raise QueueFull(
                    f"submit: expected at most {self._max_queued} tasks to wait, got {len(new)} more than {waiting}"
                )
            for spec in new:
                if spec.unique_key is not None:
                    self._unique[spec.unique_key] = spec.id
                if spec.idempotency_key is not None:
                    self._idempotent[spec.idempotency_key] = spec.id, spec.fingerprint
            self._enter(new)
            if group is not None:
                opened = self._groups[group.id] = OpenGroup(group.id, [spec.id for spec in new], group.then)
                if not new:
                    self._close_group(opened)
        self._wake()
        return Done(ids)

    def claim(self, owner: str, wants: Sequence[Want], lease: float, now: float) -> Done[Batch]:
        claims: list[Claim] = []
        until = now + lease
        with self._lock:
            if len(self._delayed):
                self._promote(now)
            for want in wants:
                for record in self._take(want):
                    record.state = _RUNNING
                    record.attempt += 1
                    record.token += 1
                    record.version += 1
                    record.owner = owner
                    record.lease_until = until
                    record.started_at = now
                    self._running[record.spec.id] = record
                    claims.append(Claim(record.spec, record.attempt, record.token, until))
            due = self._delayed.peek_entry().priority if len(self._delayed) else None
            cancels = [id for id, record in self._cancels.items() if record.owner == owner] if self._cancels else []
        return Done(Batch(claims, due, cancels))

    def renew(self, claims: Sequence[Claim], lease: float, now: float) -> Done[list[Hold]]:
        holds: list[Hold] = []
        with self._lock:
            for claim in claims:
                record = self._running.get(claim.spec.id)
                if record is None or record.token != claim.token:
                    holds.append(Hold.LOST)
                else:
                    record.lease_until = now + lease
                    holds.append(Hold.CANCEL if record.cancel_requested else Hold.KEPT)
        return Done(holds)

    def settle(self, outcomes: Sequence[Outcome]) -> Done[list[bool]]:
        taken: list[bool] = []
        dropped: list[object] = []  # freed with the lock released: their destructors may do anything
        done: list[Record] = []
        back = False
        with self._lock:
            running = self._running
            for outcome in outcomes:
                id = outcome.id
                record = running.get(id)
                if record is None or record.token != outcome.token:
                    taken.append(False)
                    continue
                taken.append(True)
                del running[id]
                record.version += 1
                if outcome.state is not _SUCCEEDED:
                    back = self._settle_otherwise(record, outcome, dropped) or back
                    continue
                record.state = _SUCCEEDED
                record.finished_at = outcome.finished_at
                if outcome.result is not None:
                    record.result = outcome.result
                if record.attempt > 1:
                    record.error = None
                spec = record.spec
                if spec.unique_key is None and spec.group is None and spec.collects is None:
                    done.append(record)
                    dropped.append(spec.payload)
                    spec.payload = NO_ARGUMENTS
                    if record.cancel_requested:
                        self._cancels.pop(id, None)
                else:
                    dropped.append(self._end(record, outcome.finished_at))
            self._ended.add_succeeded(done)
            if len(self._ended) > self._ended.limit:
                dropped += self._expire(0.0)
        if back:
            self._wake()
        return Done(taken)

    def report(self, updates: Sequence[Progress]) -> Done[None]:
        with self._lock:
            for update in updates:
                record = self._running.get(update.id)
                if record is not None and record.token == update.token:
                    record.progress, record.note = update.fraction, update.note
                    record.version += 1
        return Done(None)

    def request_cancel(self, id: str) -> Done[State]:
        dropped: object = None
        with self._lock:
            record = self._records.get(id)
            if record is None:
                if id in self._ended.tombstones:
                    return Done(State.EXPIRED)
                raise _unknown(id)
            if record.state not in LIVE:
                return Done(record.state)
            record.cancel_requested = True
            record.version += 1
            if record.state is _RUNNING:
                self._cancels[id] = record
            else:
                self._take_out(record)
                record.state = State.CANCELLED
                dropped = self._end(record, self._clock())
        del dropped
        self._wake()
        return Done(record.state)

    def rescue(self, now: float) -> Done[list[Rescued]]:
        rescued: list[Rescued] = []
        with self._lock:
            for record in [one for one in self._running.values() if one.lease_until < now]:
                spec = record.spec
                del self._running[spec.id]
                record.version += 1
                record.error = Failure(
                    "TaskLost", f"the lease of {record.owner} on attempt {record.attempt} passed", ""
                )
                if record.cancel_requested:
                    record.state = State.CANCELLED
                elif record.attempt >= spec.attempts:
                    record.state = State.DEAD
                else:
                    record.run_at = now
                    self._put_back(record, delayed=False)
                if record.state is not _QUEUED:
                    self._end(record, now)
                rescued.append(Rescued(spec.id, spec.kind, record.state))
        if rescued:
            self._wake()
        return Done(rescued)

    def prune(self, now: float) -> Done[int]:
        with self._lock:
            dropped = self._expire(now)
        return Done(len(dropped))

    def retry_dead(self, ids: Sequence[str] | None, kind: str | None, now: float) -> Done[list[str]]:
        retried: list[str] = []
        with self._lock:
            failed = self._ended.failed
            if ids is None:
                found = [one for one in failed.values() if one.state is State.DEAD]
            else:
                found = [failed[id] for id in dict.fromkeys(ids) if id in failed]
            for record in found:
                spec = record.spec
                if kind not in (None, spec.kind) or spec.unique_key in self._unique:
                    continue
                self._ended.remove(record)
                if spec.unique_key is not None:
                    self._unique[spec.unique_key] = spec.id
                record.attempt = 0
                record.version += 1
                record.finished_at = record.expires_at = record.progress = None
                record.cancel_requested, record.note, record.run_at = False, "", now
                self._put_back(record, delayed=False)
                retried.append(spec.id)
        if retried:
            self._wake()
        return Done(retried)

    # ---- reading ----

    def get(self, id: str) -> Done[TaskView]:
        with self._lock:
            record = self._records.get(id)
            if record is not None:
                return Done(record.view(whole=True))
            if id in self._ended.tombstones:
                return Done(self._ended.tombstones[id].view(id))
        raise _unknown(id)

    def find(
        self,
        *,
        states: Iterable[State] | None = None,
        kind: str | None = None,
        group: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> Done[Sequence[TaskView]]:
        wanted = None if states is None else frozenset(states)
        with self._lock:
            found = (
                id
                for id, record in self._records.items()
                if (wanted is None or record.state in wanted)
                and (kind is None or record.spec.kind == kind)
                and (group is None or record.spec.group == group)
                and (before is None or id < before)
            )
            return Done([self._records[id].view(whole=False) for id in heapq.nlargest(limit, found)])

    def counts(self) -> Done[dict[str, dict[State, int]]]:
        with self._lock:
            running = Counter([record.spec.kind for record in self._running.values()])
            return Done({name: found for name, kind in self._kinds.items() if (found := kind.counts(running[name]))})

    def members(self, group: str) -> Done[Sequence[TaskView]]:
        with self._lock:
            if group in self._groups:
                found = [self._records[id] for id in self._groups[group].members]
            else:
                found = [one for one in self._records.values() if one.spec.group == group]
            found.sort(key=lambda record: record.spec.index)
            return Done([record.view(whole=True) for record in found])

    # ---- schedules ----

    def schedule(self, name: str, definition: str, next_at: float) -> Done[float]:
        with self._lock:
            known = self._schedules.get(name)
            if known is None or known.definition != definition:
                known = self._schedules[name] = ScheduleView(name, definition, next_at, None)
            return Done(known.next_at)

    def fire(self, name: str, slot: float, next_at: float, spec: TaskSpec) -> Done[Fired]:
        with self._lock:
            known = self._schedules.get(name)
            if known is None or known.next_at != slot:
                return Done(Fired(False, next_at if known is None else known.next_at))
            self._schedules[name] = known._replace(next_at=next_at, last_at=slot)
            self._enter_keyed(spec)
        self._wake()
        return Done(Fired(True, next_at))

    def unschedule(self, name: str) -> Done[bool]:
        with self._lock:
            return Done(self._schedules.pop(name, None) is not None)

    def schedules(self) -> Done[Sequence[ScheduleView]]:
        with self._lock:
            return Done([self._schedules[name] for name in sorted(self._schedules)])

    # ---- with the lock held ----

    def _judge_keys(self, specs: Sequence[TaskSpec]) -> tuple[list[str], list[TaskSpec]]:
        """Return the id for each spec, and the specs to be stored."""
        for spec in specs:
            if spec.unique_key is not None or spec.idempotency_key is not None:
                break
        else:
            return [spec.id for spec in specs], list(specs)
        ids: list[str] = []
        new: list[TaskSpec] = []
        unique: dict[str, str] = {}
        idempotent: dict[str, tuple[str, str | None]] = {}
        for spec in specs:
            holder = None
            if (key := spec.idempotency_key) is not None and (
                held := idempotent.get(key) or self._idempotent.get(key)
            ) is not None:
                holder, fingerprint = held
                if fingerprint != spec.fingerprint:
                    raise IdempotencyConflict(
                        f"idempotency_key: expected the call of task {holder} again, got another call", holder
                    )
            if holder is None and spec.unique_key is not None:
                holder = unique.get(spec.unique_key) or self._unique.get(spec.unique_key)
            if holder is None:
                holder = spec.id
                new.append(spec)
                if spec.unique_key is not None:
                    unique[spec.unique_key] = spec.id
                if key is not None:
                    idempotent[key] = spec.id, spec.fingerprint
            ids.append(holder)
        return ids, new

    def _enter(self, specs: Sequence[TaskSpec]) -> None:
        """Store new tasks; those of one kind that follow each other go into its heap in one step."""
        first = 0
        while first < len(specs):
            name = specs[first].kind
            last = first + 1
            while last < len(specs) and specs[last].kind == name:
                last += 1
            kind = self._kind(name)
            records = [Record(spec, kind) for spec in specs[first:last]]
            self._records.update(zip([record.spec.id for record in records], records, strict=True))
            late = [record for record in records if record.spec.run_at > record.spec.submitted_at]
            for record in late:
                self._delay(record)
            ready = [record for record in records if not record.delayed] if late else records
            handles = kind.ready.push_many(ready, [record.spec.rank for record in ready])
            for record, handle in zip(ready, handles, strict=True):
                record.handle = handle
            first = last

    def _enter_keyed(self, spec: TaskSpec) -> None:
        if spec.unique_key is not None:
            if spec.unique_key in self._unique:
                return
            self._unique[spec.unique_key] = spec.id
        self._enter([spec])

    def _kind(self, name: str) -> KindRecords:
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = KindRecords(name)
        return kind

    def _delay(self, record: Record) -> None:
        record.delayed = True
        record.kind.delayed += 1
        record.handle = self._delayed.push(record, record.run_at)

    def _promote(self, now: float) -> None:
        """Make those ready whose time has come."""
        delayed = self._delayed
        while len(delayed) and delayed.peek_entry().priority <= now:
            record: Record = delayed.pop()
            record.delayed = False
            record.kind.delayed -= 1
            record.handle = record.kind.ready.push(record, record.rank)

    def _settle_otherwise(self, record: Record, outcome: Outcome, dropped: list[object]) -> bool:
        """Record an end that is no success; returns whether the task is to run again."""
        if outcome.error is not None:
            record.error = outcome.error
        if not outcome.counted:
            record.attempt -= 1
        if outcome.state is _QUEUED and not record.cancel_requested:
            record.rank, record.run_at = outcome.rank, outcome.run_at
            record.progress, record.note = None, ""
            self._put_back(record, delayed=outcome.run_at > outcome.finished_at)
            return True
        record.state = State.CANCELLED if outcome.state is _QUEUED else outcome.state
        dropped.append(self._end(record, outcome.finished_at))
        return False

    def _put_back(self, record: Record, *, delayed: bool) -> None:
        self._cancels.pop(record.spec.id, None)
        record.state = _QUEUED
        if delayed:
            self._delay(record)
        else:
            record.handle = record.kind.ready.push(record, record.rank)

    def _take_out(self, record: Record) -> None:
        if record.delayed:
            self._delayed.remove(record.handle)
            record.delayed = False
            record.kind.delayed -= 1
        else:
            record.kind.ready.remove(record.handle)

    def _take(self, want: Want) -> list[Record]:
        """Take out of their heaps the first records, in order, that a pool has room for."""
        heaps = [
            (self._kinds[name].ready, room)
            for name, room in want.kinds.items()
            if room > 0 and name in self._kinds and len(self._kinds[name].ready)
        ]
        if len(heaps) == 1:
            taken: list[Record] = heaps[0][0].pop_many(min(want.limit, heaps[0][1]))
            return taken
        taken = []
        heads = [(*_place(heap), i, heap, room) for i, (heap, room) in enumerate(heaps)]
        heapq.heapify(heads)
        while heads and len(taken) < want.limit:
            _, _, i, heap, room = heads[0]
            taken.append(heap.pop())
            if room > 1 and len(heap):
                heapq.heapreplace(heads, (*_place(heap), i, heap, room - 1))
            else:
                heapq.heappop(heads)
        return taken

    def _end(self, record: Record, now: float) -> object:
        """File a record that has just ended; returns what it lets go of."""
        spec = record.spec
        if record.cancel_requested:
            self._cancels.pop(spec.id, None)
        if spec.unique_key is not None and self._unique.get(spec.unique_key) == spec.id:
            del self._unique[spec.unique_key]
        self._ended.add(record, now)
        if spec.group is not None:
            self._member_ended(spec.group)
        if spec.collects is not None:
            self._groups.pop(spec.collects, None)
        payload = None
        if spec.id not in self._ended.failed:  # nobody can ask for it again
            payload, spec.payload = spec.payload, NO_ARGUMENTS
        return payload

    def _member_ended(self, id: str) -> None:
        group = self._groups.get(id)
        if group is not None and group.remaining:
            group.remaining -= 1
            if not group.remaining:
                self._close_group(group)

    def _close_group(self, group: OpenGroup) -> None:
        if group.then is None:
            del self._groups[group.id]
        else:
            then, group.then = group.then, None
            self._enter_keyed(then)

    def _expire(self, now: float) -> list[Record]:
        expired: list[Record] = []
        for record in self._ended.expire(now):
            if record.spec.group in self._groups:
                self._ended.keep(record, now + _HELD)
            else:
                del self._records[record.spec.id]
                expired.append(record)
        for tombstone in self._ended.forget(now):
            if tombstone.idempotency_key is not None:
                self._idempotent.pop(tombstone.idempotency_key, None)
        return expired


def _place(heap: PriorityHeap) -> tuple[float, float]:
    head = heap.peek_entry()
    return head.priority, head.item.spec.submitted_at


def _unknown(id: str) -> UnknownTask:
    return UnknownTask(f"id: expected that of a task, got {id!r}")


def _nobody() -> None:
    pass
