"""What every store keeps to. A store enrols with a row in STORES."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fastcore.tasks.errors import IdempotencyConflict, QueueClosed, QueueFull, UnknownTask
from fastcore.tasks.ports import Want
from fastcore.tasks.records import Encoded, Failure, Group, Hold, Progress, State
from tests.tasks.stores.store_cases import LEASE, Harness


class TestSubmit:
    def test_submitted_tasks_are_stored(self, it: Harness) -> None:
        first, second = it.spec(args=(1,)), it.spec(args=(2,), priority=3.0)
        assert it.submit(first, second) == [first.id, second.id]
        view = it.store.get(second.id).result(30)
        assert (view.id, view.kind, view.state, view.priority) == (second.id, "work", State.QUEUED, 3.0)
        assert (view.attempt, view.attempts, view.ended, view.version) == (0, 3, False, view.version)
        assert view.submitted_at == pytest.approx(second.submitted_at)

    def test_an_unknown_id_is_not_a_waiting_one(self, it: Harness) -> None:
        with pytest.raises(UnknownTask):
            it.store.get("0" * 32).result(30)
        with pytest.raises(UnknownTask):
            it.store.request_cancel("0" * 32).result(30)

    def test_a_full_store_refuses_all_tasks_of_a_submission(self, make_store: Callable[..., Harness]) -> None:
        it = make_store(max_queued=3)
        it.submit(it.spec(), it.spec())
        specs = [it.spec(), it.spec()]
        with pytest.raises(QueueFull, match="3"):
            it.submit(*specs)
        for spec in specs:
            with pytest.raises(UnknownTask):
                it.store.get(spec.id).result(30)
        it.submit(it.spec(run_at=it.now + 99))  # a delayed one waits too
        with pytest.raises(QueueFull):
            it.submit(it.spec())
        assert len(it.claim(1)) == 1  # what runs does not wait
        it.submit(it.spec())

    def test_a_closed_store_refuses_requests(self, it: Harness) -> None:
        it.store.close()
        it.store.close()
        with pytest.raises(QueueClosed):
            it.submit(it.spec())

    def test_an_attached_callback_is_woken_by_a_submission(self, it: Harness) -> None:
        woken = threading.Event()
        it.store.attach(woken.set)
        it.submit(it.spec())
        assert woken.wait(30)

    def test_from_many_threads(self, it: Harness) -> None:
        def some(_: int) -> list[str]:
            return [id for _ in range(20) for id in it.submit(it.spec())]

        with ThreadPoolExecutor(8) as pool:
            ids = [id for part in pool.map(some, range(8)) for id in part]
        assert len(set(ids)) == 160
        claimed = {claim.spec.id for claim in it.claim(1000)}
        assert claimed == set(ids)

    @pytest.mark.parametrize("read", ["find", "purge"])
    def test_a_signal_handler_may_submit_while_the_store_is_read(self, it: Harness, read: str) -> None:
        submitted: list[str] = []

        class Interrupting(str):
            """A name that is looked at, just as a signal comes."""

            def __eq__(self, other: object) -> bool:
                if len(submitted) < 3:
                    submitted.extend(it.submit(it.spec(f"more{len(submitted)}")))
                return str(self) == other

            __hash__ = str.__hash__

        it.submit(*[it.spec() for _ in range(5)])
        kind = Interrupting("work")
        if read == "find":
            assert len(it.store.find(kind=kind).result(30)) == 5
        else:
            assert len(it.store.purge(kind).result(30)) == 5


class TestKeys:
    def test_a_unique_key_is_held_by_one_live_task(self, it: Harness) -> None:
        held = it.spec(unique_key="k")
        assert it.submit(held) == [held.id]
        assert it.submit(it.spec(unique_key="k"), it.spec(unique_key="other"))[0] == held.id
        [claim] = it.claim(1, now=it.now)
        assert it.submit(it.spec(unique_key="k")) == [held.id]  # while it runs
        it.settle(it.outcome(claim))
        free = it.spec(unique_key="k")
        assert it.submit(free) == [free.id]

    def test_two_in_one_call(self, it: Harness) -> None:
        first, second = it.spec(unique_key="k"), it.spec(unique_key="k")
        assert it.submit(first, second) == [first.id, first.id]
        assert len(it.claim()) == 1

    def test_a_cancelled_task_frees_its_key(self, it: Harness) -> None:
        held = it.spec(unique_key="k")
        it.submit(held)
        it.store.request_cancel(held.id).result(30)
        free = it.spec(unique_key="k")
        assert it.submit(free) == [free.id]

    def test_an_idempotency_key_outlives_the_task(self, it: Harness) -> None:
        held = it.spec(idempotency_key="i", fingerprint="f")
        it.submit(held)
        assert it.submit(it.spec(idempotency_key="i", fingerprint="f")) == [held.id]
        it.settle(it.outcome(it.claim()[0]))
        assert it.submit(it.spec(idempotency_key="i", fingerprint="f")) == [held.id]
        other, second = it.spec(idempotency_key="i", fingerprint="g"), it.spec()
        with pytest.raises(IdempotencyConflict) as caught:
            it.submit(second, other)
        assert caught.value.id == held.id
        with pytest.raises(UnknownTask):
            it.store.get(second.id).result(30)

    @pytest.mark.parametrize(
        ("kind", "fingerprint", "same"),
        [
            ("work", "f", True),
            ("work", "g", False),
            ("work", None, False),
            ("other", "f", False),
            ("other", None, False),
        ],
    )
    @pytest.mark.parametrize("together", [True, False])
    def test_an_idempotency_key_belongs_to_one_call(
        self, it: Harness, kind: str, fingerprint: str | None, same: bool, together: bool
    ) -> None:
        held = it.spec(idempotency_key="i", fingerprint="f")
        again = it.spec(kind, idempotency_key="i", fingerprint=fingerprint)
        if not together:
            it.submit(held)
        if same:
            assert it.submit(held, again)[-1] == held.id
        else:
            with pytest.raises(IdempotencyConflict, match=f"the call of task {held.id} again") as caught:
                it.submit(*([held] if together else []), again)
            assert caught.value.id == held.id

    def test_a_key_of_an_earlier_release_has_no_fingerprint(self, it: Harness) -> None:
        held = it.spec(idempotency_key="i")
        it.submit(held)
        assert it.submit(it.spec(idempotency_key="i", fingerprint="f")) == [held.id]
        with pytest.raises(IdempotencyConflict, match="one of 'other', where 'work' was called"):
            it.submit(it.spec("other", idempotency_key="i", fingerprint="f"))


class TestClaim:
    def test_tasks_are_claimed_by_rank_then_by_order_of_submission(self, it: Harness) -> None:
        specs = [it.spec(rank=rank, submitted_at=it.now - 1 + i / 100) for i, rank in enumerate((5, 1, 5, 0.5, -3, 1))]
        it.submit(*specs)
        order = [claim.spec.id for claim in it.claim(4)] + [claim.spec.id for claim in it.claim(4)]
        assert order == [specs[i].id for i in (4, 3, 1, 5, 0, 2)]

    def test_across_kinds_by_rank_and_no_kind_more_than_it_may(self, it: Harness) -> None:
        a = [it.spec("a", rank=rank) for rank in (1.0, 2.0, 3.0)]
        b = [it.spec("b", rank=rank) for rank in (1.5, 2.5)]
        it.submit(*a, *b, it.spec("c", rank=0.0))
        assert [claim.spec.id for claim in it.claim(3, {"a": 1, "b": 5})] == [a[0].id, b[0].id, b[1].id]
        assert [claim.spec.id for claim in it.claim(3, {"a": 1, "b": 5})] == [a[1].id]

    def test_a_claim_serves_several_pools(self, it: Harness) -> None:
        it.submit(*[it.spec("a") for _ in range(3)], *[it.spec("b") for _ in range(3)])
        batch = it.store.claim("me", [Want(2, {"a": 9}), Want(1, {"b": 9})], LEASE, it.now).result(30)
        assert sorted(claim.spec.kind for claim in batch.claims) == ["a", "a", "b"]

    def test_a_task_is_claimed_once(self, it: Harness) -> None:
        it.submit(*[it.spec() for _ in range(400)])
        lock, seen = threading.Lock(), []

        def take(owner: int) -> None:
            while claims := it.claim(7, owner=str(owner)):
                with lock:
                    seen.extend(claim.spec.id for claim in claims)

        threads = [threading.Thread(target=take, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == len(set(seen)) == 400

    def test_a_claim_has_the_submitted_call(self, it: Harness) -> None:
        spec = it.spec(args=(1, "x"), timeout=3.5, attempts=7, result_ttl=9.0, priority=2.0, group=None)
        it.submit(spec)
        [claim] = it.claim()
        found = claim.spec
        assert (found.id, found.kind, found.timeout, found.attempts) == (spec.id, "work", 3.5, 7)
        assert (found.result_ttl, found.priority, found.rank) == (9.0, 2.0, 2.0)
        payload = found.payload
        assert (it.codec.decode_call(payload) if isinstance(payload, Encoded) else payload) == ((1, "x"), {})
        assert claim.attempt == 1
        assert claim.lease_until == pytest.approx(it.now + LEASE)
        view = it.store.get(spec.id).result(30)
        assert (view.state, view.attempt, view.started_at) == (State.RUNNING, 1, pytest.approx(it.now))

    def test_a_delayed_task_waits_for_its_time(self, it: Harness) -> None:
        late, soon = it.spec(run_at=it.now + 60, rank=0.0), it.spec(rank=9.0)
        it.submit(late, soon)
        batch = it.store.claim("me", [Want(5, {"work": 9})], LEASE, it.now).result(30)
        assert [claim.spec.id for claim in batch.claims] == [soon.id]
        assert batch.due == pytest.approx(late.run_at)
        assert it.claim(now=it.now + 59) == []
        assert [claim.spec.id for claim in it.claim(now=it.now + 61)] == [late.id]

    def test_a_due_task_is_ordered_by_rank(self, it: Harness) -> None:
        late, soon = it.spec(run_at=it.now + 60, rank=0.0), it.spec(rank=9.0)
        it.submit(late, soon)
        assert [claim.spec.id for claim in it.claim(now=it.now + 61)] == [late.id, soon.id]


class TestSettle:
    def test_a_result_is_kept(self, it: Harness) -> None:
        spec = it.spec()
        it.submit(spec)
        [claim] = it.claim()
        assert it.settle(it.outcome(claim, value={"rsi": [1.5, None]})) == [True]
        view = it.store.get(spec.id).result(30)
        assert (view.state, view.ended, view.finished_at) == (State.SUCCEEDED, True, pytest.approx(it.now + 1))
        assert view.expires_at == pytest.approx(it.now + 61)
        assert it.value(spec.id) == {"rsi": [1.5, None]}

    def test_one_of_two_results_is_kept(self, it: Harness) -> None:
        spec = it.spec()
        it.submit(spec)
        [claim] = it.claim()
        assert it.settle(it.outcome(claim, value=1), it.outcome(claim, value=2)) == [True, False]
        assert it.settle(it.outcome(claim, value=3)) == [False]
        assert it.value(spec.id) == 1

    def test_a_result_settled_twice_is_recorded_and_counted_once(self, it: Harness) -> None:
        it.submit(it.spec(), it.spec())
        first, _ = it.claim()
        end = it.outcome(first, value=1)
        assert it.settle(end, end) == [True, False]
        assert it.store.counts().result(30) == {"work": {State.RUNNING: 1, State.SUCCEEDED: 1}}

    def test_a_late_result_is_refused(self, it: Harness) -> None:
        spec = it.spec()
        it.submit(spec)
        [stale] = it.claim()
        [rescued] = it.store.rescue(it.now + LEASE + 1).result(30)
        assert rescued[:4] == (spec.id, "work", State.QUEUED, 1)
        assert it.settle(it.outcome(stale, value="stale")) == [False]
        [claim] = it.claim(now=it.now + LEASE + 1)
        assert claim.attempt == 2
        assert claim.token != stale.token
        assert it.settle(it.outcome(stale, value="stale"), it.outcome(claim, value="ours")) == [False, True]
        assert it.value(spec.id) == "ours"

    def test_a_retry_waits_for_its_time_and_keeps_count(self, it: Harness) -> None:
        spec = it.spec()
        it.submit(spec)
        [claim] = it.claim()
        error = Failure("ValueError", "bad", "trace")
        it.settle(it.outcome(claim, State.QUEUED, error=error, run_at=it.now + 30, rank=7.0))
        view = it.store.get(spec.id).result(30)
        assert (view.state, view.attempt, view.error) == (State.QUEUED, 1, error)
        assert it.claim(now=it.now + 29) == []
        [again] = it.claim(now=it.now + 31)
        assert (again.attempt, again.spec.id) == (2, spec.id)

    def test_a_returned_task_counts_as_not_begun(self, it: Harness) -> None:
        spec = it.spec(attempts=1)
        it.submit(spec)
        [claim] = it.claim()
        it.settle(it.outcome(claim, State.QUEUED, run_at=it.now, rank=spec.rank, counted=False))
        [again] = it.claim(now=it.now + 2)
        assert again.attempt == 1
        assert again.token != claim.token
        assert it.settle(it.outcome(claim)) == [False]

    @pytest.mark.parametrize("state", [State.FAILED, State.DEAD, State.CANCELLED])
    def test_every_other_outcome_is_recorded(self, it: Harness, state: State) -> None:
        spec = it.spec()
        it.submit(spec)
        error = Failure("KeyError", "'x'", "trace") if state is not State.CANCELLED else None
        assert it.settle(it.outcome(it.claim()[0], state, error=error)) == [True]
        view = it.store.get(spec.id).result(30)
        assert (view.state, view.error, view.ended, view.result) == (state, error, True, None)
        assert it.claim(now=it.now + 1e6) == []


@pytest.mark.parametrize("room", [{"a": 1, "b": 1}, {"b": 1, "a": 1}])
def test_tasks_of_equal_rank_are_claimed_in_order_of_submission(it: Harness, room: dict[str, int]) -> None:
    first, second = it.spec("a", id="f" * 32), it.spec("b", id="0" * 32)
    it.submit(first, second)
    assert [claim.spec.id for claim in it.claim(limit=1, kinds=room)] == [first.id]
    assert [claim.spec.id for claim in it.claim(limit=1, kinds=room)] == [second.id]


class TestLeases:
    def test_a_renewed_lease_is_kept(self, it: Harness) -> None:
        it.submit(it.spec(), it.spec())
        first, second = it.claim()
        assert it.store.renew([first], LEASE, it.now + 10).result(30) == [Hold.KEPT]
        rescued = it.store.rescue(it.now + LEASE + 1).result(30)
        assert [one.id for one in rescued] == [second.spec.id]
        assert it.store.renew([first, second], LEASE, it.now + 12).result(30) == [Hold.KEPT, Hold.LOST]

    def test_an_ended_task_is_not_held(self, it: Harness) -> None:
        it.submit(it.spec())
        [claim] = it.claim()
        it.settle(it.outcome(claim))
        assert it.store.renew([claim], LEASE, it.now).result(30) == [Hold.LOST]

    def test_the_last_attempt_that_is_lost_is_a_dead_letter(self, it: Harness) -> None:
        spec = it.spec(attempts=2)
        it.submit(spec)
        for n, state in ((1, State.QUEUED), (2, State.DEAD)):
            [claim] = it.claim(now=it.now + n * 100)
            assert claim.attempt == n
            [rescued] = it.store.rescue(it.now + n * 100 + LEASE + 1).result(30)
            assert rescued.state is state
        view = it.store.get(spec.id).result(30)
        assert view.state is State.DEAD
        assert view.error is not None

    def test_a_retried_dead_letter_that_succeeds_has_no_error(self, it: Harness) -> None:
        spec = it.spec(attempts=1)
        it.submit(spec)
        it.settle(it.outcome(it.claim()[0], State.DEAD, error=Failure("KeyError", "'x'", "trace")))
        assert it.store.retry_dead([spec.id], None, it.now).result(30) == [spec.id]
        it.settle(it.outcome(it.claim()[0]))
        view = it.store.get(spec.id).result(30)
        assert (view.state, view.error) == (State.SUCCEEDED, None)

    def test_a_dead_letter_keeps_its_last_progress(self, it: Harness) -> None:
        spec = it.spec(attempts=1)
        it.submit(spec)
        [claim] = it.claim()
        it.store.report([Progress(spec.id, claim.token, 0.25, "reading")])
        [rescued] = it.store.rescue(it.now + LEASE + 1).result(30)
        assert rescued.state is State.DEAD
        view = it.store.get(spec.id).result(30)
        assert (view.progress, view.note) == (0.25, "reading")

    def test_a_rescued_task_keeps_its_place(self, it: Harness) -> None:
        first, second = it.spec(rank=1.0), it.spec(rank=2.0)
        it.submit(first)
        it.claim()
        it.submit(second)
        it.store.rescue(it.now + LEASE + 1).result(30)
        assert [claim.spec.id for claim in it.claim(now=it.now + LEASE + 1)] == [first.id, second.id]


class TestProgress:
    def test_the_latest_event_is_sent_and_a_late_one_is_not(self, it: Harness) -> None:
        spec = it.spec()
        it.submit(spec)
        [claim] = it.claim()
        before = it.store.get(spec.id).result(30).version
        for fraction, note in ((0.25, "read"), (0.5, "computed")):
            it.store.report([Progress(spec.id, claim.token, fraction, note)]).result(30)
        it.store.report([Progress(spec.id, claim.token + 1, 0.9, "no")]).result(30)
        view = it.store.get(spec.id).result(30)
        assert (view.progress, view.note) == (0.5, "computed")
        assert view.version > before

    def test_a_version_grows_with_every_change(self, it: Harness) -> None:
        spec = it.spec()
        it.submit(spec)
        versions = [it.store.get(spec.id).result(30).version]
        [claim] = it.claim()
        versions.append(it.store.get(spec.id).result(30).version)
        it.store.request_cancel(spec.id).result(30)
        versions.append(it.store.get(spec.id).result(30).version)
        it.settle(it.outcome(claim, State.CANCELLED))
        versions.append(it.store.get(spec.id).result(30).version)
        assert versions == sorted(set(versions))


class TestEnds:
    def test_a_result_expires_and_leaves_a_tombstone(self, it: Harness) -> None:
        kept, gone = it.spec(result_ttl=100.0), it.spec(result_ttl=10.0)
        it.submit(kept, gone)
        it.settle(*[it.outcome(claim, value=1) for claim in it.claim()])
        assert it.store.prune(it.now + 5).result(30) == 0
        assert it.store.prune(it.now + 12).result(30) == 1
        view = it.store.get(gone.id).result(30)
        assert (view.state, view.ended, view.result, view.kind) == (State.EXPIRED, True, None, "work")
        assert it.state(kept.id) is State.SUCCEEDED
        assert it.store.request_cancel(gone.id).result(30).state is State.EXPIRED
        assert it.store.counts().result(30) == {"work": {State.SUCCEEDED: 1}}

    @pytest.mark.parametrize("keyed", [False, True])
    @pytest.mark.parametrize(
        ("end", "kept"),
        [
            (State.SUCCEEDED, 10.0),
            (State.CANCELLED, 10.0),
            ("cancelled while it waits", 10.0),
            ("cancelled, then lost", 10.0),
            (State.FAILED, 7 * 86_400.0),
            (State.DEAD, 7 * 86_400.0),
            ("lost", 7 * 86_400.0),
        ],
    )
    def test_retention_depends_on_the_outcome(self, it: Harness, end: Any, kept: float, keyed: bool) -> None:
        spec = it.spec(args=("AAPL",), result_ttl=10.0, attempts=1, unique_key="k" if keyed else None)
        it.submit(spec)
        if end == "cancelled while it waits":
            it.store.request_cancel(spec.id).result(30)
        else:
            [claim] = it.claim()
            if end == "cancelled, then lost":
                it.store.request_cancel(spec.id).result(30)
            if isinstance(end, State):
                it.settle(it.outcome(claim, end, error=None if end is State.SUCCEEDED else Failure("E", "text", "")))
            else:
                it.store.rescue(it.now + LEASE + 1).result(30)
        view = it.store.get(spec.id).result(30)
        assert view.finished_at is not None
        assert view.expires_at is not None
        assert view.expires_at - view.finished_at == pytest.approx(kept)
        it.store.prune(view.expires_at - 1).result(30)
        view = it.store.get(spec.id).result(30)
        assert not isinstance(end, State) or view.state is end
        assert (view.payload is None) is (kept == 10.0)  # what may be tried again has its arguments
        assert it.store.retry_dead([spec.id], None, it.now).result(30) == ([] if kept == 10.0 else [spec.id])
        if kept == 10.0:
            it.store.prune(view.expires_at).result(30)
            assert it.state(spec.id) is State.EXPIRED

    def test_dead_letters_stay_and_can_be_tried_again(self, it: Harness) -> None:
        dead, failed, fine = (it.spec(attempts=2, result_ttl=1e6, rank=float(i)) for i in range(3))
        it.submit(dead, failed, fine)
        claims = it.claim()
        states = (State.DEAD, State.FAILED, State.SUCCEEDED)
        it.settle(*[it.outcome(claim, state) for claim, state in zip(claims, states, strict=True)])
        it.store.prune(it.now + 3 * 86400).result(30)
        assert it.store.retry_dead(None, "other", it.now + 5).result(30) == []
        assert it.store.retry_dead(None, None, it.now + 5).result(30) == [dead.id]
        assert it.store.retry_dead([failed.id, fine.id, "0" * 32], None, it.now + 5).result(30) == [failed.id]
        again = it.claim(now=it.now + 6)
        assert [(claim.spec.id, claim.attempt) for claim in again] == [(dead.id, 1), (failed.id, 1)]
        payload = again[0].spec.payload
        assert (it.codec.decode_call(payload) if isinstance(payload, Encoded) else payload) == ((), {})
        assert it.settle(*[it.outcome(claim) for claim in again]) == [True, True]
        assert it.settle(*[it.outcome(claim) for claim in claims]) == [False] * 3

    def test_a_dead_letter_is_not_retried_while_its_key_is_held(self, it: Harness) -> None:
        dead = it.spec(unique_key="k", result_ttl=1e6)
        it.submit(dead)
        it.settle(it.outcome(it.claim()[0], State.DEAD))
        it.submit(it.spec(unique_key="k"))
        assert it.store.retry_dead(None, None, it.now + 5).result(30) == []
        assert it.state(dead.id) is State.DEAD


class TestReading:
    def test_find_filters_and_pages_tasks(self, it: Harness) -> None:
        a = [it.spec("a", submitted_at=it.now + i) for i in range(3)]
        b = it.spec("b", group="g")
        it.submit(*a)
        it.submit(b, group=Group("g", 1, None))
        it.settle(*[it.outcome(claim) for claim in it.claim(1, {"b": 1})])

        def ids(**wanted: Any) -> list[str]:
            return [view.id for view in it.store.find(**wanted).result(30)]

        assert ids() == [b.id, a[2].id, a[1].id, a[0].id]
        assert ids(kind="a", limit=2) == [a[2].id, a[1].id]
        assert ids(before=a[2].id) == [a[1].id, a[0].id]
        assert ids(states=[State.SUCCEEDED]) == [b.id]
        assert ids(states=[State.SUCCEEDED, State.QUEUED], kind="a", limit=1) == [a[2].id]
        assert ids(group="g") == [b.id]
        assert ids(states=[]) == []
        assert all(view.payload is None and view.result is None for view in it.store.find().result(30))

    def test_counts_are_by_kind_and_state(self, it: Harness) -> None:
        it.submit(it.spec("a"), it.spec("a", run_at=it.now + 60), it.spec("a"), it.spec("b"))
        it.claim(1, {"a": 1})
        it.settle(*[it.outcome(claim) for claim in it.claim(1, {"b": 1})])
        assert it.store.counts().result(30) == {
            "a": {State.QUEUED: 2, State.RUNNING: 1},
            "b": {State.SUCCEEDED: 1},
        }
