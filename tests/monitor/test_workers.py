"""Several processes on one page: their counts are summed, including those of ended processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fastcore import metrics
from fastcore._snapshot import Snapshot
from fastcore.monitor import WorkerFiles

pytestmark = pytest.mark.backend_independent

WORKER = """
import sys
from fastcore import metrics
from fastcore.monitor import WorkerFiles
files = WorkerFiles(sys.argv[1], interval=0.05)
with files:
    metrics.counter("test_work_total").add(int(sys.argv[2]))
    metrics.gauge("test_load").set(float(sys.argv[2]))
    metrics.latency("test_work_seconds").observe(float(sys.argv[2]))
    files.gather()
    print("ready", flush=True)
    sys.stdin.readline()
"""

Start = Callable[[int], "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start(n)`` is a worker that counts n and waits for a line."""
    made: list[subprocess.Popen[str]] = []

    def run(number: int) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        made.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    yield run
    for child in made:
        child.kill()
        child.communicate(timeout=60)


def asker(folder: Path) -> WorkerFiles:
    return WorkerFiles(folder, interval=60, source=lambda: Snapshot([]))


def test_counts_of_workers_are_summed(tmp_path: Path, start: Start) -> None:
    children = [start(number) for number in (1, 2, 4)]
    with asker(tmp_path) as files:
        found = files.gather()
        assert found.get("test_work_total") == 7
        latency = found.get("test_work_seconds")
        assert isinstance(latency, tuple)
        assert (latency[0], latency[2], latency[3], latency[4]) == (3, 7.0, 1.0, 4.0)
        for child, load in zip(children, (1.0, 2.0, 4.0)):
            assert found.get("test_load", worker=str(child.pid)) == load
        assert found.get("fastcore_workers") == 4


def test_counts_of_ended_workers_are_kept(tmp_path: Path, start: Start) -> None:
    ended, killed, stays = start(1), start(2), start(4)
    ended.communicate("\n", timeout=60)
    killed.kill()
    killed.wait(60)
    with asker(tmp_path) as files:
        for _ in range(3):
            found = files.gather()
            assert found.get("test_work_total") == 7
            assert found.get("fastcore_workers") == 2
            assert [s.labels for s in found if s.name == "test_load"] == [(("worker", str(stays.pid)),)]


def test_a_file_of_a_pid_that_another_process_has_now(tmp_path: Path, start: Start) -> None:
    child = start(1)
    path = next(tmp_path.glob(f"{child.pid}-*.json"))
    text = path.read_text(encoding="utf-8")
    child.kill()
    child.wait(60)
    old = tmp_path / f"{os.getpid()}-0000.json"
    old.write_text(text, encoding="utf-8")
    os.utime(old, (1e9, 1e9))
    with asker(tmp_path) as files:
        assert files.gather().get("test_work_total") == 2
    assert not old.exists()


def test_a_worker_is_added_once_though_it_is_killed_while_it_adds(tmp_path: Path, start: Start) -> None:
    child = start(3)
    child.kill()
    child.wait(60)
    path = next(tmp_path.glob(f"{child.pid}-*.json"))
    text = path.read_text(encoding="utf-8")
    with asker(tmp_path) as files:
        assert files.gather().get("test_work_total") == 3
        assert not path.exists()
        path.write_text(text, encoding="utf-8")  # as if it had been killed before it could remove the file
        os.utime(path, (1e9, 1e9))
        assert files.gather().get("test_work_total") == 3
        assert not path.exists()


def test_a_worker_whose_file_stayed_is_not_added_again_when_another_is(tmp_path: Path, start: Start) -> None:
    start(1)
    start(1)
    earlier, later = sorted(tmp_path.glob("*-*.json"))
    text = later.read_text(encoding="utf-8")
    with asker(tmp_path) as files:
        psutil.Process(int(later.name.partition("-")[0])).kill()
        while later.exists():
            assert files.gather().get("test_work_total") == 2
        later.write_text(text, encoding="utf-8")  # as if the one who added it was killed before removing the file
        psutil.Process(int(earlier.name.partition("-")[0])).kill()
        while earlier.exists() or later.exists():
            assert files.gather().get("test_work_total") == 2


def test_files_that_are_damaged_are_passed_over(tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    start(1)
    (tmp_path / f"{os.getpid()}-broken.json").write_text("{", encoding="utf-8")
    with asker(tmp_path) as files:
        assert files.gather().get("test_work_total") == 1
    assert "expected the metrics of a worker" in caplog.text


def test_written_again_and_again(tmp_path: Path) -> None:
    counter = metrics.counter("test_again_total")
    with WorkerFiles(tmp_path, interval=0.01), asker(tmp_path) as files:
        counter.add(3)
        end = time.monotonic() + 60
        while files.gather().get("test_again_total") != counter.value:
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_the_child_has_a_file_of_its_own(tmp_path: Path) -> None:
    code = f"""
import os, sys
from fastcore import metrics
from fastcore.monitor import WorkerFiles
files = WorkerFiles({str(tmp_path)!r}, interval=60)
files.start()
counter = metrics.counter("test_fork_total")
counter.add(1)
pid = os.fork()
if not pid:
    files.start()
    counter.add(1)   # one was inherited
    files.gather()
    files.stop()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
found = files.gather()
assert found.get("test_fork_total") == 3, found.get("test_fork_total")
files.stop()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_wrong_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTCORE_METRICS_DIR", raising=False)
    with pytest.raises(ValueError, match="folder: expected a path, here or in FASTCORE_METRICS_DIR"):
        WorkerFiles()
    with pytest.raises(ValueError, match="interval: expected a number above 0"):
        WorkerFiles(tmp_path, interval=0)
    with pytest.raises(RuntimeError, match=r"expected start\(\) in this process first"):
        WorkerFiles(tmp_path).gather()
    monkeypatch.setenv("FASTCORE_METRICS_DIR", str(tmp_path))
    with WorkerFiles() as files:
        files.gather()


def test_a_label_worker_of_the_application_is_exported_renamed(tmp_path: Path) -> None:
    metrics.gauge("test_named_worker", worker="crawler").set(3.0)
    with WorkerFiles(tmp_path) as files:
        found = files.gather()
    assert found.get("test_named_worker", exported_worker="crawler", worker=str(os.getpid())) == 3.0


def test_labels_with_the_names_of_renamed_ones_are_kept(tmp_path: Path) -> None:
    metrics.gauge("test_named_both", worker="a", exported_worker="b").set(3.0)
    with WorkerFiles(tmp_path) as files:
        found = files.gather()
    labels = {"exported_exported_worker": "a", "exported_worker": "b", "worker": str(os.getpid())}
    assert found.get("test_named_both", **labels) == 3.0
    metrics.gauge("test_named_all", worker="a", exported_worker="b", exported_exported_worker="c").set(4.0)
    with WorkerFiles(tmp_path) as files:
        found = files.gather()
    assert (
        found.get(
            "test_named_all", **labels | {"exported_exported_worker": "c", "exported_exported_exported_worker": "a"}
        )
        == 4.0
    )


def test_setting_the_clock_does_not_make_a_live_worker_dead(start: Start, tmp_path: Path) -> None:
    """The file of a worker seems older than its process after the clock was put forward."""
    child = start(5)
    files = WorkerFiles(tmp_path)
    with files:
        path = next(tmp_path.glob(f"{child.pid}-*.json"))
        os.utime(path, (1, 1))
        before = metrics.counter("test_work_total").value
        for _ in range(2):
            assert files.gather().get("test_work_total") == before + 5


def test_a_later_process_of_the_same_number_is_another(tmp_path: Path) -> None:
    with WorkerFiles(tmp_path) as files:
        own = next(tmp_path.glob(f"{os.getpid()}-*.json"))
        pid, _, token = own.stem.split("-")
        other = tmp_path / f"{pid}-1-{token[::-1]}x.json"
        other.write_text(own.read_text())
        files.gather()
        assert not other.exists()
