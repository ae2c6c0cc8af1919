"""`python -m fastcore tasks`: with a live owner, without one, for people and for programs."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcore.cli import main
from fastcore.tasks.codec import Codec
from fastcore.tasks.ports import Want
from fastcore.tasks.records import Claim, Encoded, Failure, Outcome, Progress, State
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import claimed, ended, spec

pytestmark = pytest.mark.backend_independent

CODEC = Codec()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "tasks.db", durability="normal").open()
    yield made
    made.close()


def submitted(store: SqliteStore, kind: str = "noop", **options: Any) -> str:
    made = spec(kind, at=time.time(), **options)
    made.payload = Encoded(CODEC.encode_call((7, "AAPL"), {"days": 3}))
    [id] = store.submit([made]).result(30)
    return id


def settled(store: SqliteStore, claim: Claim, state: State, note: str = "no") -> None:
    now = time.time()
    error = None if state is State.SUCCEEDED else Failure("ValueError", note, "Traceback\nValueError")
    result = Encoded(CODEC.encode({"rsi": 61})) if error is None else None
    assert store.settle([Outcome(claim.spec.id, claim.token, state, result, error, now, now)]).result(30) == [True]


def dead(store: SqliteStore, kind: str = "noop", **options: Any) -> str:
    id = submitted(store, kind, **options)
    [claim] = claimed(store, kind=kind, now=time.time())
    settled(store, claim, State.DEAD)
    return id


def tasks(store: SqliteStore, *words: str) -> int:
    return main(["tasks", "--db", str(store.path), *words])


def test_list_shows_the_latest_first_with_bars_and_without_a_terminals_orders(
    store: SqliteStore, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = submitted(store, "slow"), submitted(store, "bad")
    [claim] = claimed(store, kind="slow", now=time.time())
    store.report([Progress(first, claim.token, 0.5, "half\x1b[2J")]).result()
    [claim] = claimed(store, kind="bad", now=time.time())
    settled(store, claim, State.FAILED, "a\nb\x1b[31m")
    deadline = time.monotonic() + 60
    while True:  # progress is written a moment later
        assert tasks(store, "list") == 0
        out = capsys.readouterr().out
        if "half" in out or time.monotonic() > deadline:
            break
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", second, first]
    assert "failed" in lines[1]
    assert "ValueError: a?b?[31m" in lines[1]
    assert "running" in lines[2]
    assert "[##########..........]  50%" in lines[2]
    assert "half?[2J" in lines[2]
    assert "\x1b" not in out


def test_the_database_may_be_given_as_the_url_of_a_queue(
    store: SqliteStore, capsys: pytest.CaptureFixture[str]
) -> None:
    id = submitted(store, "slow")
    for query in ("", "?durability=normal"):
        assert main(["tasks", "--db", f"sqlite:///{store.path}{query}", "list"]) == 0
        assert id in capsys.readouterr().out
    assert main(["tasks", "--db", f"sqlite:///{store.path}?durable=yes", "list"]) == 2
    assert "expected nothing but durability=full" in capsys.readouterr().err


def test_list_filters(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = dead(store, "a"), dead(store, "b")
    c = submitted(store, "a")
    for words, expected in (
        (["--state", "dead"], [b, a]),
        (["--state", "dead", "--state", "queued"], [c, b, a]),
        (["--task", "a"], [c, a]),
        (["--limit", "1"], [c]),
        (["--state", "running"], []),
    ):
        assert tasks(store, "list", "--json", *words) == 0
        assert [one["id"] for one in json.loads(capsys.readouterr().out)] == expected


def test_show_reads_arguments_and_result(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    id = submitted(store, unique_key="k1")
    assert tasks(store, "show", id[-12:]) == 0
    out = capsys.readouterr().out
    assert f"id         {id}" in out
    assert "arguments  [[7, 'AAPL'], {'days': 3}]" in out
    assert "unique key k1" in out
    assert tasks(store, "show", id, "--json") == 0
    assert json.loads(capsys.readouterr().out)["arguments"] == [[7, "AAPL"], {"days": 3}]
    [claim] = claimed(store, now=time.time())
    settled(store, claim, State.SUCCEEDED)
    assert tasks(store, "show", id, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["result"], found["attempt"]) == ("succeeded", {"rsi": 61}, 1)


def test_values_without_json_form_are_shown_by_repr(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    made = spec(at=time.time())
    made.payload = Encoded(CODEC.encode_call(({1, 2}, float("nan")), {}))
    store.submit([made]).result(30)
    assert tasks(store, "show", made.id, "--json") == 0
    assert json.loads(capsys.readouterr().out)["arguments"] == "[[{1, 2}, nan], {}]"


def test_show_reads_no_pickle(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    made = spec(at=time.time())
    made.payload = Encoded(Codec("pickle").encode_call((1,), {}))
    store.submit([made]).result(30)
    assert tasks(store, "show", made.id) == 0
    assert "read only with serializer='pickle'" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["show", "ffff"], ["retry", "ffff"], ["show", "%"], ["show", "0"]])
def test_an_id_that_names_no_task_or_several(
    store: SqliteStore, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    submitted(store)
    submitted(store)
    assert tasks(store, *words) == 1
    assert "id: expected the id of" in capsys.readouterr().err


def test_retry_with_an_owner_that_lives_wakes_it(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    id = dead(store)
    woken = threading.Event()
    store.attach(woken.set)
    time.sleep(0.6)  # its own writes are seen by now: only another's may wake it
    woken.clear()
    done = subprocess.run(
        [sys.executable, "-m", "fastcore", "tasks", "--db", str(store.path), "retry", id],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{id} is queued again\n"), done.stderr
    assert woken.wait(60)
    assert [claim.attempt for claim in claimed(store, now=time.time())] == [1]


def test_retry_without_an_owner(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, c = dead(store, "a"), dead(store, "b"), dead(store, "a")
    store.close()
    assert tasks(store, "retry", a) == 0
    assert tasks(store, "retry", "--all-dead", "--task", "a", "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out.partition("\n")[2]) == {"retried": [c]}
    again = SqliteStore(store.path).open()
    try:
        assert {id: again.get(id).result(30).state for id in (a, b, c)} == {
            a: State.QUEUED,
            b: State.DEAD,
            c: State.QUEUED,
        }
    finally:
        again.close()


def test_retry_refuses_tasks_that_are_not_dead(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    id = submitted(store)
    assert tasks(store, "retry", id) == 1
    assert f"{id}: expected a task that is dead or failed, got one that is queued" in capsys.readouterr().err
    held = dead(store, "b", unique_key="k")
    submitted(store, "b", unique_key="k")
    assert tasks(store, "retry", held) == 1
    assert "expected its unique key to be free" in capsys.readouterr().err
    assert tasks(store, "retry") == 2
    assert tasks(store, "retry", id, "--all-dead") == 2


def test_stats_count_executions_and_live_children(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    submitted(store, "a"), submitted(store, "a"), submitted(store, "b")
    claimed(store, most=1, kind="a", now=time.time(), owner="engine")
    store.schedule("nightly", "every 5", time.time() + 500).result(30)
    assert tasks(store, "stats") == 0
    out = capsys.readouterr().out
    assert [line.split()[:3] for line in out.splitlines()[1:4]] == [["a", "1", "1"], ["b", "1", "0"], ["all", "2", "1"]]
    assert ":engine: 1 running, alive" in out
    assert "schedule nightly: next in 8 min" in out
    store.close()
    assert tasks(store, "stats", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["a"] == {"queued": 1, "running": 1}
    assert [owner["alive"] for owner in found["owners"]] == [False]


def test_kinds_are_paused_resumed_and_purged(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [submitted(store, "nightly") for _ in range(2)]
    assert tasks(store, "pause", "nightly") == 0
    assert tasks(store, "pause", "nightly") == 0
    assert capsys.readouterr().out == "nightly is paused\nnightly was paused already\n"
    assert claimed(store, kind="nightly", now=time.time()) == []
    assert tasks(store, "stats") == 0
    assert "paused: nightly" in capsys.readouterr().out
    assert tasks(store, "resume", "nightly", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"changed": True}
    assert len(claimed(store, most=1, kind="nightly", now=time.time())) == 1
    assert tasks(store, "purge", "nightly", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"purged": ids[1:]}
    assert tasks(store, "purge", "nightly") == 0
    assert capsys.readouterr().out == "nightly: 0 cancelled\n"
    assert tasks(store, "pause", "nihgtly") == 1
    assert "task: expected one of the names of tasks in" in (told := capsys.readouterr().err)
    assert "did you mean nightly?" in told


def test_watch_is_plain_where_there_is_no_terminal(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    submitted(store, "a")
    assert tasks(store, "watch", "--times", "2", "--interval", "0.01") == 0
    out = capsys.readouterr().out
    assert out.count("QUEUED") == 2
    assert "\x1b" not in out
    assert tasks(store, "watch", "--times", "2", "--interval", "0.01", "--json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["counts"] for line in lines] == [{"a": {"queued": 1}}] * 2


def test_watch_redraws_a_terminal(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "30")
    submitted(store, "a")
    assert tasks(store, "watch", "--times", "2", "--interval", "0.01") == 0
    assert screen.getvalue().count("\x1b[H\x1b[2J") == 2
    assert max(map(len, screen.getvalue().replace("\x1b[H\x1b[2J", "").splitlines())) <= 30


def test_unreadable_files_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--db", str(tmp_path / "none.db"), "list"]) == 2
    assert "expected a database of tasks, got no such file" in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "bad.db").write_bytes(b"not a database at all" * 100)
    assert main(["tasks", "--db", str(tmp_path / "bad.db"), "stats"]) == 2
    assert "expected a sound database of tasks, got a damaged file or one of another kind" in capsys.readouterr().err


def test_reading_leaves_the_owner_alone(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    submitted(store)
    batch = store.claim("me", [Want(5, {"noop": 5})], 15.0, time.time()).result(30)
    assert tasks(store, "stats") == 0
    assert store.settle([ended(batch.claims[0], now=time.time())]).result(30) == [True]


@pytest.mark.parametrize("words", [["list"], ["show", "0"], ["stats"], ["watch", "--times", "1"]])
def test_reading_takes_no_ownership_and_changes_no_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    path = tmp_path / "tasks.db"
    SqliteStore(path).open().close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 0")  # as an older release would have left it
    connection.close()
    before = path.read_bytes()
    assert main(["tasks", "--db", str(path), *words]) == 2
    assert "open it once with the queue, which brings it up to date" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.owner")) == []


def test_it_reads_while_a_service_keeps_writing(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            store.submit([spec(at=time.time())]).result(60)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for words in (["list"], ["stats"], ["watch", "--times", "3", "--interval", "0.01"]):
            assert tasks(store, *words) == 0, capsys.readouterr().err
    finally:
        over.set()
        writer.join()
    assert store.rescue(time.time()).result(60) == []
