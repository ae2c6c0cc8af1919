"""SIGTERM and SIGINT while a queue runs in a program's main thread, and the worker of the command line."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks import State, TaskQueue
from fastcore.tasks.worker import find_queue
from tests.tasks.executors.process_queue import ROOT
from tests.tasks.queue_cases import LONG, run, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

JOBS = """
    import asyncio, os, signal, sys, time
    from pathlib import Path
    from fastcore.tasks import TaskQueue

    queue = TaskQueue("sqlite:///tasks.db", workers={"process": 1}, drain=60)

    def until_told():
        print("begins", flush=True)
        while not Path("end").exists(): time.sleep(0.005)
        print("ends", flush=True)

    @queue.task(retries=0)
    async def coroutine():
        print("begins", flush=True)
        while not Path("end").exists(): await asyncio.sleep(0.005)
        print("ends", flush=True)

    thread = queue.task(until_told, name="thread", retries=0)
    process = queue.task(until_told, name="process", retries=0, on="process")
"""
MAIN = """
    async def main():
        queue.submit(sys.argv[1])
        async with queue:
            try:
                await asyncio.Event().wait()
            finally:
                print("leaves", flush=True)

    if __name__ == "__main__":
        asyncio.run(main())
"""


class Program:
    """A program of its own, whose output is read line by line."""

    def __init__(self, place: Path, *words: str) -> None:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.place = place
        with (place / "errors").open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *words], cwd=place, env=env, text=True, stdout=subprocess.PIPE, stderr=errors
            )

    def says(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n", self.errors()

    def errors(self) -> str:
        return (self.place / "errors").read_text()

    def ended(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=LONG)
        return self.process.returncode, out

    def tasks(self) -> list[tuple[State, int]]:
        queue = TaskQueue(f"sqlite:///{self.place}/tasks.db")
        found = [(view.state, view.attempt) for view in queue.find()]
        queue.close()
        return found


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    programs: list[Program] = []

    def start(*words: str, main: str = MAIN) -> Program:
        (tmp_path / "jobs.py").write_text(textwrap.dedent(JOBS) + textwrap.dedent(main))
        programs.append(Program(tmp_path, *words))
        return programs[-1]

    yield start
    (tmp_path / "end").touch()  # a process of a killed program ends after its task
    for one in programs:
        one.process.kill()
        one.process.communicate()


KINDS = ["coroutine", "thread", "process"]


@pytest.mark.parametrize("kind", KINDS)
def test_sigterm_gives_running_tasks_their_time_to_end(started: Any, kind: str) -> None:
    program = started("jobs.py", kind)
    program.says("begins")
    program.process.send_signal(signal.SIGTERM)
    program.says("leaves")
    (program.place / "end").touch()
    assert program.ended() == (143, "ends\n")
    assert program.tasks() == [(State.SUCCEEDED, 1)]
    assert program.errors() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", KINDS)
def test_a_second_signal_cuts_the_drain_and_gives_the_attempt_back(
    started: Any, kind: str, number: signal.Signals
) -> None:
    program = started("jobs.py", kind)
    program.says("begins")
    program.process.send_signal(number)
    program.says("leaves")
    program.process.send_signal(number)
    status, out = program.ended()
    assert out == ""
    assert status == (143 if number is signal.SIGTERM else -signal.SIGINT)
    assert program.tasks() == [(State.QUEUED, 0)]
    assert "never retrieved" not in program.errors()
    assert "was destroyed" not in program.errors()


def test_a_handler_of_the_programs_own_is_left_alone(started: Any) -> None:
    main = """
        def mine(number, frame):
            print("mine", flush=True)

        async def main():
            before = signal.signal(signal.SIGTERM, mine)
            queue.submit("coroutine")
            async with queue:
                await asyncio.sleep(0)
                print("ready", flush=True)
                while not Path("end").exists(): await asyncio.sleep(0.005)
            assert signal.getsignal(signal.SIGTERM) is mine
            assert signal.getsignal(signal.SIGINT) is not signal.SIG_DFL

        asyncio.run(main())
        """
    program = started("jobs.py", main=main)
    assert sorted(program.process.stdout.readline() for _ in range(2)) == ["begins\n", "ready\n"]
    program.process.send_signal(signal.SIGTERM)
    program.says("mine")
    (program.place / "end").touch()
    assert program.ended()[0] == 0, program.errors()


def test_signal_handlers_are_restored_when_the_queue_has_stopped() -> None:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:

        async def scenario() -> None:
            interrupt = signal.getsignal(signal.SIGINT)
            async with TaskQueue():
                assert callable(signal.getsignal(signal.SIGTERM))
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
            assert signal.getsignal(signal.SIGINT) == interrupt

        run(scenario)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("kind", ["submit", "asubmit"])
def test_a_cancelled_stop_returns_running_tasks(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        queue = TaskQueue(f"sqlite:///{tmp_path}/tasks.db", drain=LONG)
        begun = asyncio.Event()

        @queue.task
        async def forever() -> None:
            begun.set()
            await asyncio.Event().wait()

        await queue.astart()
        id = await queue.asubmit(forever)
        await begun.wait()
        stopping = asyncio.ensure_future(queue.astop())
        await until(lambda: not queue.running)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        again = TaskQueue(f"sqlite:///{tmp_path}/tasks.db")
        view = again.status(id)
        assert (view.state, view.attempt) == (State.QUEUED, 0)
        again.close()

    run(scenario)


# ---- the worker of the command line ----


def test_a_worker_drains_on_sigterm(started: Any, tmp_path: Path) -> None:
    queue = TaskQueue(f"sqlite:///{tmp_path}/tasks.db")
    queue.submit(queue.task(print, name="process"))
    queue.close()
    program = started("-m", "fastcore", "tasks", "run", "jobs:queue", main="")
    program.says("begins")
    program.process.send_signal(signal.SIGTERM)
    (program.place / "end").touch()
    assert program.ended() == (0, "ends\n")
    assert program.tasks() == [(State.SUCCEEDED, 1)]
    assert "works on jobs:queue: coroutine, process, thread" in program.errors()


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("jobs", "run: expected MODULE:QUEUE, as in service.jobs:queue, got 'jobs'"),
        (":queue", "run: expected MODULE:QUEUE"),
        ("jobs:", "run: expected MODULE:QUEUE"),
        ("no_such_module_here:queue", "run: expected a queue at no_such_module_here:queue, got No module named"),
        ("os.path.none:queue", "run: expected a queue at os.path.none:queue, got No module named"),
        ("os:queue", "run: expected a queue at os:queue, got module 'os' has no attribute 'queue'"),
        ("os:path.sep", "run: expected a TaskQueue at os:path.sep, got str"),
    ],
)
def test_a_place_without_a_queue_is_refused(place: str, text: str) -> None:
    with pytest.raises(ValueError) as raised:
        find_queue(place)
    assert str(raised.value).startswith(text)


def test_a_failed_import_of_a_module_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_more.py").write_text("import not_there_at_all")
    (tmp_path / "empty_queue.py").write_text("from fastcore.tasks import TaskQueue; queue = TaskQueue()")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r"needs_more to be importable, got ModuleNotFoundError: .*not_there_at_all"):
        find_queue("needs_more:queue")
    with pytest.raises(ValueError, match="expected a queue with tasks at empty_queue:queue, got one without"):
        find_queue("empty_queue:queue")
