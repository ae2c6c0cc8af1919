"""The thread that writes: which requests share a sync."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks.errors import QueueClosed, StoreError
from fastcore.tasks.stores.sqlite import writer
from fastcore.tasks.stores.sqlite.commit_reply import CommitReply
from fastcore.tasks.stores.sqlite.transaction import Transaction
from fastcore.tasks.stores.sqlite.writer import Writer

LONG = 60.0


class Asking:
    """A writer whose transactions are recorded, and held up on demand."""

    def __init__(self, path: Path, full: bool) -> None:
        self.batches: list[list[str]] = []
        self._entered = threading.Semaphore(0)
        self._go = threading.Semaphore(0)
        self._names: list[str] = []
        self.writer = Writer(
            lambda: sqlite3.connect(path, isolation_level=None, check_same_thread=False),
            str(path),
            full=full,
            present=lambda: self._record,
            wake=lambda: None,
            tick=lambda connection: None,
            pause=2 * LONG,  # what nothing rings for is not written in time
        )

    def _record(self) -> None:  # the last thing before the commit
        if self._names:
            self.batches.append(self._names)
            self._names = []

    def _write(self, change: Transaction, names: Sequence[str]) -> list[str]:
        self._names += names
        return list(names)

    def _hold(self, change: Transaction, names: Sequence[str]) -> list[str]:
        self._entered.release()
        assert self._go.acquire(timeout=LONG)
        return self._write(change, names)

    def ask(self, name: str, *, soft: bool = False) -> CommitReply[str]:
        return self.writer.ask(self._write, name, soft=soft, patient=name.startswith("end"))

    def run(self, name: str) -> tuple[str, str]:
        """Have a name written for a thread of its own that waits; return the answer, and who wrote it."""
        writers: list[str] = []

        def write(change: Transaction, names: Sequence[str]) -> list[str]:
            writers.append(threading.current_thread().name)
            return self._write(change, names)

        with ThreadPoolExecutor(1, thread_name_prefix="submitter") as pool:
            answer = pool.submit(self.writer.run, write, name).result(LONG)
        return answer, writers[0].partition("_")[0]

    def until_idle(self) -> None:
        """Wait until the writer waits for a request, and has seen that there is none."""
        idle = threading.Event()
        bell, requests = self.writer._bell, self.writer._requests

        class Watched:
            def get(self, timeout: float | None = None) -> Any:
                if not requests:
                    idle.set()
                return bell.get(timeout=timeout)

            def __getattr__(self, name: str) -> Any:
                return getattr(bell, name)

        watched: Any = Watched()
        self.writer._bell = watched
        bell.put(None)
        assert idle.wait(LONG)
        self.writer._bell = bell

    def during(self, name: str, meanwhile: Callable[[], Any]) -> Any:
        """Have a name written, and something done while that is under way; return what that returns."""
        answer = self.writer.ask(self._hold, name, patient=name.startswith("end"))
        assert self._entered.acquire(timeout=LONG)
        found = meanwhile()
        self._go.release()
        assert answer.result(LONG) == name
        return found


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have patient requests wait until another comes: a test with a wrong idea of which wait does not end."""
    monkeypatch.setattr(writer, "_PATIENCE", 1e9)
    monkeypatch.setattr(writer, "_MOST_PATIENCE", 1e9)


@pytest.fixture(params=[True, False], ids=["full", "normal"])
def asking(request: pytest.FixtureRequest, tmp_path: Path, patient: None) -> Iterator[Asking]:
    found = Asking(tmp_path / "any.db", request.param)
    yield found
    found.writer.close()


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("asking", [True], indirect=True)
def test_the_ends_of_a_lone_submitters_tasks_share_the_syncs_of_further_submissions(asking: Asking, soft: bool) -> None:
    end = asking.during("submit 1", lambda: asking.ask("end 0", soft=soft))  # it waits: who submitted will do so again
    submit = asking.ask("submit 2")
    assert end.result(LONG) == "end 0"
    assert submit.result(LONG) == "submit 2"
    end = asking.ask("end 1", soft=soft)  # at its leisure
    submit = asking.ask("submit 3")
    assert (end.result(LONG), submit.result(LONG)) == ("end 1", "submit 3")
    assert asking.batches == [["submit 1"], ["end 0", "submit 2"], ["end 1", "submit 3"]]


@pytest.mark.parametrize("asking", [True], indirect=True)
def test_a_submission_waits_for_no_end(asking: Asking) -> None:
    end = asking.during("submit 1", lambda: asking.ask("end 0"))
    assert asking.ask("submit 2").result(LONG) == "submit 2"
    assert end.result(LONG) == "end 0"
    for n in (3, 4):  # though the last sync was shared
        assert asking.ask(f"submit {n}").result(LONG) == f"submit {n}"
    assert asking.batches == [["submit 1"], ["end 0", "submit 2"], ["submit 3"], ["submit 4"]]


def test_an_outcome_after_a_submission_is_written_at_once(asking: Asking) -> None:
    for n in range(2):  # as of a submitter that waits for its task's result
        assert asking.ask(f"submit {n}").result(LONG) == f"submit {n}"
        asking.until_idle()
        assert asking.ask(f"end {n}").result(LONG) == f"end {n}"
        asking.until_idle()
    assert asking.batches == [["submit 0"], ["end 0"], ["submit 1"], ["end 1"]]


@pytest.mark.parametrize("asking", [True], indirect=True)
def test_outcomes_do_not_wait_for_each_other(asking: Asking) -> None:
    later = asking.during("end 0", lambda: asking.ask("end 1"))
    assert later.result(LONG) == "end 1"
    assert asking.ask("end 2").result(LONG) == "end 2"
    assert asking.batches == [["end 0"], ["end 1"], ["end 2"]]


def test_a_lone_request_does_not_wait(asking: Asking) -> None:
    for name in ("one", "two", "three"):
        assert asking.ask(name).result(LONG) == name
    assert asking.batches == [["one"], ["two"], ["three"]]


def test_requests_that_need_no_sync_delay_no_other_request(asking: Asking) -> None:
    claim = asking.during("submit 1", lambda: asking.ask("claim", soft=True))
    assert claim.result(LONG) == "claim"
    assert asking.ask("submit 2").result(LONG) == "submit 2"
    assert asking.batches == [["submit 1"], ["claim"], ["submit 2"]]


@pytest.mark.parametrize("asking", [False], indirect=True)
def test_without_syncs_requests_do_not_wait_for_each_other(asking: Asking) -> None:
    end = asking.during("submit 1", lambda: asking.ask("end 0"))
    assert end.result(LONG) == "end 0"
    assert asking.batches == [["submit 1"], ["end 0"]]


@pytest.mark.parametrize("asking", [True], indirect=True)
def test_an_end_that_waited_without_a_submission_does_not_wait_again(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_MOST_PATIENCE", 1e-3)
    end = asking.during("submit 1", lambda: asking.ask("end 0"))
    assert end.result(LONG) == "end 0"
    monkeypatch.setattr(writer, "_MOST_PATIENCE", 1e9)
    assert asking.ask("end 1").result(LONG) == "end 1"
    end = asking.during("submit 2", lambda: asking.ask("end 2"))
    assert asking.ask("submit 3").result(LONG) == "submit 3"
    assert end.result(LONG) == "end 2"
    assert asking.batches == [["submit 1"], ["end 0"], ["end 1"], ["submit 2"], ["end 2", "submit 3"]]


@pytest.mark.parametrize("asking", [True], indirect=True)
def test_a_closed_writer_writes_requests_that_wait_for_another(asking: Asking) -> None:
    end = asking.during("submit 1", lambda: asking.ask("end 0"))
    asking.writer.close()
    assert end.result(0) == "end 0"


def test_a_signal_handler_may_ask_in_the_middle_of_a_request(asking: Asking) -> None:
    class Interrupted:
        """Stands for the queue of requests while a signal comes."""

        def __init__(self, found: Any) -> None:
            self._found = found
            self.inner: list[CommitReply[str]] = []

        def append(self, request: Any) -> None:
            asking.writer._requests = self._found
            self.inner.append(asking.ask("inner"))
            self._found.append(request)

        def __len__(self) -> int:
            return len(self._found)

        def __iter__(self) -> Iterator[Any]:
            return iter(self._found)

    interrupted: Any = Interrupted(asking.writer._requests)
    asking.writer._requests = interrupted
    outer: list[str] = []
    thread = threading.Thread(target=lambda: outer.append(asking.ask("outer").result(LONG)), daemon=True)
    thread.start()
    thread.join(LONG)
    assert outer == ["outer"]
    assert interrupted.inner[0].result(LONG) == "inner"


def test_a_destructor_in_the_writing_thread_does_not_wait_for_itself(asking: Asking) -> None:
    asked: list[CommitReply[str]] = []
    errors: list[BaseException] = []

    def destroy(_: object) -> None:
        asked.append(asking.ask("last"))
        try:
            asked[0].result()
        except StoreError as error:
            errors.append(error)

    asking.during("first", lambda: asking.ask("second").add_done_callback(destroy))
    assert asking.ask("third").result(LONG) == "third"
    [error] = errors
    assert "expected another thread to wait for the store than the one that writes" in str(error)
    assert "last" in [name for batch in asking.batches for name in batch]  # it is done all the same
    asked[0].add_done_callback(lambda answer: None)
    assert asked[0].result(0) == "last"


WRITER = "fastcore-tasks-sqlite"


def test_a_lone_thread_that_waits_writes_its_request_itself(asking: Asking) -> None:
    assert [asking.run(name) for name in ("one", "two")] == [("one", "submitter"), ("two", "submitter")]
    assert asking.batches == [["one"], ["two"]]


@pytest.mark.parametrize("asking", [True], indirect=True)
def test_a_thread_that_waits_writes_the_ends_that_wait_for_a_submission(asking: Asking) -> None:
    end = asking.during("submit 1", lambda: asking.ask("end 0"))
    assert asking.run("submit 2") == ("submit 2", "submitter")
    assert end.result(LONG) == "end 0"
    assert asking.batches == [["submit 1"], ["end 0", "submit 2"]]


def test_requests_that_come_while_a_waiting_thread_writes_are_written_after_it(asking: Asking) -> None:
    later: list[CommitReply[str]] = []

    def write(change: Transaction, names: Sequence[str]) -> list[str]:
        thread = threading.Thread(target=lambda: later.append(asking.ask("later")))
        thread.start()
        thread.join(LONG)
        return asking._write(change, names)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asking.writer.run, write, "first").result(LONG) == "first"
    assert later[0].result(LONG) == "later"
    assert asking.batches == [["first"], ["later"]]


def test_a_thread_that_waits_while_another_writes_is_served_by_the_writers_thread(asking: Asking) -> None:
    found: list[tuple[str, str]] = []

    def wait() -> None:
        thread = threading.Thread(target=lambda: found.append(asking.run("second")), daemon=True)
        thread.start()
        while not asking.writer._requests:
            thread.join(0.001)

    asking.during("first", wait)
    asking.writer.close()
    while not found:
        threading.Event().wait(0.001)
    assert found == [("second", WRITER)]


def test_a_thread_that_has_written_waits_for_others_to_write(asking: Asking) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asking.writer.run, asking._write, "one").result(LONG) == "one"
        assert pool.submit(lambda: asking.ask("two").result(LONG)).result(LONG) == "two"
    assert asking.batches == [["one"], ["two"]]


def test_a_crowd_of_waiting_threads_is_served_by_the_writers_thread_until_one_is_left(asking: Asking) -> None:
    asking.during("first", lambda: [asking.ask("second"), asking.ask("third")])
    asking.until_idle()
    assert asking.run("fourth") == ("fourth", WRITER)
    assert asking.run("fifth") == ("fifth", "submitter")
    assert asking.batches == [["first"], ["second", "third"], ["fourth"], ["fifth"]]


def test_the_main_thread_leaves_its_requests_to_the_writers_thread(asking: Asking) -> None:
    def write(change: Transaction, names: Sequence[str]) -> list[str]:
        return [threading.current_thread().name] * len(names)

    assert asking.writer.run(write, "one") == WRITER  # a signal handler may submit in the middle of a transaction


def test_an_error_reaches_the_thread_that_waits_and_the_next_request_is_written(asking: Asking) -> None:
    def fail(change: Transaction, names: Sequence[str]) -> list[str]:
        raise sqlite3.OperationalError("disk I/O error")

    with ThreadPoolExecutor(1) as pool, pytest.raises(StoreError, match="disk I/O error"):
        pool.submit(asking.writer.run, fail, "one").result(LONG)
    assert asking.run("two") == ("two", "submitter")


def test_a_destructor_in_a_waiting_thread_that_writes_does_not_wait_for_itself(asking: Asking) -> None:
    errors: list[StoreError] = []

    def write(change: Transaction, names: Sequence[str]) -> list[str]:
        try:
            asking.writer.run(asking._write, "last")
        except StoreError as error:
            errors.append(error)
        return asking._write(change, names)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asking.writer.run, write, "first").result(LONG) == "first"
    assert len(errors) == 1
    asking.writer.close()
    assert asking.batches == [["first"], ["last"]]  # it is done all the same


def test_a_closed_writer_refuses_a_thread_that_waits(asking: Asking) -> None:
    asking.writer.close()
    with ThreadPoolExecutor(1) as pool, pytest.raises(QueueClosed):
        pool.submit(asking.writer.run, asking._write, "one").result(LONG)
