"""Idempotency keys: each speaks of one call."""

from __future__ import annotations

from fastcore.tasks.errors import IdempotencyConflict
from fastcore.tasks.records import TaskSpec

__all__ = ["same_call"]


def same_call(spec: TaskSpec, id: str, kind: str, fingerprint: str | None) -> str:
    """Return the id of the task that holds a spec's idempotency key.

    Raises
    ------
    IdempotencyConflict
        If that task is of another kind or fingerprint. Earlier releases stored some without a fingerprint.
    """
    if kind != spec.kind:
        got = f"one of {spec.kind!r}, where {kind!r} was called"
    elif fingerprint is not None and fingerprint != spec.fingerprint:
        got = "one with other arguments or another fingerprint"
    else:
        return id
    raise IdempotencyConflict(f"idempotency_key: expected the call of task {id} again, got {got}", id)
