"""Keys: which task of the memory store holds which unique or idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from fastcore.tasks.idempotency import same_call
from fastcore.tasks.records import TaskSpec

__all__ = ["Keys"]


_NONE = frozenset({None})
_ID, _UNIQUE, _IDEMPOTENT = attrgetter("id"), attrgetter("unique_key"), attrgetter("idempotency_key")


class Keys:
    """The keys that are held."""

    def __init__(self) -> None:
        self._unique: dict[str, str] = {}
        self._idempotent: dict[str, tuple[str, str, str | None]] = {}  # to id, kind and fingerprint

    def judge(self, specs: Sequence[TaskSpec]) -> tuple[list[str], list[TaskSpec]]:
        """Return the id for each spec, and the specs to be stored.

        Raises
        ------
        IdempotencyConflict
            If an idempotency key is held by another call.
        """
        if _keyless(specs):
            return list(map(_ID, specs)), list(specs)
        ids: list[str] = []
        new: list[TaskSpec] = []
        unique: dict[str, str] = {}
        idempotent: dict[str, tuple[str, str, str | None]] = {}
        for spec in specs:
            holder = None
            if (key := spec.idempotency_key) is not None and (
                held := idempotent.get(key) or self._idempotent.get(key)
            ) is not None:
                holder = same_call(spec, *held)
            if holder is None and spec.unique_key is not None:
                holder = unique.get(spec.unique_key) or self._unique.get(spec.unique_key)
            if holder is None:
                holder = spec.id
                new.append(spec)
                if spec.unique_key is not None:
                    unique[spec.unique_key] = spec.id
                if key is not None:
                    idempotent[key] = spec.id, spec.kind, spec.fingerprint
            ids.append(holder)
        return ids, new

    def hold(self, specs: Sequence[TaskSpec]) -> None:
        """Record the holders of keys."""
        if _keyless(specs):
            return
        for spec in specs:
            if spec.unique_key is not None:
                self._unique[spec.unique_key] = spec.id
            if spec.idempotency_key is not None:
                self._idempotent[spec.idempotency_key] = spec.id, spec.kind, spec.fingerprint

    def take(self, spec: TaskSpec) -> bool:
        """Give a task its unique key; False if another has it."""
        if spec.unique_key is None:
            return True
        return self._unique.setdefault(spec.unique_key, spec.id) == spec.id

    def free(self, spec: TaskSpec) -> None:
        """Release the unique key of a task that has ended."""
        if spec.unique_key is not None and self._unique.get(spec.unique_key) == spec.id:
            del self._unique[spec.unique_key]

    def forget(self, idempotency_key: str | None) -> None:
        """Release the idempotency key of a forgotten task."""
        if idempotency_key is not None:
            self._idempotent.pop(idempotency_key, None)


def _keyless(specs: Sequence[TaskSpec]) -> bool:
    return _NONE.issuperset(map(_UNIQUE, specs)) and _NONE.issuperset(map(_IDEMPOTENT, specs))
