"""Many tasks in one statement end up as the same rows as each in a statement of its own."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore.tasks.records import Encoded, TaskSpec
from fastcore.tasks.stores import sqlite_bulk as bulk
from fastcore.tasks.stores.sqlite_bulk import Success, end, insert
from fastcore.tasks.stores.sqlite_rows import INSERT, row_of
from fastcore.tasks.stores.sqlite_schema import MIGRATIONS
from tests.tasks.sqlite_specs import T0, spec


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = fresh()
    yield connection
    connection.close()


def fresh() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for script in MIGRATIONS:
        connection.executescript(script)
    return connection


def rows(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT * FROM task ORDER BY seq").fetchall()


times = st.floats(0, 4e9, allow_nan=False)
payloads = st.sampled_from([Encoded(b"x"), Encoded(b"y" * 300), Encoded(b"\x00\xff"), Encoded(b"")])
specs = st.builds(
    lambda kind, rank, at, delay, timeout, payload, key: replace(
        spec(kind, at=at, rank=rank, timeout=timeout, unique_key=key), run_at=at + delay, payload=payload
    ),
    st.sampled_from(["a", "b", "é\x00'\"", "🦀"]),
    st.sampled_from([5.0, 0.1, 1e9 / 60, -2.5, 1e300, 5e-324]) | st.floats(allow_nan=False, allow_infinity=True),
    st.sampled_from([T0, 1763_738_471.123456, 0.1]) | times,
    st.sampled_from([0.0, 3.5]),
    st.sampled_from([None, None, 1.5]),
    payloads,
    st.sampled_from([None, None, None, "k"]),
)


def again(one: TaskSpec, at: float, payload: Encoded) -> TaskSpec:
    """Another task of the same shape."""
    return replace(spec(), kind=one.kind, rank=at / 7, run_at=at, submitted_at=at, timeout=one.timeout, payload=payload)


@given(
    st.lists(specs, max_size=12) | specs.flatmap(lambda one: st.lists(st.builds(again, st.just(one), times, payloads)))
)
def test_inserts_are_those_of_single_statements(given_specs: list[TaskSpec]) -> None:
    made = [replace(one, unique_key=None if i else one.unique_key) for i, one in enumerate(given_specs)]
    many, each = fresh(), fresh()
    try:
        insert(many, made)
        each.executemany(INSERT, [row_of(one) for one in made])
        assert rows(many) == rows(each)
    finally:
        many.close()
        each.close()


def test_first_in_is_first_out_whatever_comes_between(database: sqlite3.Connection) -> None:
    kinds = ["a", "b", "b", "b", "c", "a", "b", "b", "b", "b", "a"]
    made = [spec(kind, unique_key="k" if i == 5 else None) for i, kind in enumerate(kinds)]
    insert(database, made)
    assert [row[0] for row in database.execute("SELECT id FROM task ORDER BY seq")] == [one.id for one in made]


def test_parts_that_are_too_large_for_one_statement(
    database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_MOST", 4)
    monkeypatch.setattr(bulk, "_MOST_BYTES", 100)
    made = [replace(spec(), payload=Encoded(bytes([i]) * (60 if i % 5 == 0 else 7))) for i in range(23)]
    insert(database, made)
    assert [row[0] for row in database.execute("SELECT payload FROM task ORDER BY seq")] == [
        one.payload for one in made
    ]


def test_an_id_that_is_there_is_an_error(database: sqlite3.Connection) -> None:
    one = spec()
    for same in ([one] * 4, [one, spec(), spec(), replace(one, payload=Encoded(b"other"))]):
        database.execute("BEGIN")
        with pytest.raises(sqlite3.IntegrityError):
            insert(database, same)
        database.execute("ROLLBACK")
    assert rows(database) == []


ended = st.tuples(st.sampled_from([T0, T0 + 0.1, 1763_738_471.123456]), times, st.sampled_from([b"r", b"s" * 9, b""]))


@given(st.lists(ended, min_size=1, max_size=12), st.booleans())
def test_ends_are_recorded_each_in_its_row(found: list[tuple[float, float, bytes]], same: bool) -> None:
    database = fresh()
    try:
        insert(database, [spec(result_ttl=10.0) for _ in found])
        database.execute("UPDATE task SET state = 2, token = 1 + seq % 2, owner = 'me', lease = 5, error = 'before'")
        ends = [
            Success(i, 1 + i % 2, b"same" if same else result, began, done)
            for i, (began, done, result) in enumerate(found, 1)
        ]
        assert end(database, ends) == len(ends)
        stored = database.execute(
            "SELECT seq, token, result, started_at, finished_at, prune_at FROM task "
            "WHERE state = 3 AND owner IS NULL AND lease IS NULL AND payload IS NULL AND error IS NULL AND version = 2 "
            "ORDER BY seq"
        ).fetchall()
        assert [row[:3] for row in stored] == [(one.seq, one.token, one.result) for one in ends]
        for row, one in zip(stored, ends, strict=True):
            assert math.isclose(row[3], one.started_at, rel_tol=1e-15)
            assert math.isclose(row[4], one.finished_at, rel_tol=1e-15)
            assert row[5] == row[4] + 10.0
    finally:
        database.close()


@pytest.mark.parametrize("results", [(b"r",) * 4, (b"a", b"b", b"c", b"d")])
def test_an_end_with_another_token_or_state_is_not_taken(
    database: sqlite3.Connection, results: tuple[bytes, ...]
) -> None:
    insert(database, [spec() for _ in range(4)])
    database.execute("UPDATE task SET state = 2, token = 7")
    database.execute("UPDATE task SET state = 0 WHERE seq = 2")
    database.execute("UPDATE task SET token = 8 WHERE seq = 3")
    assert end(database, [Success(i, 7, result, T0, T0) for i, result in enumerate(results, 1)]) == 2
    assert [row[0] for row in database.execute("SELECT seq FROM task WHERE state = 3")] == [1, 4]
