"""Groups of the memory store: which tasks are their members, and which of these have not ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from fastcore.tasks.engine.groups import GroupSummary, forgotten
from fastcore.tasks.errors import UnknownTask
from fastcore.tasks.records import LIVE, Cancelled, Failure, Group, GroupView, State, TaskSpec, TaskView
from fastcore.tasks.stores.memory.finished import Tombstone
from fastcore.tasks.stores.memory.records import Record

__all__ = ["GroupRecord", "Groups"]


class GroupRecord:
    """A group: for as long as anything is known of a member or of its callback."""

    __slots__ = (
        "callback_id",
        "cancelled",
        "error",
        "has_callback",
        "id",
        "members",
        "open",
        "own",
        "pending",
        "submitted_at",
        "then",
    )

    def __init__(self, group: Group, members: list[str], own: set[str], submitted_at: float) -> None:
        self.id = group.id
        self.members = members  # by their index; some may be tasks that another submission had stored
        self.own = own
        self.pending: set[str] = set()
        self.then = group.then
        self.has_callback = group.then is not None
        self.callback_id = None if group.then is None else group.then.id
        self.open = True  # its members' results are still wanted
        self.cancelled = False
        self.error: Failure | None = None
        self.submitted_at = submitted_at


class Groups:
    """The groups of a store; every method is called with the store's lock held."""

    def __init__(self, records: dict[str, Record], tombstones: dict[str, Tombstone]) -> None:
        self._records = records
        self._tombstones = tombstones
        self._groups: dict[str, GroupRecord] = {}
        self._joined: dict[
            str, list[str]
        ] = {}  # from tasks to the groups that they are members of without being theirs

    def get(self, id: str) -> GroupRecord | None:
        return self._groups.get(id)

    def open(self, group: Group, ids: list[str], new: Sequence[TaskSpec], now: float) -> GroupRecord:
        """Add a group whose members are stored."""
        own = {spec.id for spec in new}
        made = self._groups[group.id] = GroupRecord(group, ids, own, now)
        for id in ids:
            record = self._records.get(id)
            if record is not None and record.state in LIVE:
                made.pending.add(id)
            if id not in own and group.id not in (its := self._joined.setdefault(id, [])):
                its.append(group.id)
        return made

    def of(self, record: Record) -> Iterator[GroupRecord]:
        """Return the groups that a task is a member of."""
        for id in (record.group, *self._joined.get(record.id, ())):
            if id is not None and (found := self._groups.get(id)) is not None:
                yield found

    def ended(self, record: Record) -> list[GroupRecord]:
        """Record the end of a task; return the groups of which it was the last member."""
        closed = []
        for group in self.of(record):
            if record.id in group.pending:
                group.pending.discard(record.id)
                if not group.pending:
                    closed.append(group)
        if record.collects is not None and (collected := self._groups.get(record.collects)) is not None:
            collected.open = False
        return closed

    def retried(self, record: Record) -> None:
        """Make open groups wait for a task that will run again; a callback needs its members' results again."""
        for group in self.of(record):
            if group.pending:  # else its callback is made already
                group.pending.add(record.id)
        if record.collects is not None and (collected := self._groups.get(record.collects)) is not None:
            collected.open = True

    def wants(self, record: Record) -> bool:
        """Whether a group still wants the result of a task."""
        return any(group.open for group in self.of(record))

    def forget(self, id: str, tombstone: Tombstone) -> None:
        """Drop the groups of which nothing is known any more, now that a task is forgotten."""
        for name in (tombstone.group, tombstone.collects, *self._joined.get(id, ())):
            group = None if name is None else self._groups.get(name)
            if group is None or any(self._is_known(one) for one in (group.callback_id, *reversed(group.members))):
                continue
            del self._groups[group.id]
            for member in set(group.members) - group.own:
                its = self._joined.get(member, [])
                if group.id in its:
                    its.remove(group.id)
                    if not its:
                        del self._joined[member]

    def _is_known(self, id: str | None) -> bool:
        return id in self._records or id in self._tombstones

    # ---- reading ----

    def members(self, id: str) -> list[TaskView]:
        """Return a group's members with their results, in order."""
        group = self._groups.get(id)
        return [] if group is None else [self._view(one) for one in group.members]

    def view(self, id: str) -> GroupView:
        """Return a group as it is.

        Raises
        ------
        UnknownTask
        """
        group = self._groups.get(id)
        if group is None:
            raise UnknownTask(f"id: expected that of a task or a group, got {id!r}")
        summary = GroupSummary(
            id, len(group.members), group.submitted_at, group.cancelled, group.has_callback, group.error
        )
        failed: TaskView | None = None
        for one in group.members:
            view = self._view(one, whole=False)
            summary.add(view, foreign=one not in group.own)
            if failed is None and view.state in (State.FAILED, State.DEAD):
                failed = view
        known = group.callback_id is not None and self._is_known(group.callback_id)
        then = self._view(group.callback_id) if known and group.callback_id is not None else None
        members = self.members(id) if summary.succeeded and not group.has_callback else ()
        return summary.view(then, failed, members)

    def _view(self, id: str, *, whole: bool = True) -> TaskView:
        record = self._records.get(id)
        if record is not None:
            return record.view(whole=whole)
        return self._tombstones[id].view(id) if id in self._tombstones else forgotten(id)


def cancel(groups: Groups, id: str, cancel_task: Callable[[str], Cancelled]) -> Cancelled:
    """Cancel a group: its own members that have not ended, and its callback."""
    view = groups.view(id)
    group = groups.get(id)
    if view.ended or group is None:
        return Cancelled(id, view.kind, view.state, view.attempt, False)
    group.cancelled = True
    wanted = [one for one in group.members if one in group.own]
    if view.then is not None and group.open:
        wanted.append(view.then.id)
    members = tuple(one for one in map(cancel_task, wanted) if one.withdrawn or one.state is State.RUNNING)
    return Cancelled(id, view.kind, groups.view(id).state, view.attempt, False, members)
