"""Changes to tasks from outside: cancelling, rescuing, retrying, pruning; and the schedules."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from fastcore.tasks.errors import UnknownTask
from fastcore.tasks.ports import PURGED_AT_ONCE
from fastcore.tasks.records import Cancelled, Failure, Rescued, State
from fastcore.tasks.stores.sqlite.groups import cancel_group, forget, left_behind, retried
from fastcore.tasks.stores.sqlite.rows import CANCELLED, DEAD, EXPIRED, READY, RUNNING, error_text, state_of
from fastcore.tasks.stores.sqlite.serial_keys import wait_for_holder
from fastcore.tasks.stores.sqlite.transaction import Transaction

__all__ = ["PRUNED_AT_ONCE", "Maintenance", "Pause", "Pruned", "Retry", "ScheduleRow"]

PRUNED_AT_ONCE: Final = 2000  # in one transaction, so that submissions do not wait long behind it

OWNERS: Final = "SELECT owner FROM task INDEXED BY task_running WHERE state = 2"
LOST: Final = (
    "SELECT seq, id, kind, attempt, attempts, cancel, grp, collects, joined, serial_key, owner FROM task "
    "INDEXED BY task_running WHERE state = 2 AND (lease < ? OR owner IN (SELECT value FROM json_each(?)))"
)
PRUNE: Final = (
    "SELECT seq, kind, state, id, grp, collects, joined FROM task WHERE state >= 3 AND prune_at <= ? "
    "AND (grp IS NULL OR NOT EXISTS (SELECT 1 FROM grp WHERE grp.id = task.grp AND grp.open)) "
    "AND (NOT joined OR NOT EXISTS (SELECT 1 FROM joined AS j JOIN grp ON grp.id = j.grp WHERE j.task = task.id "
    "AND grp.open)) ORDER BY prune_at LIMIT ?"
)
_END_OUTSIDE = (
    "UPDATE task SET state = ?1, version = version + 1, error = coalesce(?2, error), finished_at = ?3, "
    "prune_at = ?3 + coalesce(?4, result_ttl), cancel = max(cancel, ?5), owner = NULL, lease = NULL, "
    "payload = CASE WHEN ?1 = 6 THEN payload END WHERE seq = ?6"
)


_WITHDRAWN: Final = "SELECT seq, id, kind, state, attempt, grp, collects, joined, serial_key FROM task"


class Waiting(NamedTuple):
    """What is read of a task that is to be withdrawn."""

    seq: int
    id: str
    kind: str
    state: int
    attempt: int
    grp: str | None
    collects: str | None
    joined: int
    serial_key: str | None


class Pause(NamedTuple):
    """The arguments of a `pause`."""

    kind: str
    paused: bool


class Retry(NamedTuple):
    """The arguments of a `retry_dead`."""

    ids: Sequence[str] | None
    kind: str | None
    now: float


class Pruned(NamedTuple):
    """What one step of pruning did."""

    expired: int
    more: bool


class ScheduleRow(NamedTuple):
    """The arguments of a `schedule`."""

    name: str
    definition: str
    next_at: float


class Maintenance:
    """The handlers of cancelling, pausing, rescuing, retrying, pruning and schedules."""

    def __init__(
        self,
        dead_ttl: float,
        tombstone_ttl: float,
        clock: Callable[[], float],
        is_dead: Callable[[str], bool],
    ) -> None:
        self._dead_ttl = dead_ttl
        self._tombstone_ttl = tombstone_ttl
        self._clock = clock
        self._is_dead = is_dead

    def cancel(self, transaction: Transaction, asked: Sequence[str]) -> list[Cancelled | UnknownTask]:
        """Cancel waiting tasks, and notify the owners of running ones."""
        answers: list[Cancelled | UnknownTask] = []
        for id in asked:
            try:
                found = self._cancel(transaction, id)
                answers.append(
                    cancel_group(transaction, id, partial(self._cancel, transaction)) if found is None else found
                )
            except UnknownTask as error:
                answers.append(error)
        return answers

    def purge(self, transaction: Transaction, asked: Sequence[str]) -> list[list[Cancelled]]:
        """Cancel all waiting tasks of kinds."""
        answers = []
        for kind in asked:
            rows = transaction.connection.execute(
                f"{_WITHDRAWN} WHERE kind = ? AND state < 2 ORDER BY state LIMIT ?",  # none is let in by another's end
                (kind, PURGED_AT_ONCE),
            ).fetchall()
            answers.append([self._withdraw(transaction, Waiting._make(row)) for row in rows])
        return answers

    def pause(self, transaction: Transaction, asked: Sequence[Pause]) -> list[bool]:
        """Record which kinds no claim may take, or may take again."""
        transaction.wake = True
        return [
            transaction.connection.execute(
                "INSERT OR IGNORE INTO paused (kind) VALUES (?)" if paused else "DELETE FROM paused WHERE kind = ?",
                (kind,),
            ).rowcount
            > 0
            for kind, paused in asked
        ]

    def rescue(self, transaction: Transaction, asked: Sequence[float]) -> list[list[Rescued]]:
        """Take back what owners hold that are dead, or whose leases have passed."""
        return [self._rescue(transaction, now) for now in asked]

    def prune(self, transaction: Transaction, asked: Sequence[float]) -> list[Pruned]:
        """Make tombstones of what has expired, and forget tombstones."""
        return [self._prune(transaction, now) for now in asked]

    def retry(self, transaction: Transaction, asked: Sequence[Retry]) -> list[list[str]]:
        """Queue dead tasks again."""
        return [self._retry(transaction, *one) for one in asked]

    def schedule(self, transaction: Transaction, asked: Sequence[ScheduleRow]) -> list[float]:
        """Register schedules; a known one keeps its next slot."""
        answers = []
        for name, definition, next_at in asked:
            rows = transaction.connection.execute(
                "INSERT INTO schedule (name, definition, next_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "definition = excluded.definition, next_at = excluded.next_at, last_at = NULL "
                "WHERE definition != excluded.definition RETURNING next_at",
                (name, definition, next_at),
            ).fetchall()
            if not rows:
                rows = transaction.connection.execute("SELECT next_at FROM schedule WHERE name = ?", (name,)).fetchall()
            answers.append(float(rows[0][0]))
        return answers

    def unschedule(self, transaction: Transaction, asked: Sequence[str]) -> list[bool]:
        """Forget schedules."""
        return [
            transaction.connection.execute("DELETE FROM schedule WHERE name = ?", (name,)).rowcount > 0
            for name in asked
        ]

    # ---- inside ----

    def _cancel(self, transaction: Transaction, id: str) -> Cancelled | None:
        """Cancel a task; None if there is none of this id."""
        found = transaction.connection.execute(f"{_WITHDRAWN} WHERE id = ?", (id,)).fetchone()
        if found is None:
            return None
        row = Waiting._make(found)
        if row.state < RUNNING:
            return self._withdraw(transaction, row)
        if row.state == RUNNING:
            transaction.connection.execute(
                "UPDATE task SET cancel = 1, version = version + 1 WHERE seq = ?", (row.seq,)
            )
            transaction.wake = True
        return Cancelled(row.id, row.kind, state_of(row.state), row.attempt, False)

    def _withdraw(self, transaction: Transaction, row: Waiting) -> Cancelled:
        transaction.connection.execute(_END_OUTSIDE, (CANCELLED, None, self._clock(), None, 1, row.seq))
        transaction.moved(row.kind, row.state, CANCELLED)
        left_behind(transaction, row.id, row.grp, row.collects, row.joined, row.serial_key)
        return Cancelled(row.id, row.kind, State.CANCELLED, row.attempt, True)

    def _rescue(self, transaction: Transaction, now: float) -> list[Rescued]:
        execute = transaction.connection.execute
        dead = [owner for (owner,) in set(execute(OWNERS).fetchall()) if self._is_dead(owner)]
        answers = []
        for seq, id, kind, attempt, attempts, cancel, *membership, owner in execute(
            LOST, (now, _json(dead))
        ).fetchall():
            how = "ended with its process" if owner in dead else "had a lease that passed"
            why = f"the owner {owner} of attempt {attempt} {how}"
            error = error_text(Failure("TaskLost", why, ""))
            state = CANCELLED if cancel else DEAD if attempt >= attempts else READY
            if state == READY:
                execute(
                    "UPDATE task SET state = 0, version = version + 1, error = ?, run_at = ?, owner = NULL, "
                    "lease = NULL WHERE seq = ?",
                    (error, now, seq),
                )
                transaction.wake = True
            else:
                execute(_END_OUTSIDE, (state, error, now, self._dead_ttl if state == DEAD else None, 0, seq))
                left_behind(transaction, id, *membership)
            transaction.moved(kind, RUNNING, state)
            answers.append(Rescued(id, kind, state_of(state), attempt, why))
        return answers

    def _prune(self, transaction: Transaction, now: float) -> Pruned:
        execute = transaction.connection.execute
        rows = execute(PRUNE, (now, PRUNED_AT_ONCE)).fetchall()
        transaction.connection.executemany(
            "UPDATE task SET state = 7, version = version + 1, prune_at = ?, payload = NULL, result = NULL, "
            "error = NULL, note = '', progress = NULL WHERE seq = ?",
            [(now + self._tombstone_ttl, row[0]) for row in rows if row[2] != EXPIRED],
        )
        forgotten = [row for row in rows if row[2] == EXPIRED]
        transaction.connection.executemany("DELETE FROM task WHERE seq = ?", [(row[0],) for row in forgotten])
        groups = {group for row in forgotten for group in row[4:6] if group is not None}
        forget(transaction, groups, [row[3] for row in forgotten if row[6]])
        for _, kind, state, *_ in rows:
            transaction.moved(kind, state, None if state == EXPIRED else EXPIRED)
        return Pruned(len(rows) - len(forgotten), len(rows) == PRUNED_AT_ONCE)

    def _retry(self, transaction: Transaction, ids: Sequence[str] | None, kind: str | None, now: float) -> list[str]:
        columns = "SELECT seq, id, kind, state, unique_key, serial_key, grp, collects, joined FROM task WHERE"
        if ids is None:
            dead = f"{columns} state = 6 AND state IN (4, 5, 6) ORDER BY id"  # the very words of the index
            rows = transaction.connection.execute(dead).fetchall()
        else:
            rows = transaction.connection.execute(
                f"{columns} id IN (SELECT value FROM json_each(?)) AND state IN (4, 6) ORDER BY seq", (_json(ids),)
            ).fetchall()
        queued = []
        for seq, id, its_kind, state, unique_key, serial_key, *membership in rows:
            if kind is not None and kind != its_kind:
                continue
            if unique_key is not None and self._is_held(transaction, unique_key):
                continue
            transaction.connection.execute(
                "UPDATE task SET state = 0, version = version + 1, attempt = 0, run_at = ?, finished_at = NULL, "
                "prune_at = NULL, progress = NULL, note = '', cancel = 0 WHERE seq = ?",
                (now, seq),
            )
            retried(transaction, id, *membership)
            transaction.moved(its_kind, state, READY)
            if serial_key is not None:
                wait_for_holder(transaction, seq, its_kind, serial_key)
            transaction.wake = True
            queued.append(id)
        return queued

    @staticmethod
    def _is_held(transaction: Transaction, key: str) -> bool:
        found = transaction.connection.execute(
            "SELECT 1 FROM task WHERE unique_key = ? AND state <= 2", (key,)
        ).fetchone()
        return found is not None


def _json(values: Sequence[str]) -> str:
    return json.dumps(list(values))
