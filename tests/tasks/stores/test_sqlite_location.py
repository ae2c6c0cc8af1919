"""Where a database may lie, how it is opened, and what older and newer releases have written."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from fastcore.tasks import TaskQueue
from fastcore.tasks.errors import StoreError
from fastcore.tasks.stores import open_store
from fastcore.tasks.stores.sqlite.location import Mount, checked_path
from fastcore.tasks.stores.sqlite.schema import APPLICATION, MIGRATIONS, connect_reader, migrate
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import T0, check, claimed, ended, in_writer, inside, spec

LONG = 60.0


class TestPlace:
    @pytest.mark.parametrize(
        "kind", ["nfs", "nfs4", "cifs", "smbfs", "9p", "ceph", "fuse.sshfs", "fuse.s3fs", "lustre", "remote", "NFS"]
    )
    def test_network_file_systems_are_refused_by_name(self, tmp_path: Path, kind: str) -> None:
        mounts = [Mount("/", "ext4"), Mount(str(tmp_path), kind)]
        with pytest.raises(ValueError, match=f"expected a file on a local disk, got .* on {kind}, a network file"):
            checked_path(tmp_path / "tasks.db", lambda: mounts)

    @pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "apfs", "NTFS", "tmpfs", "overlay", "fuse.mergerfs"])
    def test_local_file_systems_are_accepted(self, tmp_path: Path, kind: str) -> None:
        mounts = [Mount("/", "nfs4"), Mount(str(tmp_path), kind)]
        assert checked_path(tmp_path / "tasks.db", lambda: mounts) == (tmp_path / "tasks.db").resolve()

    def test_the_innermost_and_latest_mount_decides(self, tmp_path: Path) -> None:
        inner = tmp_path / "inner"
        inner.mkdir()
        mounts = [Mount(str(inner), "nfs"), Mount(str(inner), "ext4"), Mount(str(tmp_path), "nfs"), Mount("/", "nfs")]
        assert checked_path(inner / "tasks.db", lambda: mounts)
        sibling = tmp_path / "inner-not"
        sibling.mkdir()
        with pytest.raises(ValueError, match="nfs"):
            checked_path(sibling / "tasks.db", lambda: mounts)

    def test_symbolic_links_are_resolved(self, tmp_path: Path) -> None:
        far, near = tmp_path / "far", tmp_path / "near"
        far.mkdir()
        near.mkdir()
        (near / "tasks.db").symlink_to(far / "tasks.db")
        mounts = [Mount("/", "ext4"), Mount(str(far), "cifs")]
        with pytest.raises(ValueError, match="cifs"):
            checked_path(near / "tasks.db", lambda: mounts)

    def test_a_missing_directory_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"expected a file in a directory that exists, got .*tasks\.db"):
            SqliteStore(tmp_path / "none" / "tasks.db").open()

    def test_a_directory_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match=r"expected the path of a file, got .* which is none"):
            SqliteStore(tmp_path).open()

    @pytest.mark.parametrize("url", ["sqlite://tasks.db", "sqlite:///", "sqlite:///  ", "mysql:///x", "sqlite:///a#b"])
    def test_urls_that_name_no_file(self, url: str) -> None:
        with pytest.raises(ValueError, match="expected"):
            open_store(url)

    @pytest.mark.parametrize(
        ("url", "meant"), [("tasks.db", "tasks.db"), ("/var/tasks.db", "/var/tasks.db"), ("sqlite:/a/b.db", "a/b.db")]
    )
    def test_a_path_is_answered_with_its_url(self, url: str, meant: str) -> None:
        with pytest.raises(ValueError, match=f"did you mean 'sqlite:///{meant}'"):
            open_store(url)

    def test_other_objects_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TypeError, match=r"expected a str or a TaskStore, got .*Path; write 'sqlite:///"):
            TaskQueue(tmp_path / "tasks.db")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"expected a str or a TaskStore, got int$"):
            TaskQueue(5)  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory"])
    def test_urls_without_a_file_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="expected"):
            open_store(f"sqlite:///{name}")

    def test_a_url_may_name_the_durability(self, tmp_path: Path) -> None:
        for query, durability in (
            ("", "full"),
            *((f"?durability={word}", word) for word in ("full", "ends-soft", "normal")),
        ):
            store = open_store(f"sqlite:///{tmp_path}/tasks.db{query}", max_queued=7)
            assert isinstance(store, SqliteStore)
            assert (store.durability, store.path) == (durability, tmp_path / "tasks.db")
            store.close()
        for query in ("?speed=high", "?durability=full&durability=full", "?durability", "?durability=none"):
            with pytest.raises(ValueError, match="durability"):
                open_store(f"sqlite:///{tmp_path}/tasks.db{query}")

    def test_names_with_spaces_and_signs(self, tmp_path: Path) -> None:
        odd = tmp_path / "täsks [1] & %20.db"
        store = SqliteStore(odd, durability="normal").open()
        [id] = store.submit([spec()]).result(LONG)
        assert store.get(id).result(LONG).id == id
        store.close()
        assert [path.name for path in tmp_path.iterdir()] == [odd.name], "the log and the lock file are gone"


class TestDurability:
    @pytest.mark.parametrize(("durability", "level"), [("full", 2), ("ends-soft", 2), ("normal", 1)])
    def test_the_connection_is_set_as_promised(self, tmp_path: Path, durability: str, level: int) -> None:
        store = SqliteStore(tmp_path / "tasks.db", durability=durability).open()
        try:
            store.submit([spec()]).result(LONG)
            assert in_writer(store, lambda db: db.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"
            assert in_writer(store, lambda db: db.execute("PRAGMA synchronous").fetchone()[0]) == level
        finally:
            store.close()

    def test_an_unknown_durability_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="durability: expected one of full, ends-soft, normal, got 'fast'"):
            SqliteStore(tmp_path / "tasks.db", durability="fast")

    def test_concurrent_requests_share_one_commit(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "tasks.db").open()
        seen: list[str] = []
        hold = threading.Event()
        try:
            in_writer(store, lambda db: db.set_trace_callback(seen.append))
            held = store._writer.ask(lambda change, asked: [hold.wait(LONG)], None)
            replies = [store.submit([spec()]) for _ in range(50)]
            hold.set()
            assert held.result(LONG)
            for reply in replies:
                reply.result(LONG)
            in_writer(store, lambda db: db.set_trace_callback(None))
        finally:
            hold.set()
            store.close()
        # That of the one that held it up, that of all fifty, and at most one that is the looking itself.
        assert seen.count("BEGIN IMMEDIATE") <= 3
        check(store.path)

    def test_a_claim_does_not_wait_for_the_disk_and_an_end_does(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "tasks.db").open()
        try:
            store.submit([spec()]).result(LONG)
            assert store._writer._waits is True
            [claim] = claimed(store)
            assert store._writer._waits is False
            store.renew([claim], 15.0, T0).result(LONG)
            assert store._writer._waits is False
            store.settle([ended(claim)]).result(LONG)
            assert store._writer._waits is True
        finally:
            store.close()


class TestSchema:
    def test_a_new_file_has_the_application_id_and_the_schema_version(self, tmp_path: Path) -> None:
        SqliteStore(tmp_path / "tasks.db").open().close()
        assert inside(tmp_path / "tasks.db", "PRAGMA application_id") == [(APPLICATION,)]
        assert inside(tmp_path / "tasks.db", "PRAGMA user_version") == [(len(MIGRATIONS),)]

    def test_an_older_file_is_migrated_and_keeps_its_tasks(self, tmp_path: Path) -> None:
        path = tmp_path / "tasks.db"
        store = SqliteStore(path).open()
        [id] = store.submit([spec()]).result(LONG)
        store.close()
        steps = (
            *MIGRATIONS,
            "ALTER TABLE task ADD COLUMN colour TEXT DEFAULT 'red';\nCREATE INDEX hue ON task (colour)",
        )
        connection = sqlite3.connect(path, isolation_level=None)
        migrate(connection, path, steps)
        migrate(connection, path, steps)
        connection.close()
        assert inside(path, "SELECT id, colour FROM task") == [(id, "red")]
        assert inside(path, "PRAGMA user_version") == [(len(steps),)]

    def test_a_failed_migration_does_not_change_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "tasks.db"
        SqliteStore(path).open().close()
        before = inside(path, "SELECT sql FROM sqlite_master ORDER BY name")
        connection = sqlite3.connect(path, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, path, (*MIGRATIONS, "CREATE TABLE more (a);\nCREATE TABLE task (b);"))
        connection.close()
        assert inside(path, "SELECT sql FROM sqlite_master ORDER BY name") == before
        assert inside(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
        SqliteStore(path).open().close()

    def test_a_later_releases_file_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "tasks.db"
        SqliteStore(path).open().close()
        _write(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        for opened in (lambda: SqliteStore(path).open(), lambda: connect_reader(path)):
            with pytest.raises(StoreError, match=r"expected schema version .* a later release of fastcore has written"):
                opened()
        assert inside(path, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]
        assert list(tmp_path.glob("*.owner")) == []

    def test_a_reader_does_not_migrate_but_says_what_to_do(self, tmp_path: Path) -> None:
        path = tmp_path / "tasks.db"
        SqliteStore(path).open().close()
        _write(path, f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
        with pytest.raises(StoreError, match="open it once with the queue, which brings it up to date"):
            connect_reader(path)

    def test_a_sqlite_that_is_too_old_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
        with pytest.raises(StoreError, match=r"expected SQLite 3\.35 or later, got "):
            SqliteStore(tmp_path / "tasks.db").open()
        assert list(tmp_path.iterdir()) == []

    def test_another_programs_database_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "tasks.db"
        _write(path, "CREATE TABLE customers (name TEXT)")
        with pytest.raises(StoreError, match=r"got another program's \(customers\)"):
            SqliteStore(path).open()
        assert inside(path, "SELECT name FROM sqlite_master") == [("customers",)]


def _write(path: Path, text: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(text)
    connection.commit()
    connection.close()
