"""Claimed tasks: claims, renewals, outcomes and progress."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, Final, NamedTuple

from fastcore.tasks.ports import Want
from fastcore.tasks.records import Batch, Claim, Hold, Outcome, Progress, State
from fastcore.tasks.stores.sqlite.bulk_statements import Success, end
from fastcore.tasks.stores.sqlite.direct_claim import DirectClaim
from fastcore.tasks.stores.sqlite.groups import left_behind
from fastcore.tasks.stores.sqlite.leases import Extension
from fastcore.tasks.stores.sqlite.progress import LatestProgress
from fastcore.tasks.stores.sqlite.rows import (
    CANCELLED,
    CLAIM_COLUMNS,
    DEAD,
    DELAYED,
    FAILED,
    READY,
    RUNNING,
    SUCCEEDED,
    Claimed,
    code_of,
    error_text,
    spec_of,
)
from fastcore.tasks.stores.sqlite.serial_keys import wait_for_holder
from fastcore.tasks.stores.sqlite.transaction import Transaction

__all__ = ["Asked", "Claims", "Renewal"]

_MOST_DUE: Final = 20_000  # delayed tasks that one claim makes ready; the rest is due at once again

PICK: Final = "SELECT rank, seq FROM task WHERE kind = ? AND state = 0 ORDER BY rank, seq LIMIT ?"
ROWS: Final = f"SELECT {CLAIM_COLUMNS} FROM task WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY rank, seq"
TAKE: Final = (
    "UPDATE task SET state = 2, attempt = attempt + 1, token = token + 1, version = version + 1, owner = ?, lease = ?, "
    "started_at = ?, progress = NULL, note = '', reports = 0 WHERE seq IN (SELECT value FROM json_each(?))"
)
DUE: Final = "SELECT min(run_at) FROM task WHERE state = 1"
MAKE_READY: Final = (
    "UPDATE task SET state = 0 WHERE seq IN "
    "(SELECT seq FROM task WHERE state = 1 AND run_at <= ? ORDER BY run_at LIMIT ?) "
    "RETURNING kind, rank, seq, serial_key"
)
LOOK: Final = (
    "SELECT (SELECT min(run_at) FROM task WHERE state = 1), "
    "(SELECT json_group_array(id) FROM task WHERE state = 2 AND cancel = 1 AND owner = ?), "
    "(SELECT json_group_array(kind) FROM paused)"
)
RENEW: Final = "UPDATE task SET lease = ? WHERE id = ? AND token = ? AND state = 2 RETURNING cancel"
EXTEND: Final = "UPDATE task INDEXED BY task_running SET lease = ? WHERE state = 2 AND owner = ? AND lease < ?"
END: Final = (
    "UPDATE task SET state = ?1, version = version + 1, result = ?2, "
    "error = CASE WHEN ?1 != 3 THEN coalesce(?3, error) END, started_at = ?4, finished_at = ?5, "
    "prune_at = ?5 + coalesce(?6, result_ttl), progress = coalesce(?7, progress), note = coalesce(?8, note), "
    "owner = NULL, lease = NULL, payload = CASE WHEN ?1 IN (4, 6) THEN payload END "
    "WHERE seq = ?9 AND token = ?10 AND state = 2 AND joined <= ?11"
)
BACK: Final = (
    "UPDATE task SET state = ?, version = version + 1, rank = ?, run_at = ?, "
    "error = coalesce(?, error), started_at = ?, progress = NULL, note = '', owner = NULL, lease = NULL "
    "WHERE seq = ?"
)
REPORT: Final = (
    "UPDATE task SET progress = ?, note = ?, reports = ? WHERE id = ? AND token = ? AND state = 2 AND reports < ?"
)


_ID, _CLAIM = attrgetter("id"), attrgetter("id", "token")
_GROUP, _COLLECTS, _SERIAL = map(attrgetter, ("group", "collects", "serial_key"))


class Asked(NamedTuple):
    """The arguments of a `claim`."""

    owner: str
    wants: Sequence[Want]
    lease: float
    now: float
    seen: int
    """How many of the claims that it did not ask for the owner has heard of."""


class Renewal(NamedTuple):
    """The arguments of a `renew`."""

    claims: Sequence[Claim]
    until: float


class Claims:
    """The handlers of claimed tasks; remembers the claims that this opening of the file made."""

    def __init__(
        self, dead_ttl: float, progress: LatestProgress, held: dict[str, Claimed], express: DirectClaim
    ) -> None:
        self._progress = progress
        self._dead_ttl = dead_ttl
        self._held = held
        self._express = express

    def claim(self, transaction: Transaction, asked: Sequence[Asked]) -> list[Batch]:
        """Lease the tasks of lowest rank."""
        answers = []
        for owner, wants, lease, now, seen in asked:
            due, cancels, paused = transaction.connection.execute(LOOK, (owner,)).fetchone()
            if paused != "[]":
                wants = [_without(want, json.loads(paused)) for want in wants]
            if due is not None and due <= now:
                due = self._promote(transaction, now)
            claims: list[Claim] = []
            unseen = self._express.unseen(transaction, owner, seen)
            stood = []
            for want in wants:
                if unseen:
                    want = Want(want.limit - unseen, {kind: most - unseen for kind, most in want.kinds.items()})
                found = self._take(transaction, owner, want, now + lease, now)
                claims += found
                stood.append((want, found))
            self._express.stand(owner, stood, lease)
            answers.append(Batch(claims, due, json.loads(cancels)))
        return answers

    def renew(self, transaction: Transaction, asked: Sequence[Renewal]) -> list[list[Hold]]:
        """Extend leases that are still held."""
        answers = []
        for claims, until in asked:
            holds = []
            for claim in claims:
                # fetchall, as an UPDATE with RETURNING is done only once it was read to its end
                rows = transaction.connection.execute(RENEW, (until, claim.spec.id, claim.token)).fetchall()
                if not rows:
                    self._let_go([(claim.spec.id, claim.token)])
                    holds.append(Hold.LOST)
                else:
                    holds.append(Hold.CANCEL if rows[0][0] else Hold.KEPT)
            answers.append(holds)
        return answers

    def extend(self, transaction: Transaction, asked: Sequence[Extension]) -> list[None]:
        """Extend all leases of an owner."""
        for owner, until in asked:
            transaction.connection.execute(EXTEND, (until, owner, until))
        return [None] * len(asked)

    def settle(self, transaction: Transaction, asked: Sequence[Sequence[Outcome]]) -> list[list[bool]]:
        """Record how attempts ended, those of the latest token only."""
        flat = asked[0] if len(asked) == 1 else list(chain.from_iterable(asked))
        taken = self._settle_all(transaction, flat)
        transaction.after.append(lambda: self._let_go(map(_CLAIM, flat)))
        if len(asked) == 1:
            return [taken]
        answers = []
        at = 0
        for outcomes in asked:
            answers.append(taken[at : at + len(outcomes)])
            at += len(outcomes)
        return answers

    def report(self, transaction: Transaction, asked: Sequence[Iterable[tuple[Progress, int]]]) -> list[None]:
        """Write the progress of attempts."""
        for updates in asked:
            rows = [(one.fraction, one.note, count, one.id, one.token, count) for one, count in updates]
            transaction.connection.executemany(REPORT, rows)
        return [None] * len(asked)

    def holds(self) -> bool:
        """Whether claims were made here that have not ended."""
        return bool(self._held)

    def token_of(self, id: str) -> int | None:
        """Return the token of a claim that this store made and that has not ended; from any thread."""
        held = self._held.get(id)
        return None if held is None else held.token

    # ---- claims ----

    def _promote(self, transaction: Transaction, now: float) -> float | None:
        """Make due tasks ready; return when the next one is due."""
        serial = []
        for kind, *keyed in transaction.connection.execute(MAKE_READY, (now, _MOST_DUE)).fetchall():
            transaction.moved(kind, DELAYED, READY)
            if keyed[-1] is not None:
                serial.append((*keyed, kind))
        for _, seq, serial_key, kind in sorted(serial, reverse=True):  # the first is the last to have no other
            wait_for_holder(transaction, seq, kind, serial_key)
        (due,) = transaction.connection.execute(DUE).fetchone()
        return due  # type: ignore[no-any-return]

    def _take(self, transaction: Transaction, owner: str, want: Want, until: float, now: float) -> list[Claim]:
        execute = transaction.connection.execute
        kinds = [(kind, min(most, want.limit)) for kind, most in want.kinds.items() if min(most, want.limit) > 0]
        heads = sorted(head for kind in kinds for head in execute(PICK, kind))[: want.limit]
        if not heads:
            return []
        # One statement for all: SQLite runs it without the interpreter's lock, which each row would ask for again.
        picked = json.dumps([seq for _, seq in heads])
        rows = execute(ROWS, (picked,)).fetchall()
        execute(TAKE, (owner, until, now, picked))
        specs = list(map(spec_of, rows))
        tokens = [row[18] + 1 for row in rows]
        claims = list(map(Claim, specs, [row[17] + 1 for row in rows], tokens, repeat(until)))
        names = [row[1] for row in rows]
        parts = zip(
            [row[19] for row in rows], names, tokens, map(_GROUP, specs), map(_COLLECTS, specs), map(_SERIAL, specs)
        )
        held = dict(zip(map(_ID, specs), map(Claimed._make, parts)))
        for kind, n in Counter(names).items():
            transaction.moved(kind, READY, RUNNING, n)
        transaction.after.append(lambda: self._held.update(held))
        return claims

    def _let_go(self, claims: Iterable[tuple[str, int]]) -> None:
        """Forget claims that have ended, or were lost: not those that were made of the same tasks since."""
        silent = self._progress.silent()
        for id, token in claims:
            held = self._held.get(id)
            if held is not None and held.token == token:
                del self._held[id]
                if not silent:
                    self._progress.forget(id)

    # ---- ends ----

    def _settle_all(self, transaction: Transaction, outcomes: Sequence[Outcome]) -> list[bool]:
        """Record successes of claims that were made here by one statement for many, and all other ends by row."""
        silent = self._progress.silent()
        ours: dict[int, Outcome] = {}  # by row
        helds = list(map(self._held.get, map(_ID, outcomes)))
        for outcome, held in zip(outcomes, helds):
            if held is None or held.token != outcome.token or outcome.state is not State.SUCCEEDED:
                continue
            if silent or self._progress.peek(outcome.id, outcome.token) is None:
                ours.setdefault(held.seq, outcome)
        ends = [Success(seq, it.token, it.started_at, it.finished_at, it.result) for seq, it in ours.items()]
        recorded = end(transaction.connection, ends)
        taken: list[bool] = []
        for outcome, held in zip(outcomes, helds):
            if held is None or held.seq not in recorded or ours[held.seq] is not outcome:
                taken.append(self._settle(transaction, outcome))
                continue
            recorded.remove(held.seq)  # the same end, settled once more, comes too late
            taken.append(True)
            transaction.moved(held.kind, RUNNING, SUCCEEDED)
            if not held.grp is held.collects is held.serial_key is None:
                left_behind(transaction, outcome.id, held.grp, held.collects, 0, held.serial_key)
        return taken

    def _settle(self, transaction: Transaction, outcome: Outcome) -> bool:
        row = transaction.connection.execute(
            "SELECT seq, kind, token, grp, collects, serial_key, cancel, joined FROM task "
            "WHERE id = ? AND token = ? AND state = 2",
            (outcome.id, outcome.token),
        ).fetchone()
        if row is None:
            return False
        held = Claimed(*row[:6])
        if not outcome.counted:
            transaction.connection.execute("UPDATE task SET attempt = attempt - 1 WHERE seq = ?", (held.seq,))
        if outcome.state is not State.QUEUED or row[6]:
            state = CANCELLED if outcome.state is State.QUEUED else code_of(outcome.state)
            transaction.connection.execute(END, self._end_row(outcome, held.seq, state, row[7]))
            transaction.moved(held.kind, RUNNING, state)
            left_behind(transaction, outcome.id, held.grp, held.collects, row[7], held.serial_key)
            return True
        state = DELAYED if outcome.run_at > outcome.finished_at else READY
        transaction.connection.execute(
            BACK,
            (state, outcome.rank, outcome.run_at, error_text(outcome.error), outcome.started_at, held.seq),
        )
        transaction.moved(held.kind, RUNNING, state)
        transaction.wake = True
        return True

    def _end_row(self, outcome: Outcome, seq: int, state: int, joined: int) -> tuple[Any, ...]:
        last = self._progress.peek(outcome.id, outcome.token)
        return (
            state,
            outcome.result if state == SUCCEEDED else None,
            error_text(outcome.error),
            outcome.started_at,
            outcome.finished_at,
            self._dead_ttl if state in (FAILED, DEAD) else None,
            None if last is None else last.fraction,
            None if last is None else last.note,
            seq,
            outcome.token,
            joined,
        )


def _without(want: Want, kinds: list[str]) -> Want:
    return Want(want.limit, {kind: most for kind, most in want.kinds.items() if kind not in kinds})
