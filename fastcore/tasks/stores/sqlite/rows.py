"""Rows of the database, and the records they stand for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from fastcore.tasks.errors import StoreError
from fastcore.tasks.records import Encoded, Failure, State, TaskSpec, TaskView

__all__ = [
    "BLOCKED",
    "CANCELLED",
    "CLAIM_COLUMNS",
    "DEAD",
    "DELAYED",
    "EXPIRED",
    "FAILED",
    "LIST_COLUMNS",
    "READY",
    "RUNNING",
    "SPEC_COLUMNS",
    "SPEC_FIELDS",
    "SUCCEEDED",
    "VERSION_STEP",
    "VIEW_COLUMNS",
    "Claimed",
    "code_of",
    "codes_of",
    "error_text",
    "failure_of",
    "row_of",
    "spec_from_text",
    "spec_of",
    "spec_text",
    "state_of",
    "view_of",
    "waiting_state",
]

BLOCKED, READY, DELAYED, RUNNING, SUCCEEDED, FAILED, CANCELLED, DEAD, EXPIRED = range(-1, 8)
VERSION_STEP: Final = 1 << 20
"""A view's version is this many times the row's changes, and the reports of progress since the last one."""

_STATES: Final = {
    BLOCKED: State.QUEUED,
    READY: State.QUEUED,
    DELAYED: State.QUEUED,
    RUNNING: State.RUNNING,
    SUCCEEDED: State.SUCCEEDED,
    FAILED: State.FAILED,
    CANCELLED: State.CANCELLED,
    DEAD: State.DEAD,
    EXPIRED: State.EXPIRED,
}
_CODES: Final = {state: code for code, state in _STATES.items() if code not in (BLOCKED, DELAYED)}

SPEC_COLUMNS: Final = (
    "id, kind, payload, priority, rank, run_at, submitted_at, attempts, timeout, result_ttl, "
    "unique_key, idempotency_key, fingerprint, grp, idx, collects, serial_key"
)
CLAIM_COLUMNS: Final = f"{SPEC_COLUMNS}, attempt, token, seq"
LIST_COLUMNS: Final = (
    "id, kind, state, priority, attempt, attempts, submitted_at, run_at, started_at, finished_at, prune_at, progress, "
    "note, error, cancel, unique_key, grp, version, reports, token"
)
VIEW_COLUMNS: Final = f"{LIST_COLUMNS}, result, payload"


def state_of(code: int) -> State:
    """Return the state that a row's number means."""
    return _STATES[code]


def code_of(state: State) -> int:
    """Return the number of a state other than QUEUED, which has three."""
    return _CODES[state]


def codes_of(states: Iterable[State]) -> list[int]:
    """Return the numbers of states."""
    wanted = set(states)
    return [code for code, state in _STATES.items() if state in wanted]


def waiting_state(spec: TaskSpec) -> int:
    """Return the state of an unclaimed task."""
    return DELAYED if spec.run_at > spec.submitted_at else READY


def row_of(spec: TaskSpec) -> tuple[Any, ...]:
    """Return the columns of a spec, and the state of a task that waits."""
    return (
        spec.id,
        spec.kind,
        spec.payload,
        spec.priority,
        spec.rank,
        spec.run_at,
        spec.submitted_at,
        spec.attempts,
        spec.timeout,
        spec.result_ttl,
        spec.unique_key,
        spec.idempotency_key,
        spec.fingerprint,
        spec.group,
        spec.index,
        spec.collects,
        spec.serial_key,
        waiting_state(spec),
    )


_PLAIN: Final = (None, None, None, None, 0, None, None)  # neither keys nor a group


def spec_of(row: tuple[Any, ...]) -> TaskSpec:
    """Return the task of a row that begins with the columns of a spec."""
    id, kind, payload, priority, rank, run_at, submitted_at, attempts, timeout, ttl = row[:10]
    if row[10:17] == _PLAIN:  # most
        return TaskSpec(id, kind, Encoded(payload), priority, rank, run_at, submitted_at, attempts, timeout, ttl)
    return TaskSpec(
        id, kind, Encoded(payload), priority, rank, run_at, submitted_at, attempts, timeout, ttl, *row[10:17]
    )  # fmt: skip


class Claimed(NamedTuple):
    """What a store remembers of a claim it made, so that settling it needs no look at the row."""

    seq: int
    kind: str
    token: int
    grp: str | None
    collects: str | None
    serial_key: str | None


SPEC_FIELDS: Final = (
    "id",
    "kind",
    "priority",
    "rank",
    "run_at",
    "submitted_at",
    "attempts",
    "timeout",
    "result_ttl",
    "unique_key",
    "idempotency_key",
    "fingerprint",
    "group",
    "index",
    "collects",
    "serial_key",
)
"""What makes a spec, but for its payload."""


def spec_text(spec: TaskSpec) -> str:
    """Return a spec without its payload as JSON: a group's callback waits so until it is a task."""
    return json.dumps({name: getattr(spec, name) for name in SPEC_FIELDS})


def spec_from_text(text: str, payload: bytes) -> TaskSpec:
    """Return what `spec_text` wrote."""
    try:
        return TaskSpec(payload=Encoded(payload), **json.loads(text))
    except (TypeError, ValueError) as error:
        raise StoreError(f"group: expected a callback as this release writes it, got {text!r}") from error


def error_text(error: Failure | None) -> str | None:
    """Return what is kept of a failure."""
    # Surrogates, as of undecodable file names, cannot be stored as text: JSON keeps them escaped.
    return None if error is None else json.dumps(error)


def failure_of(text: str | None) -> Failure | None:
    """Return what `error_text` wrote."""
    return None if text is None else Failure(*json.loads(text))


def view_of(row: tuple[Any, ...]) -> TaskView:
    """Return a row of VIEW_COLUMNS, or of LIST_COLUMNS, as others may see it."""
    state = row[2]
    result, payload = row[20:22] if len(row) > 20 else (None, None)
    return TaskView(
        id=row[0],
        kind=row[1],
        state=_STATES[state],
        priority=row[3],
        attempt=row[4],
        attempts=row[5],
        submitted_at=row[6],
        run_at=row[7],
        started_at=row[8],
        finished_at=row[9],
        expires_at=None if state == EXPIRED else row[10],
        progress=row[11],
        note=row[12],
        error=failure_of(row[13]),
        cancel_requested=bool(row[14]),
        unique_key=row[15],
        group=row[16],
        version=row[17] * VERSION_STEP + row[18],
        result=None if result is None else Encoded(result),
        payload=None if payload is None else Encoded(payload),
    )
