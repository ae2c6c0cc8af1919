"""Dask as an executor: it runs what the store gives it, and nothing is lost with a worker or with the scheduler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("distributed")

from distributed import LocalCluster

from fastcore.tasks import State, TaskQueue, UnsupportedOption
from fastcore.tasks.chunks import chunks
from fastcore.tasks.executors.dask import DaskExecutor
from tests.tasks.executors import process_jobs as jobs
from tests.waiting import until

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.filterwarnings("ignore"),  # of distributed and its sockets; nothing here is about warnings
]
ROOT = Path(__file__).resolve().parents[3]
MINUTE = 60.0


@contextmanager
def running(cluster: Any, store: str = "memory", **options: Any) -> Iterator[TaskQueue]:
    queue = TaskQueue(store, executors={"dask": DaskExecutor(cluster, **options)}, drain=0.1).start()
    try:
        yield queue
    finally:
        queue.stop()
        queue.close()


# ---- a cluster of this process ----


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    any_port = {"dashboard_address": ":0"}  # else two test processes want the same
    with LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, scheduler_kwargs=any_port, host="127.0.0.1"
    ) as made:
        yield made


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_arguments_results_errors_and_equal_calls(cluster: Any, tmp_path: Path, store: str) -> None:
    with running(cluster, "memory" if store == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}") as queue:
        square = queue.task(jobs.square, on="dask")
        assert queue.result(queue.submit(square, 5, plus=1), timeout=MINUTE) == 26
        came = queue.result(queue.submit(square, np.arange(3.0)), timeout=MINUTE)
        np.testing.assert_array_equal(came, [0.0, 1.0, 4.0])
        failed = queue.submit(queue.task(jobs.fail, on="dask", retries=0), 7)
        until(lambda: queue.status(failed).ended)
        error = queue.status(failed).error
        assert error is not None
        assert (error.type, error.text) == ("LookupError", "no 7")
        marks = tmp_path / "marks"
        note = queue.task(jobs.note, on="dask")
        ids = queue.submit_many([(note, (str(marks), "x")) for _ in range(12)])
        until(lambda: all(queue.status(id).state is State.SUCCEEDED for id in ids))
        assert marks.read_text().split() == ["x"] * 12  # equal calls are calls all the same


def test_functions_that_no_worker_can_import_are_sent(cluster: Any) -> None:
    def local(n: int) -> int:
        return n + 1

    with running(cluster) as queue:
        assert queue.result(queue.submit(queue.task(local, on="dask"), 1), timeout=MINUTE) == 2


def test_progress_reaches_the_queue(cluster: Any, tmp_path: Path) -> None:
    with running(cluster) as queue:
        id = queue.submit(queue.task(jobs.steps, on="dask"), str(tmp_path / "go"))
        for n in range(1, 4):
            until(lambda n=n: queue.status(id).note == f"step {n}")
            (tmp_path / f"go{n}").touch()
        assert queue.result(id, timeout=MINUTE) == "there"


def test_retries_are_done_by_the_queue(cluster: Any) -> None:
    with running(cluster) as queue:
        from fastcore.concurrency import Retry

        task = queue.task(jobs.fail, on="dask", retries=Retry(3, base=0))
        id = queue.submit(task, 1)
        until(lambda: queue.status(id).ended)
        assert (queue.status(id).state, queue.status(id).attempt) == (State.DEAD, 3)


def test_tasks_waiting_at_the_cluster_run_by_priority(cluster: Any, tmp_path: Path) -> None:
    with running(cluster, size=8) as queue:  # two run, six wait at Dask
        marks = tmp_path / "marks"
        blocker = queue.task(jobs.steps, on="dask", priority=0)
        blockers = [queue.submit(blocker, str(tmp_path / f"go{i}")) for i in range(2)]
        until(lambda: all(queue.status(id).note == "step 1" for id in blockers))
        note = queue.task(jobs.note_and_nap, on="dask")
        ids = [queue.submit(note.configure(priority=p), str(marks), str(p), 0.05) for p in (9, 7, 8, 1, 3, 2)]
        until(lambda: all(queue.status(id).state is State.RUNNING for id in ids))
        time.sleep(0.3)  # for the last of them to reach the scheduler
        for n in (1, 2, 3):
            (tmp_path / f"go0{n}").touch()
        until(lambda: all(queue.status(id).ended for id in ids))
        assert marks.read_text().split() == ["1", "2", "3", "7", "8", "9"]
        queue.cancel(blockers[1])
        for n in (1, 2, 3):
            (tmp_path / f"go1{n}").touch()


def test_cancelling_reports_tasks_that_could_not_be_stopped(cluster: Any, tmp_path: Path) -> None:
    with running(cluster) as queue:
        task = queue.task(jobs.steps, on="dask")
        id = queue.submit(task, str(tmp_path / "go"))
        until(lambda: queue.status(id).note == "step 1")
        queue.cancel(id)
        until(lambda: queue.status(id).state is State.CANCELLED)
        for n in (1, 2, 3):
            (tmp_path / f"go{n}").touch()
        assert queue.result(queue.submit(queue.task(jobs.square, on="dask"), 3), timeout=MINUTE) == 9
        assert queue.status(id).state is State.CANCELLED  # the late result was refused


@pytest.mark.parametrize("option", [{"timeout": 5}, {"memory_limit": 1 << 30}])
def test_unsupported_options_raise(cluster: Any, option: dict[str, Any]) -> None:
    with running(cluster) as queue:
        with pytest.raises(UnsupportedOption, match="dask"):
            queue.submit(queue.task(jobs.pid, on="dask", **option))


def test_stopping_returns_running_tasks(cluster: Any, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'tasks.db'}"
    with running(cluster, store) as queue:
        id = queue.submit(queue.task(jobs.steps, on="dask"), str(tmp_path / "go"))
        until(lambda: queue.status(id).note == "step 1")
    for n in (1, 2, 3):
        (tmp_path / f"go{n}").touch()
    again = TaskQueue(store)
    view = again.status(id)
    again.close()
    assert (view.state, view.attempt) == (State.QUEUED, 0)


# ---- a cluster of other processes, killed ----


class Remote:
    """A scheduler and workers, each a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.address = ""
        self.processes: list[subprocess.Popen[bytes]] = []

    def _popen(self, *arguments: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with open(self.folder / f"log{len(self.processes)}", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments], env=env, cwd=self.folder, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def scheduler(self) -> subprocess.Popen[bytes]:
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        process = self._popen(
            "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard",
            "--scheduler-file", str(file),
        )  # fmt: skip
        text = until(lambda: file.exists() and file.read_text().rstrip().endswith("}") and file.read_text())
        self.address = json.loads(text)["address"]
        self.port = int(self.address.rpartition(":")[2])
        return process

    def worker(self) -> subprocess.Popen[bytes]:
        return self._popen(
            "distributed.cli.dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard",
            "--death-timeout", "60",
        )  # fmt: skip

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    made = Remote(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_every_task_ends_though_a_worker_and_then_the_scheduler_are_killed(remote: Remote, tmp_path: Path) -> None:
    scheduler = remote.scheduler()
    workers = [remote.worker() for _ in range(2)]
    marks = tmp_path / "marks"

    def ran() -> int:
        return len(marks.read_text().split()) if marks.exists() else 0

    with running(remote.address, f"sqlite:///{tmp_path / 'tasks.db'}") as queue:
        task = queue.task(jobs.note_and_nap, on="dask", retries=5)
        ids = queue.submit_many([(task, (str(marks), str(n), 0.1)) for n in range(40)])
        until(lambda: ran() > 4)
        workers[0].kill()
        so_far = ran()
        until(lambda: ran() > so_far + 4)
        scheduler.kill()
        scheduler.wait()
        until(lambda: all(queue.status(id).state is not State.RUNNING for id in ids))
        assert any(queue.status(id).state is State.QUEUED for id in ids)  # they wait for a scheduler
        remote.scheduler()
        remote.worker()
        until(lambda: all(queue.status(id).ended for id in ids))
        assert [queue.status(id).result for id in ids] == [str(n) for n in range(40)]
    assert set(map(int, marks.read_text().split())) == set(range(40))


def test_a_queue_starts_without_a_scheduler_and_its_tasks_wait(tmp_path: Path) -> None:
    with running("tcp://127.0.0.1:9") as queue:  # no server listens there
        id = queue.submit(queue.task(jobs.pid, on="dask"))
        time.sleep(0.3)
        assert queue.status(id).state is State.QUEUED


# ---- chunks, wrong arguments, the missing extra ----


def test_chunks() -> None:
    assert chunks(range(7), size=3) == [[0, 1, 2], [3, 4], [5, 6]]
    assert chunks(range(7), parts=2) == [[0, 1, 2, 3], [4, 5, 6]]
    assert chunks("ab", parts=5) == [["a"], ["b"]]
    assert chunks([], size=3) == chunks([], parts=2) == []
    for n in range(1, 30):
        for size in range(1, 12):
            made = chunks(range(n), size=size)
            assert [item for part in made for item in part] == list(range(n))
            assert max(map(len, made)) <= size
            assert max(map(len, made)) - min(map(len, made)) <= 1
            assert len(made) == -(-n // size)
    with pytest.raises(ValueError, match=r"^size: expected an int >= 1, got 0$"):
        chunks([1], size=0)
    with pytest.raises(TypeError, match=r"^chunks: expected one of size and parts, got neither$"):
        chunks([1])
    with pytest.raises(TypeError, match=r"^chunks: expected one of size and parts, got both$"):
        chunks([1], size=1, parts=1)


def test_wrong_clusters_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^cluster: expected an address, a cluster or a Client, got int$"):
        DaskExecutor(5)
    with pytest.raises(ValueError, match=r"^cluster: expected an address like 'tcp://host:8786', got ''$"):
        DaskExecutor("")


def test_the_missing_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from fastcore.tasks.executors.dask import DaskExecutor\n"
        "try: DaskExecutor('tcp://127.0.0.1:1')\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.rstrip().endswith('pip install "fastcore-native[dask]"')
