"""Inserting new tasks, unless their keys are held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fastcore.tasks.idempotency import same_call
from fastcore.tasks.records import TaskSpec
from fastcore.tasks.stores.sqlite.bulk_statements import insert
from fastcore.tasks.stores.sqlite.rows import DELAYED, READY
from fastcore.tasks.stores.sqlite.serial_keys import wait_for_holder
from fastcore.tasks.stores.sqlite.transaction import Transaction

__all__ = ["enter", "judged"]


def judged(transaction: Transaction, specs: Sequence[TaskSpec]) -> tuple[list[str], list[TaskSpec]]:
    """Return the id of each spec, and the specs to store."""
    execute = transaction.connection.execute
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


def enter(transaction: Transaction, specs: Sequence[TaskSpec]) -> None:
    """Store new tasks as waiting."""
    if not specs:
        return
    seqs = insert(transaction.connection, specs)
    for (kind, delayed), n in Counter([(spec.kind, spec.run_at > spec.submitted_at) for spec in specs]).items():
        transaction.moved(kind, None, DELAYED if delayed else READY, n)
    for seq, spec in reversed(list(zip(seqs, specs, strict=True))):  # the first is the last to have no other
        if spec.serial_key is not None and spec.run_at <= spec.submitted_at:
            wait_for_holder(transaction, seq, spec.kind, spec.serial_key)
    transaction.wake = True
