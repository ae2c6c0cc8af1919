"""What coroutines submit in one turn of their loop is one request, in which each succeeds or fails by itself."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks import IdempotencyConflict, QueueFull, State, TaskQueue
from fastcore.tasks.errors import QueueClosed, StoreError
from fastcore.tasks.hooks import TaskEvent
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.loops import LOOPS, factory_of
from tests.tasks.queue_cases import LONG, run, until
from tests.tasks.stores.direct_claim_cases import together, turns
from tests.tasks.stores.sqlite_specs import check, in_writer, inside

REFUSE_BAD = (
    "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.task WHEN new.kind = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END"
)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "tasks.db"
    check(tmp_path / "tasks.db")


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[..., TaskQueue]]:
    made: list[TaskQueue] = []

    def build(**options: Any) -> TaskQueue:
        queue = TaskQueue(f"sqlite:///{path}", **options)
        made.append(queue)
        return queue

    yield build
    for queue in made:
        queue.close()


@pytest.fixture
def queue(opened: Callable[..., TaskQueue]) -> TaskQueue:
    made = opened()

    @made.task
    async def same(n: int) -> int:
        return n

    return made


def writer(queue: TaskQueue) -> Any:
    assert isinstance(queue.store, SqliteStore)
    return queue.store._writer


@pytest.fixture
def requests(queue: TaskQueue, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many submissions each request of the writer held."""
    sizes: list[int] = []
    honest = writer(queue).ask_each

    def counted(handler: Any, arguments: Any) -> Any:
        sizes.append(len(arguments))
        return honest(handler, arguments)

    monkeypatch.setattr(writer(queue), "ask_each", counted)
    return sizes


async def gathered(*calls: Any) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), LONG)


@asynccontextmanager
async def one_commit(queue: TaskQueue) -> AsyncIterator[None]:
    assert isinstance(queue.store, SqliteStore)
    async with together(queue.store):
        yield


def stored(path: Path) -> dict[str, int]:
    """The ids in the file, and the states of their tasks."""
    return dict(inside(path, "SELECT id, state FROM task"))


# ---- one request ----


def test_submissions_of_one_loop_turn_are_one_request(queue: TaskQueue, requests: list[int]) -> None:
    async def scenario() -> None:
        ids = await gathered(*[queue.asubmit("same", n) for n in range(300)])
        assert requests == [300]
        assert len(set(ids)) == 300
        await queue.asubmit("same", 1)
        await queue.asubmit("same", 2)
        assert requests == [300, 1, 1]

    run(scenario)


def test_every_submission_gets_its_own_id(queue: TaskQueue, path: Path) -> None:
    async def scenario() -> None:
        ids = await gathered(*[queue.asubmit("same", n) for n in range(100)])
        assert set(stored(path)) == set(ids)
        async with queue:
            assert await gathered(*[queue.aresult(id, LONG) for id in ids]) == list(range(100))

    run(scenario)


def test_ids_sort_by_time_and_share_it_within_a_turn(opened: Callable[..., TaskQueue], path: Path) -> None:
    now = iter(range(1000, 2000))
    queue = opened(clock=lambda: next(now))

    @queue.task
    async def noop() -> None: ...

    async def scenario() -> None:
        first = await gathered(*[queue.asubmit(noop) for _ in range(5)])
        second = await gathered(*[queue.asubmit(noop.configure(delay=7)) for _ in range(5)])
        assert len({id[:12] for id in first}) == len({id[:12] for id in second}) == 1
        assert max(first) < min(second)
        assert all(len(id) == 32 for id in first + second)
        [(at,)] = inside(path, "SELECT DISTINCT submitted_at FROM task WHERE state = 0")
        [(later, due)] = inside(path, "SELECT DISTINCT submitted_at, run_at FROM task WHERE state = 1")
        assert first[0][:12] == f"{int(at * 1000):012x}"
        assert (later, due) == (int(second[0][:12], 16) / 1000, later + 7)

    run(scenario)


def test_first_in_is_first_out_within_a_turn(queue: TaskQueue, path: Path) -> None:
    async def scenario() -> None:
        ids = await gathered(*[queue.asubmit("same", n) for n in range(20)])
        assert [id for (id,) in inside(path, "SELECT id FROM task ORDER BY rank, seq")] == ids

    run(scenario)


def test_submissions_during_a_hand_over_belong_to_the_next_turn(queue: TaskQueue, requests: list[int]) -> None:
    async def scenario() -> None:
        first = asyncio.ensure_future(queue.asubmit("same", 1))
        async with one_commit(queue):
            await turns()
            second = asyncio.ensure_future(queue.asubmit("same", 2))
            await turns()
            assert requests == [1, 1]
            assert not any(one.done() for one in (first, second))
        assert len(set(await gathered(first, second))) == 2

    run(scenario)


# ---- each by itself ----


async def submitted_between(queue: TaskQueue, *calls: Any) -> list[Any]:
    """Return the outcomes of calls submitted between two valid ones, which must not be affected."""
    first, *found, last = await gathered(queue.asubmit("same", 1), *calls, queue.asubmit("same", 2))
    for id in (first, last):
        assert queue.store.get(id).result(LONG).state is State.QUEUED
    return found


def test_a_held_unique_key_returns_the_id_of_its_holder(queue: TaskQueue) -> None:
    held = queue.tasks["same"].configure(unique_key="k")

    async def scenario() -> None:
        holder = await queue.asubmit(held, 1)
        assert await submitted_between(queue, queue.asubmit(held, 2)) == [holder]
        other = queue.tasks["same"].configure(unique_key="other")
        first, second = await submitted_between(queue, queue.asubmit(other, 1), queue.asubmit(other, 2))
        assert first == second != holder
        assert queue.counts()["same"][State.QUEUED] == 6

    run(scenario)


def test_an_idempotency_key_of_another_call_is_refused_alone(queue: TaskQueue) -> None:
    def keyed(fingerprint: str) -> Any:
        return queue.tasks["same"].configure(idempotency_key="k", fingerprint=fingerprint)

    async def scenario() -> None:
        first, again, other = await submitted_between(
            queue, queue.asubmit(keyed("f"), 1), queue.asubmit(keyed("f"), 1), queue.asubmit(keyed("g"), 2)
        )
        assert first == again
        assert isinstance(other, IdempotencyConflict)

    run(scenario)


def test_submissions_to_a_full_queue_are_refused_alone(opened: Callable[..., TaskQueue], path: Path) -> None:
    queue = opened(max_queued=3)

    @queue.task
    async def noop() -> None: ...

    async def scenario() -> None:
        found = await gathered(*[queue.asubmit(noop) for _ in range(5)])
        assert list(stored(path)) == found[:3]
        assert [type(one) for one in found[3:]] == [QueueFull, QueueFull]

    run(scenario)


def test_an_invalid_call_in_a_batch_is_refused_alone(queue: TaskQueue, path: Path) -> None:
    async def scenario() -> None:
        unknown, written, wrong = await submitted_between(
            queue, queue.asubmit("nothing", 1), queue.asubmit("same", object()), queue.asubmit("same", 1, 2)
        )
        assert isinstance(unknown, LookupError)
        assert isinstance(written, TypeError)
        assert isinstance(wrong, TypeError)
        assert len(stored(path)) == 2

    run(scenario)


@pytest.mark.parametrize("working", [False, True])
def test_a_row_refused_by_the_database_is_refused_alone(queue: TaskQueue, path: Path, working: bool) -> None:
    @queue.task
    async def bad() -> None: ...

    assert isinstance(queue.store, SqliteStore)
    in_writer(queue.store, lambda connection: connection.execute(REFUSE_BAD))

    async def scenario() -> None:
        if working:
            await queue.astart()
        calls: list[Any] = [queue.asubmit("same", n) for n in range(5)]
        calls.insert(2, queue.asubmit(bad))
        found = await gathered(*calls)
        assert isinstance(found.pop(2), StoreError)
        assert list(stored(path)) == found
        if working:
            assert await gathered(*[queue.aresult(id, LONG) for id in found]) == list(range(5))
            await queue.astop()

    run(scenario)


def test_a_failed_request_fails_each_call_and_not_the_next_turn(
    queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handler: Any, arguments: Any) -> Any:
        raise StoreError("no")

    async def scenario() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(writer(queue), "ask_each", refuse)
            found = await gathered(*[queue.asubmit("same", n) for n in range(3)])
        assert [(type(one), str(one)) for one in found] == [(StoreError, "no")] * 3
        assert len(await submitted_between(queue)) == 0

    run(scenario)


# ---- those who leave ----


@pytest.mark.parametrize("asked", [False, True], ids=["before the hand-over", "after it"])
def test_a_cancelled_submitter_s_task_is_stored(queue: TaskQueue, path: Path, asked: bool) -> None:
    async def scenario() -> None:
        async with one_commit(queue):
            calls = [asyncio.ensure_future(queue.asubmit("same", n)) for n in range(5)]
            await asyncio.sleep(0)
            if asked:
                await turns()
            calls[1].cancel()
            calls[4].cancel()
            await turns()
        found = await gathered(*calls)
        assert [isinstance(one, asyncio.CancelledError) for one in found] == [False, True, False, False, True]
        ids = [id for id in found if isinstance(id, str)]
        assert set(ids) < set(stored(path))
        assert len(stored(path)) == 5

    run(scenario)


def test_a_store_that_is_closed_before_the_hand_over_refuses_each(queue: TaskQueue, path: Path) -> None:
    async def scenario() -> None:
        queue.counts()  # opens the file
        calls = [asyncio.ensure_future(queue.asubmit("same", n)) for n in range(3)]
        await asyncio.sleep(0)
        queue.close()
        assert [type(one) for one in await gathered(*calls)] == [QueueClosed] * 3
        assert stored(path) == {}

    run(scenario)


# ---- loops ----


def test_two_loops_in_two_threads_submit_at_once(queue: TaskQueue, path: Path) -> None:
    ready = threading.Barrier(2)
    found: list[list[str]] = [[], []]

    async def some(which: int) -> None:
        for _ in range(30):
            ready.wait(LONG)
            found[which] += await gathered(*[queue.asubmit("same", n) for n in range(7)])

    threads = [threading.Thread(target=lambda which=which: asyncio.run(some(which))) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert [len(set(ids)) for ids in found] == [210, 210]
    assert set(stored(path)) == {*found[0], *found[1]}


def test_one_loop_after_another_submits(queue: TaskQueue, path: Path) -> None:
    async def left() -> None:  # its loop ends before its turn does
        waiting = asyncio.ensure_future(queue.asubmit("same", 1))
        await asyncio.sleep(0)
        waiting.cancel()

    async def submitted() -> list[str]:
        return await gathered(*[queue.asubmit("same", n) for n in range(5)])

    first = asyncio.run(submitted())
    asyncio.run(left())
    second = asyncio.run(submitted())
    assert {*first, *second} <= set(stored(path))
    assert len({*first, *second}) == 10


# ---- with workers ----


def test_submit_hooks_come_before_start_hooks(queue: TaskQueue) -> None:
    heard: list[TaskEvent] = []
    for event in ("submit", "start", "success"):
        queue.on(event, heard.append)

    async def scenario() -> None:
        async with queue:
            for n in (1, 40, 200, 1):
                await gathered(*[queue.asubmit("same", i) for i in range(n)])
                await turns()
            assert await queue.join(LONG)

    run(scenario)
    orders = Counter(tuple(one.event for one in heard if one.id == id) for id in {one.id for one in heard})
    assert orders == {("submit", "start", "success"): 242}


@pytest.mark.parametrize("draining", [False, True])
def test_acknowledged_tasks_survive_a_stop_during_submissions(queue: TaskQueue, path: Path, draining: bool) -> None:
    acknowledged: list[str] = []

    async def submitting() -> None:
        try:
            while True:
                acknowledged.append(await queue.asubmit("same", 1))
        except QueueClosed:
            pass

    async def scenario() -> None:
        await queue.astart()
        calls = [asyncio.ensure_future(submitting()) for _ in range(50)]
        await until(lambda: len(acknowledged) > 500)
        if draining:
            assert await queue.drain(LONG)
            before = len(acknowledged)
            await until(lambda: len(acknowledged) > before + 100)  # which are still taken
        await queue.astop()
        await gathered(*calls)

    run(scenario)
    found = stored(path)
    assert set(acknowledged) <= set(found)
    assert set(found.values()) <= {0, 3}


def test_tasks_claimed_directly_while_a_queue_stops_are_returned(queue: TaskQueue, path: Path) -> None:
    async def scenario() -> None:
        await queue.astart()
        await queue.asubmit("same", 1)
        assert await queue.join(LONG)
        await turns()  # by now a claim stands, with room
        async with one_commit(queue):
            submitted = asyncio.ensure_future(queue.asubmit("same", 2))
            await until(lambda: len(writer(queue)._requests) == 1)
            stopping = asyncio.ensure_future(queue.astop())
            await until(lambda: len(writer(queue)._requests) == 2)
        await gathered(submitted, stopping)
        assert stored(path)[submitted.result()] == 0

    run(scenario)


def test_on_every_loop_short_tasks_are_run_to_their_end(make: Callable[..., TaskQueue], loop: Any) -> None:
    queue = make()

    @queue.task
    async def noop() -> None: ...

    async def scenario() -> None:
        async with queue:
            for _ in range(4):
                await gathered(*[queue.asubmit(noop) for _ in range(500)])
            assert await queue.join(LONG)
            assert queue.counts() == {"noop": {State.SUCCEEDED: 2000}}

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(scenario(), LONG))


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> Any:
    return factory_of(request.param)


def test_submit_hooks_come_before_start_hooks_when_another_submission_is_refused(
    opened: Callable[..., TaskQueue],
) -> None:
    queue = opened()
    heard: dict[str, list[str]] = {}

    @queue.task
    async def noop() -> None: ...

    @queue.task
    async def bad() -> None: ...

    for event in ("submit", "start"):
        queue.on(event, lambda one: heard.setdefault(one.id, []).append(one.event))
    in_writer(queue.store, lambda connection: connection.execute(REFUSE_BAD))  # type: ignore[arg-type]

    async def scenario() -> None:
        async with queue:
            for _ in range(5):
                await gathered(queue.asubmit(noop), queue.asubmit(bad), *[queue.asubmit(noop) for _ in range(20)])
                assert await queue.join(LONG)
        assert list(heard.values()) == [["submit", "start"]] * 105

    run(scenario)


# ---- where nothing is gathered ----


def test_a_queue_that_runs_inline_runs_each_before_its_submission_returns(opened: Callable[..., TaskQueue]) -> None:
    queue = opened(inline=True)

    @queue.task
    def double(n: int) -> int:
        return 2 * n

    async def scenario() -> None:
        for n in range(3):
            id = await queue.asubmit(double, n)
            assert queue.store.get(id).result(LONG).state is State.SUCCEEDED
            assert await queue.aresult(id, LONG) == 2 * n

    run(scenario)


def test_the_memory_store_accepts_submissions_without_a_turn_of_the_loop() -> None:
    queue = TaskQueue()

    @queue.task
    async def noop() -> None: ...

    with pytest.raises(StopIteration) as ended:
        queue.asubmit(noop).send(None)
    assert queue.store.get(ended.value.value).result().state is State.QUEUED
