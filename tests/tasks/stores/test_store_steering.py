"""What every store keeps to where tasks are held up: by a key that another holds, a pause, a purge, a cancel."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from fastcore.tasks.errors import QueueFull
from fastcore.tasks.records import Group, Hold, State
from tests.tasks.stores.store_cases import LEASE, Harness


class TestSerialKeys:
    def test_one_at_a_time_and_in_order(self, it: Harness) -> None:
        specs = [it.spec(serial_key="k") for _ in range(4)]
        free = it.spec()
        it.submit(*specs, free)
        done: list[str] = []
        while claims := [claim for claim in it.claim() if claim.spec.id != free.id]:
            assert len(claims) == 1
            assert claims[0].spec.serial_key == "k"
            assert not [claim for claim in it.claim() if claim.spec.serial_key]
            done.append(claims[0].spec.id)
            it.settle(it.outcome(claims[0]))
        assert done == [spec.id for spec in specs]

    def test_keys_are_shared_by_kinds_and_apart_from_each_other(self, it: Harness) -> None:
        specs = [it.spec(kind, serial_key=key) for kind in ("work", "play") for key in ("a", "b")]
        it.submit(*specs)
        both = {"work": 10, "play": 10}
        assert [claim.spec.id for claim in it.claim(kinds=both)] == [specs[0].id, specs[1].id]

    @pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.DEAD, State.CANCELLED])
    def test_every_outcome_of_a_call_admits_the_next(self, it: Harness, state: State) -> None:
        first, second = it.spec(serial_key="k"), it.spec(serial_key="k")
        it.submit(first, second)
        [claim] = it.claim()
        it.settle(it.outcome(claim, state))
        assert [claim.spec.id for claim in it.claim()] == [second.id]

    def test_a_task_holds_its_key_between_its_attempts(self, it: Harness) -> None:
        first, second = it.spec(serial_key="k"), it.spec(serial_key="k", rank=0.0)
        it.submit(first)
        [claim] = it.claim()
        it.submit(second)
        it.settle(it.outcome(claim, State.QUEUED, run_at=it.now + 50, rank=9.0))
        assert it.claim() == []
        [again] = it.claim(now=it.now + 60)
        assert again.spec.id == first.id
        it.settle(it.outcome(again, State.QUEUED, run_at=it.now, rank=9.0, counted=False))  # given back
        [again] = it.claim(now=it.now + 60)
        assert again.spec.id == first.id
        it.settle(it.outcome(again))
        assert [claim.spec.id for claim in it.claim()] == [second.id]

    def test_a_dead_owner_s_task_runs_first_and_its_last_attempt_releases_the_key(self, it: Harness) -> None:
        first, second = it.spec(serial_key="k", attempts=2), it.spec(serial_key="k", rank=0.0)
        it.submit(first)
        it.claim()
        it.submit(second)
        later = it.now + LEASE + 1
        it.store.rescue(later).result(30)
        [claim] = it.claim(now=later)
        assert claim.spec.id == first.id
        [lost] = it.store.rescue(later + LEASE + 1).result(30)
        assert lost.state is State.DEAD
        assert [claim.spec.id for claim in it.claim(now=later)] == [second.id]

    def test_a_late_end_of_a_lost_attempt_does_not_release_its_key(self, it: Harness) -> None:
        first, second = it.spec(serial_key="k"), it.spec(serial_key="k")
        it.submit(first, second)
        [stale] = it.claim()
        it.store.rescue(it.now + LEASE + 1).result(30)
        [again] = it.claim(now=it.now + LEASE + 1)
        assert it.settle(it.outcome(stale)) == [False]
        assert it.claim() == []
        it.settle(it.outcome(again))
        assert [claim.spec.id for claim in it.claim()] == [second.id]

    def test_cancelling_the_holder_or_one_that_waits(self, it: Harness) -> None:
        specs = [it.spec(serial_key="k") for _ in range(3)]
        it.submit(*specs)
        it.store.request_cancel(specs[1].id).result(30)
        it.store.request_cancel(specs[0].id).result(30)
        assert [claim.spec.id for claim in it.claim()] == [specs[2].id]
        assert it.store.counts().result(30)["work"] == {State.CANCELLED: 2, State.RUNNING: 1}

    def test_a_delayed_task_holds_nothing_until_it_begins(self, it: Harness) -> None:
        late = it.spec(serial_key="k", run_at=it.now + 50)
        it.submit(late, it.spec(serial_key="k"))
        [claim] = it.claim()
        assert claim.spec.id != late.id
        assert it.claim(now=it.now + 60) == []  # its time has come, and it waits
        assert it.state(late.id) is State.QUEUED
        it.settle(it.outcome(claim))
        assert [claim.spec.id for claim in it.claim(now=it.now + 60)] == [late.id]

    def test_tasks_that_become_due_together_run_by_rank(self, it: Harness) -> None:
        specs = [it.spec(serial_key="k", run_at=it.now + 5, rank=float(rank)) for rank in (3, 1, 2)]
        it.submit(*specs)
        order = []
        while claims := it.claim(now=it.now + 60):
            order += [claim.spec.id for claim in claims]
            it.settle(it.outcome(claims[0]))
        assert order == [specs[1].id, specs[2].id, specs[0].id]

    def test_a_dead_letter_queued_again_waits_its_turn(self, it: Harness) -> None:
        first, second = it.spec(serial_key="k"), it.spec(serial_key="k")
        it.submit(first, second)
        [claim] = it.claim()
        it.settle(it.outcome(claim, State.DEAD))
        [holder] = it.claim()
        it.store.retry_dead([first.id], None, it.now).result(30)
        assert it.claim() == []
        it.settle(it.outcome(holder))
        assert [claim.spec.id for claim in it.claim()] == [first.id]

    def test_tasks_that_wait_for_a_key_count_as_queued(self, make_store: Callable[..., Harness]) -> None:
        it = make_store(max_queued=3)
        it.submit(*[it.spec(serial_key="k") for _ in range(3)])
        with pytest.raises(QueueFull):
            it.submit(it.spec(serial_key="k"))
        assert it.store.counts().result(30) == {"work": {State.QUEUED: 3}}
        assert len(it.store.find(states=[State.QUEUED]).result(30)) == 3


class TestPause:
    def test_paused_tasks_are_not_claimed(self, it: Harness) -> None:
        work, play = it.spec(), it.spec("play")
        it.submit(work, play)
        both = {"work": 10, "play": 10}
        assert it.store.pause("work", True).result(30) is True
        assert it.store.pause("work", True).result(30) is False
        assert it.store.paused().result(30) == ["work"]
        assert [claim.spec.id for claim in it.claim(kinds=both)] == [play.id]
        assert it.claim(owner="another") == []
        assert it.store.pause("work", False).result(30) is True
        assert it.store.paused().result(30) == []
        assert [claim.spec.id for claim in it.claim()] == [work.id]

    def test_running_tasks_continue_and_failed_ones_wait(self, it: Harness) -> None:
        spec = it.spec()
        it.submit(spec)
        [claim] = it.claim()
        it.store.pause("work", True).result(30)
        assert it.settle(it.outcome(claim, State.QUEUED, run_at=it.now, rank=1.0)) == [True]
        assert it.claim(now=it.now + 5) == []
        it.store.pause("work", False).result(30)
        assert len(it.claim(now=it.now + 5)) == 1

    def test_taking_it_back_wakes(self, it: Harness) -> None:
        it.store.pause("work", True).result(30)
        woken = threading.Event()
        it.store.attach(woken.set)
        it.store.pause("work", False).result(30)
        assert woken.wait(30)


class TestPurge:
    def test_all_that_waits_of_a_kind_is_cancelled(self, it: Harness) -> None:
        running, ready, late, blocked, other = (
            it.spec(rank=0.0, serial_key="k"),
            it.spec(),
            it.spec(run_at=it.now + 50),
            it.spec(serial_key="k"),
            it.spec("play"),
        )
        it.submit(running)
        it.claim()
        it.submit(ready, late, blocked, other)
        purged = it.store.purge("work").result(30)
        assert {(one.id, one.state, one.withdrawn) for one in purged} == {
            (one.id, State.CANCELLED, True) for one in (ready, late, blocked)
        }
        assert [it.state(one.id) for one in (running, ready, other)] == [State.RUNNING, State.CANCELLED, State.QUEUED]
        assert it.store.purge("work").result(30) == []
        assert it.store.purge("unknown").result(30) == []

    def test_a_group_ends_with_its_last_member(self, it: Harness) -> None:
        then = it.spec("play", collects="g")
        it.submit(*[it.spec(group="g", index=i) for i in range(2)], group=Group("g", 2, then))
        it.store.purge("work").result(30)
        assert it.state(then.id) is State.QUEUED


class TestCancel:
    def test_a_waiting_task_is_cancelled_at_once(self, it: Harness) -> None:
        now, late = it.spec(), it.spec(run_at=it.now + 60)
        it.submit(now, late)
        for spec in (now, late):
            assert it.store.request_cancel(spec.id).result(30).state is State.CANCELLED
            assert it.state(spec.id) is State.CANCELLED
        assert it.claim(now=it.now + 61) == []

    def test_the_owner_of_a_running_task_is_notified_until_it_ends(self, it: Harness) -> None:
        mine, other = it.spec(rank=1.0), it.spec(rank=2.0)
        it.submit(mine, other)
        [claim] = it.claim(1)
        it.claim(1, owner="other")
        woken = threading.Event()
        it.store.attach(woken.set)
        assert it.store.request_cancel(mine.id).result(30).state is State.RUNNING
        assert it.store.get(mine.id).result(30).cancel_requested
        assert woken.wait(30)
        assert it.cancels() == it.cancels() == [mine.id]
        assert it.cancels("other") == []
        assert it.store.renew([claim], LEASE, it.now).result(30) == [Hold.CANCEL]
        it.settle(it.outcome(claim, State.CANCELLED))
        assert it.cancels() == []

    def test_it_does_not_run_again(self, it: Harness) -> None:
        spec, lost = it.spec(rank=1.0), it.spec(rank=2.0)
        it.submit(spec, lost)
        claim, _ = it.claim()
        for one in (spec, lost):
            it.store.request_cancel(one.id).result(30)
        it.settle(it.outcome(claim, State.QUEUED, run_at=it.now, rank=1.0))
        assert it.state(spec.id) is State.CANCELLED
        [rescued] = it.store.rescue(it.now + LEASE + 1).result(30)
        assert rescued[:4] == (lost.id, "work", State.CANCELLED, 1)
        assert it.claim(now=it.now + 1e6) == []
        assert it.cancels() == []

    def test_too_late(self, it: Harness) -> None:
        spec = it.spec()
        it.submit(spec)
        it.settle(it.outcome(it.claim()[0]))
        assert it.store.request_cancel(spec.id).result(30).state is State.SUCCEEDED
        assert not it.store.get(spec.id).result(30).cancel_requested
