"""What is in force for every process outlives the journal; and who may read and lock these files."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fastcore.dispatch import journal as journals
from fastcore.dispatch.journal import Journal
from fastcore.dispatch.store import FlagStore
from tests.dispatch.stores import store


def moved(path: str) -> None:
    os.rename(path, f"{path}.1")


def moved_and_made(path: str) -> None:
    moved(path)
    Path(path).touch()


def truncated(path: str) -> None:
    os.truncate(path, 0)


def deleted(path: str) -> None:
    os.unlink(path)


ROTATIONS = [moved, moved_and_made, truncated, deleted]


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_flags_in_force_outlive_the_journal(path: str, rotate: Callable[[str], None]) -> None:
    running = store(path)
    running.declare("other")
    running.set("other", "ramp:10", "carefully", everywhere=True)
    running.rollback("desk", "wrong prices")
    rotate(path)
    running.follow_journal()
    started = store(path)
    started.declare("other")
    for each in (running, started):
        assert each.get("desk")[1:3] == ("control", "rollback")
        assert each.get("other")[1:3] == ("ramp:10", "everywhere")
        assert each.journal.problems() == []


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_changes_after_a_rotation_reach_all(path: str, rotate: Callable[[str], None]) -> None:
    first, second = store(path), store(path)
    first.rollback("desk", "wrong prices")
    second.follow_journal()
    rotate(path)
    first.follow_journal()
    second.resume("desk")
    first.follow_journal()
    assert first.get("desk").source == "default"
    rotate(path)
    assert store(path).get("desk").source == "default"


@pytest.mark.parametrize("what", ["set", "clear", "rollback", "resume"])
def test_each_change_outlives_the_rotation_by_size(path: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "LIMIT", 4000)
    ours = store(path)
    ours.declare("other")
    if what in ("set", "clear"):
        ours.set("other", "candidate", everywhere=True)
    else:
        ours.rollback("other", "why")
    if what == "clear":
        ours.clear("other", everywhere=True)
    if what == "resume":
        ours.resume("other")
    for i in range(60):
        ours.set("desk", f"ramp:{i}", everywhere=True)
    assert os.path.exists(f"{path}.1")
    started = store(path)
    expected = {"set": "everywhere", "rollback": "rollback"}.get(what, "default")
    assert started.declare("other").source == expected
    assert started.get("desk").mode == "ramp:59"


@pytest.mark.parametrize("rotate", [None, *ROTATIONS])
@pytest.mark.parametrize("what", ["rollback", "resume"])
def test_a_guard_unaware_of_a_person_s_rollback_does_not_replace_it(
    path: str, what: str, rotate: Callable[[str], None] | None
) -> None:
    ours, other = store(path), store(path)
    if what == "resume":
        other.rollback("desk", "over 20 % slower", source="guard", who="guard")
        ours.follow_journal()
    ours.rollback("desk", "wrong prices", who="alice")
    if what == "resume":
        other.resume("desk", who="guard", why="2 probes in a row have passed")
    else:
        other.rollback("desk", "over 20 % slower", source="guard", who="guard")
    if rotate is not None:
        rotate(path)
    started = store(path)
    for each in (ours, other, started):
        each.follow_journal()
        assert each.get("desk")[1:3] == ("control", "rollback")
        assert each.get("desk").reason == "wrong prices"
    ours.resume("desk")
    other.follow_journal()
    assert other.get("desk").source == "default"


def test_a_guard_s_rollback_in_the_same_process_does_not_replace_a_person_s(path: str) -> None:
    ours = store(path)
    ours.rollback("desk", "wrong prices", who="alice")
    ours.rollback("desk", "over 20 % slower", source="guard", who="guard")
    assert ours.get("desk")[1:3] == ("control", "rollback")
    assert ours.get("desk").reason == "wrong prices"
    assert [entry.who for entry in ours.journal.entries("desk")] == ["alice"]


def test_a_guard_s_rollback_after_a_person_s_outlives_the_rotation_by_size(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = store(path), store(path)
    ours.rollback("desk", "wrong prices", who="alice")
    other.rollback("desk", "over 20 % slower", source="guard", who="guard")
    ours.declare("other")
    monkeypatch.setattr(journals, "LIMIT", 1000)
    for i in range(9):
        ours.set("other", f"ramp:{i}", everywhere=True)
    assert os.path.exists(f"{path}.1")
    os.unlink(f"{path}.state")
    assert store(path).get("desk").reason == "wrong prices"


def test_restoring_an_older_journal_resumes_no_flag(path: str) -> None:
    ours = store(path)
    ours.rollback("desk", "first")
    ours.resume("desk")
    old = Path(path).read_bytes()
    ours.rollback("desk", "second")
    Path(path).write_bytes(old)
    assert store(path).get("desk").reason == "second"


def test_an_unreadable_state_file_is_reported_and_the_journal_applies(path: str) -> None:
    ours = store(path)
    ours.rollback("desk", "why")
    Path(f"{path}.state").write_bytes(b'{"entries": 1}')
    started = store(path)
    assert started.get("desk").source == "rollback"
    assert "its state file" in started.journal.problems()[0]
    started.declare("other")
    started.set("other", "candidate", everywhere=True)
    started.follow_journal()
    os.unlink(path)
    later = store(path)  # the state file was made again of what the journal had
    assert later.get("desk").reason == "why"
    assert later.journal.problems() == []


def replaced_by_a_folder(path: str) -> None:
    os.unlink(path)
    os.mkdir(path)


def test_a_journal_that_cannot_be_read_enables_nothing(path: str) -> None:
    store(path).rollback("desk", "wrong prices")
    replaced_by_a_folder(path)
    assert store(path).get("desk").reason == "wrong prices"


def test_a_rollback_that_cannot_be_journaled_outlives_the_process(path: str) -> None:
    store(path)
    os.mkdir(path)
    running = store(path)
    running.rollback("desk", "wrong prices")
    assert any("could not be written" in problem for problem in running.journal.problems())
    assert store(path).get("desk").reason == "wrong prices"


def test_entries_that_the_state_file_missed_are_written_later(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    running = store(path)
    with monkeypatch.context() as patch:
        patch.setattr(running.journal.state, "_write", full)
        running.rollback("desk", "wrong prices")
        running.follow_journal()
        assert any("its state file" in problem for problem in running.journal.problems())
    running.follow_journal()
    assert running.journal.problems() == []
    os.truncate(path, 0)
    assert store(path).get("desk").reason == "wrong prices"


def test_a_deleted_state_file_is_rebuilt_from_the_journal(path: str) -> None:
    running = store(path)
    running.rollback("desk", "wrong prices")
    os.unlink(f"{path}.state")
    later = store(path)
    later.declare("other")
    later.rollback("other", "too")
    os.truncate(path, 0)
    assert store(path).get("desk").reason == "wrong prices"


WRONG = [
    {"what": []},
    {"flag": ["desk"]},
    {"new": None},
    {"when": 5},
    {"evidence": []},
    {"scope": ["host"]},
    {"why": None},
]


@pytest.mark.parametrize("wrong", WRONG, ids=[next(iter(wrong)) for wrong in WRONG])
def test_journal_lines_with_wrong_types_are_ignored(path: str, wrong: dict[str, Any]) -> None:
    store(path).rollback("desk", "wrong prices")
    line = json.loads(Path(path).read_text().splitlines()[-1])
    with open(path, "a") as file:
        file.write(json.dumps({**line, **wrong}) + "\n")
    started = store(path)
    assert started.get("desk").reason == "wrong prices"
    assert started.journal.problems() == [f"{path}: 1 lines are no entries, and were passed over"]


@pytest.mark.parametrize("wrong", WRONG, ids=[next(iter(wrong)) for wrong in WRONG])
def test_a_state_file_with_wrong_types_is_reported(path: str, wrong: dict[str, Any]) -> None:
    store(path).rollback("desk", "wrong prices")
    body = json.loads(Path(f"{path}.state").read_text())
    body["entries"].append({**body["entries"][0], **wrong})
    Path(f"{path}.state").write_text(json.dumps(body))
    started = store(path)
    assert started.get("desk").reason == "wrong prices"  # of the journal
    assert "its state file" in started.journal.problems()[0]


@pytest.mark.parametrize("theirs", ["rollback", "resume", "set", "clear", "set other", "rollback other"])
@pytest.mark.parametrize("ours", ["rollback", "resume", "set", "clear"])
def test_a_change_holds_while_its_line_is_being_written(
    path: str, ours: str, theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is followed between the change and its line, and tells of a change of another process before it."""

    def change(flags_of: FlagStore, what: str, reason: str) -> None:
        what, _, flag = what.partition(" ")
        if what in ("rollback", "resume"):
            flags_of.rollback(flag or "desk", reason) if what == "rollback" else flags_of.resume(flag or "desk")
        elif what == "set":
            flags_of.set(flag or "desk", "ramp:20", reason, everywhere=True)
        else:
            flags_of.clear(flag or "desk", everywhere=True)

    def told(flags_of: FlagStore) -> tuple[str, str]:
        state = flags_of._states["desk"]
        return str(state.rollback and state.rollback.reason), str(state.everywhere and state.everywhere.reason)

    here, there = store(path), store(path)
    for one in (here, there):
        one.declare("other")
    there.set("desk", "ramp:10", "before", everywhere=True)
    there.rollback("desk", "before")
    here.follow_journal()
    change(there, theirs, "theirs")
    write, seen = here.journal.write, []

    def later(*args: Any, **kwargs: Any) -> Any:
        here.follow_journal()
        seen.append(told(here))
        return write(*args, **kwargs)

    monkeypatch.setattr(here.journal, "write", later)
    change(here, ours, "ours")
    held = {"rollback": "ours", "resume": "None", "set": "ours", "clear": "None"}[ours]
    kind = ours in ("set", "clear")
    assert seen[0][kind] == held
    here.follow_journal()
    there.follow_journal()
    assert told(here) == told(there)
    assert told(here)[kind] == held
    assert not here._own


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the system is told to write for good, in order."""
    told: list[tuple[Any, ...]] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        status = os.fstat(descriptor)
        told.append(("folder",) if stat.S_ISDIR(status.st_mode) else ("file", status.st_size))
        fsync(descriptor)

    def replaced(source: str, target: str) -> None:
        told.append((os.path.basename(source), os.path.basename(target), os.path.getsize(source)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    return told


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on posix")
def test_the_state_file_is_synced_before_it_replaces_the_old_one(path: str, disk: list[tuple[Any, ...]]) -> None:
    store(path).rollback("desk", "wrong prices")
    size = os.path.getsize(f"{path}.state")
    name = os.path.basename(path)
    assert disk == [("file", size), (f"{name}.state.new", f"{name}.state", size), ("folder",)]


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on posix")
def test_a_journal_that_starts_over_is_synced_before_the_old_one_is_moved(
    path: str, disk: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = store(path)
    running.rollback("desk", "wrong prices")
    disk.clear()
    monkeypatch.setattr(journals, "LIMIT", 10)
    running.declare("other")
    running.set("other", "candidate")  # of this process: the state file stays as it is
    kept, name = os.path.getsize(path), os.path.basename(path)
    whole = os.path.getsize(f"{path}.1")
    assert disk == [("file", kept), (name, f"{name}.1", whole), (f"{name}.new", name, kept), ("folder",)]


def test_two_versions_of_the_state_file_with_equal_times_are_distinguished(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a fast disk: of one size and time, and the second in the inode of the version before the first."""
    ours, theirs = store(path), store(path)
    ours.set("desk", "ramp:10", everywhere=True)
    real, first = os.stat, os.stat(f"{path}.state")

    def alike(file: Any, *args: Any, **kwargs: Any) -> Any:
        found = real(file, *args, **kwargs)
        return first if str(file).endswith(".state") else found

    monkeypatch.setattr(os, "stat", alike)
    theirs.follow_journal()
    theirs.set("desk", "ramp:20", everywhere=True)
    ours.rollback("desk", "wrong")
    os.truncate(path, 0)
    started = store(path)
    assert started.get("desk").rolled_back
    assert started.resume("desk").mode == "ramp:20"


def test_names_are_noted_for_the_command_line(path: str) -> None:
    Journal(path).declare(["desk", "other"])
    Journal(path).declare(["third"])
    assert Journal(path).declared() == {"desk", "other", "third"}
    assert Journal().declared() == frozenset()


def test_the_newest_entries_are_read_from_the_end(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "TAIL", 2000)
    ours = store(path)
    ours.declare("rare")
    ours.set("rare", "candidate", "once", everywhere=True)
    for i in range(200):
        ours.set("desk", f"ramp:{i % 100}", str(i), everywhere=True)
    assert [entry.why for entry in ours.journal.entries(limit=3)] == ["197", "198", "199"]
    assert [entry.why for entry in ours.journal.entries("rare", 3)] == ["once"]
    assert len(ours.journal.entries(limit=1000)) == 201
    ours.set("desk", "control", "last", everywhere=True)
    assert ours.journal.entries(limit=1)[0].why == "last"
    read: list[int] = []
    monkeypatch.setattr(journals, "_parsed", lambda data: read.append(len(data)) or ([], 0))
    ours.journal.entries(limit=1)
    assert read == []  # nothing has changed since
    os.utime(path, ns=(1, 1))
    ours.journal.entries(limit=0)
    assert sum(read) < 3000


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_only_this_user_may_read_or_lock(path: str) -> None:
    before = os.umask(0)
    try:
        store(path).rollback("desk", "why")
    finally:
        os.umask(before)
    for name in (path, f"{path}.lock", f"{path}.state"):
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600
    os.chmod(f"{path}.lock", 0o664)  # as an earlier version made it, in a folder of a group
    store(path).resume("desk")
    assert stat.S_IMODE(os.stat(f"{path}.lock").st_mode) == 0o660


@pytest.mark.parametrize("kept", ["rollback", "resume"])
def test_a_rollback_of_the_same_millisecond_holds_when_an_older_journal_is_put_back(
    path: str, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    ours = FlagStore(environ={}, journal=Journal(path, clock=lambda: moment))
    ours.declare("desk")
    ours.rollback("desk", "first")
    ours.resume("desk")
    old = Path(path).read_bytes()
    if kept == "rollback":
        ours.rollback("desk", "second")
        Path(path).write_bytes(old)
        assert store(path).get("desk").reason == "second"
    else:
        assert store(path).get("desk").source == "default"
