"""What the next opening of a file finds: after a close, after a crash, and while another process has it open."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fastcore.tasks import TaskQueue
from fastcore.tasks.errors import StoreError
from fastcore.tasks.records import Group, Hold, State
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import T0, check, claimed, ended, inside, spec

pytestmark = pytest.mark.backend_independent

LONG = 60.0  # seconds until a test gives up


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], SqliteStore]]:
    """Open the one file of this test, once more each time."""
    made: list[SqliteStore] = []

    def build() -> SqliteStore:
        store = SqliteStore(tmp_path / "tasks.db", durability="normal")
        made.append(store)
        return store

    yield build
    for store in made:
        store.close()
    check(tmp_path / "tasks.db")


CLAIM_AND_STAY = """
import sys, time
from fastcore.tasks.ports import Want
from fastcore.tasks.stores.sqlite.store import SqliteStore

store = SqliteStore(sys.argv[1], durability="normal")
got = store.claim("engine", [Want(int(sys.argv[3]), {"noop": 100})], 1e9, float(sys.argv[2])).result(60)
print(len(got.claims), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    """Another process that claims tasks, with leases that pass in thirty years, and lives until it is killed."""
    children: list[subprocess.Popen[str]] = []

    def start(most: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CLAIM_AND_STAY, str(tmp_path / "tasks.db"), str(T0), str(most)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == f"{most}\n"
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        child.stdout.close()


def test_all_tasks_survive_a_close(opened: Callable[[], SqliteStore]) -> None:
    store = opened()
    now, later, done, dead = spec(), spec(delay=5.0), spec(priority=1.0), spec(priority=0.0)
    members = [spec("other", group="g", index=i) for i in range(2)]
    store.submit([now, later, done, dead]).result(LONG)
    store.submit(members, Group("g", 2, spec("then", collects="g"))).result(LONG)
    [first, second] = claimed(store, 2)
    store.settle([ended(first, State.DEAD), ended(second, result=b"value")]).result(LONG)
    store.schedule("nightly", "every 5", T0 + 5).result(LONG)
    store.close()
    again = opened()
    views = {one.id: again.get(one.id).result(LONG) for one in (now, later, done, dead)}
    assert [views[one.id].state for one in (now, later, done, dead)] == [
        State.QUEUED,
        State.QUEUED,
        State.SUCCEEDED,
        State.DEAD,
    ]
    assert views[done.id].result == b"value"
    assert views[dead.id].payload == b"arguments"  # kept, for a retry
    assert [one.name for one in again.schedules().result(LONG)] == ["nightly"]
    assert [claim.spec for claim in claimed(again, now=T0 + 6)] == [now, later]
    again.settle([ended(claim) for claim in claimed(again, kind="other")]).result(LONG)
    [callback] = claimed(again, kind="then")
    assert callback.spec.collects == "g"


def test_a_queue_runs_tasks_left_by_an_earlier_one_without_submitting(tmp_path: Path) -> None:
    async def add(a: int, b: int) -> int:
        return a + b

    before = TaskQueue(f"sqlite:///{tmp_path}/tasks.db")
    id = before.submit(before.task(add), 2, 3)
    before.close()

    async def live() -> int:
        queue = TaskQueue(f"sqlite:///{tmp_path}/tasks.db")
        queue.task(add)
        async with queue:
            result = await queue.aresult(id, LONG)
        return int(result)

    assert asyncio.run(live()) == 5


def test_the_work_of_a_closed_store_is_taken_back_at_once(opened: Callable[[], SqliteStore]) -> None:
    store = opened()
    store.submit([spec()]).result(LONG)
    [claim] = claimed(store)
    store.close()
    again = opened()
    assert [one[:3] for one in again.rescue(T0).result(LONG)] == [(claim.spec.id, "noop", State.QUEUED)]
    [second] = claimed(again)
    assert (second.attempt, second.spec) == (2, claim.spec)


def test_a_killed_owners_work_is_taken_back_at_once(
    opened: Callable[[], SqliteStore], owner: Callable[[int], subprocess.Popen[str]]
) -> None:
    store = opened()
    last, middle, free = spec(attempts=1), spec(attempts=2), spec(rank=9.0)
    store.submit([last, middle, free]).result(LONG)
    child = owner(2)
    assert store.rescue(T0).result(LONG) == []  # it lives, and its leases have not passed
    assert store.request_cancel(middle.id).result(LONG).state is State.RUNNING
    child.kill()
    child.wait()
    found = store.rescue(T0).result(LONG)
    expected = [(last.id, "noop", State.DEAD), (middle.id, "noop", State.CANCELLED)]
    assert sorted(one[:3] for one in found) == sorted(expected)
    error = store.get(last.id).result(LONG).error
    assert error is not None
    assert error.type == "TaskLost"
    assert "ended with its process" in error.text
    assert [claim.spec for claim in claimed(store)] == [free]


def test_a_living_owner_keeps_its_work_until_the_lease_has_passed(
    opened: Callable[[], SqliteStore], owner: Callable[[int], subprocess.Popen[str]]
) -> None:
    store = opened()
    store.submit([spec()]).result(LONG)
    owner(1)
    assert store.rescue(T0 + 9e8).result(LONG) == []
    [rescued] = store.rescue(T0 + 2e9).result(LONG)
    assert rescued.state is State.QUEUED
    error = store.get(rescued.id).result(LONG).error
    assert error is not None
    assert "had a lease that passed" in error.text


def test_a_late_end_of_a_lost_lease_changes_nothing(opened: Callable[[], SqliteStore]) -> None:
    slow, quick = opened(), opened()
    id = slow.submit([spec()]).result(LONG)[0]
    [lost] = claimed(slow)
    assert [one[:3] for one in quick.rescue(T0 + 20).result(LONG)] == [(id, "noop", State.QUEUED)]
    assert slow.settle([ended(lost, result=b"not stored yet")]).result(LONG) == [False]
    [claim] = claimed(quick, now=T0 + 20)
    assert (claim.attempt, claim.token) == (2, lost.token + 1)
    assert slow.renew([lost], 15.0, T0 + 21).result(LONG) == [Hold.LOST]
    for state in (State.SUCCEEDED, State.FAILED, State.QUEUED):
        assert slow.settle([ended(lost, state, b"too late")]).result(LONG) == [False]
    assert quick.settle([ended(claim, result=b"in time")]).result(LONG) == [True]
    assert slow.settle([ended(lost, result=b"much too late")]).result(LONG) == [False]
    forged = replace(ended(claim), token=claim.token + 1)
    assert quick.settle([forged]).result(LONG) == [False]
    assert slow.get(id).result(LONG).result == b"in time"


def test_one_late_end_among_valid_ones_is_refused_alone(opened: Callable[[], SqliteStore]) -> None:
    slow, quick = opened(), opened()
    slow.submit([spec(), spec(), spec()]).result(LONG)
    claims = claimed(slow)
    assert slow.renew(claims[1:], 15.0, T0 + 19).result(LONG) == [Hold.KEPT, Hold.KEPT]
    assert [one.id for one in quick.rescue(T0 + 20).result(LONG)] == [claims[0].spec.id]
    assert slow.settle([ended(claim) for claim in claims]).result(LONG) == [False, True, True]


def test_two_processes_never_work_on_one_task(
    opened: Callable[[], SqliteStore], owner: Callable[[int], subprocess.Popen[str]]
) -> None:
    store = opened()
    store.submit([spec() for _ in range(60)]).result(LONG)
    owner(20)
    owner(20)
    assert len(claimed(store)) == 20
    rows = inside(store.path, "SELECT owner, count(*) FROM task WHERE state = 2 GROUP BY owner")
    assert sorted(n for _, n in rows) == [20, 20, 20]


def test_a_task_submitted_by_another_process_is_noticed(opened: Callable[[], SqliteStore]) -> None:
    store, other = opened(), opened()
    woken = []
    store.attach(lambda: woken.append(1))
    other.submit([spec()]).result(LONG)
    deadline = time.monotonic() + LONG
    while not woken and time.monotonic() < deadline:
        time.sleep(0.01)
    assert woken
    other.request_cancel(claimed(store)[0].spec.id).result(LONG)
    assert len(store.claim("me", [], 15.0, T0).result(LONG).cancels) == 1


def test_the_lock_files_of_dead_owners_are_removed(
    opened: Callable[[], SqliteStore], owner: Callable[[int], subprocess.Popen[str]], tmp_path: Path
) -> None:
    store = opened()
    store.submit([spec()]).result(LONG)
    child = owner(1)
    child.kill()
    child.wait()
    assert len(list(tmp_path.glob("*.owner"))) == 2
    for path in tmp_path.glob("*.owner"):
        os.utime(path, (0, 0))  # old enough
    opened()
    left = {path.name for path in tmp_path.glob("*.owner")}
    assert len(left) == 2  # this process opened the file twice
    assert [one.state for one in store.rescue(T0).result(LONG)] == [State.QUEUED]  # though its lock file is gone


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_is_refused_and_its_parent_continues(opened: Callable[[], SqliteStore]) -> None:
    store = opened()
    store.submit([spec()]).result(LONG)
    [claim] = claimed(store)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = b""
        try:
            for one in (store, SqliteStore(store.path)):
                try:
                    one.submit([spec()])
                except StoreError as error:
                    said += str(error).encode() + b"\n"
        finally:
            os.write(writer, said)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    assert os.waitpid(child, 0)[1] == 0
    same, further = text.splitlines()
    assert same.endswith(f"opened it, got its forked child {child}; use the queue for the first time after the fork")
    # SQLite would take the parent's locks for the child's, and the parent's close would remove the log under it.
    assert "expected a file that no parent process had open when this one was forked" in further
    assert store.rescue(T0).result(LONG) == []  # that the child died does not free its parent's work
    assert store.settle([ended(claim)]).result(LONG) == [True]
