"""Groups in the database: their members, which of these have not ended, and their callbacks.

A member that another submission had stored is in `joined`; its own row says so, since it may have been claimed
before that. All other members name their group themselves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fastcore.tasks.engine.groups import GroupSummary, forgotten
from fastcore.tasks.errors import IdempotencyConflict, UnknownTask
from fastcore.tasks.records import Cancelled, Failure, Group, GroupView, State, TaskSpec, TaskView
from fastcore.tasks.stores.sqlite.insert import enter, judged
from fastcore.tasks.stores.sqlite.rows import (
    VERSION_STEP,
    VIEW_COLUMNS,
    error_text,
    failure_of,
    spec_from_text,
    spec_text,
    state_of,
    view_of,
)
from fastcore.tasks.stores.sqlite.serial_keys import let_next_in
from fastcore.tasks.stores.sqlite.transaction import Transaction

__all__ = ["cancel_group", "forget", "group_of", "left_behind", "members_of", "open_group", "retried"]

_COLUMNS: Final = ", ".join(f"task.{name}" for name in VIEW_COLUMNS.split(", "))
_JOINED: Final = "joined JOIN task ON task.id = joined.task WHERE joined.grp = ?1"
MEMBERS: Final = (
    f"SELECT {_COLUMNS}, task.idx AS place FROM task WHERE task.grp = ?1 "
    f"UNION ALL SELECT {_COLUMNS}, joined.idx FROM {_JOINED}"
)
FIRST_FAILED: Final = f"SELECT * FROM ({MEMBERS}) WHERE state IN (4, 6) ORDER BY place LIMIT 1"
_SUM: Final = (
    "kind, state, count(*), sum(version), sum(reports), min(started_at), max(finished_at), "
    "min(CASE WHEN state >= 3 THEN prune_at END)"
)


def open_group(transaction: Transaction, group: Group, ids: Sequence[str], new: Sequence[TaskSpec]) -> None:
    """Store a group whose members have just been stored, or were before under these ids."""
    execute = transaction.connection.execute
    remaining = len(new)
    own = {(spec.index, spec.id) for spec in new}
    for index, id in enumerate(ids):
        if (index, id) not in own:
            execute("INSERT INTO joined (grp, idx, task) VALUES (?, ?, ?)", (group.id, index, id))
            [(live,)] = execute("UPDATE task SET joined = 1 WHERE id = ? RETURNING state <= 2", (id,)).fetchall()
            remaining += live
    then = group.then
    text, payload, then_id = (None, None, None) if then is None else (spec_text(then), then.payload, then.id)
    execute(
        "INSERT INTO grp (id, remaining, callback, payload, size, then_id, submitted_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (group.id, remaining, text, payload, len(ids), then_id, id_time(group.id)),
    )
    if not remaining:
        _close(transaction, group.id)


def id_time(id: str) -> float:
    """Return when an id was made; 0 for one of another form."""
    try:
        return int(id[:12], 16) / 1000
    except ValueError:
        return 0.0


def left_behind(
    transaction: Transaction, id: str, grp: str | None, collects: str | None, joined: int, serial_key: str | None
) -> None:
    """See to what the end of a task means for others: those of its key, of its groups, of the one it is called for."""
    execute = transaction.connection.execute
    if serial_key is not None:
        let_next_in(transaction, serial_key)
    if collects is not None:
        execute("UPDATE grp SET open = 0 WHERE id = ?", (collects,))
    for one in _groups_of(transaction, id, grp, joined):
        found = execute(
            "UPDATE grp SET remaining = remaining - 1 WHERE id = ? AND remaining > 0 RETURNING remaining", (one,)
        ).fetchall()
        if found and found[0][0] == 0:
            _close(transaction, one)


def retried(transaction: Transaction, id: str, grp: str | None, collects: str | None, joined: int) -> None:
    """Make open groups wait for a task that will run again; a callback needs its members' results again."""
    execute = transaction.connection.execute
    for one in _groups_of(transaction, id, grp, joined):  # one that is closed has made its callback
        execute("UPDATE grp SET remaining = remaining + 1 WHERE id = ? AND remaining > 0", (one,))
    if collects is not None:
        execute("UPDATE grp SET open = 1 WHERE id = ?", (collects,))


def _groups_of(transaction: Transaction, id: str, grp: str | None, joined: int) -> list[str]:
    """Return the groups that a task is a member of, as often as it is."""
    found = [] if grp is None else [grp]
    if joined:
        found += [one for (one,) in transaction.connection.execute("SELECT grp FROM joined WHERE task = ?", (id,))]
    return found


def _close(transaction: Transaction, id: str) -> None:
    execute = transaction.connection.execute
    text, payload, cancelled = execute("SELECT callback, payload, cancel FROM grp WHERE id = ?", (id,)).fetchone()
    new: list[TaskSpec] = []
    if text is not None and not cancelled:
        then_id, error = None, None
        try:
            [then_id], new = judged(transaction, [spec_from_text(text, payload)])
        except IdempotencyConflict as conflict:
            error = error_text(Failure("IdempotencyConflict", str(conflict), ""))
        enter(transaction, new)
        execute("UPDATE grp SET then_id = ?, error = ? WHERE id = ?", (then_id, error, id))
    execute("UPDATE grp SET open = ?, callback = NULL, payload = NULL WHERE id = ?", (len(new), id))


def cancel_group(transaction: Transaction, id: str, cancel: Callable[[str], Cancelled | None]) -> Cancelled:
    """Cancel a group: its own members that have not ended, and its callback.

    Raises
    ------
    UnknownTask
    """
    execute = transaction.connection.execute
    view = group_of(transaction.connection, id)
    if view.ended:
        return Cancelled(id, view.kind, view.state, view.attempt, False)
    execute("UPDATE grp SET cancel = 1 WHERE id = ?", (id,))
    wanted = [one for (one,) in execute("SELECT id FROM task WHERE grp = ? AND state <= 2", (id,)).fetchall()]
    if view.then is not None and not view.then.ended:
        wanted.append(view.then.id)
    members = tuple(one for one in map(cancel, wanted) if one is not None)
    return Cancelled(id, view.kind, group_of(transaction.connection, id).state, view.attempt, False, members)


def forget(transaction: Transaction, groups: Iterable[str], tasks: Iterable[str]) -> None:
    """Drop groups of which nothing is known any more, out of these and those that tasks were members of."""
    execute = transaction.connection.execute
    found = set(groups)
    for task in tasks:
        found.update(one for (one,) in execute("SELECT grp FROM joined WHERE task = ?", (task,)))
    for one in found:
        dropped = execute(
            "DELETE FROM grp WHERE id = ?1 AND NOT open AND NOT EXISTS (SELECT 1 FROM task WHERE grp = ?1) "
            f"AND NOT EXISTS (SELECT 1 FROM {_JOINED}) "
            "AND NOT EXISTS (SELECT 1 FROM task WHERE task.id = grp.then_id AND task.collects = ?1)",
            (one,),
        ).rowcount
        if dropped:
            execute("DELETE FROM joined WHERE grp = ?", (one,))


# ---- reading ----


def members_of(connection: sqlite3.Connection, group: str) -> list[tuple[TaskView, int]]:
    """Return a group's members with their results, in order, and their tokens; EXPIRED for those that are forgotten."""
    row = connection.execute("SELECT size FROM grp WHERE id = ?", (group,)).fetchone()
    places = {index: (forgotten(""), 0) for index in range(0 if row is None else row[0])}
    for index, id in connection.execute("SELECT idx, task FROM joined WHERE grp = ?", (group,)):
        places[index] = forgotten(id), 0
    for found in connection.execute(MEMBERS, (group,)):
        places[found[-1]] = view_of(found), found[19]
    return [places[index] for index in sorted(places)]


def group_of(connection: sqlite3.Connection, id: str) -> GroupView:
    """Return a group as it is.

    Raises
    ------
    UnknownTask
    """
    execute = connection.execute
    row = execute("SELECT size, then_id, submitted_at, cancel, error FROM grp WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise UnknownTask(f"id: expected the id of a task or a group that is known, got {id!r}")
    size, then_id, submitted_at, cancelled, error = row
    failure = failure_of(error)
    summary = GroupSummary(id, size, submitted_at, bool(cancelled), then_id is not None or failure is not None, failure)
    for foreign, source in (
        (False, "task WHERE task.grp = ?1"),
        (True, _JOINED),
    ):
        for kind, code, n, version, reports, *times in execute(f"SELECT {_SUM} FROM {source} GROUP BY 1, 2", (id,)):
            summary.enter(kind, state_of(code), n, version * VERSION_STEP + reports, foreign=foreign)
            for known, at in zip((summary.started, summary.finished, summary.expires), times, strict=True):
                if at is not None:
                    known.append(at)
    then = None if then_id is None else _view(connection, f"SELECT {_COLUMNS} FROM task WHERE id = ?", then_id)
    some_failed = summary.states[State.FAILED] or summary.states[State.DEAD]
    failed = _view(connection, FIRST_FAILED, id) if some_failed else None
    members = members_of(connection, id) if summary.succeeded and then_id is None else []
    return summary.view(then, failed, [view for view, _ in members])


def _view(connection: sqlite3.Connection, statement: str, id: str) -> TaskView | None:
    row = connection.execute(statement, (id,)).fetchone()
    return None if row is None else view_of(row)
