"""New tasks: submissions, groups, and slots of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from fastcore.tasks.errors import QueueFull, TaskError
from fastcore.tasks.records import Fired, Group, TaskSpec
from fastcore.tasks.stores.sqlite.direct_claim import DirectClaim
from fastcore.tasks.stores.sqlite.groups import open_group
from fastcore.tasks.stores.sqlite.insert import enter, judged
from fastcore.tasks.stores.sqlite.transaction import Transaction

__all__ = ["Firing", "Submission", "Submit"]


_ID, _KEYS = attrgetter("id"), attrgetter("unique_key", "idempotency_key")
_NO_KEYS = {(None, None)}


class Submission(NamedTuple):
    """The arguments of a `submit`."""

    specs: Sequence[TaskSpec]
    group: Group | None


class Firing(NamedTuple):
    """The arguments of a `fire`."""

    name: str
    slot: float
    next_at: float
    spec: TaskSpec | None
    definition: str | None


class Submit:
    """The handlers of submissions and of slots of schedules."""

    def __init__(self, max_queued: int | None, express: DirectClaim) -> None:
        self._max_queued = max_queued
        self._express = express

    def submit(self, transaction: Transaction, asked: Sequence[Submission]) -> list[list[str] | TaskError]:
        """Store each submission whole or not at all; what cannot be stored fails alone."""
        answers: list[list[str] | TaskError] = []
        rows: list[TaskSpec] = []
        waiting = 0 if self._max_queued is None else transaction.queued()
        for specs, group in asked:
            keyed = _any_keyed(specs)
            if keyed and rows:  # in the order in which they came, which is the order among equals
                self._store(transaction, rows)
                rows = []
            try:
                ids, new = judged(transaction, specs) if keyed else ([spec.id for spec in specs], specs)
                if self._max_queued is not None and waiting + len(new) > self._max_queued:
                    raise QueueFull(
                        f"submit: expected at most {self._max_queued} tasks to wait, got {len(new)} more than {waiting}"
                    )
            except TaskError as error:
                answers.append(error)
                continue
            waiting += len(new)
            rows.extend(new)
            if keyed or group is not None:
                self._store(transaction, rows)
                rows = []
            if group is not None:
                open_group(transaction, group, ids, new)
            answers.append(ids)
        self._store(transaction, rows)
        return answers

    def submit_each(
        self, transaction: Transaction, asked: Sequence[Sequence[TaskSpec]]
    ) -> list[list[str | BaseException]]:
        """Store each task by itself; one that cannot be stored fails alone."""
        flat = list(chain.from_iterable(asked))
        answers: list[str | BaseException]
        if self._max_queued is None and not _any_keyed(flat):
            self._store(transaction, flat)
            answers = list(map(_ID, flat))
        else:
            alone = self.submit(transaction, [Submission([spec], None) for spec in flat])
            answers = [one if isinstance(one, TaskError) else one[0] for one in alone]
        at = 0
        parts = []
        for specs in asked:
            parts.append(answers[at : at + len(specs)])
            at += len(specs)
        return parts

    def fire(self, transaction: Transaction, asked: Sequence[Firing]) -> list[Fired | TaskError]:
        """Take slots of schedules, for those that are the first to ask."""
        answers: list[Fired | TaskError] = []
        for name, slot, next_at, spec, definition in asked:
            try:
                new = [] if spec is None else judged(transaction, [spec])[1]
            except TaskError as error:
                answers.append(error)
                continue
            won = transaction.connection.execute(
                "UPDATE schedule SET next_at = ?, last_at = coalesce(?, last_at) "
                "WHERE name = ? AND next_at = ? AND definition = coalesce(?, definition)",
                (next_at, None if spec is None else slot, name, slot, definition),
            ).rowcount
            if won:
                enter(transaction, new)
                answers.append(Fired(True, next_at))
                continue
            found = transaction.connection.execute("SELECT next_at FROM schedule WHERE name = ?", (name,)).fetchone()
            answers.append(Fired(False, found[0] if found is not None else next_at))
        return answers

    def _store(self, transaction: Transaction, specs: list[TaskSpec]) -> None:
        if specs:
            enter(transaction, self._express.place(transaction, specs))


def _any_keyed(specs: Sequence[TaskSpec]) -> bool:
    return not set(map(_KEYS, specs)) <= _NO_KEYS
