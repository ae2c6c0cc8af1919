"""Prefetched tasks of a worker's child: they can be withdrawn until begun, and only its own death affects them."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import pytest

from fastcore.tasks import State
from fastcore.tasks.codec import Codec
from fastcore.tasks.executors.process.child_main import head_of, message
from fastcore.tasks.executors.process.child_process import TaskProcess, _frames
from fastcore.tasks.executors.process.worker import Doom, Removal, Worker
from tests.tasks.executors import process_jobs as jobs
from tests.tasks.executors.process_queue import MINUTE, lines, queues_made  # noqa: F401
from tests.waiting import until

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(not TaskProcess.deep, reason="one message at a time here"),
]


@pytest.fixture
def at_hand(make: Any, tmp_path: Path) -> Any:
    """A queue whose child runs the first of its tasks, and has four more in its socket."""
    queue = make(lookahead=600.0)
    assert queue.result(queue.submit(queue.task(jobs.square, on="process"), 2), timeout=MINUTE) == 4
    executor = queue._executors["process"]
    executor._mean = 0.001  # as after many short tasks
    block = queue.task(jobs.steps, on="process", retries=0)
    note = queue.task(jobs.note, on="process", retries=0)
    marks = tmp_path / "marks"
    calls = [(block, (str(tmp_path / "go"),)), *((note, (str(marks), word)) for word in "abcd")]
    first, *others = queue.submit_many(calls)
    until(lambda: queue.status(first).note == "step 1")
    [worker] = executor._workers
    until(lambda: worker._posted == 5)
    return queue, worker, first, others, marks


def test_a_prefetched_task_can_be_cancelled_and_never_runs(at_hand: Any, tmp_path: Path) -> None:
    queue, worker, first, others, marks = at_hand
    queue.cancel(others[1])
    until(lambda: queue.status(others[1]).state is State.CANCELLED)
    for n in (1, 2, 3):
        (tmp_path / f"go{n}").touch()
    until(lambda: all(queue.status(id).ended for id in (first, *others)))
    assert lines(marks) == ["a", "c", "d"]
    assert worker.child.starts == 1


@pytest.mark.parametrize("outside", [True, False])
def test_a_death_does_not_affect_prefetched_tasks(at_hand: Any, outside: bool) -> None:
    queue, worker, first, others, marks = at_hand
    if outside:
        psutil.Process(worker.child.pid).kill()
    else:
        queue.cancel(first)
    for id in others:
        until(lambda id=id: queue.status(id).ended)
        assert (queue.status(id).state, queue.status(id).attempt) == (State.SUCCEEDED, 1)
    assert lines(marks) == ["a", "b", "c", "d"]
    assert queue.status(first).state is (State.DEAD if outside else State.CANCELLED)


def test_a_task_that_has_ended_is_not_killed_and_neither_is_the_next(at_hand: Any, tmp_path: Path) -> None:
    """The answer is on its way when the cancellation comes: the child is at the next task already."""
    queue, worker, first, others, marks = at_hand
    with worker._lock:  # the worker hears nothing meanwhile
        job = worker._jobs[0]
        for n in (1, 2, 3):
            (tmp_path / f"go{n}").touch()
        until(lambda: len(lines(marks)) == 4)
    assert worker.kill(job, Doom.CANCEL) is Removal.ABSENT
    until(lambda: all(queue.status(id).state is State.SUCCEEDED for id in (first, *others)))
    assert lines(marks) == ["a", "b", "c", "d"]


def test_prefetched_tasks_are_returned_behind_a_long_one(make: Any, tmp_path: Path) -> None:
    queue = make(lookahead=0.5)
    queue._executors["process"]._mean = 0.001
    block = queue.task(jobs.steps, on="process", retries=0)
    note = queue.task(jobs.note, on="process", retries=0)
    marks = tmp_path / "marks"
    calls = [(block, (str(tmp_path / "go"),)), *((note, (str(marks), word)) for word in "abc")]
    first, *others = queue.submit_many(calls)
    until(lambda: queue.status(first).note == "step 1")
    until(lambda: all(queue.status(id).state is State.QUEUED for id in others))
    urgent = queue.submit(note.configure(priority=0), str(marks), "urgent")
    for n in (1, 2, 3):
        (tmp_path / f"go{n}").touch()
    until(lambda: all(queue.status(id).state is State.SUCCEEDED for id in (first, *others, urgent)))
    assert {queue.status(id).attempt for id in others} == {1}
    assert lines(marks) == ["urgent", "a", "b", "c"]


def test_messages_can_be_withdrawn_until_they_are_begun(tmp_path: Path) -> None:
    child = TaskProcess("a test")
    codec = Codec()

    def post(fn: Any, *args: Any) -> None:
        text = message(head_of(fn, "kind", codec), (args, {}), "id", 1, False, "kind")
        assert child.post(text)

    def hear(number: int) -> list[Any]:
        found: list[Any] = []
        while len(found) < number:
            for done, value, *_ in map(pickle.loads, child.answers()):
                if done is not None:
                    found.append(value)
                    child.answered()
        return found

    child.open("a test")
    try:
        post(jobs.report_and_wait, str(tmp_path / "began"), str(tmp_path / "go"))
        until((tmp_path / "began").exists)
        assert child.withdraw() == 0
        for n in range(5):
            post(jobs.square, n)
        assert child.withdraw() == 5
        child.nudge()
        child.nudge()
        post(jobs.square, 7)
        assert child.withdraw() == 1  # what only wakes is no message
        post(jobs.square, 3)
        (tmp_path / "go").touch()
        assert hear(2) == ["went", 9]
        post(jobs.square, np.zeros(50_000))  # longer than what goes through the socket
        assert not child.post(b"x")
        assert child.withdraw() == 0
        assert hear(1)[0].shape == (50_000,)
        fitting = 0
        post(jobs.report_and_wait, str(tmp_path / "began2"), str(tmp_path / "go2"))
        while child.post(message(head_of(jobs.size, "size", codec), ((b"x" * 50_000,), {}), "id", 1, False, "size")):
            fitting += 1
        assert fitting == 1  # then there is no room until something is answered
        (tmp_path / "go2").touch()
        assert hear(2) == ["went", 50_000]
    finally:
        child.hang_up()
        child.join(MINUTE)


def test_answers_are_reassembled_from_any_split() -> None:
    texts = [b"", b"a" * 3, pickle.dumps(list(range(1000)))]
    stream = b"".join(struct.pack("!i", len(text)) + text for text in texts)
    stream += struct.pack("!iQ", -1, 5) + b"large"
    for step in (1, 2, 3, 7, 100, len(stream)):
        heard, found = bytearray(), []
        for at in range(0, len(stream), step):
            heard += stream[at : at + step]
            found += _frames(heard)
        assert found == [*texts, b"large"]
        assert not heard
    with pytest.raises(ValueError, match=r"^expected the size of an answer, got -2$"):
        _frames(bytearray(struct.pack("!i", -2)))


def test_killing_an_ended_job_does_not_end_a_later_one() -> None:
    class ChildProcess:
        """One whose child has begun both of its messages, and whose answers were not read yet."""

        killed = 0

        def withdraw(self) -> int:
            return 0

        def kill(self) -> None:
            self.killed += 1

    worker: Any = Worker(cast(Any, None), cast(Any, None))
    worker.child = child = ChildProcess()
    ended, begun = cast(Any, object()), cast(Any, object())
    worker.assign(ended)
    worker.assign(begun)
    worker._posted = 2
    assert worker.kill(ended, Doom.CANCEL) is Removal.ABSENT
    assert (child.killed, worker._doomed) == (0, None)
    assert worker.kill(begun, Doom.CANCEL) is Removal.KILLED
    assert (child.killed, worker._doomed) == (1, begun)
