"""Tasks that are claimed as they are submitted: which, for whom, and how many."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks.errors import QueueFull, StoreError
from fastcore.tasks.ports import Want, arrived
from fastcore.tasks.records import Hold, Progress, State
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.queue_cases import run
from tests.tasks.stores.direct_claim_cases import ANY, LEASE, LONG, WAYS, Owner, each_on_the_loop, together, turns
from tests.tasks.stores.sqlite_specs import T0, check, claimed, ended, spec

# ---- what comes, and how ----


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kinds", [["noop"] * 4, ["noop", "other", "noop", "other"]], ids=["alike", "different"])
def test_tasks_submitted_while_there_is_room_are_claimed_directly(owner: Owner, way: Any, kinds: list[str]) -> None:
    made = [spec(kind, at=T0 + 3) for kind in kinds]

    async def scenario() -> None:
        assert (await owner.ready(5, {"noop": ANY, "other": ANY})).claims == []
        assert await way(owner.store, made) == [one.id for one in made]
        await turns()
        assert [(claim.spec.id, claim.spec.kind) for claim in owner.came] == [(one.id, one.kind) for one in made]
        assert {(claim.attempt, claim.token, claim.lease_until) for claim in owner.came} == {(1, 1, T0 + 3 + LEASE)}
        for one in made:
            view = await asyncio.to_thread(owner.store.get(one.id).result, LONG)
            assert (view.state, view.attempt, view.started_at) == (State.RUNNING, 1, T0 + 3)
        assert set(await arrived(owner.store.renew(owner.came, LEASE, T0 + 4))) == {Hold.KEPT}
        assert await arrived(owner.store.settle([ended(claim) for claim in owner.came])) == [True] * 4
        view = await asyncio.to_thread(owner.store.get(made[0].id).result, LONG)
        assert (view.state, view.result) == (State.SUCCEEDED, b"result")
        assert await arrived(owner.store.settle([ended(claim) for claim in owner.came])) == [False] * 4

    run(scenario)


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.DEAD, State.QUEUED])
def test_it_ends_as_any_claim_does(owner: Owner, state: State) -> None:
    async def scenario() -> None:
        await owner.ready(5)
        [id] = await owner.submit(spec())
        assert await arrived(owner.store.settle([ended(owner.came[0], state)])) == [True]
        view = await asyncio.to_thread(owner.store.get(id).result, LONG)
        assert view.state is state

    run(scenario)


def test_progress_of_a_directly_claimed_task_is_recorded(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.ready(5)
        [id] = await owner.submit(spec())
        owner.store.report([Progress(id, 1, 0.5, "half")])
        view = await asyncio.to_thread(owner.store.get(id).result, LONG)
        assert (view.progress, view.note) == (0.5, "half")

    run(scenario)


def test_the_submitter_is_answered_before_the_claim_arrives(owner: Owner) -> None:
    order: list[str] = []

    async def scenario() -> None:
        owner.store.push_to("me", asyncio.get_running_loop(), lambda claims: order.append("claims"))
        await owner.claim(5)
        for _ in range(3):
            await arrived(owner.store.submit_each([spec()]))
            order.append("told")
        await turns()

    run(scenario)
    assert order == ["told", "claims"] * 3


# ---- how many ----


def test_direct_claims_are_bounded_by_the_room(owner: Owner) -> None:
    made = [spec() for _ in range(7)]
    ids = [one.id for one in made]

    async def scenario() -> None:
        await owner.ready(3)
        await owner.submit(*made[:2])
        assert owner.ids == ids[:2]
        await owner.submit(*made[2:5])
        assert owner.ids == ids[:3]
        await owner.submit(*made[5:])
        assert owner.ids == ids[:3]
        batch = await owner.claim(9)
        assert [(one.spec.id, one.attempt, one.token) for one in batch.claims] == [(id, 1, 1) for id in ids[3:]]

    run(scenario)


@pytest.mark.parametrize("way", WAYS[:2])
def test_the_lowest_ranks_go_first_where_there_are_more_than_room(owner: Owner, way: Any) -> None:
    made = [spec(rank=rank) for rank in (5.0, 1.0, 3.0, 1.0, 4.0)]

    async def scenario() -> None:
        await owner.ready(3)
        await way(owner.store, made)
        await turns()
        assert owner.ids == [made[i].id for i in (1, 3, 2)]
        assert [one.spec.id for one in (await owner.claim(9)).claims] == [made[i].id for i in (4, 0)]

    run(scenario)


def test_claimed_tasks_are_subtracted_from_the_room(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.submit(spec(), spec())
        assert len((await owner.ready(3)).claims) == 2
        await owner.submit(spec(), spec())
        assert len(owner.came) == 1

    run(scenario)


def test_each_pool_has_separate_room(owner: Owner) -> None:
    made = [spec(kind) for kind in ("a", "x", "b", "y", "a", "x", "b", "unknown")]

    async def scenario() -> None:
        owner.store.push_to("me", asyncio.get_running_loop(), owner.came.extend)
        wants = [Want(2, {"a": ANY, "b": ANY}), Want(1, {"x": ANY, "y": ANY})]
        await arrived(owner.store.claim("me", wants, LEASE, T0))
        await owner.submit(*made)
        assert sorted(owner.ids) == sorted(made[i].id for i in (0, 2, 1))

    run(scenario)


def test_claims_in_transit_are_subtracted_from_the_room_of_the_next(owner: Owner, other: SqliteStore) -> None:
    async def scenario() -> None:
        await owner.ready(3)
        owner.store.submit([spec(), spec()]).result(LONG)  # the loop stands still: nothing can come
        other.submit([spec() for _ in range(5)]).result(LONG)
        first = owner.store.claim("me", [Want(3, {"noop": ANY})], LEASE, T0).result(LONG)
        assert (len(first.claims), len(owner.came)) == (1, 0)
        await turns()
        assert len(owner.came) == 2
        assert len((await owner.claim(3)).claims) == 3  # heard of by now, and so the owner's to count

    run(scenario)


def test_claims_of_the_same_transaction_are_subtracted_as_well(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.ready(3)
        async with together(owner.store):
            owner.store.submit([spec(), spec()])
            owner.store.submit([spec(unique_key=f"{i}") for i in range(3)])
            reply = owner.store.claim("me", [Want(3, {"noop": ANY})], LEASE, T0)
        batch = await arrived(reply)
        await turns()
        assert (len(owner.came), len(batch.claims), owner.begun()) == (2, 1, 3)

    run(scenario)


def test_a_claim_without_wants_ends_direct_claims(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.ready(5)
        await owner.submit(spec())
        await owner.claim(0)
        await owner.submit(spec())
        assert (len(owner.came), owner.begun()) == (1, 1)
        assert len((await owner.claim(5)).claims) == 1
        await owner.submit(spec())
        assert len(owner.came) == 2

    run(scenario)


def test_requests_before_a_claim_are_stored_when_the_claim_is_answered(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.ready(5)
        owner.store.submit([spec()]).result(LONG)
        reply = owner.store.claim("me", [], LEASE, T0)
        await arrived(reply)
        assert len(owner.came) == 1

    for _ in range(5):
        run(scenario)
        owner.came.clear()


# ---- for whom ----


def test_direct_claims_use_the_room_of_their_receiver(owner: Owner) -> None:
    async def scenario() -> None:
        owner.store.push_to("me", asyncio.get_running_loop(), owner.came.extend)
        await arrived(owner.store.claim("you", [Want(5, {"noop": ANY})], LEASE, T0))
        await owner.submit(spec())
        assert (owner.came, owner.begun()) == ([], 0)
        assert len((await owner.claim(5)).claims) == 1
        await arrived(owner.store.claim("you", [], LEASE, T0))
        await owner.submit(spec())
        assert len(owner.came) == 1

    run(scenario)


def test_without_an_engine_tasks_are_only_stored(owner: Owner) -> None:
    assert claimed(owner.store, 5) == []
    owner.store.submit([spec(), spec()]).result(LONG)
    assert owner.begun() == 0


def test_claims_sent_to_a_closed_loop_are_rescued(owner: Owner) -> None:
    asyncio.run(owner.ready(5))
    [id] = owner.store.submit([spec()]).result(LONG)
    assert owner.begun() == 1
    [back] = owner.store.rescue(T0 + LEASE + 1).result(LONG)
    assert (back.id, back.state) == (id, State.QUEUED)


def test_claims_of_a_process_that_ended_are_rescued_at_once(tmp_path: Path) -> None:
    gone = Owner(tmp_path / "tasks.db")

    async def scenario() -> None:
        await gone.ready(5)
        await gone.submit(spec(), spec())

    run(scenario)
    gone.store.close()
    store = SqliteStore(tmp_path / "tasks.db", durability="normal")
    try:
        assert {one.id for one in store.rescue(T0 + 1).result(LONG)} == set(gone.ids)
        again = claimed(store)
        assert [(one.attempt, one.token) for one in again] == [(2, 2)] * 2
        assert store.settle([ended(claim) for claim in gone.came]).result(LONG) == [False] * 2
        assert store.settle([ended(claim) for claim in again]).result(LONG) == [True] * 2
    finally:
        store.close()
    check(tmp_path / "tasks.db")


def test_cancelling_reaches_its_owner(owner: Owner) -> None:
    async def scenario() -> None:
        await owner.ready(5)
        first, second = await owner.submit(spec(), spec())
        assert (await arrived(owner.store.request_cancel(second))).state is State.RUNNING
        assert (await owner.claim(5)).cancels == [second]
        assert await arrived(owner.store.renew(owner.came, LEASE, T0)) == [Hold.KEPT, Hold.CANCEL]
        assert first in owner.ids

    run(scenario)


# ---- what is refused ----


@pytest.mark.parametrize("way", ["requests", "each"])
def test_a_failed_transaction_pushes_no_claim_and_releases_its_room(owner: Owner, way: str) -> None:
    bad = spec(attempts=1 << 70)  # more than a column holds
    good = [spec(), spec()]

    async def scenario() -> None:
        await owner.ready(3)
        if way == "requests":
            async with together(owner.store):
                replies = [owner.store.submit([one]) for one in (good[0], bad, good[1])]
            for reply in (replies[0], replies[2]):
                await arrived(reply)
            with pytest.raises(StoreError, match="OverflowError"):
                await arrived(replies[1])
        else:
            answers = await each_on_the_loop(owner.store, [good[0], bad, good[1]])
            assert (answers[0], answers[2]) == (good[0].id, good[1].id)
            assert isinstance(answers[1], StoreError)
        await turns()
        claims = owner.came + (await owner.claim(3 - len(owner.came))).claims
        assert sorted(one.spec.id for one in claims) == sorted(one.id for one in good)
        assert await arrived(owner.store.settle([ended(claim) for claim in claims])) == [True, True]
        await owner.claim(3)
        before = len(owner.came)
        await owner.submit(spec(), spec(), spec())
        assert len(owner.came) == before + 3

    run(scenario)


def test_rolled_back_claims_are_not_counted_as_in_transit(owner: Owner) -> None:
    def fail(change: Any, asked: Sequence[Any]) -> list[Any]:
        raise ValueError("no")

    async def scenario() -> None:
        await owner.ready(1)
        async with together(owner.store):
            submitted = owner.store.submit([spec()])
            failed = owner.store._writer.ask(fail, None)
        [id] = await arrived(submitted)
        with pytest.raises(ValueError, match="no"):
            await arrived(failed)
        await turns()
        claims = owner.came + (await owner.claim(1 - len(owner.came))).claims
        assert [one.spec.id for one in claims] == [id]
        assert await arrived(owner.store.settle([ended(claim) for claim in claims])) == [True]

    run(scenario)


def test_no_more_may_wait_than_the_queue_allows(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "tasks.db", max_queued=2)

    async def scenario() -> None:
        await owner.ready(3)
        with pytest.raises(QueueFull):
            await owner.submit(spec(), spec(), spec())
        assert (owner.came, owner.begun()) == ([], 0)
        await owner.submit(spec(), spec())  # they begin, and so do not wait
        await owner.submit(spec(), spec())
        assert (len(owner.came), owner.begun()) == (3, 3)
        with pytest.raises(QueueFull):
            await owner.submit(spec(), spec())
        await owner.submit(spec())
        answers = await each_on_the_loop(owner.store, [spec()])
        assert isinstance(answers[0], QueueFull)

    run(scenario)
    owner.store.close()
    check(tmp_path / "tasks.db")
