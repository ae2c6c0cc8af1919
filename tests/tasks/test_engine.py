"""What the engine does when its store fails, when a lease is lost, and when others steer."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from fastcore.tasks import QueueClosed, State, StoreError, TaskEvent, TaskQueue, progress
from fastcore.tasks.engine.maintenance import Maintenance
from fastcore.tasks.ports import Want
from fastcore.tasks.records import Hold, Outcome
from fastcore.tasks.stores import MemoryStore
from tests.tasks.queue_cases import LONG, run, until


class Troubled(MemoryStore):
    """A store some of whose methods fail for a while: at once, or in the reply, before or after the work."""

    def __init__(self, how: str, *methods: str) -> None:
        super().__init__()
        self.how = how
        self.methods = set(methods)
        self.calls = 0
        for name in ("submit", "claim", "settle", "report", "renew", "rescue", "prune", "members"):
            setattr(self, name, self._failing(name, getattr(self, name)))

    def _failing(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name not in self.methods:
                return method(*args, **kwargs)
            self.calls += 1
            if self.how == "raises":
                raise StoreError(f"{name}: disk full")
            reply: Future[Any] = Future()
            threading.Timer(0.005, reply.set_exception, [StoreError(f"{name}: disk full")]).start()
            return reply

        return call

    def recover(self) -> None:
        self.methods.clear()

    def close(self) -> None:
        """The test looks into it when the queue has stopped."""


@pytest.fixture(params=["raises", "replies"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestTheStoreFails:
    def test_a_failed_submission_is_not_acknowledged(self, how: str) -> None:
        store = Troubled(how, "submit")
        queue = TaskQueue(store)
        told: list[TaskEvent] = []
        queue.on("submit", told.append)

        @queue.task
        def work() -> None: ...

        async def scenario() -> None:
            with pytest.raises(StoreError, match="disk full"):
                queue.submit(work)
            with pytest.raises(StoreError, match="disk full"):
                await queue.asubmit(work)
            with pytest.raises(StoreError, match="disk full"):
                queue.submit_group([(work, ())], then=None)

        run(scenario)
        assert told == []
        assert queue.counts() == {}

    @pytest.mark.parametrize("method", ["claim", "settle"])
    def test_nothing_is_lost(self, how: str, method: str, caplog: pytest.LogCaptureFixture) -> None:
        store = Troubled(how, method)
        queue = TaskQueue(store)
        ran: list[int] = []
        ended: list[tuple[str, Any]] = []
        queue.on("success", lambda event: ended.append((event.id, event.result)))

        @queue.task
        async def double(n: int) -> int:
            ran.append(n)
            return 2 * n

        async def scenario() -> None:
            async with queue:
                ids = queue.submit_many([(double, (n,)) for n in range(100)])
                await until(lambda: store.calls >= 2)
                assert isinstance(queue.engine.trouble, StoreError)
                assert ended == []
                store.recover()
                assert await queue.join(LONG)
                assert [queue.result(id) for id in ids] == [2 * n for n in range(100)]
                assert queue.engine.trouble is None
            assert sorted(ran) == list(range(100))  # what had run is recorded, not run again
            assert sorted(ended) == sorted(zip(ids, [2 * n for n in range(100)], strict=True))

        run(scenario)
        assert f"{method}: disk full" in caplog.text
        assert caplog.text.count("the store failed; the queue tries again") == 1  # said once, not at each trial

    @pytest.mark.parametrize("method", ["report", "renew", "rescue", "prune"])
    def test_the_queue_continues(self, how: str, method: str) -> None:
        store = Troubled(how, method)
        queue = TaskQueue(store, lease=0.2, heartbeat=0.05)
        go = threading.Event()

        @queue.task
        def work() -> int:
            progress(0.5)
            go.wait(LONG)
            return 1

        async def scenario() -> None:
            async with queue:
                id = queue.submit(work)
                await until(lambda: store.calls >= 1 or method == "prune")
                store.recover()
                go.set()
                assert await queue.aresult(id, LONG) == 1

        run(scenario)

    def test_a_group_s_results_cannot_be_read(self, how: str) -> None:
        store = Troubled(how, "members")
        queue = TaskQueue(store)
        got: list[Any] = []

        async def scenario() -> None:
            async with queue:
                one = queue.task(lambda: 1, name="one")
                queue.submit_group([(one, ())] * 3, then=queue.task(got.append, name="then"))
                await until(lambda: store.calls >= 2)
                store.recover()
                assert await queue.join(LONG)
                [view] = queue.find(kind="then")
                assert (view.state, view.attempt) == (State.SUCCEEDED, 1)  # trouble is not an attempt

        run(scenario)
        assert got == [[1, 1, 1]]

    def test_it_stops_nevertheless(self, how: str) -> None:
        store = Troubled(how, "settle")
        queue = TaskQueue(store)

        @queue.task
        async def work() -> None: ...

        async def scenario() -> None:
            async with queue:
                id = queue.submit(work)
                await until(lambda: store.calls >= 1)
            store.recover()
            assert queue.status(id).state is State.RUNNING  # until its lease passes, then another takes it
            assert [one.state for one in store.rescue(time.time() + 100).result()] == [State.QUEUED]

        run(scenario)

    def test_submitting_to_a_closed_store_raises_queue_closed(self) -> None:
        queue = TaskQueue()
        task = queue.task(lambda: None, name="work")
        queue.close()
        with pytest.raises(QueueClosed, match="expected an open store"):
            queue.submit(task)


class TestLeases:
    def test_a_lost_lease_stops_the_work_and_its_result_is_refused(self) -> None:
        store = MemoryStore()
        queue = TaskQueue(store, lease=30, heartbeat=0.05)
        stopped: list[int] = []
        told: list[TaskEvent] = []
        queue.on("success", told.append)

        @queue.task(retries=0)
        async def work() -> str:
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                stopped.append(1)
                return "too late"
            return "never"

        async def scenario() -> None:
            async with queue:
                id = queue.submit(work.configure(retries=3))
                await until(lambda: queue.status(id).state is State.RUNNING)
                queue.engine.claiming = False
                [rescued] = store.rescue(time.time() + 100).result()
                assert rescued.id == id
                [claim] = store.claim("another", [Want(1, {"work": 1})], 30.0, time.time()).result().claims
                assert claim.attempt == 2
                await until(lambda: stopped)
                await until(lambda: not queue.engine.running)
                late = Outcome(id, claim.token - 1, State.SUCCEEDED, "late", None, time.time(), time.time())
                assert store.settle([late]).result() == [False]
                assert queue.status(id).state is State.RUNNING
                done = Outcome(id, claim.token, State.SUCCEEDED, "another's", None, time.time(), time.time())
                assert store.settle([done]).result() == [True]
                assert queue.result(id) == "another's"
                assert store.settle([late]).result() == [False]
                assert queue.result(id) == "another's"
            assert told == []

        run(scenario)

    def test_a_blocked_loop_keeps_its_tasks(self) -> None:
        queue = TaskQueue(lease=0.2, heartbeat=0.1)
        queue.engine._rescue = 0.05
        attempts: list[int] = []

        @queue.task
        async def patient() -> str:
            attempts.append(1)
            await asyncio.sleep(0.5)
            return "done"

        @queue.task
        async def rude() -> None:
            time.sleep(0.4)  # holds up the loop for longer than a lease is good

        async def scenario() -> None:
            async with queue:
                id = queue.submit(patient)
                await until(lambda: attempts)
                queue.submit(rude)
                assert await queue.aresult(id, LONG) == "done"
                assert (len(attempts), queue.status(id).attempt) == (1, 1)

        run(scenario)

    def test_a_clock_set_forward_expires_no_lease_before_its_owner_could_renew(self) -> None:
        clock = {"wall": 1000.0, "passed": 50.0}
        store = MemoryStore(clock=lambda: clock["wall"])
        queue = TaskQueue(store, clock=lambda: clock["wall"])
        queue.task(lambda: None, name="work")
        wall, passed = (lambda: clock["wall"]), (lambda: clock["passed"])
        chores = Maintenance(queue.engine, queue.tasks, queue.hooks, 15.0, wall, passed)
        ids = queue.submit_many([("work", ())] * 2)
        held, lost = store.claim("another", [Want(2, {"work": 2})], 15.0, clock["wall"]).result().claims

        def states_after(seconds: float, set_by: float = 0.0) -> list[State]:
            clock["wall"] += seconds + set_by
            clock["passed"] += seconds
            asyncio.run(chores.take_back())
            return [queue.status(id).state for id in ids]

        running = [State.RUNNING] * 2
        assert states_after(2) == running
        assert states_after(2, set_by=3600) == running
        assert store.renew([held], 60.0, clock["wall"]).result() == [Hold.KEPT]
        assert states_after(2, set_by=3600) == running  # once more, as a machine that sleeps again
        assert store.renew([held], 60.0, clock["wall"]).result() == [Hold.KEPT]
        assert lost.lease_until == 1015.0
        assert states_after(10) == [State.RUNNING, State.QUEUED]  # its lease would have passed without all that too
        assert states_after(4) == [State.RUNNING, State.QUEUED]
        assert states_after(60) == [State.QUEUED] * 2

    def test_a_crashed_owner_s_last_attempt_is_a_dead_letter(self) -> None:
        clock = [1000.0]
        store = MemoryStore(clock=lambda: clock[0])
        queue = TaskQueue(store, clock=lambda: clock[0])
        task = queue.task(lambda: None, name="work", retries=1)
        id = queue.submit(task)
        for state in (State.QUEUED, State.DEAD):
            [_] = store.claim("gone", [Want(1, {"work": 1})], 15.0, clock[0]).result().claims
            clock[0] += 20
            assert [one.state for one in store.rescue(clock[0]).result()] == [state]
        view = queue.status(id)
        assert view.error is not None
        assert (view.attempt, view.error.type) == (2, "TaskLost")
        assert queue.retry_dead() == [id]
        assert queue.status(id).attempt == 0

    @pytest.mark.parametrize("method", ["renew", "settle", "claim", "rescue"])
    def test_a_storage_outage_shorter_than_a_lease_uses_up_no_attempt(self, how: str, method: str) -> None:
        store = Troubled(how, method)
        store.recover()
        queue = TaskQueue(store, lease=LONG, heartbeat=0.02)
        queue.engine._rescue = 0.02
        attempts: list[int] = []
        go = asyncio.Event()

        @queue.task
        async def work() -> str:
            attempts.append(1)
            await go.wait()
            return "done"

        async def scenario() -> None:
            async with queue:
                id = queue.submit(work)
                await until(lambda: attempts)
                store.methods.add(method)
                if method in ("settle", "claim"):  # which an end asks for
                    go.set()
                    queue.engine.wake()
                calls = store.calls
                await until(lambda: store.calls > calls)
                if method != "claim":
                    assert queue.status(id).state is State.RUNNING
                store.recover()
                go.set()
                view = await queue.wait(id, LONG)
                assert (view.state, view.attempt, len(attempts)) == (State.SUCCEEDED, 1, 1)

        run(scenario)

    def test_leases_are_renewed_again_once_the_store_answers(self) -> None:
        store = Troubled("raises", "renew")
        queue = TaskQueue(store, lease=LONG, heartbeat=0.02)
        renewed: list[float] = []
        renew = store.renew

        def noting(claims: Any, lease: float, now: float) -> Any:
            reply = renew(claims, lease, now)
            renewed.append(now)
            return reply

        store.renew = noting  # type: ignore[method-assign]

        @queue.task
        async def work() -> None:
            await asyncio.sleep(LONG)

        async def scenario() -> None:
            async with queue:
                queue.submit(work)
                await until(lambda: store.calls >= 3)  # it goes on trying
                assert not renewed
                store.recover()
                await until(lambda: len(renewed) >= 2)
                await queue.astop(0.0)

        run(scenario)


class TestMemory:
    def test_a_task_that_waits_is_small(self) -> None:
        queue = TaskQueue()
        task = queue.task(lambda n: None, name="work")
        queue.submit_many([(task, (n,)) for n in range(1000)])
        n = 20_000
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for first in range(0, n, 1000):
                queue.submit_many([(task, (i,)) for i in range(first, first + 1000)])
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (after - before) / n < 3072

    def test_arguments_and_finished_tasks_are_released(self) -> None:
        class Argument:
            alive = 0

            def __init__(self) -> None:
                Argument.alive += 1

            def __del__(self) -> None:
                Argument.alive -= 1

        queue = TaskQueue(MemoryStore(max_ended=10))
        task = queue.task(lambda argument: None, name="work")
        seen: list[int] = []

        async def scenario() -> None:
            async with queue:
                for _ in range(5):
                    ids = queue.submit_many([(task, (Argument(),)) for _ in range(100)])
                    await queue.join(LONG)
                gc.collect()
                seen.append(Argument.alive)
                assert queue.counts()["work"][State.SUCCEEDED] == 10
                assert queue.status(ids[-1]).ended

        run(scenario)
        assert seen[0] <= 8  # those that the threads had last
