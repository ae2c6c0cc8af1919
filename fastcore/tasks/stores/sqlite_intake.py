"""What brings tasks into the database: submissions, groups, and slots of schedules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from fastcore.tasks.errors import QueueFull, TaskError
from fastcore.tasks.idempotency import same_call
from fastcore.tasks.records import Fired, Group, TaskSpec
from fastcore.tasks.stores.sqlite_bulk import are_alike, insert
from fastcore.tasks.stores.sqlite_change import Change
from fastcore.tasks.stores.sqlite_express import Express
from fastcore.tasks.stores.sqlite_rows import DELAYED, READY, spec_from_text, spec_text
from fastcore.tasks.stores.sqlite_serial import let_next_in, wait_for_holder

__all__ = ["Intake", "Slot", "Submission", "left_behind"]


_ID, _KEYS = attrgetter("id"), attrgetter("unique_key", "idempotency_key")
_NO_KEYS = {(None, None)}


class Submission(NamedTuple):
    """The arguments of a `submit`."""

    specs: Sequence[TaskSpec]
    group: Group | None


class Slot(NamedTuple):
    """The arguments of a `fire`."""

    name: str
    slot: float
    next_at: float
    spec: TaskSpec | None
    definition: str | None


class Intake:
    """The handlers of what comes in."""

    def __init__(self, max_queued: int | None, express: Express) -> None:
        self._max_queued = max_queued
        self._express = express

    def submit(self, change: Change, asked: Sequence[Submission]) -> list[list[str] | TaskError]:
        """Store each submission whole or not at all; what cannot be stored fails alone."""
        answers: list[list[str] | TaskError] = []
        rows: list[TaskSpec] = []
        waiting = 0 if self._max_queued is None else change.queued()
        for specs, group in asked:
            keyed = _any_keyed(specs)
            if keyed and rows:  # in the order in which they came, which is the order among equals
                self._store(change, rows)
                rows = []
            try:
                ids, new = _judged(change, specs) if keyed else ([spec.id for spec in specs], specs)
                if self._max_queued is not None and waiting + len(new) > self._max_queued:
                    raise QueueFull(
                        f"submit: expected at most {self._max_queued} tasks to wait, got {len(new)} more than {waiting}"
                    )
            except TaskError as error:
                answers.append(error)
                continue
            waiting += len(new)
            rows.extend(new)
            if keyed:
                self._store(change, rows)
                rows = []
            if group is not None:
                _open_group(change, group, len(new))
            answers.append(ids)
        self._store(change, rows)
        return answers

    def submit_each(self, change: Change, asked: Sequence[Sequence[TaskSpec]]) -> list[list[str | BaseException]]:
        """Store each task, or not; what cannot be stored fails alone."""
        flat = list(chain.from_iterable(asked))
        answers: list[str | BaseException]
        alike = are_alike(flat)
        if self._max_queued is None and not _any_keyed(flat[:1] if alike else flat):
            self._store(change, flat, alike)
            answers = list(map(_ID, flat))
        else:
            alone = self.submit(change, [Submission([spec], None) for spec in flat])
            answers = [one if isinstance(one, TaskError) else one[0] for one in alone]
        at = 0
        parts = []
        for specs in asked:
            parts.append(answers[at : at + len(specs)])
            at += len(specs)
        return parts

    def fire(self, change: Change, asked: Sequence[Slot]) -> list[Fired | TaskError]:
        """Take slots of schedules, for those that are the first to ask."""
        answers: list[Fired | TaskError] = []
        for name, slot, next_at, spec, definition in asked:
            try:
                new = [] if spec is None else _judged(change, [spec])[1]
            except TaskError as error:
                answers.append(error)
                continue
            won = change.connection.execute(
                "UPDATE schedule SET next_at = ?, last_at = coalesce(?, last_at) "
                "WHERE name = ? AND next_at = ? AND definition = coalesce(?, definition)",
                (next_at, None if spec is None else slot, name, slot, definition),
            ).rowcount
            if won:
                _insert(change, new)
                answers.append(Fired(True, next_at))
                continue
            found = change.connection.execute("SELECT next_at FROM schedule WHERE name = ?", (name,)).fetchone()
            answers.append(Fired(False, found[0] if found is not None else next_at))
        return answers

    def _store(self, change: Change, specs: list[TaskSpec], alike: bool | None = None) -> None:
        if specs:
            if alike is None:
                alike = are_alike(specs)
            _insert(change, self._express.place(change, specs, alike), alike)


def left_behind(change: Change, grp: str | None, collects: str | None, serial_key: str | None) -> None:
    """See to what the end of a task means for others: those of its key, of its group, of the one it is called for."""
    if serial_key is not None:
        let_next_in(change, serial_key)
    if collects is not None:
        change.connection.execute("DELETE FROM grp WHERE id = ?", (collects,))
    if grp is None:
        return
    found = change.connection.execute(
        "UPDATE grp SET remaining = remaining - 1 WHERE id = ? AND remaining > 0 RETURNING remaining", (grp,)
    ).fetchall()
    if found and found[0][0] == 0:
        _close_group(change, grp)


def _any_keyed(specs: Sequence[TaskSpec]) -> bool:
    return not set(map(_KEYS, specs)) <= _NO_KEYS


def _judged(change: Change, specs: Sequence[TaskSpec]) -> tuple[list[str], list[TaskSpec]]:
    """Return the id for each spec, and those that are to be stored."""
    execute = change.connection.execute
    ids: list[str] = []
    new: list[TaskSpec] = []
    unique: dict[str, str] = {}
    idempotent: dict[str, tuple[str, str, str | None]] = {}
    for spec in specs:
        holder: str | None = None
        key = spec.idempotency_key
        if key is not None:
            found = (
                idempotent.get(key)
                or execute("SELECT id, kind, fingerprint FROM task WHERE idempotency_key = ?", (key,)).fetchone()
            )
            if found is not None:
                holder = same_call(spec, *found)
        if holder is None and spec.unique_key is not None:
            holder = unique.get(spec.unique_key)
            if holder is None:
                row = execute("SELECT id FROM task WHERE unique_key = ? AND state <= 2", (spec.unique_key,)).fetchone()
                holder = None if row is None else row[0]
        if holder is None:
            holder = spec.id
            new.append(spec)
            if key is not None:
                idempotent[key] = spec.id, spec.kind, spec.fingerprint
            if spec.unique_key is not None:
                unique[spec.unique_key] = spec.id
        ids.append(holder)
    return ids, new


def _insert(change: Change, specs: Sequence[TaskSpec], alike: bool = False) -> None:
    if not specs:
        return
    seqs = insert(change.connection, specs, alike=alike)
    for (kind, delayed), n in Counter([(spec.kind, spec.run_at > spec.submitted_at) for spec in specs]).items():
        change.moved(kind, None, DELAYED if delayed else READY, n)
    for seq, spec in reversed(list(zip(seqs, specs, strict=True))):  # the first is the last to have no other
        if spec.serial_key is not None and spec.run_at <= spec.submitted_at:
            wait_for_holder(change, seq, spec.kind, spec.serial_key)
    change.wake = True


def _open_group(change: Change, group: Group, size: int) -> None:
    then = group.then
    change.connection.execute(
        "INSERT INTO grp (id, remaining, callback, payload) VALUES (?, ?, ?, ?)",
        (group.id, size, None if then is None else spec_text(then), None if then is None else then.payload),
    )
    if size == 0:
        _close_group(change, group.id)


def _close_group(change: Change, id: str) -> None:
    text, payload = change.connection.execute("SELECT callback, payload FROM grp WHERE id = ?", (id,)).fetchone()
    stored: list[TaskSpec] = []
    if text is not None:
        stored = _judged(change, [spec_from_text(text, payload)])[1]
        _insert(change, stored)
    if not stored:  # nothing will ask for the members' results any more
        change.connection.execute("DELETE FROM grp WHERE id = ?", (id,))
