"""What every store keeps to with groups and schedules."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fastcore.tasks.errors import UnknownTask
from fastcore.tasks.records import Claim, Encoded, Failure, Group, GroupView, State, TaskSpec
from tests.tasks.stores.store_cases import LEASE, Harness

DAY = 86_400.0


def grouped(it: Harness, *members: TaskSpec, then: TaskSpec | None = None, id: str = "g") -> list[str]:
    """Submit a group, and return its members' ids."""
    for index, spec in enumerate(members):
        spec.group, spec.index = id, index
    if then is not None:
        then.collects = id
    return it.submit(*members, group=Group(id, len(members), then))


def group(it: Harness, id: str = "g") -> GroupView:
    view = it.store.get(id).result(30)
    assert isinstance(view, GroupView)
    return view


def results(it: Harness, id: str = "g") -> list[Any]:
    views = it.store.members(id).result(30)
    return [it.codec.decode(view.result) if isinstance(view.result, Encoded) else view.result for view in views]


def succeed(it: Harness, claims: Sequence[Claim], **given: Any) -> None:
    """End claims, each with its kind and place as its result."""
    it.settle(*[it.outcome(claim, value=f"{claim.spec.kind} {claim.spec.index}", **given) for claim in claims])


class TestMembers:
    """Members whose keys are held by other tasks have these as members, in their places."""

    def test_a_member_may_be_a_task_that_waits(self, it: Harness) -> None:
        held = it.spec("held", unique_key="k")
        it.submit(held)
        ids = grouped(it, it.spec(), it.spec(unique_key="k"), it.spec(), then=it.spec("then"))
        assert ids[1] == held.id
        succeed(it, it.claim())
        assert it.claim(kinds={"then": 1}) == []
        succeed(it, it.claim(kinds={"held": 1}))
        assert len(it.claim(kinds={"then": 1}, now=it.now + 2)) == 1
        assert results(it) == ["work 0", "held 0", "work 2"]

    @pytest.mark.parametrize("alone", [True, False])
    @pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED, State.DEAD])
    def test_a_member_may_be_a_task_that_runs(self, it: Harness, state: State, alone: bool) -> None:
        held = it.spec("held", unique_key="k")
        it.submit(held, it.spec("held"))
        running, other = it.claim(kinds={"held": 2})
        grouped(it, it.spec(unique_key="k"), then=it.spec("then"))
        ends = [it.outcome(running, state, value="held 0")] + ([] if alone else [it.outcome(other)])
        assert it.settle(*ends) == [True] * len(ends)  # with others, as a batch is
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 2)
        assert [view.state for view in it.store.members("g").result(30)] == [state]
        it.settle(it.outcome(callback))

    @pytest.mark.parametrize("how", ["cancelled while it waits", "lost", "cancelled, then lost"])
    def test_a_callback_runs_when_a_member_of_another_submission_ends(self, it: Harness, how: str) -> None:
        held = it.spec("held", unique_key="k", attempts=1)
        it.submit(held)
        if how != "cancelled while it waits":
            it.claim(kinds={"held": 1})
        grouped(it, it.spec(unique_key="k"), then=it.spec("then"))
        if "cancelled" in how:
            it.store.request_cancel(held.id).result(30)
        if "lost" in how:
            it.store.rescue(it.now + LEASE + 1).result(30)
        assert len(it.claim(kinds={"then": 1}, now=time.time() + LEASE + 2)) == 1

    def test_a_member_may_have_ended(self, it: Harness) -> None:
        keys = {"idempotency_key": "i", "fingerprint": "f"}
        it.submit(it.spec("held", **keys), it.spec("held", **keys | {"idempotency_key": "j"}))
        succeed(it, it.claim(kinds={"held": 2}))
        ids = grouped(it, *(it.spec("held", **keys | {"idempotency_key": key}) for key in "ji"), then=it.spec("then"))
        assert len(set(ids)) == 2
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 2)
        assert [view.id for view in it.store.members("g").result(30)] == ids
        it.settle(it.outcome(callback))
        assert group(it).state is State.SUCCEEDED

    def test_two_members_may_be_one_task(self, it: Harness) -> None:
        ids = grouped(it, it.spec(unique_key="k"), it.spec(), it.spec(unique_key="k"), then=it.spec("then"))
        assert ids[0] == ids[2]
        succeed(it, it.claim())
        assert len(it.claim(kinds={"then": 1}, now=it.now + 2)) == 1
        assert results(it) == ["work 0", "work 1", "work 0"]
        assert group(it).states == {State.SUCCEEDED: 3}

    def test_a_task_may_be_a_member_of_several_groups(self, it: Harness) -> None:
        for id in ("g", "h", "i"):
            grouped(it, it.spec(unique_key="k"), id=id)
        assert [group(it, id).state for id in "ghi"] == [State.QUEUED] * 3
        succeed(it, it.claim())
        assert [group(it, id).state for id in "ghi"] == [State.SUCCEEDED] * 3
        assert [results(it, id) for id in "ghi"] == [["work 0"]] * 3

    def test_the_result_of_a_member_of_others_waits_for_the_callback(self, it: Harness) -> None:
        it.submit(it.spec("held", unique_key="k", result_ttl=1.0))
        grouped(it, it.spec(unique_key="k"), then=it.spec("then", result_ttl=1e6))
        succeed(it, it.claim(kinds={"held": 1}))
        it.store.prune(it.now + 1000).result(30)
        assert results(it) == ["held 0"]
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 1000)
        it.settle(it.outcome(callback))
        it.store.prune(it.now + 2000).result(30)
        assert [view.state for view in it.store.members("g").result(30)] == [State.EXPIRED]


ENDS = {
    "all succeed": ([State.SUCCEEDED] * 3, State.SUCCEEDED),
    "one fails": ([State.SUCCEEDED, State.FAILED, State.CANCELLED], State.FAILED),
    "one is dead": ([State.DEAD, State.SUCCEEDED, State.SUCCEEDED], State.FAILED),
    "one is cancelled": ([State.SUCCEEDED, State.CANCELLED, State.SUCCEEDED], State.CANCELLED),
}


class TestViews:
    """A group's id is known as a task's is."""

    @pytest.mark.parametrize("end", ENDS)
    def test_without_a_callback(self, it: Harness, end: str) -> None:
        states, expected = ENDS[end]
        ids = grouped(it, *(it.spec() for _ in states))
        seen = [group(it)]
        claims = it.claim()
        for claim, state in zip(claims, states, strict=True):
            seen.append(group(it))
            error = Failure("ValueError", str(claim.spec.index), "") if state in (State.FAILED, State.DEAD) else None
            it.settle(it.outcome(claim, state, value=claim.spec.index, error=error))
        seen.append(group(it))
        assert [view.state for view in seen] == [State.QUEUED, *[State.RUNNING] * 3, expected]
        assert [view.progress for view in seen] == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])
        assert len({view.version for view in seen}) == 5
        view = seen[-1]
        assert (view.id, view.size, view.ended, view.then, view.kinds) == ("g", 3, True, None, {"work"})
        assert [one.id for one in view.members] == (ids if expected is State.SUCCEEDED else [])
        assert view.finished_at == it.now + 1
        if expected is State.FAILED:
            assert view.error == Failure(
                "ValueError", str(next(i for i, s in enumerate(states) if s.value in ("failed", "dead"))), ""
            )

    @pytest.mark.parametrize("end", [State.SUCCEEDED, State.FAILED, State.DEAD, State.CANCELLED])
    def test_with_a_callback_it_ends_as_that_does(self, it: Harness, end: State) -> None:
        grouped(it, it.spec(), it.spec(), then=it.spec("then"))
        succeed(it, it.claim())
        assert (group(it).state, group(it).finished_at) == (State.RUNNING, None)
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 2)
        assert group(it).state is State.RUNNING
        it.settle(it.outcome(callback, end, value="whole", finished_at=it.now + 5))
        view = group(it)
        assert (view.state, view.finished_at, view.kinds) == (end, it.now + 5, {"work", "then"})
        assert view.then is not None
        assert (view.then.id, view.then.state) == (callback.spec.id, end)

    def test_expired_results_are_reported(self, it: Harness) -> None:
        grouped(it, it.spec(), it.spec(result_ttl=1.0))
        succeed(it, it.claim())
        assert group(it).expires_at == it.now + 2
        it.store.prune(it.now + 10).result(30)
        assert (group(it).state, group(it).states) == (State.EXPIRED, {State.SUCCEEDED: 1, State.EXPIRED: 1})

    @pytest.mark.parametrize("shared", [False, True])
    @pytest.mark.parametrize("called", [False, True])
    def test_a_group_is_forgotten_with_its_tasks(self, it: Harness, called: bool, shared: bool) -> None:
        if shared:
            it.submit(it.spec("held", unique_key="k"))
        members = [it.spec(unique_key="k")] if shared else [it.spec(), it.spec(result_ttl=1.0)]
        grouped(it, *members, then=it.spec("then") if called else None)
        succeed(it, it.claim(kinds={"work": 9, "held": 9}))
        succeed(it, it.claim(kinds={"then": 1}, now=it.now + 2))
        for at in (100.0, 101.0):
            it.store.prune(it.now + at).result(30)
        assert group(it).state is State.EXPIRED
        for at in (DAY / 2, 2 * DAY):
            assert group(it).state is State.EXPIRED
            it.store.prune(it.now + at).result(30)
        with pytest.raises(UnknownTask):
            it.store.get("g").result(30)
        assert it.store.members("g").result(30) == []

    def test_an_unknown_group(self, it: Harness) -> None:
        for ask in (it.store.get, it.store.request_cancel):
            with pytest.raises(UnknownTask):
                ask("0" * 32).result(30)


class TestCancel:
    def test_its_members_and_its_callback(self, it: Harness) -> None:
        ids = grouped(it, it.spec(), it.spec(), it.spec(), then=it.spec("then"))
        done, running = it.claim(2)
        succeed(it, [done])
        assert it.store.request_cancel("g").result(30).state is State.RUNNING
        view = group(it)
        assert (view.state, view.cancel_requested, it.cancels()) == (State.RUNNING, True, [ids[1]])
        it.settle(it.outcome(running, State.CANCELLED))
        assert [it.state(id) for id in ids] == [State.SUCCEEDED, State.CANCELLED, State.CANCELLED]
        assert group(it).state is State.CANCELLED
        assert it.claim(kinds={"then": 1, "work": 9}, now=time.time() + 1e6) == []
        assert it.store.request_cancel("g").result(30).state is State.CANCELLED

    def test_while_all_wait(self, it: Harness) -> None:
        grouped(it, it.spec(), it.spec(), then=it.spec("then"))
        assert it.store.request_cancel("g").result(30).state is State.CANCELLED
        assert group(it).states == {State.CANCELLED: 2}
        assert it.store.counts().result(30) == {"work": {State.CANCELLED: 2}}

    def test_tasks_of_other_submitters_continue(self, it: Harness) -> None:
        held = it.spec("held", unique_key="k")
        it.submit(held)
        grouped(it, it.spec(), it.spec(unique_key="k"), then=it.spec("then"))
        assert it.store.request_cancel("g").result(30).state is State.CANCELLED
        assert it.state(held.id) is State.QUEUED
        succeed(it, it.claim(kinds={"held": 1}))
        assert (it.state(held.id), group(it).state) == (State.SUCCEEDED, State.CANCELLED)
        assert it.claim(kinds={"then": 1}, now=time.time() + 1e6) == []

    def test_its_callback_while_it_runs(self, it: Harness) -> None:
        grouped(it, it.spec(), then=it.spec("then"))
        succeed(it, it.claim())
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 2)
        assert it.store.request_cancel("g").result(30).state is State.RUNNING
        assert it.cancels() == [callback.spec.id]
        it.settle(it.outcome(callback, State.CANCELLED))
        assert group(it).state is State.CANCELLED

    def test_too_late(self, it: Harness) -> None:
        grouped(it, it.spec())
        succeed(it, it.claim())
        assert it.store.request_cancel("g").result(30).state is State.SUCCEEDED
        assert not group(it).cancel_requested


class TestRetries:
    def test_a_member_that_is_tried_again_is_waited_for(self, it: Harness) -> None:
        grouped(it, it.spec(), it.spec(), then=it.spec("then"))
        first, second = it.claim()
        it.settle(it.outcome(first, State.DEAD))
        assert it.store.retry_dead([first.spec.id], None, it.now).result(30) == [first.spec.id]
        succeed(it, [second])
        assert it.claim(kinds={"then": 1}, now=it.now + 2) == []
        succeed(it, it.claim())
        assert len(it.claim(kinds={"then": 1}, now=it.now + 2)) == 1
        assert results(it) == ["work 0", "work 1"]

    def test_a_member_that_is_tried_again_too_late_makes_no_second_callback(self, it: Harness) -> None:
        grouped(it, it.spec(result_ttl=1.0), it.spec(result_ttl=1.0), then=it.spec("then"))
        first, second = it.claim()
        it.settle(it.outcome(first, State.DEAD), it.outcome(second, value="work 1"))
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 2)
        it.store.retry_dead([first.spec.id], None, it.now).result(30)
        succeed(it, it.claim())
        it.store.prune(it.now + 1000).result(30)
        assert results(it) == ["work 0", "work 1"]  # the callback still wants them
        assert it.claim(kinds={"then": 1}, now=it.now + 1000) == []
        it.settle(it.outcome(callback))
        it.store.prune(it.now + 2000).result(30)
        assert [view.state for view in it.store.members("g").result(30)] == [State.EXPIRED] * 2

    def test_a_callback_that_is_tried_again_wants_the_results_again(self, it: Harness) -> None:
        grouped(it, it.spec(result_ttl=10.0), then=it.spec("then"))
        succeed(it, it.claim())
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 2)
        it.settle(it.outcome(callback, State.DEAD))
        assert it.store.retry_dead([callback.spec.id], None, it.now).result(30) == [callback.spec.id]
        it.store.prune(it.now + 100).result(30)
        assert results(it) == ["work 0"]
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 100)
        it.settle(it.outcome(callback, State.DEAD))
        it.store.prune(it.now + 300).result(30)
        it.store.retry_dead([callback.spec.id], None, it.now).result(30)
        assert [view.state for view in it.store.members("g").result(30)] == [State.EXPIRED]

    def test_members_that_are_forgotten_have_their_places(self, it: Harness) -> None:
        ids = grouped(it, it.spec(result_ttl=1.0), it.spec(result_ttl=1.0), then=it.spec("then"))
        succeed(it, it.claim())
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 2)
        it.settle(it.outcome(callback, State.DEAD))
        for at in (100.0, 2 * DAY):
            it.store.prune(it.now + at).result(30)
        with pytest.raises(UnknownTask):
            it.store.get(ids[0]).result(30)
        assert [view.state for view in it.store.members("g").result(30)] == [State.EXPIRED] * 2


class TestCallbackKeys:
    def test_a_key_of_another_call_fails_the_group_alone(self, it: Harness) -> None:
        it.submit(it.spec("other", idempotency_key="i", fingerprint="f"))
        grouped(it, it.spec(), then=it.spec("then", idempotency_key="i", fingerprint="f"))
        grouped(it, it.spec(), id="h")
        succeed(it, it.claim())
        view = group(it)
        assert view.error is not None
        assert (view.state, view.error.type) == (State.FAILED, "IdempotencyConflict")
        assert group(it, "h").state is State.SUCCEEDED

    def test_a_held_key_names_its_task(self, it: Harness) -> None:
        held = it.spec("then", unique_key="k")
        it.submit(held)
        grouped(it, it.spec(), then=it.spec("then", unique_key="k"))
        succeed(it, it.claim())
        view = group(it)
        assert view.then is not None
        assert (view.state, view.then.id) == (State.RUNNING, held.id)
        succeed(it, it.claim(kinds={"then": 1}))
        assert group(it).state is State.SUCCEEDED


class TestGroups:
    def test_the_callback_comes_when_the_last_has_ended(self, it: Harness) -> None:
        then = it.spec("then", collects="g")
        members = [it.spec(group="g", index=i, rank=float(9 - i)) for i in range(3)]
        it.submit(*members, group=Group("g", 3, then))
        last, *others = claims = it.claim()
        it.settle(*[it.outcome(claim, value=claim.spec.index) for claim in others])
        assert it.claim(kinds={"then": 1}) == []
        it.settle(it.outcome(last, State.FAILED))
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 2)
        assert callback.spec.collects == "g"
        views = it.store.members("g").result(30)
        assert [view.id for view in views] == [member.id for member in members]
        results = [it.codec.decode(view.result) if isinstance(view.result, Encoded) else view.result for view in views]
        assert results == [0, 1, None]
        assert len(claims) == 3

    def test_a_cancelled_member_has_ended(self, it: Harness) -> None:
        member = it.spec(group="g")
        it.submit(member, group=Group("g", 1, it.spec("then", collects="g")))
        it.store.request_cancel(member.id).result(30)
        assert len(it.claim(kinds={"then": 1}, now=time.time() + 1)) == 1

    def test_results_wait_for_the_callback(self, it: Harness) -> None:
        member = it.spec(group="g", result_ttl=0.5)
        it.submit(member, group=Group("g", 1, it.spec("then", collects="g", result_ttl=1e6)))
        it.settle(it.outcome(it.claim()[0], value="kept"))
        it.store.prune(it.now + 1000).result(30)
        assert it.value(member.id) == "kept"
        [callback] = it.claim(kinds={"then": 1}, now=it.now + 1000)
        it.settle(it.outcome(callback))
        it.store.prune(it.now + 2000).result(30)
        assert it.state(member.id) is State.EXPIRED


class TestSchedules:
    def test_a_slot_is_taken_once(self, it: Harness) -> None:
        assert it.store.schedule("s", "every 10", 100.0).result(30) == 100.0
        assert it.store.schedule("s", "every 10", 105.0).result(30) == 100.0  # another process, later
        first, second = it.spec(), it.spec()
        assert it.store.fire("s", 100.0, 110.0, first).result(30) == (True, 110.0)
        assert it.store.fire("s", 100.0, 110.0, second).result(30) == (False, 110.0)
        assert [claim.spec.id for claim in it.claim()] == [first.id]
        [view] = it.store.schedules().result(30)
        assert (view.name, view.definition, view.next_at, view.last_at) == ("s", "every 10", 110.0, 100.0)

    def test_of_many_one_wins(self, it: Harness) -> None:
        it.store.schedule("s", "d", 100.0).result(30)
        with ThreadPoolExecutor(8) as pool:
            specs = [it.spec() for _ in range(8)]
            fired = list(pool.map(lambda spec: it.store.fire("s", 100.0, 110.0, spec).result(30).won, specs))
        assert fired.count(True) == len(it.claim()) == 1

    def test_another_definition_starts_over(self, it: Harness) -> None:
        it.store.schedule("s", "every 10", 100.0).result(30)
        assert it.store.schedule("s", "every 20", 120.0).result(30) == 120.0
        assert it.store.fire("s", 100.0, 110.0, it.spec()).result(30) == (False, 120.0)

    def test_a_slot_with_a_held_key_is_consumed_and_stores_nothing(self, it: Harness) -> None:
        it.store.schedule("s", "d", 100.0).result(30)
        it.submit(it.spec(unique_key="k"))
        assert it.store.fire("s", 100.0, 110.0, it.spec(unique_key="k")).result(30) == (True, 110.0)
        assert len(it.claim()) == 1

    def test_a_slot_can_be_skipped(self, it: Harness) -> None:
        it.store.schedule("s", "d", 100.0).result(30)
        assert it.store.fire("s", 100.0, 110.0, None).result(30) == (True, 110.0)
        assert it.store.fire("s", 100.0, 110.0, None).result(30) == (False, 110.0)
        assert it.store.fire("s", 110.0, 120.0, it.spec(), "another").result(30) == (False, 110.0)
        assert it.claim() == []
        [view] = it.store.schedules().result(30)
        assert (view.next_at, view.last_at) == (110.0, None)
        assert it.store.fire("s", 110.0, 120.0, it.spec(), "d").result(30) == (True, 120.0)
        assert it.store.fire("s", 120.0, 130.0, None, "d").result(30).won
        [view] = it.store.schedules().result(30)
        assert (view.next_at, view.last_at) == (130.0, 110.0)

    def test_forgotten(self, it: Harness) -> None:
        it.store.schedule("s", "d", 100.0).result(30)
        assert it.store.unschedule("s").result(30) is True
        assert it.store.unschedule("s").result(30) is False
        assert not it.store.fire("s", 100.0, 110.0, it.spec()).result(30).won
        assert list(it.store.schedules().result(30)) == []
