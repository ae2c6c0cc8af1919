"""Many tasks in one statement end up as the same rows as each in a separate statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore.tasks.records import Encoded, TaskSpec
from fastcore.tasks.stores.sqlite import bulk_statements
from fastcore.tasks.stores.sqlite.bulk_statements import Begun, Success, end, insert
from fastcore.tasks.stores.sqlite.rows import row_of
from fastcore.tasks.stores.sqlite.schema import MIGRATIONS
from tests.tasks.stores.sqlite_specs import T0, spec

SIZES = [1, 2, 3, 63, 64, 65, 200]
BEGUN = Begun("me", T0 + 15.0, T0 + 0.1)
# One row at a time, in the order of `row_of`, and nothing that the code under test has a word in.
PLAIN = (
    "INSERT INTO task (id, kind, payload, priority, rank, run_at, submitted_at, attempts, timeout, result_ttl, "
    "unique_key, idempotency_key, fingerprint, grp, idx, collects, serial_key, state, version) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
)


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
def test_bulk_inserts_equal_single_statements(given_specs: list[TaskSpec]) -> None:
    made = [replace(one, unique_key=None if i else one.unique_key) for i, one in enumerate(given_specs)]
    many, each = fresh(), fresh()
    try:
        insert(many, made)
        each.executemany(PLAIN, [row_of(one) for one in made])
        assert rows(many) == rows(each)
    finally:
        many.close()
        each.close()


def test_rows_of_several_kinds_are_inserted_in_order_of_submission(database: sqlite3.Connection) -> None:
    kinds = ["a", "b", "b", "b", "c", "a", "b", "b", "b", "b", "a"]
    made = [spec(kind, unique_key="k" if i == 5 else None) for i, kind in enumerate(kinds)]
    insert(database, made)
    assert [row[0] for row in database.execute("SELECT id FROM task ORDER BY seq")] == [one.id for one in made]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_statements, "_MOST", 4)
    monkeypatch.setattr(bulk_statements, "_MOST_BYTES", 100)


def of_sizes(n: int) -> list[TaskSpec]:
    """Tasks of which two of the larger, or many of the smaller, are more than a small part may hold."""
    return [replace(spec(), payload=Encoded(bytes([i]) * (60 if i % 5 == 0 else 7))) for i in range(n)]


@pytest.mark.usefixtures("small_parts")
def test_parts_too_large_for_one_statement_are_split(database: sqlite3.Connection) -> None:
    made = of_sizes(23)
    assert insert(database, made) == list(range(1, 24))
    assert [row[0] for row in database.execute("SELECT payload FROM task ORDER BY seq")] == [
        one.payload for one in made
    ]


def blobs_of_each_statement(database: sqlite3.Connection, work: Callable[[], object]) -> list[int]:
    seen: list[str] = []
    database.set_trace_callback(seen.append)
    work()
    database.set_trace_callback(None)
    return [text.count("x'") for text in seen if "x'" in text]


@pytest.mark.usefixtures("small_parts")
def test_no_statement_holds_more_than_its_bytes_unless_one_task_does(database: sqlite3.Connection) -> None:
    sizes = [500, 40, 40, 40, 500, 7]
    made = [replace(spec(), payload=Encoded(b"x" * size)) for size in sizes]
    assert blobs_of_each_statement(database, lambda: insert(database, made, BEGUN)) == [1, 2, 1, 1, 1]
    ends = [Success(seq, 1, T0, T0, b"x" * size) for seq, size in enumerate(sizes, 1)]
    assert blobs_of_each_statement(database, lambda: end(database, ends)) == [1, 2, 1, 1, 1]


# ---- as begun ----


def different(n: int) -> list[TaskSpec]:
    """No two neighbours alike, some of them with all that a task may have."""
    return [
        spec(
            "ab"[i % 2],
            rank=i / 3,
            timeout=None if i % 3 else 2.5,
            group="g" if i % 4 == 3 else None,
            index=i if i % 4 == 3 else 0,
        )
        for i in range(n)
    ]


def pairs(n: int) -> list[TaskSpec]:
    """Parts that are alike, and others that are not."""
    return [spec("a" if i < n // 2 else f"b{i % 3}") for i in range(n)]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    "make", [lambda n: [spec() for _ in range(n)], different, pairs], ids=["alike", "mixed", "halves"]
)
@pytest.mark.parametrize("begun", [None, BEGUN])
def test_row_numbers_are_returned(database: sqlite3.Connection, n: int, make: Any, begun: Begun | None) -> None:
    insert(database, [spec("before") for _ in range(5)])
    made: list[TaskSpec] = make(n)
    seqs = insert(database, made, begun)
    found = dict(database.execute("SELECT seq, id FROM task WHERE kind != 'before'"))
    assert [found[seq] for seq in seqs] == [one.id for one in made]
    assert seqs == sorted(seqs)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("n", SIZES)
def test_row_numbers_are_returned_for_small_parts(database: sqlite3.Connection, n: int) -> None:
    made = of_sizes(n)
    seqs = insert(database, made, BEGUN)
    assert database.execute("SELECT seq, id, payload FROM task ORDER BY seq").fetchall() == [
        (seq, one.id, one.payload) for seq, one in zip(seqs, made, strict=True)
    ]


def as_begun(rows: Sequence[tuple[Any, ...]], names: Sequence[str], begun: Begun) -> list[tuple[Any, ...]]:
    """What rows of waiting tasks are once they have begun."""
    changed = {"state": 2, "attempt": 1, "token": 1, "owner": begun.owner, "lease": begun.until, "started_at": begun.at}
    return [tuple(changed.get(name, value) for name, value in zip(names, row, strict=True)) for row in rows]


def test_begun_tasks_equal_single_statements_with_their_first_attempt() -> None:
    for make in (lambda: [spec() for _ in range(7)], lambda: different(70), lambda: pairs(40), lambda: [spec(delay=5)]):
        many, each = fresh(), fresh()
        try:
            made = make()
            insert(many, made, BEGUN)
            each.executemany(PLAIN, [row_of(one) for one in made])
            names = [column[1] for column in many.execute("PRAGMA table_info(task)")]
            assert rows(many) == as_begun(rows(each), names, BEGUN)
        finally:
            many.close()
            each.close()


def test_an_existing_id_is_an_error(database: sqlite3.Connection) -> None:
    one = spec()
    for same in ([one] * 4, [one, spec(), spec(), replace(one, payload=Encoded(b"other"))], [one, spec("b"), one]):
        for begun in (None, BEGUN):
            database.execute("BEGIN")
            with pytest.raises(sqlite3.IntegrityError):
                insert(database, same, begun)
            database.execute("ROLLBACK")
    assert rows(database) == []


# ---- ends ----


ended = st.tuples(
    st.sampled_from([T0, T0 + 0.1, 1763_738_471.123456]), times, st.sampled_from([b"r", b"s" * 9, b"", None])
)
STORED = (
    "SELECT seq, token, started_at, finished_at, result, prune_at FROM task WHERE state = 3 AND owner IS NULL "
    "AND lease IS NULL AND payload IS NULL AND error IS NULL AND version = 2 ORDER BY seq"
)


def running(database: sqlite3.Connection, n: int) -> None:
    insert(database, [spec(result_ttl=10.0) for _ in range(n)], BEGUN)
    database.execute("UPDATE task SET token = 1 + seq % 2, error = 'before'")


@given(st.lists(ended, min_size=1, max_size=12) | st.lists(ended, min_size=63, max_size=70), st.booleans())
def test_ends_are_recorded_each_in_its_row(found: list[tuple[float, float, bytes | None]], same: bool) -> None:
    database = fresh()
    try:
        running(database, len(found))
        ends = [
            Success(i, 1 + i % 2, began, done, b"same" if same else result)
            for i, (began, done, result) in enumerate(found, 1)
        ]
        assert end(database, ends[::-1]) == {one.seq for one in ends}
        assert database.execute(STORED).fetchall() == [(*one, one.finished_at + 10.0) for one in ends]
    finally:
        database.close()


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("result", [None, b"", b"r", b"r" * 101])
def test_ends_are_recorded_across_parts(database: sqlite3.Connection, n: int, result: bytes | None) -> None:
    running(database, n)
    ends = [Success(i, 1 + i % 2, T0, T0 + i, result) for i in range(1, n + 1)]
    assert end(database, ends) == set(range(1, n + 1))
    assert database.execute(STORED).fetchall() == [(*one, one.finished_at + 10.0) for one in ends]


@pytest.mark.parametrize("results", [(b"r",) * 5, (b"a", b"b", b"c", None, b"")])
def test_an_end_with_another_token_or_state_is_refused(
    database: sqlite3.Connection, results: tuple[bytes | None, ...]
) -> None:
    insert(database, [spec() for _ in range(5)])
    database.execute("UPDATE task SET state = 2, token = 7")
    database.execute("UPDATE task SET state = 0 WHERE seq = 2")
    database.execute("UPDATE task SET token = 8 WHERE seq = 3")
    database.execute("UPDATE task SET joined = 1 WHERE seq = 5")  # another group waits for it
    ends = [Success(i, 7, T0, T0, result) for i, result in enumerate(results, 1)]
    assert end(database, [*ends, Success(6, 7, T0, T0, b"")]) == {1, 4}  # there is no sixth row
    assert [row[0] for row in database.execute("SELECT seq FROM task WHERE state = 3")] == [1, 4]
