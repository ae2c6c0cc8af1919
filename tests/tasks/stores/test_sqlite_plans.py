"""No statement of the store reads more rows than it needs, however many tasks have ended."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from fastcore.tasks.ports import Want
from fastcore.tasks.records import Group, Progress, State
from fastcore.tasks.stores.sqlite import reader
from fastcore.tasks.stores.sqlite.schema import connect_reader
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import T0, claimed, ended, in_writer, inside, spec

LONG = 60.0
CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")


def plans(connection: sqlite3.Connection, statements: list[str]) -> dict[str, list[str]]:
    """How SQLite goes about each statement that was run, with the values that it had."""
    found = {}
    for text in statements:
        if not text.startswith(CONTROL):
            found[text] = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}")]
    return found


def wasteful(found: dict[str, list[str]], allowed: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The steps that read a whole table of tasks, or sort."""
    return [
        (step, text)
        for text, steps in found.items()
        for step in steps
        if (step.startswith("SCAN task") or "TEMP B-TREE" in step) and step not in allowed
    ]


def worked(store: SqliteStore) -> list[str]:
    """Have the store do everything that it can, and return the statements of its writer."""
    seen: list[str] = []
    in_writer(store, lambda connection: connection.set_trace_callback(seen.append))
    store.submit([spec(), spec(unique_key="u"), spec(idempotency_key="i", fingerprint="f"), spec(delay=3)]).result(LONG)
    members = [spec("a", group="g", index=i) for i in range(2)]
    store.submit(members, Group("g", 2, spec("b", collects="g"))).result(LONG)
    store.claim("me", [Want(9, {"noop": 1, "a": 5}), Want(3, {"b": 1})], 15.0, T0 + 9).result(LONG)
    claims = claimed(store, 2)
    store.renew(claims, 15.0, T0).result(LONG)
    store.report([Progress(claims[0].spec.id, claims[0].token, 0.5, "half")])
    store.settle([ended(claims[0])]).result(LONG)
    store.settle([ended(claims[1], State.QUEUED)]).result(LONG)
    for state in (State.DEAD, State.FAILED):
        store.submit([spec("d")]).result(LONG)
        store.settle([ended(claim, state) for claim in claimed(store, kind="d")]).result(LONG)
    [id] = store.submit([spec()]).result(LONG)
    store.request_cancel(id).result(LONG)
    store.retry_dead(None, None, T0).result(LONG)
    store.retry_dead([id], None, T0).result(LONG)
    store.rescue(T0 + 1e4).result(LONG)
    store.prune(T0 + 1e5).result(LONG)
    store.schedule("n", "every 5", T0).result(LONG)
    store.fire("n", T0, T0 + 1, spec()).result(LONG)
    store.fire("n", T0, T0 + 1, spec()).result(LONG)
    store.unschedule("n").result(LONG)
    stood(store)
    in_writer(store, lambda connection: connection.set_trace_callback(None))
    return seen


def stood(store: SqliteStore) -> None:
    """Let the store claim tasks as they are submitted."""
    loop = asyncio.new_event_loop()
    loop.close()  # the claims are not delivered
    store.push_to("me", loop, lambda claims: None)
    wants = [Want(9, {"express": 1 << 30, "other": 1 << 30})]
    store.claim("me", wants, 15.0, T0 + 2e5).result(LONG)
    store.submit([spec("express", at=T0 + 2e5) for _ in range(3)]).result(LONG)
    store.submit_each([spec("express", at=T0 + 2e5), spec("other", at=T0 + 2e5)]).result(LONG)


@pytest.mark.parametrize("most", [None, 1000])
def test_no_statement_of_the_writer_scans_or_sorts(tmp_path: Path, most: int | None) -> None:
    store = SqliteStore(tmp_path / "tasks.db", durability="normal", max_queued=most).open()
    try:
        statements = worked(store)
        begun = inside(store.path, "SELECT count(*) FROM task WHERE state = 2 AND kind IN ('express', 'other')")
        connection = connect_reader(store.path)
        found = plans(connection, statements)
        connection.close()
    finally:
        store.close()
    words = {text.split("(")[0].split(" WHERE")[0][:12] for text in found}
    assert {"INSERT INTO ", "UPDATE task "} <= words, "the statements were not seen"
    assert len(found) > 30
    assert any(text.startswith("SELECT EXISTS") for text in found), "no statement checked for waiting tasks"
    assert begun == [(5,)], "nothing was stored as begun"
    allowed = (
        "SCAN task USING INDEX task_running",  # whatever runs is looked at, and nothing else: it is as many as workers
        "USE TEMP B-TREE FOR ORDER BY",  # by kinds, of the rows of one claim, checked below
    )
    assert wasteful(found, allowed) == []
    for text, steps in found.items():
        if allowed[1] in steps:
            assert "json_each" in text, text


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (reader.Wanted(), "sqlite_autoindex_task_1"),  # by ids, the latest first: it ends after `limit` rows
        (reader.Wanted([State.RUNNING]), "task_running"),
        (reader.Wanted([State.RUNNING], "noop"), "task_running"),
        (reader.Wanted([State.DEAD]), "task_failure"),
        (reader.Wanted([State.FAILED, State.DEAD], "noop", before="f"), "task_failure"),
        (reader.Wanted(None, None, "g"), "task_member"),
    ],
)
def test_lists_of_few_among_many_use_an_index(tmp_path: Path, wanted: reader.Wanted, index: str) -> None:
    SqliteStore(tmp_path / "tasks.db", durability="normal").open().close()
    seen: list[str] = []
    connection = connect_reader(tmp_path / "tasks.db")
    try:
        connection.set_trace_callback(seen.append)
        reader.find(connection, wanted)
        connection.set_trace_callback(None)
        [steps] = plans(connection, seen).values()
    finally:
        connection.close()
    assert f"INDEX {index}" in steps[0]


def test_a_task_and_its_group_are_found_by_index(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db", durability="normal").open()
    [id] = store.submit([spec()]).result(LONG)
    store.close()
    seen: list[str] = []
    connection = connect_reader(tmp_path / "tasks.db")
    try:
        connection.set_trace_callback(seen.append)
        reader.get(connection, id)
        reader.members(connection, "g")
        reader.counts(connection)
        connection.set_trace_callback(None)
        assert wasteful(plans(connection, seen)) == []
    finally:
        connection.close()
