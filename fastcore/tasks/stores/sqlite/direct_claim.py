"""Direct claims: if a worker is free and no task waits, new tasks are stored as begun."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Final

from fastcore.tasks.ports import Want
from fastcore.tasks.records import Claim, TaskSpec
from fastcore.tasks.stores.sqlite.bulk_statements import Begun, insert
from fastcore.tasks.stores.sqlite.rows import RUNNING, Claimed
from fastcore.tasks.stores.sqlite.transaction import Transaction

__all__ = ["BACKLOG", "DirectClaim"]

BACKLOG: Final = (
    "SELECT EXISTS (SELECT 1 FROM json_each(?) AS k WHERE EXISTS "
    "(SELECT 1 FROM task WHERE task.kind = k.value AND task.state = 0)) "
    "OR EXISTS (SELECT 1 FROM task WHERE state = 1 AND run_at <= ?) OR EXISTS (SELECT 1 FROM paused)"
)


_ID, _KIND, _RANK, _SUBMITTED_AT = map(attrgetter, ("id", "kind", "rank", "submitted_at"))


class _Room:
    """What a claim left room for."""

    __slots__ = ("free", "kinds", "lease", "left", "owner")

    def __init__(self, owner: str, left: int, kinds: list[str], free: frozenset[str], lease: float) -> None:
        self.owner = owner
        self.left = left
        self.kinds = kinds  # those of which any might begin
        self.free = free  # those among them of which all might that there is room for
        self.lease = lease

    def takes(self, spec: TaskSpec) -> bool:
        """Whether a task can begin without further ado, were it of the lowest rank."""
        keyed = spec.unique_key is not None or spec.idempotency_key is not None
        lone = spec.group is spec.collects is spec.serial_key is None
        return bool(self.left) and spec.kind in self.free and not keyed and lone


class DirectClaim:
    """Claims of tasks that are submitted while the last claim has room left, made without another request.

    That saves one write per task, and the task starts one commit earlier. The order stays that of ranks: a task is
    claimed directly only if no ready or due task waits for the same room.

    Notes
    -----
    An owner may claim again before it receives the latest direct claims. It passes the number it has received, and the
    others are subtracted from its room.

    Parameters
    ----------
    held : dict
        Where what is to be remembered of claims is entered, once they are on disk.
    """

    def __init__(self, held: dict[str, Claimed]) -> None:
        self.seen = 0
        """Number of direct claims that the owner has received; changed only on its loop."""
        self._owner = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._take: Callable[[list[Claim]], object] | None = None
        self._held = held
        self._sent = 0
        self._rooms: dict[str, _Room] = {}

    def push_to(self, owner: str, loop: asyncio.AbstractEventLoop, take: Callable[[list[Claim]], object]) -> None:
        """Set the owner of the room, and the callback that takes the claims on its loop."""
        self._owner, self._loop, self._take = owner, loop, take

    # ---- in the writing thread ----

    def unseen(self, transaction: Transaction, owner: str, seen: int) -> int:
        """Return the number of claims that the owner has not received yet, given how many it has."""
        return self._sent + transaction.begun - seen if owner == self._owner else 0

    def stand(self, owner: str, wants: Sequence[tuple[Want, Sequence[Claim]]], lease: float) -> None:
        """Store the room that an owner's wants have left after this claim, replacing that of the last claim."""
        if owner != self._owner:
            return
        self._rooms = {}
        for want, found in wants:
            left = want.limit - len(found)
            if left > 0:
                begun = Counter([claim.spec.kind for claim in found])
                kinds = [kind for kind, most in want.kinds.items() if most > begun[kind]]
                free = frozenset(kind for kind in kinds if want.kinds[kind] - begun[kind] >= left)
                self._rooms.update(dict.fromkeys(kinds, _Room(owner, left, kinds, free, lease)))

    def place(self, transaction: Transaction, specs: Sequence[TaskSpec]) -> Sequence[TaskSpec]:
        """Store those that can begin at once, and return the others."""
        if not self._rooms:
            return specs
        held: dict[str, Claimed] = {}
        claims: list[Claim] = []
        for room, its in self._by_room(specs):
            self._begin(transaction, room, its, claims, held)
        if not claims:
            return specs
        transaction.begun += len(claims)
        transaction.after.append(lambda: self._enter(held))
        if self._loop is not None:
            transaction.bells.append((self._loop, lambda: self._arrive(claims)))
        return [] if len(held) == len(specs) else [spec for spec in specs if spec.id not in held]

    def _by_room(self, specs: Sequence[TaskSpec]) -> Iterable[tuple[_Room, Sequence[TaskSpec]]]:
        """Return what there is room for, were nothing waiting."""
        found: dict[_Room, list[TaskSpec]] = {}
        full: set[_Room] = set()
        for spec in specs:
            room = self._rooms.get(spec.kind)
            if room is None or spec.run_at > spec.submitted_at:
                continue
            if room.takes(spec):
                found.setdefault(room, []).append(spec)
            else:  # it will wait: none may be begun before it
                full.add(room)
        return [(room, its) for room, its in found.items() if room not in full]

    def _begin(
        self,
        transaction: Transaction,
        room: _Room,
        specs: Sequence[TaskSpec],
        claims: list[Claim],
        held: dict[str, Claimed],
    ) -> None:
        now = max(map(_SUBMITTED_AT, specs))
        (behind,) = transaction.connection.execute(BACKLOG, (json.dumps(room.kinds), now)).fetchone()
        if behind:
            return
        specs = sorted(specs, key=_RANK)[: room.left]
        room.left -= len(specs)
        until = now + room.lease
        seqs = insert(transaction.connection, specs, Begun(room.owner, until, now))
        kinds = list(map(_KIND, specs))
        held.update(
            zip(
                map(_ID, specs),
                map(Claimed._make, zip(seqs, kinds, repeat(1), repeat(None), repeat(None), repeat(None))),
                strict=True,
            )
        )
        claims += map(Claim, specs, repeat(1), repeat(1), repeat(until))
        for kind, n in Counter(kinds).items():
            transaction.moved(kind, None, RUNNING, n)

    def _enter(self, held: dict[str, Claimed]) -> None:
        self._held.update(held)
        self._sent += len(held)

    # ---- on the owner's loop ----

    def _arrive(self, claims: list[Claim]) -> None:
        if self._loop is not None:  # after those who submitted them have been told
            self._loop.call_soon(self._hand_over, claims)

    def _hand_over(self, claims: list[Claim]) -> None:
        self.seen += len(claims)
        if self._take is not None:
            self._take(claims)
