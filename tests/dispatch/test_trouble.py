"""What is shared goes wrong: files torn, missing, unreadable, a full disk; workers forked from a loaded application."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcore.dispatch.flagfile import FlagFile
from fastcore.dispatch.journal import Journal
from fastcore.dispatch.store import FlagStore
from fastcore.dispatch.sync import Sync
from fastcore.dispatch.ticker import Ticker
from tests.dispatch.placed import moved_into_place

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]


def process(path: str = "", file: str = "") -> tuple[FlagStore, Sync]:
    """What one process knows."""
    made = FlagStore({}, journal=Journal(path))
    made.declare("desk")
    follow = Sync(made, Ticker(), FlagFile(file))
    follow.first_look()
    return made, follow


def aged(file: Path) -> None:
    """As if the file had been left alone for a while."""
    os.utime(file, (time.time() - 10, time.time() - 10))


# ---- the flag file ----


def test_a_file_being_written_in_place_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    moved_into_place(file, 'desk = "ramp:10"\nheap = "python"\n')
    ours, follow = process(file=str(file))
    with open(file, "w") as writing:  # which empties it
        follow.look()
        writing.write('desk = "ra')
        writing.flush()
        follow.look()
        assert ours.get("desk").mode == "ramp:10"
        assert ours.get("heap").mode == "python"
        assert follow.problems() == []
        writing.write('mp:20"\n')
    aged(file)
    follow.look()
    assert ours.get("desk").mode == "ramp:20"
    assert ours.get("heap").source == "default"


@pytest.mark.parametrize("ahead", [0.0, 0.1])
def test_a_file_is_waited_for_if_the_clock_of_its_file_system_is_ahead(tmp_path: Path, ahead: float) -> None:
    file = tmp_path / "flags.toml"
    moved_into_place(file, 'desk = "ramp:10"\n')
    ours, follow = process(file=str(file))
    file.write_text('desk = "ra', encoding="utf-8")
    os.utime(file, (time.time() + ahead, time.time() + ahead))
    follow.look()
    assert ours.get("desk").mode == "ramp:10"
    assert follow.problems() == []


def test_a_file_that_stays_incomplete_is_not_applied(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    moved_into_place(file, 'desk = "ramp:10"\n')
    ours, follow = process(file=str(file))
    for text in (b'desk = "ra', b"\xff\xfe\x00", b"[" * 50_000, b"\x00" * 100):
        file.write_bytes(text)
        aged(file)
        for _ in range(2):
            follow.look()
        assert ours.get("desk").mode == "ramp:10"
        assert [str(file) in problem for problem in follow.problems()] == [True]
    moved_into_place(file, 'desk = "ramp:30"\n')
    follow.look()
    assert (ours.get("desk").mode, follow.problems()) == ("ramp:30", [])
    moved_into_place(file, 'desk = "sideways"\nheap = "python"\n')
    follow.look()
    assert (ours.get("desk").mode, ours.get("heap").mode) == ("ramp:30", "python")
    assert "expected one of control" in follow.problems()[0]


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    moved_into_place(file, 'desk = "ramp:10"\n')
    ours, follow = process(file=str(file))
    file.unlink()
    file.mkdir()
    follow.look()
    assert ours.get("desk").mode == "ramp:10"
    assert "cannot be read" in follow.problems()[0]
    file.rmdir()
    follow.look()
    assert ours.get("desk").mode == "ramp:10"  # an editor may be about to move a new one into place
    follow.look()
    assert ours.get("desk")[1:3] == ("ramp:10", "file")
    assert "expected a file, found none; its last settings stay in force" in follow.problems()[0]


APP = """
import fastcore
from fastcore import flags, Switch
switch = Switch("desk", lambda: "control", lambda: "candidate")
"""


def run(code: str, *arguments: str, **environ: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", APP + textwrap.dedent(code), *arguments],
        env={**os.environ, **environ}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.mark.parametrize(
    "text", ['desk = "candidate"\nindicators = ', 'desk = "sidewise"\nindicators = "pyhton"'], ids=["torn", "misspelt"]
)
def test_a_file_invalid_at_startup_enables_nothing(tmp_path: Path, text: str) -> None:
    """The process does not fail either: it may be a worker that restarts while the file is being edited."""
    file = tmp_path / "flags.toml"
    file.write_text(text)
    code = """
        import os, sys
        print(switch(), flags.get("desk").source, flags.get("indicators").mode)
        print(flags.get("desk").reason[:12], str(fastcore.status()).count("warning: "))
        with open(sys.argv[1] + ".new", "w") as new:
            new.write('desk = "candidate"')
        os.replace(sys.argv[1] + ".new", sys.argv[1])
        flags.refresh()
        print(switch(), flags.get("indicators").source, flags.problems())
    """
    first, second, third = run(code, str(file), FASTCORE_FLAGS_FILE=str(file)).splitlines()
    assert first == "control file python"
    assert second.startswith("not applied:")
    assert int(second.split()[-1]) >= 1
    assert third == "candidate default []"


def test_a_job_that_exits_ends_no_ticker() -> None:
    ran = threading.Event()

    def exits() -> None:
        raise SystemExit

    ticker = Ticker(0.01)
    ticker.add(exits)
    ticker.add(ran.set)
    ticker.start()
    assert ran.wait(60)
    ran.clear()
    assert ran.wait(60)
    ticker.stop()


# ---- the journal ----


def test_a_journal_that_cannot_be_read_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal"
    ours, _ = process(str(path))
    theirs, follow = process(str(path))
    ours.rollback("desk", "why")
    follow.look()
    path.rename(tmp_path / "elsewhere")
    path.mkdir()
    for _ in range(3):
        follow.look()
    assert theirs.get("desk").source == "rollback"
    assert "cannot be read" in follow.problems()[0]
    assert caplog.text.count("cannot be read") == 1
    assert [entry.what for entry in ours.journal.entries()] == ["rollback"]  # from memory
    theirs.resume("desk")
    assert any("1 entries are not written yet" in problem for problem in follow.problems())
    path.rmdir()
    (tmp_path / "elsewhere").rename(path)
    follow.look()
    assert follow.problems() == []
    ours.follow_journal()
    assert ours.get("desk").source == "default"


def test_torn_lines_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ours, _ = process(str(path))
    ours.rollback("desk", "why")
    with path.open("ab") as file:
        file.write(b'{"cut of\n' + b"[" * 50_000 + b"\n")
    theirs, follow = process(str(path))
    assert theirs.get("desk").source == "rollback"
    assert "2 lines are no entries" in follow.problems()[0]


FULL = """
    import json, resource, sys
    from fastcore.dispatch import process
    ours = process.store
    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    flags.set("desk", "candidate", everywhere=True)
    written = open(ours.journal.path, "rb").read()
    limit(len(written) + 40)  # in the middle of the next line
    flags.rollback("desk", "while the disk is full")
    full = switch(), ours.journal.lost, len(flags.problems()), flags.journal("desk")[-1].what
    flags.resume("desk")
    flags.rollback("desk", "again")
    lost = ours.journal.lost
    limit(resource.RLIM_INFINITY)
    ours.follow_journal()
    print(json.dumps([full, lost, ours.journal.lost, [p for p in flags.problems() if "not written" in p]]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
def test_a_full_disk_delays_the_journal_and_nothing_else(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    full, lost, later, problems = json.loads(run(FULL, FASTCORE_JOURNAL=path))
    assert full[0] == "control"
    assert (full[1], full[3]) == (1, "rollback")
    assert full[2] >= 1
    assert (lost, later, problems) == (3, 0, [])
    restarted, _ = process(path)
    assert restarted.get("desk")[1:3] == ("control", "rollback")
    assert restarted.get("desk").reason == "again"
    assert [entry.what for entry in restarted.journal.entries("desk")] == ["set", "rollback", "resume", "rollback"]


# ---- forked workers ----


@pytest.fixture(params=["", "1"], ids=["no calls before", "calls before"])
def gunicorn(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of three workers forked from a loaded application."""
    if os.name != "posix" or importlib.util.find_spec("gunicorn") is None:
        pytest.skip("gunicorn is not installed")
    environ = {**os.environ, "DESK_FAULT": str(tmp_path / "fault"), "DESK_CALLS_BEFORE": request.param}
    environ |= {"FASTCORE_JOURNAL": str(tmp_path / "journal"), "PYTHONPATH": str(ROOT)}
    said = tmp_path / "said"
    with socket.socket() as listener, said.open("w") as output:
        listener.bind(("127.0.0.1", 0))
        number = listener.fileno()
        options = ["--preload", "--workers", "3", "--bind", f"fd://{number}", "--timeout", "100"]
        running = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *options, "tests.dispatch.preloaded:app"],
            cwd=ROOT, env=environ, pass_fds=[number], stdout=output, stderr=output,
        )  # fmt: skip
        try:
            yield listener.getsockname()[1]
        finally:
            running.terminate()
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
            print(said.read_text())


def asked(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/?key", timeout=60) as answer:
        body: dict[str, Any] = json.load(answer)
        return body


def everyone(port: int, mode: str) -> dict[int, dict[str, Any]]:
    """Ask until each of the three workers is in `mode`; every answer on the way must be right."""
    found: dict[int, dict[str, Any]] = {}
    end = time.monotonic() + 60
    while [body["mode"] for body in found.values()] != [mode] * 3:
        assert time.monotonic() < end, found
        try:
            body = asked(port)
        except urllib.error.URLError as error:
            if found or not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.05)  # it does not listen yet
            continue
        assert body["answer"] == "answer"
        found[body["pid"]] = body
    return found


def test_workers_of_a_preloaded_application_roll_back_together(gunicorn: int, tmp_path: Path) -> None:
    workers = everyone(gunicorn, "control")
    assert all(body["threads"] == ["fastcore-flags"] for body in workers.values())
    operator, _ = process(str(tmp_path / "journal"))
    operator.set("desk", "candidate", everywhere=True)
    everyone(gunicorn, "candidate")
    (tmp_path / "fault").touch()
    workers = everyone(gunicorn, "control")
    assert {body["source"] for body in workers.values()} == {"guard"}
    operator.follow_journal()
    assert "RuntimeError: the candidate is broken" in operator.get("desk").reason


def test_refresh_applies_what_another_thread_has_read_but_not_applied(tmp_path: Path) -> None:
    path = tmp_path / "flags.toml"
    path.write_text('desk = "control"\n')
    store, file = FlagStore(environ={}), FlagFile(str(path))
    store.declare("desk")
    ours = Sync(store, Ticker(), file, environ={})
    ours.look(strict=True)
    path.write_text('desk = "candidate"\n')
    assert file.read(hasty=True)  # by the ticker's thread, which is about to apply it
    ours.look(strict=True)
    assert store.get("desk").mode == "candidate"
