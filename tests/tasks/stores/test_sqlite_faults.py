"""What becomes of tasks where the disk is full, the file locked, damaged or not to be written."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastcore.tasks import TaskQueue
from fastcore.tasks.errors import StoreError
from fastcore.tasks.records import State
from fastcore.tasks.stores.sqlite.errors import told
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import check, claimed, ended, inside, spec

LONG = 60.0

# RLIMIT_FSIZE is of a process and SIGXFSZ ends it unless ignored, as Python does: a write past it fails with EFBIG.
FULL_DISK = """
import json, resource, sys
from fastcore.tasks.errors import StoreError
from fastcore.tasks.records import State
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import claimed, ended, spec

store = SqliteStore(sys.argv[1]).open()
before = store.submit([spec() for _ in range(5)]).result(60)
claims = claimed(store, 2)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, resource.RLIM_INFINITY))
acknowledged, errors = list(before), []
for _ in range(200):
    try:
        acknowledged += store.submit([spec() for _ in range(40)]).result(60)
    except StoreError as error:
        errors.append(str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
settled = store.settle([ended(claim) for claim in claims]).result(60)
after = store.submit([spec()]).result(60)
store.close()
print(json.dumps([acknowledged + after, errors, settled]))
"""


def run(program: str, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        capture_output=True,
        text=True,
        timeout=110,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE")
def test_a_file_that_may_not_grow_refuses_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    import json

    path = tmp_path / "tasks.db"
    acknowledged, errors, settled = json.loads(run(FULL_DISK, str(path)))
    assert errors, "the limit was never hit"
    assert "expected the disk to take and give what is stored, got an error of it" in errors[0]
    assert "nothing was stored" in errors[0]
    assert settled == [True, True]
    assert len(acknowledged) > 6, "nothing fitted in"
    stored = {id for (id,) in inside(path, "SELECT id FROM task")}
    assert stored == set(acknowledged), "of what was refused nothing is there, of what was acknowledged everything"
    check(path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if sys.platform != "linux" or os.geteuid() or mount is None:
        pytest.skip("mounting a small file system takes Linux and root")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "none", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip(f"not allowed to mount: {done.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_reported_and_freed_space_is_used(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (1 << 19))
    store = SqliteStore(small_disk / "tasks.db").open()
    try:
        acknowledged = store.submit([spec() for _ in range(5)]).result(LONG)
        claims = claimed(store, 2)
        refused: StoreError | None = None
        for _ in range(400):
            try:
                acknowledged += store.submit([spec() for _ in range(40)]).result(LONG)
            except StoreError as error:
                refused = error
                break
        assert refused is not None, "the disk never filled up"
        assert "expected room on the disk, got none" in str(refused)
        assert "nothing of this request was stored" in str(refused)
        assert store.get(acknowledged[-1]).result(LONG).state is State.QUEUED  # reading goes on
        ballast.unlink()
        assert store.settle([ended(claim) for claim in claims]).result(LONG) == [True, True]
        acknowledged += store.submit([spec()]).result(LONG)
    finally:
        store.close()
    assert {id for (id,) in inside(small_disk / "tasks.db", "SELECT id FROM task")} == set(acknowledged)
    check(small_disk / "tasks.db")


class TestLocked:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        made = SqliteStore(tmp_path / "tasks.db", busy_timeout=0.2).open()
        yield made
        made.close()

    @pytest.fixture
    def lock(self, store: SqliteStore) -> Iterator[sqlite3.Connection]:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield other
        other.close()

    def test_a_lock_that_outlasts_the_busy_timeout_is_reported(
        self, store: SqliteStore, lock: sqlite3.Connection
    ) -> None:
        refused = spec()
        with pytest.raises(StoreError, match=r"expected to write within the busy timeout.*nothing was stored"):
            store.submit([refused]).result(LONG)
        lock.execute("ROLLBACK")
        [id] = store.submit([spec()]).result(LONG)
        assert inside(store.path, "SELECT id FROM task") == [(id,)]

    def test_reading_continues_meanwhile(self, store: SqliteStore, lock: sqlite3.Connection) -> None:
        assert store.counts().result(LONG) == {}

    def test_requests_that_wait_for_a_short_lock_are_stored(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "long.db", busy_timeout=LONG).open()
        other = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
        try:
            other.execute("BEGIN IMMEDIATE")
            replies = [store.submit([spec()]) for _ in range(3)]
            timer = threading.Timer(0.3, lambda: other.execute("COMMIT"))
            timer.start()
            ids = [reply.result(LONG)[0] for reply in replies]
            timer.join()
            assert [id for (id,) in inside(store.path, "SELECT id FROM task ORDER BY seq")] == ids
        finally:
            other.close()
            store.close()


def test_one_bad_request_does_not_fail_its_batch(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db").open()
    hold = threading.Event()
    try:
        store._writer.ask(lambda change, asked: [hold.wait(LONG)], None)
        bad = spec()
        bad.attempts = 1 << 70  # more than a column holds
        replies = [store.submit([one]) for one in (spec(), bad, spec())]
        hold.set()
        assert len(replies[0].result(LONG)) == 1
        with pytest.raises(StoreError, match="OverflowError"):
            replies[1].result(LONG)
        assert len(replies[2].result(LONG)) == 1
    finally:
        hold.set()
        store.close()
    assert inside(tmp_path / "tasks.db", "SELECT count(*) FROM task") == [(2,)]
    check(tmp_path / "tasks.db")


class TestDamaged:
    def test_a_file_that_is_no_database_is_refused_and_not_changed(self, tmp_path: Path) -> None:
        path = tmp_path / "tasks.db"
        path.write_bytes(b"not a database at all" * 100)
        with pytest.raises(StoreError, match="expected a sound database of tasks, got a damaged file"):
            SqliteStore(path).open()
        assert path.read_bytes() == b"not a database at all" * 100
        assert [one.name for one in tmp_path.iterdir()] == ["tasks.db"]

    def test_a_damaged_page_is_reported_when_it_is_read_and_nothing_is_acknowledged(self, tmp_path: Path) -> None:
        path = tmp_path / "tasks.db"
        store = SqliteStore(path).open()
        store.submit([spec() for _ in range(400)]).result(LONG)
        store.close()
        pages = path.stat().st_size // 4096
        with path.open("r+b") as file:
            for page in range(1, pages):
                file.seek(page * 4096)
                file.write(b"\xff" * 4096)
        store = SqliteStore(path).open()
        try:
            with pytest.raises(StoreError, match="expected a sound database of tasks, got a damaged file"):
                store.submit([spec()]).result(LONG)
            with pytest.raises(StoreError, match="expected a sound database of tasks, got a damaged file"):
                claimed(store)
            with pytest.raises(StoreError, match="damaged"):
                store.counts().result(LONG)
        finally:
            store.close()


READ_ONLY = """
import os, sys
import psutil, resource, uuid  # all that is needed, while it may be read
from fastcore.tasks.stores.sqlite.store import SqliteStore

if os.geteuid() == 0:
    os.setuid(65534)  # root may write everywhere
try:
    SqliteStore(sys.argv[1]).open().close()
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are otherwise there")
class TestReadOnly:
    @pytest.fixture
    def place(self) -> Iterator[Path]:
        # Not under tmp_path, into which only its owner may look.
        import tempfile

        folder = Path(tempfile.mkdtemp())
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)
        shutil.rmtree(folder)

    def test_a_directory_that_cannot_be_written(self, place: Path) -> None:
        SqliteStore(place / "tasks.db").open().close()
        (place / "tasks.db").chmod(0o444)
        place.chmod(0o555)
        said = run(READ_ONLY, str(place / "tasks.db"))
        assert said.startswith("PermissionError")
        assert str(place) in said

    def test_a_file_that_cannot_be_written(self, place: Path) -> None:
        SqliteStore(place / "tasks.db").open().close()
        (place / "tasks.db").chmod(0o444)
        place.chmod(0o777)
        said = run(READ_ONLY, str(place / "tasks.db"))
        assert said.startswith("StoreError")
        assert "expected a file and a directory that can be written, got a file that cannot" in said
        assert list(place.glob("*.owner")) == []


def test_errors_of_other_origin_are_unchanged() -> None:
    for error in (ValueError("no"), StoreError("no"), KeyboardInterrupt()):
        assert told(error, "tasks.db") is error


def test_a_queue_over_a_locked_file_continues_once_it_is_free(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ends that could not be recorded are recorded later: nothing runs again, nothing is lost."""
    ran = []
    locked, release = threading.Event(), threading.Event()
    path = tmp_path / "tasks.db"
    queue = TaskQueue(SqliteStore(path, busy_timeout=0.05))

    def hold() -> None:
        other = sqlite3.connect(path, isolation_level=None, timeout=LONG)
        other.execute("BEGIN IMMEDIATE")
        locked.set()
        release.wait(LONG)
        other.execute("ROLLBACK")
        other.close()

    @queue.task(name="once", on="async")
    async def once() -> str:
        ran.append(1)
        await asyncio.to_thread(locked.wait, LONG)
        return "done"

    async def scenario() -> None:
        async with queue:
            id = await queue.asubmit(once)
            while not ran:
                await asyncio.sleep(0.01)
            holder = threading.Thread(target=hold)
            holder.start()
            while queue.engine.trouble is None:
                await asyncio.sleep(0.01)
            assert "busy timeout" in str(queue.engine.trouble)
            with pytest.raises(StoreError):
                await queue.asubmit(once)
            release.set()
            assert await queue.aresult(id, LONG) == "done"
            await asyncio.to_thread(holder.join)

    try:
        asyncio.run(asyncio.wait_for(scenario(), LONG))
    finally:
        locked.set()
        release.set()
    assert ran == [1]
    assert "the store failed; the queue tries again" in caplog.text
