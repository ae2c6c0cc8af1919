"""Files that hold tasks, decisions and figures are for their own user, or for its group by option."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastcore import metrics
from fastcore._filelock import locked
from fastcore.cache import LRUCache, snapshot
from fastcore.dispatch import private_files
from fastcore.monitor import Baselines, WorkerFiles
from fastcore.monitor.leader import Leader
from fastcore.tasks import TaskQueue

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture(params=[0o000, 0o022])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def write_all(folder: Path) -> None:
    """Have each part that writes files write one."""
    queue = TaskQueue(f"sqlite:///{folder / 'tasks.db'}")

    @queue.task(name="one", on="thread")
    def one() -> int:
        return 1

    queue.start()
    try:
        queue.result(queue.submit(one), timeout=60)
        check(folder)  # while it is open there are a log, its index and the lock of the owner
    finally:
        queue.stop()
    with WorkerFiles(folder / "metrics") as workers:
        workers.gather()
    sketch = metrics.Sketch()
    for _ in range(200):
        sketch.observe(0.001)
    Baselines(folder / "baseline.json").record("desk", sketch.state())
    snapshot.save(LRUCache(2), folder / "cache.snapshot")
    leader = Leader(folder / "leader")
    assert leader.leads()
    leader.resign()


def check(folder: Path) -> None:
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
    assert found
    assert {name: oct(mode) for name, mode in found.items() if mode != 0o600} == {}


def test_written_files_are_private_under_any_umask(umask: int, tmp_path: Path) -> None:
    write_all(tmp_path)
    check(tmp_path)


def test_a_leftover_file_with_open_permissions_is_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    left = tmp_path / "baseline.json.new"
    left.touch()
    left.chmod(0o666)
    private_files.replace_private(str(path), b"{}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not left.exists()


def test_an_older_database_that_others_may_open_is_named_in_the_log_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tasks.db"
    path.touch()
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING, "fastcore.files"):
        for _ in range(2):
            queue = TaskQueue(f"sqlite:///{path}")
            queue.start()
            queue.stop()
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: every user of this machine may open it (mode 0644); chmod o-rwx changes that"
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("make", ["locked", "leader"])
def test_a_lock_file_that_others_may_open_is_made_private(make: str, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    path.chmod(0o644)
    if make == "locked":
        with locked(str(path)):
            pass
    else:
        leader = Leader(path)
        assert leader.leads()
        leader.resign()
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def run(mode: str, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FASTCORE_FILE_MODE": mode, "FASTCORE_JOURNAL": str(folder / "journal.jsonl")}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)


def test_a_group_may_read_by_option_but_hold_no_lock(tmp_path: Path) -> None:
    code = (
        "import os; os.umask(0o022)\n"
        "from fastcore import flags\n"
        "from fastcore.tasks import TaskQueue\n"
        "flags.declare('desk'); flags.rollback('desk', 'why')\n"
        f"queue = TaskQueue('sqlite:///{tmp_path}/tasks.db'); queue.start(); queue.stop()\n"
    )
    done = run("0640", code, tmp_path)
    assert done.returncode == 0, done.stderr
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert {modes[name] for name in ("journal.jsonl", "journal.jsonl.state", "tasks.db")} == {0o640}
    assert modes["journal.jsonl.lock"] == 0o600


def test_another_mode_is_refused_by_name(tmp_path: Path) -> None:
    done = run("0644", "from fastcore import flags", tmp_path)
    assert done.returncode != 0
    assert "FASTCORE_FILE_MODE: expected one of 0600, 0640, got '0644'" in done.stderr
