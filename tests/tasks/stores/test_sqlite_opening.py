"""When the file of a module-level queue is opened: with its first use, in the process that uses it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastcore.tasks import QueueClosed, TaskQueue
from fastcore.tasks.stores.sqlite.store import SqliteStore

LONG = 60.0
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

USES: dict[str, Callable[[TaskQueue], object]] = {
    "submit": lambda queue: queue.submit("noop"),
    "submit_many": lambda queue: queue.submit_many([("noop", ())]),
    "counts": lambda queue: queue.counts(),
    "find": lambda queue: queue.find(),
    "schedules": lambda queue: queue.schedules(),
    "retry_dead": lambda queue: queue.retry_dead(),
    "unschedule": lambda queue: queue.unschedule("none"),
    "start": lambda queue: queue.start(),
}


def noop() -> None:
    pass


@pytest.fixture
def queue(tmp_path: Path) -> TaskQueue:
    made = TaskQueue(f"sqlite:///{tmp_path}/data/tasks.db")
    made.task(noop)
    made.schedule("noop", every=60)
    return made


def test_a_queue_that_is_made_opens_nothing(queue: TaskQueue, tmp_path: Path) -> None:
    threads = threading.active_count()
    assert list(tmp_path.iterdir()) == []  # not even the directory has to be there
    assert threading.active_count() == threads
    queue.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_the_first_use_opens_the_file(queue: TaskQueue, tmp_path: Path, use: Callable[[TaskQueue], object]) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected a file in a directory that exists, got .*tasks\.db"):
        use(queue)
    (tmp_path / "data").mkdir()  # what was refused can be done once it is possible
    use(queue)
    assert len(list((tmp_path / "data").glob("*.owner"))) == 1
    queue.stop()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["tasks.db"]


def test_a_close_waits_for_the_queries_of_other_threads(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db")
    begun, left = threading.Event(), threading.Event()

    def look(connection: sqlite3.Connection) -> int:
        cursor = connection.execute("SELECT count(*) FROM task")  # the log is held until the connection is closed
        begun.set()
        left.wait(LONG)
        return int(cursor.fetchone()[0])

    query = store.open()._readers.ask(look)
    query.add_done_callback(lambda done: None)  # has it run in a thread of the store
    begun.wait(LONG)
    closing = threading.Thread(target=store.close)
    closing.start()
    while not store._readers._closed:
        time.sleep(0.001)
    closing.join(0.05)
    assert closing.is_alive()
    left.set()
    closing.join(LONG)
    assert query.result(LONG) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["tasks.db"]


def test_a_close_by_a_signal_handler_does_not_wait_for_the_query_that_it_interrupted(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db").open()

    def look(connection: sqlite3.Connection) -> int:
        store.close()
        return int(connection.execute("SELECT count(*) FROM task").fetchone()[0])

    assert store._readers.ask(look).result() == 0


def test_concurrent_first_calls_open_the_file_once(tmp_path: Path) -> None:
    for round in range(20):
        store = SqliteStore(tmp_path / f"{round}.db", durability="normal")
        ready = threading.Barrier(4)

        def use(store: SqliteStore = store, ready: threading.Barrier = ready) -> None:
            ready.wait(LONG)
            store.counts().result(LONG)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        assert len(list(tmp_path.glob("*.owner"))) == 1
        store.close()


def test_a_store_that_was_closed_is_not_opened(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db")
    store.close()
    for use in (store.counts, store.open, lambda: store.rescue(0.0)):
        with pytest.raises(QueueClosed, match="expected an open store, got one that was closed"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_means_the_directory_where_the_store_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("tasks.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.open().close()
    assert (tmp_path / "tasks.db").exists()


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_forked_workers_each_open_it_for_themselves(tmp_path: Path) -> None:
    queue = TaskQueue(f"sqlite:///{tmp_path}/tasks.db")
    queue.task(noop)
    owners: list[str] = []
    for _ in range(2):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                queue.start()
                queue.result(queue.submit("noop"), LONG)
                os.write(writer, queue.owner.encode())
                queue.stop()
                status = 0
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            owners.append(pipe.read())
        assert os.waitpid(child, 0)[1] == 0
        assert f":{child}:" in owners[-1]  # named after the process that works, not the one that imported
    assert queue.counts() == {"noop": {"succeeded": 2}}
    queue.close()


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_fork_after_a_close_may_open_it(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "tasks.db").open().close()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            SqliteStore(tmp_path / "tasks.db").open().close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


APP = """
import os
from contextlib import asynccontextmanager
from fastapi import FastAPI
from fastcore.tasks import TaskQueue

queue = TaskQueue("sqlite:///tasks.db")

@queue.task
def pid():
    return os.getpid()

@asynccontextmanager
async def lifespan(app):
    async with queue:
        yield

app = FastAPI(lifespan=lifespan)

@app.get("/")
async def run():
    return [os.getpid(), os.getppid(), await queue.aresult(await queue.asubmit(pid), 30)]
"""


@forks
def test_gunicorn_preloads_an_application_with_a_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gunicorn")
    pytest.importorskip("uvicorn")
    monkeypatch.chdir(tmp_path)  # a whole path may be too long for a socket on macOS
    (tmp_path / "app.py").write_text(APP)
    worker = "uvicorn.workers.UvicornWorker"
    command = ["gunicorn", "app:app", "--preload", "-w", "2", "-k", worker, "-b", "unix:gunicorn.sock"]
    with (tmp_path / "log").open("w+") as log:
        server = subprocess.Popen([sys.executable, "-m", *command], cwd=tmp_path, stdout=log, stderr=log)
        try:
            answers = [_get("gunicorn.sock", server) for _ in range(5)]
        finally:
            server.terminate()
            server.wait(LONG)
        log.seek(0)
        said = log.read()
    assert all(parent == server.pid for _, parent, _ in answers)
    assert server.pid not in {ran for _, _, ran in answers}
    assert server.returncode == 0, said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.glob("tasks.db*")] == ["tasks.db"]


def _get(path: str, server: subprocess.Popen[bytes]) -> list[int]:
    while True:
        assert server.poll() is None, "the server ended"
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(path)
            connection.request("GET", "/")
            found: list[int] = json.loads(connection.getresponse().read())
            return found
        except (FileNotFoundError, ConnectionRefusedError):  # it is about to start
            time.sleep(0.05)
        finally:
            connection.close()
