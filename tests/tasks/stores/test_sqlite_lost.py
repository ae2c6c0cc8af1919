"""A database that is deleted, moved or replaced under a running queue, and an event loop that is held up."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastcore import metrics
from fastcore.tasks import QueueClosed, State, StoreError, TaskQueue
from fastcore.tasks.ports import Want
from fastcore.tasks.stores.sqlite.leases import Extension, LeaseKeeper
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.queue_cases import LONG, run, until
from tests.tasks.stores.sqlite_specs import T0, inside, spec


def _replaced(path: Path) -> None:
    other = SqliteStore(path.with_name("other.db")).open()
    other.close()
    path.with_name("other.db").rename(path)


LOSSES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: [one.unlink() for one in path.parent.glob("tasks.db*")],
    "log deleted": lambda path: path.with_name("tasks.db-wal").unlink(),
    "index deleted": lambda path: path.with_name("tasks.db-shm").unlink(),
    "replaced": _replaced,
    "cut to nothing": lambda path: os.truncate(path, 0),
    "moved": lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
    "mount emptied": lambda path: shutil.rmtree(path.parent),
}
lost = pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
posix = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "tasks.db"


@posix
@lost
def test_every_call_is_refused_once_the_files_are_lost(
    path: Path, lose: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(path, durability="normal").open()
    [id] = store.submit([spec()]).result(LONG)
    lose(path)
    for call in (lambda: store.submit([spec()]), lambda: store.claim("me", [Want(1, {"noop": 1})], 15.0, T0)):
        with pytest.raises(StoreError, match=r"tasks\.db.*: expected the file that was opened, got .* at its path"):
            call().result(LONG)
    with pytest.raises(StoreError, match="nothing is stored any more"):
        store.get(id)
    store.close()
    store.close()
    with pytest.raises((QueueClosed, StoreError)):
        store.submit([spec()])
    [said] = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert "expected the file that was opened" in said.message


@posix
@lost
def test_a_lost_file_is_noticed_without_a_call(path: Path, lose: Callable[[Path], object]) -> None:
    store = SqliteStore(path).open()
    lose(path)
    until_raised(store.counts)
    store.close()


def until_raised(call: Callable[[], object]) -> None:
    give_up = time.monotonic() + LONG
    while time.monotonic() < give_up:
        try:
            call()
        except StoreError:
            return
        time.sleep(0.01)
    raise AssertionError("it was not noticed")


@posix
@lost
def test_a_queue_with_lost_files_reports_it_and_stops(path: Path, lose: Callable[[Path], object]) -> None:
    async def scenario() -> None:
        queue = TaskQueue(f"sqlite:///{path}")

        @queue.task
        async def noop() -> None: ...

        async with queue:
            await queue.aresult(await queue.asubmit(noop))
            lose(path)
            await until(lambda: queue.engine.trouble is not None)
            assert isinstance(queue.engine.trouble, StoreError)
            for submit in (lambda: queue.asubmit(noop), lambda: queue.asubmit_many([(noop, ())])):
                with pytest.raises(StoreError, match="expected the file that was opened"):
                    await submit()

    run(scenario)


# ---- a loop that is held up ----


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_leases_are_renewed_while_the_loop_is_blocked_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    keeper = LeaseKeeper(clock)
    loop = asyncio.new_event_loop()
    before = metrics.snapshot().get("fastcore_tasks_loop_blocked_total") or 0
    caplog.set_level(logging.WARNING)
    try:
        keeper.attach("me", loop)
        assert keeper.look("tasks.db") is None  # nothing was claimed
        keeper.claimed(15.0, T0)
        found = []
        for _ in range(80):  # 20 s during which the loop does not run
            clock.now += 0.25
            found.append(keeper.look("tasks.db"))
        assert [one for one in found if one] == [
            Extension("me", T0 + 5 + 15),
            Extension("me", T0 + 10 + 15),
            Extension("me", T0 + 15 + 15),
            Extension("me", T0 + 20 + 15),
        ]
        [said] = caplog.messages
        assert said.startswith("tasks.db: the event loop of me has not run for 15.2 s, longer than a lease")
        assert metrics.snapshot().get("fastcore_tasks_loop_blocked_total") == before + 1
        loop.run_until_complete(asyncio.sleep(0))
        assert caplog.messages[1:] == ["the event loop of me runs again, after 19.8 s"]
        keeper.renewed(15.0, T0 + 20)
        clock.now += 4
        assert keeper.look("tasks.db") is None
    finally:
        loop.close()
    clock.now += 2
    assert keeper._asked_at is not None
    keeper._asked_at = None
    assert keeper.look("tasks.db") is None  # a closed loop runs nothing: its leases may pass


def test_the_writer_does_not_renew_leases_that_an_engine_renews() -> None:
    clock = Clock()
    keeper = LeaseKeeper(clock)
    loop = asyncio.new_event_loop()
    keeper.attach("me", loop)
    for second in range(60):
        clock.now += 1
        keeper.claimed(15.0, T0 + second)
        if second % 4 == 0:
            keeper.renewed(15.0, T0 + second)
        assert keeper.look("tasks.db") is None
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()


RESCUER = """
import sys, time
from fastcore.tasks.stores.sqlite.store import SqliteStore
store = SqliteStore(sys.argv[1])
found = []
while not found and input() == "look":
    found = store.rescue(time.time()).result(60)
    print(len(found), flush=True)
store.close()
"""


def test_a_task_that_blocks_the_loop_beyond_its_lease_is_not_run_twice(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    queue = TaskQueue(f"sqlite:///{path}", lease=0.5, heartbeat=0.1)
    began = threading.Event()
    looks: list[str] = []

    @queue.task(retries=3)
    async def block() -> str:
        began.set()
        child = subprocess.Popen(
            [sys.executable, "-c", RESCUER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdin is not None
        assert child.stdout is not None
        with child, child.stdin as give, child.stdout as read:
            first = leases()
            while leases() < first + 1.5 and "1\n" not in looks:  # three leases have passed
                print("look", file=give, flush=True)
                looks.append(read.readline())
            print("end", file=give, flush=True)
        return "once"

    def leases() -> float:
        [(lease,)] = inside(path, "SELECT max(lease) FROM task WHERE state = 2") or [(0.0,)]
        return float(lease or 0.0)

    async def scenario() -> None:
        async with queue:
            id = await queue.asubmit(block)
            assert await queue.aresult(id) == "once"
            view = await queue.astatus(id)
            assert (view.state, view.attempt) == (State.SUCCEEDED, 1)

    run(scenario)
    assert set(looks) == {"0\n"}
