"""The journal that the processes of a host share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from fastcore import flags
from fastcore._filelock import locked
from fastcore.dispatch import journal as journals
from fastcore.dispatch.journal import Entry, Journal
from fastcore.dispatch.modes import Mode
from fastcore.dispatch.store import Change, FlagStore
from tests.dispatch.stores import store


def test_an_entry_has_all_fields(path: str) -> None:
    ours = store(path)
    ours.set("desk", "ramp:10", reason="trial", who="alice")
    ours.rollback("desk", "rolled back: wrong", source="guard", who="guard", evidence={"pairs": 7})
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    assert [(e["who"], e["what"], e["flag"], e["why"], e["scope"]) for e in lines] == [
        ("alice", "set", "desk", "trial", "process"),
        ("guard", "rollback", "desk", "rolled back: wrong", "host"),
    ]
    assert lines[1]["pid"] == os.getpid()
    assert lines[1]["evidence"] == {"pairs": 7}
    assert lines[1]["old"] == {"mode": "ramp:10", "source": "set", "reason": "trial"}
    assert lines[1]["new"] == {"mode": "control", "source": "guard", "reason": "rolled back: wrong"}
    assert ours.journal.entries("desk")[0].what == "set"
    assert ours.journal.entries("heap") == []
    assert len(ours.journal.entries(limit=1)) == 1


def test_a_call_without_effect_is_not_journaled(path: str) -> None:
    ours = store(path)
    ours.clear("desk")
    ours.resume("desk")
    ours.set("desk", "candidate")
    ours.set("desk", "candidate")
    assert [e.what for e in ours.journal.entries()] == ["set"]


def test_a_rollback_reaches_running_processes_and_later_ones(path: str) -> None:
    ours, theirs = store(path), store(path)
    theirs.set("desk", "candidate")
    ours.rollback("desk", "rolled back: slow", source="guard", who="guard")
    theirs.follow_journal()
    assert theirs.get("desk")[1:3] == ("control", "guard")
    assert theirs.get("desk").reason == "rolled back: slow"
    restarted = store(path)
    restarted.set("desk", "canary")
    assert restarted.get("desk")[1:3] == ("control", "guard")
    theirs.resume("desk")
    for each in (ours, restarted):
        each.follow_journal()
    assert ours.get("desk").mode == "control"  # the default
    assert restarted.get("desk").mode == "canary"
    assert store(path).get("desk").source == "default"


def test_a_flag_declared_later_follows_the_journal(path: str) -> None:
    ours = FlagStore({}, journal=Journal(path))
    ours.declare("later")
    ours.rollback("later", "why")
    theirs = FlagStore({}, journal=Journal(path))
    theirs.follow_journal()
    assert theirs.declare("later")[1:3] == ("control", "rollback")


def test_a_setting_for_all(path: str) -> None:
    ours, theirs = store(path), store(path)
    theirs.set("desk", "candidate")
    ours.set("desk", "ramp:20", reason="carefully", everywhere=True)
    theirs.follow_journal()
    assert theirs.get("desk")[1:3] == ("ramp:20", "everywhere")
    assert theirs.get("desk").reason == "carefully"
    assert theirs.set("desk", "candidate").mode == "ramp:20"  # one process does not overrule it
    assert store(path).get("desk").mode == "ramp:20"
    ours.rollback("desk", "why")
    ours.set("desk", "ramp:60", everywhere=True)  # below the rollback
    theirs.follow_journal()
    assert theirs.get("desk").mode == "control"
    theirs.resume("desk")
    assert theirs.get("desk").mode == "ramp:60"
    ours.clear("desk", everywhere=True)
    theirs.follow_journal()
    assert theirs.get("desk")[1:3] == ("candidate", "set")


def test_the_order_of_the_file_decides(path: str) -> None:
    """One rolls back, another resumes before it has heard of that: in the end all agree."""
    ours, theirs, third = store(path), store(path), store(path)
    theirs.rollback("desk", "first")
    ours.rollback("desk", "second")
    theirs.resume("desk")
    for _ in range(2):
        for each in (ours, theirs, third):
            each.follow_journal()
    assert {each.get("desk").source for each in (ours, theirs, third)} == {"default"}


def test_a_canary_advances_in_all_processes_and_never_goes_back(path: str) -> None:
    ours, theirs, idle = store(path), store(path), store(path)
    for each in (ours, theirs):
        each.set("desk", "canary")
    ours.advance("desk", Mode("canary", 25.0), "good", "advance", {})
    theirs.follow_journal()
    assert theirs.get("desk").mode == "canary:25"
    ours.advance("desk", Mode("canary", 5.0), "late", "advance", {})
    theirs.follow_journal()
    assert theirs.get("desk").mode == "canary:25"
    ours.advance("desk", Mode("candidate", 0.0, True), "promoted: good", "promote", {})
    theirs.follow_journal()
    assert theirs.get("desk")[1:3] == ("candidate", "guard")
    idle.follow_journal()
    assert idle.get("desk").mode == "control"
    restarted = store(path)  # it has seen nothing of the candidate itself, which may be a newer one
    restarted.set("desk", "canary")
    restarted.follow_journal()
    assert restarted.get("desk").mode == "canary"


def test_torn_and_foreign_lines_are_skipped(path: str) -> None:
    ours = store(path)
    ours.rollback("desk", "why")
    with open(path, "ab") as file:
        file.write(b'{"when": "2026\n[]\nnull\n\xff\xfe\n{"flag": "desk"}\n{"cut of')
    other = store(path)
    assert other.get("desk").source == "rollback"
    other.resume("desk")  # begins a separate line
    ours.follow_journal()
    assert ours.get("desk").source == "default"
    assert [e.what for e in ours.journal.entries()] == ["rollback", "resume"]


def test_an_entry_that_cannot_be_applied_is_logged(path: str, caplog: pytest.LogCaptureFixture) -> None:
    ours = store(path)
    ours.journal.write("x", "set", "desk", new={"mode": "sideways"}, shared=True)
    theirs = store(path)
    assert theirs.get("desk").mode == "control"
    assert "cannot be applied" in caplog.text


def test_a_journal_that_cannot_be_written_raises_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours = store(str(tmp_path / "missing" / "journal.jsonl"))
    assert ours.rollback("desk", "why").mode == "control"
    assert ours.journal.lost == 1
    assert "could not be written" in caplog.text
    assert [e.what for e in ours.journal.entries()] == ["rollback"]


def test_a_long_journal_is_rewritten_with_the_entries_in_force(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "LIMIT", 4000)
    ours, theirs = store(path), store(path)
    ours.declare("other")
    ours.rollback("other", "kept")
    for i in range(40):
        ours.set("desk", f"ramp:{i}", everywhere=True)
        if i % 7 == 0:
            theirs.follow_journal()
    assert os.path.getsize(path) < 5000
    assert os.path.exists(f"{path}.1")
    theirs.follow_journal()
    assert theirs.get("desk").mode == "ramp:39"
    late = store(path)
    assert late.get("desk").mode == "ramp:39"
    assert late.declare("other").source == "rollback"


def test_a_rewritten_journal_contains_all_entries_in_force(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = store(path)
    for name in ("other", "third"):
        ours.declare(name)
    ours.set("desk", "ramp:10", "carefully", everywhere=True)
    ours.rollback("other", "wrong")
    ours.set("third", "candidate", everywhere=True)
    ours.clear("third", everywhere=True)
    monkeypatch.setattr(journals, "LIMIT", 100)
    ours.set("third", "candidate", "of this process")
    os.unlink(f"{path}.state")
    later = store(path)
    for name in ("other", "third"):
        later.declare(name)
    assert [later.get(name)[1:3] for name in ("desk", "other", "third")] == [
        ("ramp:10", "everywhere"),
        ("control", "rollback"),
        ("control", "default"),
    ]


def test_a_change_is_journaled_before_listeners_are_called(path: str) -> None:
    ours = store(path)
    seen: list[tuple[str, str, str]] = []

    def heard(change: Change) -> None:
        started = store(path)  # as a process that starts now, or after a crash of this one
        seen.append((change.new.source, started.get("desk").source, ours.journal.entries()[-1].what))

    ours.subscribe(heard)
    ours.rollback("desk", "wrong")
    ours.resume("desk")
    ours.set("desk", "candidate", everywhere=True)
    assert seen == [
        ("rollback", "rollback", "rollback"),
        ("default", "default", "resume"),
        ("everywhere", "everywhere", "set"),
    ]


def test_processes_append_whole_lines(path: str) -> None:
    code = textwrap.dedent("""
        import sys
        from fastcore.dispatch.journal import Journal
        journal = Journal(sys.argv[1])
        for i in range(150):
            journal.write(sys.argv[2], "set", "desk", "x" * 300, shared=True)
        while journal.behind:  # on a busy machine the lock may not be had in time
            journal.save()
    """)
    reader = Journal(path)
    reader.write("reader", "set", "other", shared=True)
    reader.news()  # from here on it is given every line; the first look leaves out what is no longer in force
    writers = [subprocess.Popen([sys.executable, "-c", code, path, str(n)]) for n in range(4)]
    seen: list[Entry] = []
    while any(writer.poll() is None for writer in writers):
        seen += reader.news()[1]
    assert [writer.returncode for writer in writers] == [0] * 4
    seen += reader.news()[1]
    assert len(seen) == 600
    assert {(e.who, len(e.why)) for e in seen} == {(str(n), 300) for n in range(4)}


def test_what_another_thread_writes_meanwhile_is_kept_too(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, threads = Journal(path), []
    update = journal.state.update

    def slowly(*arguments: object) -> None:
        if not threads:
            threads.append(
                threading.Thread(target=journal.write, args=("second", "set", "other"), kwargs={"shared": True})
            )
            threads[0].start()
            while not journal.lost:  # it has its place, and waits for its turn
                time.sleep(0.001)
        update(*arguments)

    monkeypatch.setattr(journal.state, "update", slowly)
    journal.write("first", "set", "desk", shared=True)
    threads[0].join()
    assert {flag for flag, _ in journal.state.entries()} == {"desk", "other"}


def test_entries_that_waited_for_the_lock_are_read_once(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "PATIENCE", 0.01)
    journal, reader = Journal(path), Journal(path)
    journal.write("reader", "set", "other", shared=True)
    reader.news()
    seen: list[str] = []
    keep = journal.state.update

    def update(*arguments: object) -> None:
        keep(*arguments)
        seen.extend(entry.who for entry in reader.news()[1])

    monkeypatch.setattr(journal.state, "update", update)
    with locked(f"{path}.lock", 1.0):
        journal.write("first", "set", "desk", shared=True)
        journal.write("second", "set", "desk", shared=True)
    journal.save()
    assert seen == ["first", "second"]


def test_of_the_file_only_the_entries_that_were_asked_for_are_kept(path: str) -> None:
    theirs, ours = Journal(path), Journal(path)
    for n in range(300):
        theirs.write("alice", "set", "desk" if n % 100 == 0 else "other", str(n))
    assert [entry.why for entry in ours.entries("desk")] == ["0", "100", "200"]
    assert [entry.why for entry in ours.entries("desk", limit=2)] == ["100", "200"]
    assert ours._tail is not None
    assert len(ours._tail[2]) == 3
    assert [entry.why for entry in ours.entries(limit=2)] == ["298", "299"]
    assert ours.entries(limit=0) == ours.entries(limit=-1) == []


def test_entries_of_the_file_are_not_all_kept_in_memory_too(path: str) -> None:
    written, alone = Journal(path), Journal()
    for n in range(300):
        for journal in (written, alone):
            journal.write("alice", "set", "desk", str(n))
        if n == 0:
            Path(path).unlink()
    assert [entry.why for entry in written.entries(limit=1000)] == [str(n) for n in range(1, 300)]
    assert len(alone.entries(limit=1000)) == 300
    Path(path).unlink()
    assert [entry.why for entry in written.entries(limit=1000)] == [str(n) for n in range(200, 300)]


def test_listeners_of_the_journal() -> None:
    seen: list[Entry] = []
    stop = flags.subscribe_journal(seen.append)
    flags.subscribe_journal(lambda entry: 1 / 0)()  # ended at once
    flags.declare("test.listened")
    flags.set("test.listened", "candidate", who="me")
    stop()
    flags.clear("test.listened")
    assert [(e.who, e.what, e.flag) for e in seen] == [("me", "set", "test.listened")]


def test_a_lock_is_waited_for_and_freed_by_death(tmp_path: Path) -> None:
    lock = str(tmp_path / "lock")
    code = (
        "import time\nfrom fastcore._filelock import locked\n"
        f"with locked({lock!r}):\n print(1, flush=True)\n time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(TimeoutError, match="another process holds it"), locked(lock, seconds=0.05):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked(lock, seconds=30):
        pass
