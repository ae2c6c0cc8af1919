"""Counts and files of the SQLite store over time: thousands of random operations, and rows that cannot be stored."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks.ports import arrived
from fastcore.tasks.records import Encoded, Group, Progress, State
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.queue_cases import run
from tests.tasks.stores.sqlite_specs import T0, check, claimed, ended, in_writer, inside, spec

LONG = 60.0
KINDS = ("a", "b")
ENDS = [*[State.SUCCEEDED] * 6, State.FAILED, State.DEAD, State.CANCELLED, State.QUEUED]


def matches(store: SqliteStore) -> None:
    """What `counts` says is what the rows are, apart from tombstones."""
    rows: Counter[tuple[str, State]] = Counter()
    for view in store.find(limit=100_000).result(LONG):
        rows[view.kind, view.state] += 1
    counts = {(kind, state): n for kind, its in store.counts().result(LONG).items() for state, n in its.items()}
    assert counts == dict(rows)


@pytest.mark.parametrize("seed", range(3))
def test_counts_equal_the_rows_after_thousands_of_random_operations(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    store = SqliteStore(tmp_path / "tasks.db", durability="normal", dead_ttl=300.0, tombstone_ttl=300.0)
    now, held, known = T0, [], [""]
    for step in range(1500):
        now += rng.random()
        match rng.randrange(12):
            case 0 | 1 | 2 | 3:
                keyed: dict[str, Any] = rng.choice([{}, {}, {"unique_key": str(rng.randrange(5))}])
                delay = rng.choice([0.0, 0.0, 5.0])
                made = [
                    spec(rng.choice(KINDS), at=now, delay=delay, result_ttl=rng.choice([0.0, 60.0]), **keyed)
                    for _ in range(rng.randrange(1, 9))
                ]
                if rng.random() < 0.2:
                    group = Group(f"g{step}", len(made), spec("a", at=now, collects=f"g{step}"))
                    made = [replace(one, group=group.id, index=n) for n, one in enumerate(made)]
                    known += store.submit(made, group).result(LONG)
                else:
                    known += store.submit(made).result(LONG)
            case 4 | 5 | 6:
                held += claimed(store, rng.randrange(1, 12), rng.choice(KINDS), now)
            case 7 | 8 | 9:
                rng.shuffle(held)
                ends, held = held[:9], held[9:]
                settled = [ended(one, rng.choice(ENDS), now=now, run_at=now + rng.choice([0.0, 3.0])) for one in ends]
                store.settle(settled).result(LONG)
            case 10:
                if (id := rng.choice(known)) and id in {view.id for view in store.find(limit=9999).result(LONG)}:
                    store.request_cancel(id).result(LONG)
                store.retry_dead(None, None, now).result(LONG)
            case 11:
                store.rescue(now).result(LONG)
                store.prune(now).result(LONG)
        if step % 250 == 249:
            matches(store)
    store.prune(now + 1e4).result(LONG)
    matches(store)
    store.close()
    check(store.path)


def test_files_do_not_grow_for_ever(tmp_path: Path) -> None:
    """Rounds of the same work, pruned in the end: the pages of one round are used by the next."""
    store = SqliteStore(tmp_path / "tasks.db", durability="normal", tombstone_ttl=0.0)
    sizes = []
    now = T0
    for _ in range(12):
        for _ in range(10):
            store.submit([replace(spec(at=now), payload=Encoded(bytes(4000))) for _ in range(100)]).result(LONG)
            store.settle([ended(one, now=now) for one in claimed(store, 100, now=now)]).result(LONG)
        for _ in range(2):  # results expire, then tombstones are forgotten
            now += 1000
            store.prune(now).result(LONG)
        sizes.append([store.path.with_name(f"tasks.db{suffix}").stat().st_size for suffix in ("", "-wal")])
    assert inside(store.path, "SELECT count(*) FROM task") == [(0,)]
    assert sizes[-1][0] <= 1.2 * sizes[3][0]
    assert max(wal for _, wal in sizes) <= 64 << 20
    assert in_writer(store, lambda db: db.execute("PRAGMA journal_size_limit").fetchone()) == (64 << 20,)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["tasks.db"]  # the log is put back and removed


BAD: dict[str, dict[str, Any]] = {
    "a key with half a surrogate": {"unique_key": "caf\udce9"},
    "a number beyond SQLite's": {"attempts": 1 << 70},
    "a value of another type": {"timeout": object()},
    "a time that is no number": {"result_ttl": float("nan")},
}


@pytest.mark.parametrize("fault", BAD.values(), ids=BAD)
@pytest.mark.parametrize("together", [True, False], ids=["in one request", "in one batch"])
def test_a_row_that_cannot_be_stored_fails_alone(tmp_path: Path, fault: dict[str, Any], together: bool) -> None:
    store = SqliteStore(tmp_path / "tasks.db", durability="normal")
    made = [spec() for _ in range(5)]
    made[2] = spec(**fault)

    async def scenario() -> None:
        if together:
            answers = await arrived(store.submit_each(made))
        else:
            hold = store._writer.ask(lambda change, asked: [None], None)
            replies = [store.submit([one]) for one in made]
            answers = []
            for reply in (hold, *replies):
                try:
                    answers += [await arrived(reply)]
                except Exception as error:
                    answers += [error]
            answers = [one if isinstance(one, Exception) else one[0] for one in answers[1:]]
        assert [one for n, one in enumerate(answers) if n != 2] == [one.id for n, one in enumerate(made) if n != 2]
        assert isinstance(answers[2], Exception)

    run(scenario)
    assert {view.id for view in store.find().result(LONG)} == {one.id for n, one in enumerate(made) if n != 2}
    store.close()
    check(store.path)


@pytest.mark.parametrize("how", [State.SUCCEEDED, State.FAILED, State.QUEUED, "taken back"])
def test_nothing_is_remembered_of_attempts_that_have_ended(tmp_path: Path, how: Any) -> None:
    store = SqliteStore(tmp_path / "tasks.db", durability="normal")
    store.submit([spec(), spec()]).result(LONG)
    told, silent = claimed(store, 2)
    store.report([Progress(told.spec.id, told.token, 0.5, "half")]).result(LONG)
    assert not store._progress.silent()
    if isinstance(how, State):
        assert store.settle([ended(one, how) for one in (told, silent)]).result(LONG) == [True, True]
    else:
        assert len(store.rescue(T0 + 1e6).result(LONG)) == 2
        assert store.settle([ended(one, State.SUCCEEDED) for one in (told, silent)]).result(LONG) == [False, False]
    assert store._progress.silent()
    assert not store._work.holds()
    store.close()
