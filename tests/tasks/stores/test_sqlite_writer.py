"""The thread that writes: which requests share a sync."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks.errors import StoreError
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
            lambda: sqlite3.connect(path, isolation_level=None),
            str(path),
            full=full,
            present=lambda: self._record,
            wake=lambda: None,
            tick=lambda connection: None,
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

    def until_idle(self) -> None:
        """Wait until the writer waits for a request, and has seen that there is none."""
        idle = threading.Event()
        requests = self.writer._requests

        class Watched:
            def get(self, timeout: float | None = None) -> Any:
                if requests.qsize() == 0:
                    idle.set()
                return requests.get(timeout=timeout)

            def __getattr__(self, name: str) -> Any:
                return getattr(requests, name)

        watched: Any = Watched()
        self.writer._requests = watched
        assert idle.wait(LONG)
        self.writer._requests = requests

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


def test_an_end_that_comes_after_a_submission_waits_for_nothing(asking: Asking) -> None:
    for n in range(2):  # as of a submitter that waits for its task's result
        assert asking.ask(f"submit {n}").result(LONG) == f"submit {n}"
        asking.until_idle()
        assert asking.ask(f"end {n}").result(LONG) == f"end {n}"
        asking.until_idle()
    assert asking.batches == [["submit 0"], ["end 0"], ["submit 1"], ["end 1"]]


@pytest.mark.parametrize("asking", [True], indirect=True)
def test_ends_wait_for_no_other_ends(asking: Asking) -> None:
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
    assert asking.batches == [["submit 1"], ["end 0"], ["end 1"]]


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

        def put(self, request: Any) -> None:
            asking.writer._requests = self._found
            self.inner.append(asking.ask("inner"))
            self._found.put(request)

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
