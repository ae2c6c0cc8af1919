"""MemoryStore: tasks in this process's memory, lost when the process ends."""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import attrgetter

from fastcore.tasks.errors import IdempotencyConflict, QueueClosed, QueueFull
from fastcore.tasks.ports import PURGED_AT_ONCE, Done, Want
from fastcore.tasks.records import (
    NO_ARGUMENTS,
    Batch,
    Cancelled,
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
from fastcore.tasks.stores.memory import groups
from fastcore.tasks.stores.memory.finished import Ended
from fastcore.tasks.stores.memory.keys import Keys
from fastcore.tasks.stores.memory.queued import Queued
from fastcore.tasks.stores.memory.records import Record

__all__ = ["MemoryStore"]

_HELD = 60.0  # seconds for which a member of an open group is kept at a time
_ID = attrgetter("id")
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
        Seconds for which a dead letter, and a task that failed, is kept.
    tombstone_ttl : float, default 24 hours
        Seconds for which it is still known that a task was there, after its result has gone.
    clock : callable, default time.time
        Seconds since the epoch.

    Notes
    -----
    Arguments and results are kept as they are, not copied: what a caller changes after `submit` the task sees changed.
    A task that is to run on any store leaves its arguments alone, and takes and returns what the codec can write.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue
    >>> from fastcore.tasks.stores import MemoryStore
    >>> queue = TaskQueue(MemoryStore(max_queued=10_000))
    """

    encodes = False
    spec: type[TaskSpec] = Record
    """As what a queue makes its calls, so that they need not be copied."""
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
        # Re-entrant, as a signal handler or a destructor may submit at any moment: loops iterate over copies for that.
        self._lock = threading.RLock()
        self._max_queued = max_queued
        self._clock = clock
        self._closed = False
        self._wake: Callable[[], None] = _nobody
        self._records: dict[str, Record] = {}
        self._waiting = Queued()
        self._running: dict[str, Record] = {}
        self._cancels: dict[str, Record] = {}  # running, and asked to stop
        self._keys = Keys()
        self._schedules: dict[str, ScheduleView] = {}
        self._paused: set[str] = set()
        self._ended = Ended(max_ended, dead_ttl, tombstone_ttl)
        self._groups = groups.Groups(self._records, self._ended.tombstones)

    def attach(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def close(self) -> None:
        self._closed = True
        self._wake = _nobody

    def reopen(self) -> None:
        self._closed = False

    # ---- tasks ----

    def submit(self, specs: Sequence[TaskSpec], group: Group | None = None) -> Done[list[str]]:
        with self._lock:
            if self._closed:
                raise QueueClosed("submit: expected an open store, got one that was closed")
            ids, new = self._keys.judge(specs)
            waiting = len(self._records) - len(self._running) - len(self._ended)
            if self._max_queued is not None and waiting + len(new) > self._max_queued:
                raise QueueFull(
                    f"submit: expected at most {self._max_queued} tasks to wait, got {len(new)} more than {waiting}"
                )
            self._enter(new)
            if group is not None:
                opened = self._groups.open(group, ids, new, self._clock())
                if not opened.pending:
                    self._close_group(opened)
        self._wake()
        return Done(ids)

    def claim(self, owner: str, wants: Sequence[Want], lease: float, now: float) -> Done[Batch]:
        claims: list[Claim] = []
        until = now + lease
        running = self._running
        with self._lock:
            waiting = self._waiting
            waiting.promote(now)
            if self._paused:
                wants = [_without(want, self._paused) for want in wants]
            for want in wants:
                for record in waiting.take(want):
                    record.state = _RUNNING
                    record.attempt += 1
                    record.token += 1
                    record.version += 1
                    record.owner = owner
                    record.lease_until = until
                    record.started_at = now
                    running[record.id] = record
                    claims.append(Claim(record, record.attempt, record.token, until))
            due = waiting.due
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
                if record.token > 1:  # it ran before; attempts count from 0 since a dead letter was queued again
                    record.error = None
                keyed = record.unique_key is not None or record.idempotency_key is not None
                if not keyed and record.group is record.collects is record.serial_key is None:
                    done.append(record)
                    if record.payload is not NO_ARGUMENTS:
                        dropped.append(record.payload)
                        record.payload = NO_ARGUMENTS
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

    def request_cancel(self, id: str) -> Done[Cancelled]:
        dropped: list[object] = []
        with self._lock:
            if id in self._records or id in self._ended.tombstones:
                cancelled = self._cancel(id, dropped)
            else:
                cancelled = groups.cancel(self._groups, id, lambda one: self._cancel(one, dropped))
        dropped.clear()
        self._wake()
        return Done(cancelled)

    def purge(self, kind: str) -> Done[list[Cancelled]]:
        dropped: list[object] = []
        purged: list[Cancelled] = []
        with self._lock:
            waiting = (one for one in list(self._records.values()) if one.kind == kind and one.state is _QUEUED)
            for record in list(islice(waiting, PURGED_AT_ONCE)):
                dropped.append(self._withdraw(record))
                purged.append(Cancelled(record.id, kind, record.state, record.attempt, True))
        if purged:
            self._wake()
        return Done(purged)

    def pause(self, kind: str, paused: bool) -> Done[bool]:
        with self._lock:
            before = len(self._paused)
            (self._paused.add if paused else self._paused.discard)(kind)
            changed = len(self._paused) != before
        self._wake()
        return Done(changed)

    def paused(self) -> Done[list[str]]:
        with self._lock:
            return Done(sorted(self._paused))

    def rescue(self, now: float) -> Done[list[Rescued]]:
        rescued: list[Rescued] = []
        with self._lock:
            for record in [one for one in self._running.values() if one.lease_until < now]:
                del self._running[record.id]
                record.version += 1
                why = f"the lease of {record.owner} on attempt {record.attempt} passed"
                record.error = Failure("TaskLost", why, "")
                if record.cancel_requested:
                    record.state = State.CANCELLED
                elif record.attempt >= record.attempts:
                    record.state = State.DEAD
                else:
                    record.run_at = now
                    self._put_back(record, delayed=False)
                if record.state is not _QUEUED:
                    self._end(record, now)
                rescued.append(Rescued(record.id, record.kind, record.state, record.attempt, why))
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
                if kind not in (None, record.kind) or not self._keys.take(record):
                    continue
                self._ended.remove(record)
                record.attempt = 0
                record.version += 1
                record.finished_at = record.expires_at = record.progress = None
                record.cancel_requested, record.note, record.run_at = False, "", now
                self._put_back(record, delayed=False)
                self._groups.retried(record)
                retried.append(record.id)
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
            return Done(self._groups.view(id))

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
                for id, record in list(self._records.items())
                if (wanted is None or record.state in wanted)
                and (kind is None or record.kind == kind)
                and (group is None or record.group == group)
                and (before is None or id < before)
            )
            return Done([self._records[id].view(whole=False) for id in heapq.nlargest(limit, found)])

    def counts(self) -> Done[dict[str, dict[State, int]]]:
        with self._lock:
            running = Counter([record.kind for record in self._running.values()])
            kinds = self._waiting.kinds
            return Done({name: found for name, kind in list(kinds.items()) if (found := kind.counts(running[name]))})

    def ready(self) -> Done[dict[str, int]]:
        with self._lock:
            kinds = list(self._waiting.kinds.items())
            return Done({name: n for name, kind in kinds if (n := len(kind.ready)) and name not in self._paused})

    def members(self, group: str) -> Done[Sequence[TaskView]]:
        with self._lock:
            return Done(self._groups.members(group))

    # ---- schedules ----

    def schedule(self, name: str, definition: str, next_at: float) -> Done[float]:
        with self._lock:
            known = self._schedules.get(name)
            if known is None or known.definition != definition:
                known = self._schedules[name] = ScheduleView(name, definition, next_at, None)
            return Done(known.next_at)

    def fire(
        self, name: str, slot: float, next_at: float, spec: TaskSpec | None, definition: str | None = None
    ) -> Done[Fired]:
        with self._lock:
            known = self._schedules.get(name)
            if known is None or known.next_at != slot or definition not in (None, known.definition):
                return Done(Fired(False, next_at if known is None else known.next_at))
            new = [] if spec is None else self._keys.judge([spec])[1]
            last_at = known.last_at if spec is None else slot
            self._schedules[name] = known._replace(next_at=next_at, last_at=last_at)
            self._enter(new)
        self._wake()
        return Done(Fired(True, next_at))

    def unschedule(self, name: str) -> Done[bool]:
        with self._lock:
            return Done(self._schedules.pop(name, None) is not None)

    def schedules(self) -> Done[Sequence[ScheduleView]]:
        with self._lock:
            return Done([self._schedules[name] for name in sorted(self._schedules)])

    # ---- with the lock held ----

    def _enter(self, specs: Sequence[TaskSpec]) -> None:
        """Store new tasks."""
        if not specs:
            return
        records: list[Record] = list(specs)  # type: ignore[arg-type]
        if set(map(type, specs)) != {Record}:
            records = [spec if isinstance(spec, Record) else Record.of(spec) for spec in specs]
        self._keys.hold(records)
        self._records.update(zip(map(_ID, records), records, strict=True))
        self._waiting.enter(records)

    def _cancel(self, id: str, dropped: list[object]) -> Cancelled:
        record = self._records.get(id)
        if record is None:
            return Cancelled(id, self._ended.tombstones[id].kind, State.EXPIRED, 0, False)
        withdrawn = record.state is _QUEUED
        if withdrawn:
            dropped.append(self._withdraw(record))
        elif record.state is _RUNNING:
            record.cancel_requested = True
            record.version += 1
            self._cancels[id] = record
        return Cancelled(id, record.kind, record.state, record.attempt, withdrawn)

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

    def _withdraw(self, record: Record) -> object:
        """Cancel a waiting task; return what it releases."""
        record.cancel_requested = True
        record.version += 1
        self._waiting.remove(record)
        record.state = State.CANCELLED
        return self._end(record, self._clock())

    def _put_back(self, record: Record, *, delayed: bool) -> None:
        self._cancels.pop(record.id, None)
        record.state = _QUEUED
        if delayed:
            self._waiting.delay(record)
        else:
            self._waiting.ready(record)

    def _end(self, record: Record, now: float) -> object:
        """Record the end of a task; return what it releases."""
        if record.cancel_requested:
            self._cancels.pop(record.id, None)
        self._keys.free(record)
        if record.serial_key is not None:
            self._waiting.release(record)
        self._ended.add(record, now)
        for group in self._groups.ended(record):
            self._close_group(group)
        payload = None
        if record.id not in self._ended.failed:  # no query can return it again
            payload, record.payload = record.payload, NO_ARGUMENTS
        return payload

    def _close_group(self, group: groups.GroupRecord) -> None:
        then, group.then = group.then, None
        new: list[TaskSpec] = []
        if then is not None and not group.cancelled:
            try:
                [group.callback_id], new = self._keys.judge([then])
            except IdempotencyConflict as error:
                group.callback_id, group.error = None, Failure("IdempotencyConflict", str(error), "")
            self._enter(new)
        group.open = bool(new)

    def _expire(self, now: float) -> list[Record]:
        expired: list[Record] = []
        for record in self._ended.expire(now):
            if self._groups.wants(record):
                self._ended.keep(record, now + _HELD)
            else:
                del self._records[record.id]
                expired.append(record)
        for id, tombstone in self._ended.forget(now):
            self._keys.forget(tombstone.idempotency_key)
            self._groups.forget(id, tombstone)
        return expired


def _without(want: Want, kinds: set[str]) -> Want:
    return Want(want.limit, {kind: most for kind, most in want.kinds.items() if kind not in kinds})


def _nobody() -> None:
    pass
