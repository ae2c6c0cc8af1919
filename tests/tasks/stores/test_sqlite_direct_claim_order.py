"""Tasks that are claimed as they are submitted overtake no other task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fastcore.tasks.ports import Want
from fastcore.tasks.records import Group, State
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.queue_cases import run
from tests.tasks.stores.direct_claim_cases import ANY, LEASE, LONG, Owner, each_on_the_loop, turns
from tests.tasks.stores.sqlite_specs import T0, claimed, ended, spec


def by_another(owner: Owner, other: SqliteStore) -> None:
    other.submit([spec(priority=9.0)]).result(LONG)


def put_back(owner: Owner, other: SqliteStore) -> None:
    other.submit([spec(priority=9.0)]).result(LONG)
    [claim] = claimed(other, owner="you")
    other.settle([ended(claim, State.QUEUED)]).result(LONG)


def retried(owner: Owner, other: SqliteStore) -> None:
    other.submit([spec()]).result(LONG)
    other.settle([ended(claim, State.DEAD) for claim in claimed(other, owner="you")]).result(LONG)
    owner.store.retry_dead(None, None, T0).result(LONG)


def rescued(owner: Owner, other: SqliteStore) -> None:
    other.submit([spec()]).result(LONG)
    claimed(other, owner="you", now=T0 - 100)
    owner.store.rescue(T0).result(LONG)


def called_back(owner: Owner, other: SqliteStore) -> None:
    owner.store.submit([spec("member", group="g")], Group("g", 1, spec(collects="g"))).result(LONG)
    owner.store.settle([ended(claim) for claim in claimed(owner.store, kind="member", owner="you")]).result(LONG)


def fired(owner: Owner, other: SqliteStore) -> None:
    owner.store.schedule("n", "every 5", T0).result(LONG)
    assert owner.store.fire("n", T0, T0 + 5, spec()).result(LONG).won


def become_due(owner: Owner, other: SqliteStore) -> None:
    owner.store.submit([spec(at=T0 - 10, delay=9.5)]).result(LONG)


@pytest.mark.parametrize("wait", [by_another, put_back, retried, rescued, called_back, fired, become_due])
def test_no_task_overtakes_a_ready_task(
    owner: Owner, other: SqliteStore, wait: Callable[[Owner, SqliteStore], None]
) -> None:
    async def scenario() -> None:
        await owner.ready(5, {"noop": ANY, "second": ANY})
        wait(owner, other)
        before = owner.begun()
        await owner.submit(spec("second", at=T0 + 2))
        await owner.submit(spec("second", at=T0 + 2), spec(at=T0 + 2))
        assert (owner.came, owner.begun()) == ([], before)
        batch = await owner.claim(9, {"noop": ANY, "second": ANY}, now=T0 + 2)
        assert len(batch.claims) == 4

    run(scenario)


def test_tasks_for_another_pool_or_a_later_time_do_not_block(owner: Owner, other: SqliteStore) -> None:
    async def scenario() -> None:
        await owner.ready(5)
        other.submit([spec("elsewhere"), spec(delay=60.0)]).result(LONG)
        await owner.submit(spec())
        assert len(owner.came) == 1

    run(scenario)


SPECIAL: dict[str, dict[str, Any]] = {
    "delayed": {"delay": 5.0},
    "unique": {"unique_key": "k"},
    "idempotent": {"idempotency_key": "k", "fingerprint": "f"},
    "member": {"group": "g"},
    "callback": {"collects": "g"},
}


@pytest.mark.parametrize("options", SPECIAL.values(), ids=SPECIAL)
@pytest.mark.parametrize("alone", [True, False])
def test_tasks_with_keys_a_group_or_a_delay_wait_for_a_claim(
    owner: Owner, options: dict[str, Any], alone: bool
) -> None:
    made = [spec(**options)] + ([] if alone else [spec("later", delay=5.0)])

    async def scenario() -> None:
        await owner.ready(5, {"noop": ANY, "later": ANY})
        await owner.submit(*made)
        await each_on_the_loop(owner.store, [spec(delay=9.0)])
        assert (owner.came, owner.begun()) == ([], 0)
        found = (await owner.claim(9, {"noop": ANY, "later": ANY}, now=T0 + 7)).claims
        assert [claim.spec for claim in found] == made

    run(scenario)


@pytest.mark.parametrize("name", ["unique", "idempotent", "member", "callback"])
@pytest.mark.parametrize("first", [True, False])
def test_no_task_overtakes_a_ready_task_of_the_same_request(owner: Owner, name: str, first: bool) -> None:
    special, plain = spec(rank=1.0, **SPECIAL[name]), spec(rank=2.0)

    async def scenario() -> None:
        await owner.ready(5)
        await owner.submit(*([special, plain] if first else [plain, special]))
        assert (owner.came, owner.begun()) == ([], 0)
        assert [one.spec.id for one in (await owner.claim(1)).claims] == [special.id]

    run(scenario)


def test_a_kind_with_its_own_bound_waits_for_a_claim(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.ready(5, {"noop": ANY, "bound": 4})
        await owner.submit(spec("bound"))
        assert (owner.came, owner.begun()) == ([], 0)
        assert len((await owner.claim(5, {"noop": ANY, "bound": 4})).claims) == 1
        await owner.submit(spec())
        assert len(owner.came) == 1

    run(scenario)


def test_a_bound_above_the_room_is_ignored(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.ready(3, {"bound": 3})
        await owner.submit(*[spec("bound") for _ in range(5)])
        assert len(owner.came) == 3

    run(scenario)


# ---- kinds with a bound of their own ----


def test_no_task_overtakes_a_ready_task_of_a_bounded_kind(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.ready(3, {"noop": ANY, "bound": 2})
        await owner.submit(spec("bound", rank=1.0))
        await owner.submit(spec(rank=9.0), spec(rank=9.0), spec(rank=9.0))
        assert owner.came == []

    run(scenario)


def test_an_exhausted_limit_delays_no_other_kind(owner: Owner) -> None:
    async def scenario() -> None:
        for _ in range(3):
            await owner.submit(spec("bound", rank=1.0))
        await owner.ready(4, {"noop": ANY, "bound": 2})
        await owner.submit(spec(rank=9.0), spec(rank=9.0), spec(rank=9.0))
        assert len(owner.came) == 2

    run(scenario)


def test_claims_in_transit_count_for_the_bound_of_their_kind(owner: Owner, other: SqliteStore) -> None:
    async def scenario() -> None:
        await owner.ready(4, {"bound": 4})
        owner.store.submit([spec("bound") for _ in range(4)]).result(LONG)
        other.submit([spec("bound") for _ in range(9)]).result(LONG)
        batch = owner.store.claim("me", [Want(10, {"bound": 4})], LEASE, T0).result(LONG)
        await turns()
        assert len(owner.came) + len(batch.claims) <= 4

    run(scenario)


def test_claims_of_one_request_are_ordered_by_rank(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.ready(5)
        await owner.submit(spec(rank=9.0), spec(rank=1.0))
        assert [claim.spec.rank for claim in owner.came] == [1.0, 9.0]

    run(scenario)
