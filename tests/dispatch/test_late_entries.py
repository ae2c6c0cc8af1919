"""Entries that could not be written at once: they reach every process in the end, and undo nothing newer."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fastcore.dispatch import journal as journals
from fastcore.dispatch.journal import Journal
from fastcore.dispatch.store import FlagStore


@pytest.fixture
def store(path: str) -> Callable[[], FlagStore]:
    """Another process, as far as the flags are concerned; each entry of any of them comes a second after the last."""
    now = [datetime(2026, 1, 1, tzinfo=UTC)]

    def clock() -> datetime:
        now[0] += timedelta(seconds=1)
        return now[0]

    def make() -> FlagStore:
        made = FlagStore({}, journal=Journal(path, clock))
        made.declare("desk")
        made.follow_journal()
        return made

    return make


def says(*stores: FlagStore) -> set[tuple[str, str]]:
    """What all of them say after each has looked three times."""
    for _ in range(3):
        for each in stores:
            each.follow_journal()
    return {(each.get("desk").mode, each.get("desk").reason) for each in stores}


def test_a_rollback_holds_against_an_older_resume_that_is_still_to_be_written(
    path: str, store: Callable[[], FlagStore]
) -> None:
    first, second = store(), store()
    first.set("desk", "candidate", "new", everywhere=True)
    first.rollback("desk", "wrong prices")
    second.follow_journal()
    os.unlink(path)
    os.mkdir(path)
    second.resume("desk")
    assert says(first, second, store()) == {("candidate", "new")}
    first.rollback("desk", "wrong again")
    assert says(second, first, store()) == {("control", "wrong again")}
    os.rmdir(path)
    assert says(second, first, store()) == {("control", "wrong again")}
    assert first.journal.problems() == second.journal.problems() == []
    assert [entry.scope for entry in first.journal.entries()] == ["late", "host"]
    first.resume("desk")
    second.set("desk", "ramp:10", "again", everywhere=True)
    assert says(first, second, store()) == {("ramp:10", "again")}


def test_every_change_is_kept_while_an_earlier_one_still_cannot_be_written(
    path: str, store: Callable[[], FlagStore]
) -> None:
    running = store()
    os.mkdir(path)
    running.set("desk", "candidate", "new", everywhere=True)
    running.rollback("desk", "wrong prices")
    assert store().get("desk").reason == "wrong prices"
    os.rmdir(path)
    assert says(running, store()) == {("control", "wrong prices")}
    assert [(entry.what, entry.scope) for entry in running.journal.entries()] == [("set", "host"), ("rollback", "host")]


def test_late_entries_of_the_state_file_replace_nothing_newer(
    path: str, store: Callable[[], FlagStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    first, second = store(), store()
    with monkeypatch.context() as patch:
        patch.setattr(first.journal.state, "_write", full)
        first.set("desk", "candidate", "old", everywhere=True)
    second.follow_journal()
    second.set("desk", "ramp:5", "newer", everywhere=True)
    assert says(first, second, store()) == {("ramp:5", "newer")}
    os.unlink(path)
    assert says(first, second, store()) == {("ramp:5", "newer")}


def test_a_clock_that_is_set_back_delays_no_rollback(path: str) -> None:
    times = iter([datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)])
    running = FlagStore({}, journal=Journal(path, lambda: next(times)))
    running.declare("desk")
    running.set("desk", "candidate", everywhere=True)
    running.rollback("desk", "wrong prices")
    os.unlink(path)
    started = FlagStore({}, journal=Journal(path))
    started.follow_journal()
    assert started.declare("desk").reason == "wrong prices"


def test_changes_reach_other_processes_while_the_journal_is_read_only(
    path: str, store: Callable[[], FlagStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*arguments: Any) -> None:
        raise PermissionError(errno.EACCES, "permission denied")

    first, second = store(), store()
    first.set("desk", "candidate", "new", everywhere=True)
    assert says(first, second) == {("candidate", "new")}
    with monkeypatch.context() as patch:
        patch.setattr(journals, "open_private", denied)
        first.rollback("desk", "wrong prices")
        assert says(second, first, store()) == {("control", "wrong prices")}
        second.resume("desk")
        assert says(first, second, store()) == {("candidate", "new")}
        first.set("desk", "ramp:10", "less", everywhere=True)
        assert says(second, first, store()) == {("ramp:10", "less")}
    assert says(first, second, store()) == {("ramp:10", "less")}
    assert first.journal.problems() == second.journal.problems() == []
    first.rollback("desk", "again")
    assert says(second, first, store()) == {("control", "again")}
