"""Groups in a file: several processes, older files, and what is written while claims are out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks.records import Group, GroupView, State, TaskSpec
from fastcore.tasks.stores.sqlite.rows import SPEC_COLUMNS, row_of, spec_text
from fastcore.tasks.stores.sqlite.schema import MIGRATIONS, migrate
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import T0, check, claimed, ended, inside, spec

LONG = 60.0
COLUMNS = [*SPEC_COLUMNS.split(", "), "state"]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[SqliteStore, SqliteStore]]:
    """One file, opened twice, as two processes have it."""
    made = SqliteStore(tmp_path / "tasks.db"), SqliteStore(tmp_path / "tasks.db")
    yield made
    for store in made:
        store.close()
    check(tmp_path / "tasks.db")


def grouped(store: SqliteStore, *members: TaskSpec, then: TaskSpec | None = None, id: str = "g") -> list[str]:
    for index, one in enumerate(members):
        one.group, one.index = id, index
    if then is not None:
        then.collects = id
    return store.submit(list(members), Group(id, len(members), then)).result(LONG)


def state(store: SqliteStore, id: str = "g") -> State:
    view = store.get(id).result(LONG)
    assert isinstance(view, GroupView)
    return view.state


@pytest.mark.parametrize("others", [0, 1, 40])
def test_a_task_run_by_another_process_is_counted_when_it_ends(
    stores: tuple[SqliteStore, SqliteStore], others: int
) -> None:
    """It claimed the task before the group was, and ends it with others in one batch."""
    here, there = stores
    here.submit([spec("held", unique_key="k"), *(spec("held") for _ in range(others))]).result(LONG)
    claims = claimed(there, kind="held")
    grouped(here, spec(unique_key="k"), then=spec("then"))
    assert there.settle([ended(claim) for claim in claims]).result(LONG) == [True] * (others + 1)
    assert len(claimed(here, kind="then", now=T0 + 2)) == 1


def migrated(path: Path, version: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection, path, MIGRATIONS[:version])
    return connection


def put(connection: sqlite3.Connection, one: TaskSpec, **changed: Any) -> None:
    known = {name for _, name, *_ in connection.execute("PRAGMA table_info(task)")}
    row = {name: value for name, value in zip(COLUMNS, row_of(one), strict=True) if name in known}
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO task ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    for name, value in changed.items():
        connection.execute(f"UPDATE task SET {name} = ? WHERE id = ?", (value, one.id))
    connection.execute(
        "INSERT INTO tally SELECT kind, state, 1 FROM task WHERE id = ? "
        "ON CONFLICT (kind, state) DO UPDATE SET n = n + 1",
        (one.id,),
    )


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_file_with_open_groups_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    path = tmp_path / "tasks.db"
    connection = migrated(path, version)
    members = [spec(group=group, index=index) for group in ("g", "h") for index in range(2)]
    done = {"state": 3, "finished_at": T0, "prune_at": T0 + 600, "result": b"result"}
    for one in members[:3]:
        put(connection, one, **(done if one is members[0] else {}))
    put(connection, members[3], **done)
    callback, running = spec("then", collects="g"), spec("then", collects="i")
    for id, remaining, then in (("g", 1, callback), ("h", 1, None), ("i", 0, running)):
        text, payload = (None, None) if then is None else (spec_text(then), then.payload)
        connection.execute("INSERT INTO grp VALUES (?, ?, ?, ?)", (id, remaining, text, payload))
    put(connection, spec(group="i"), **done)
    put(connection, running)
    connection.close()

    store = SqliteStore(path)
    try:
        assert [state(store, id) for id in "ghi"] == [State.RUNNING] * 3
        for id, size in (("g", 2), ("h", 2), ("i", 1)):
            assert [view.group for view in store.members(id).result(LONG)] == [id] * size
        store.prune(T0 + 700).result(LONG)
        assert [view.state for view in store.members("i").result(LONG)] == [State.SUCCEEDED]  # its callback wants it
        claims = claimed(store)
        assert store.settle([ended(claim) for claim in claims]).result(LONG) == [True, True]
        assert state(store, "h") is State.SUCCEEDED
        callbacks = claimed(store, kind="then", now=T0 + 2)
        assert {claim.spec.id for claim in callbacks} == {callback.id, running.id}
        store.settle([ended(claim) for claim in callbacks]).result(LONG)
        assert [state(store, id) for id in "gi"] == [State.SUCCEEDED] * 2
    finally:
        store.close()
    check(path)
    assert inside(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]


def test_a_group_leaves_no_rows_behind(stores: tuple[SqliteStore, SqliteStore]) -> None:
    here, _ = stores
    here.submit([spec("held", unique_key="k", result_ttl=1e5)]).result(LONG)
    for id in "gh":
        grouped(here, spec(), spec(unique_key="k"), then=spec("then"), id=id)
    for kind in ("noop", "held", "then"):
        here.settle([ended(claim) for claim in claimed(here, kind=kind, now=T0 + 2)]).result(LONG)
    for at in (1e3, 1e5, 2e5, 3e5):
        here.prune(T0 + at).result(LONG)
        left = inside(here.path, "SELECT count(*) FROM grp") + inside(here.path, "SELECT count(*) FROM joined")
        assert left == ([(0,), (0,)] if at == 3e5 else [(2,), (2,)])
