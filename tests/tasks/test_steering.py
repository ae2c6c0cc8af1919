"""Pausing, resuming and purging kinds, and tasks that run one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fastcore.tasks import State, TaskQueue, current
from tests.tasks.queue_cases import LONG, SOON, run, until


def test_a_paused_kind_waits_and_the_others_run(make: Callable[..., TaskQueue]) -> None:
    queue = make()

    @queue.task
    async def work(n: int) -> int:
        return n

    @queue.task
    async def other() -> str:
        return "ran"

    async def scenario() -> None:
        async with queue:
            assert queue.pause(work) is True
            assert await queue.apause("work") is False
            assert queue.paused() == ["work"]
            ids = [queue.submit(work, 1), await queue.asubmit(work, 2)]
            for _ in range(3):
                assert await queue.aresult(await queue.asubmit(other), LONG) == "ran"
            assert [queue.status(id).state for id in ids] == [State.QUEUED] * 2
            assert await queue.aresume(work) is True
            assert queue.resume("work") is False
            assert [await queue.aresult(id, LONG) for id in ids] == [1, 2]

    run(scenario)


def test_other_workers_of_the_store_apply_it(make: Callable[..., TaskQueue], tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    mine, theirs = make(store=url), make(store=url)

    async def work(n: int) -> int:
        return n

    async def other() -> str:
        return "ran"

    for queue in (mine, theirs):
        queue.task(work)
        queue.task(other)

    async def scenario() -> None:
        async with theirs:
            assert await theirs.aresult(mine.submit("other"), LONG) == "ran"
            mine.pause("work")
            id = await theirs.asubmit("work", 1)  # which its own worker has room for
            assert await theirs.aresult(mine.submit("other"), LONG) == "ran"
            assert mine.status(id).state is State.QUEUED
            mine.resume("work")
            assert await theirs.aresult(id, LONG) == 1
        again = make(store=url)
        again.pause(again.task(work))
        mine.close()
        assert make(store=url).paused() == ["work"]  # it outlives who said it

    run(scenario)


def test_only_kinds_that_are_known_can_be_paused(make: Callable[..., TaskQueue]) -> None:
    queue = make()
    queue.task(asyncio.sleep, name="known")
    for ask in (queue.pause, queue.purge):
        with pytest.raises(LookupError, match="task: expected the name of a task, got 'knwon'"):
            ask("knwon")
    with pytest.raises(TypeError, match="task: expected a task or the name of one, got int"):
        queue.pause(5)  # type: ignore[arg-type]


def test_purge_leaves_running_tasks(make: Callable[..., TaskQueue]) -> None:
    queue = make(workers={"async": 1})
    go = asyncio.Event()
    begun: list[int] = []

    @queue.task
    async def work(n: int) -> int:
        begun.append(n)
        await go.wait()
        return n

    async def scenario() -> None:
        async with queue:
            first = queue.submit(work, 0)
            await until(lambda: begun)
            rest = [queue.submit(work, n) for n in range(1, 4)]
            late = queue.submit(work.configure(delay=LONG), 4)
            assert await queue.apurge(work) == 4
            go.set()
            assert await queue.aresult(first, LONG) == 0
            assert {queue.status(id).state for id in (*rest, late)} == {State.CANCELLED}
        assert begun == [0]

    run(scenario)


class Account:
    """Says whether two of one key were ever at it together, and in which order they came."""

    def __init__(self) -> None:
        self.at_it: set[str] = set()
        self.order: dict[str, list[int]] = {}

    async def use(self, key: str, n: int) -> None:
        assert key not in self.at_it
        self.at_it.add(key)
        try:
            await asyncio.sleep(0.001)
            self.order.setdefault(key, []).append(n)
        finally:
            self.at_it.discard(key)


@pytest.mark.parametrize("many", [False, True])
def test_tasks_of_one_serial_key_run_one_after_the_other(make: Callable[..., TaskQueue], many: bool) -> None:
    queue = make()
    account = Account()

    @queue.task(serial_key=lambda key, n: key, retries=0)
    async def book(key: str, n: int) -> None:
        await account.use(key, n)

    async def scenario() -> None:
        async with queue:
            calls = [("ab"[n % 2], n) for n in range(30)]
            if many:
                ids = queue.submit_many([(book, args) for args in calls])
            else:
                ids = [await queue.asubmit(book, *args) for args in calls]
            views = [await queue.wait(id, LONG) for id in ids]
            assert {view.state for view in views} == {State.SUCCEEDED}
        assert account.order == {"a": list(range(0, 30, 2)), "b": list(range(1, 30, 2))}

    run(scenario)


def test_order_is_kept_across_retries_kinds_and_failures(make: Callable[..., TaskQueue]) -> None:
    queue = make()
    order: list[int] = []

    @queue.task(retries=SOON)
    async def flaky(n: int) -> None:
        found = current()
        assert found is not None
        if found.attempt < 3:
            raise ConnectionError
        order.append(n)

    @queue.task(retries=0)
    async def fails(n: int) -> None:
        order.append(n)
        raise ValueError

    async def scenario() -> None:
        async with queue:
            ids = [queue.submit((flaky, fails)[n % 2].configure(serial_key="account"), n) for n in range(6)]
            for id in ids:
                await queue.wait(id, LONG)
        assert order == list(range(6))

    run(scenario)


def test_keys_must_be_text(make: Callable[..., TaskQueue]) -> None:
    queue = make()
    task = queue.task(asyncio.sleep, name="work")
    with pytest.raises(TypeError, match="serial_key: expected a str, got int"):
        task.configure(serial_key=5)
    with pytest.raises(TypeError, match="serial_key: expected work's to return a str, got int"):
        queue.submit(task.configure(serial_key=lambda seconds: 5), 0)
    for n in range(2):  # what cannot be stored is escaped, as other text is
        queue.submit(task.configure(serial_key=lambda seconds: "caf\udce9"), n)
    assert queue.counts() == {"work": {State.QUEUED: 2}}
