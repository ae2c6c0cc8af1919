"""A queue that was stopped starts again, also on another event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from fastcore.tasks import QueueClosed, State, TaskQueue
from fastcore.tasks.stores import MemoryStore
from tests.tasks import registered_cases
from tests.tasks.queue_cases import LONG, run, until


class TestANewEventLoop:
    def test_it_runs_what_was_submitted_before_and_now(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        async def slow(n: int) -> int:
            await asyncio.sleep(0.001)
            return n

        plain = queue.task(lambda n: -n, name="plain")
        left = queue.submit(slow, 99)

        async def scenario() -> None:
            async with queue:
                ids = await queue.asubmit_many([(slow, (n,)) for n in range(100)])
                assert [await queue.aresult(id, timeout=LONG) for id in ids] == list(range(100))
                assert await queue.aresult(await queue.asubmit(plain, 7), timeout=LONG) == -7
                assert await queue.aresult(left, timeout=LONG) == 99

        for _ in range(3):
            run(scenario)
        assert not queue.running

    def test_processes_run_again(self, make: Callable[..., TaskQueue]) -> None:
        queue = make(workers={"process": 1})
        one = queue.task(registered_cases.one, name="one", on="process")

        async def scenario() -> None:
            async with queue:
                assert await queue.aresult(await queue.asubmit(one, 3), timeout=LONG) == 3

        run(scenario)
        run(scenario)

    def test_a_task_that_was_given_back_runs_in_the_next_run(self, make: Callable[..., TaskQueue]) -> None:
        queue = make(drain=0.0)
        ends = False

        @queue.task
        async def wait() -> str:
            while not ends:
                await asyncio.sleep(0.01)
            return "ended"

        async def cut() -> str:
            async with queue:
                id = await queue.asubmit(wait)
                await until(lambda: queue.running and id in queue.engine.running)
                return id

        id = asyncio.run(cut())
        ends = True

        async def again() -> None:
            async with queue:
                assert await queue.aresult(id, timeout=LONG) == "ended"

        run(again)

    def test_a_job_left_in_its_thread_takes_nothing_from_the_next_run(
        self, make: Callable[..., TaskQueue], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fastcore.tasks.executors.threads._PATIENCE", 0.0)
        queue = make(workers={"thread": 1}, drain=0.0)
        free = threading.Event()
        began: list[int] = []

        @queue.task
        def stuck() -> None:
            began.append(1)
            if len(began) == 1:
                free.wait(LONG)

        quick = queue.task(lambda: 1, name="quick")

        async def leave() -> None:
            async with queue:
                id = await queue.asubmit(stuck)
                await until(lambda: queue.status(id).state is State.RUNNING and began)

        run(leave)

        async def again() -> None:
            async with queue:
                assert await queue.aresult(await queue.asubmit(quick), timeout=LONG) == 1
                free.set()

        run(again)


def test_a_queue_on_a_thread_starts_again(make: Callable[..., TaskQueue]) -> None:
    queue = make()
    work = queue.task(lambda: 7, name="work")
    for _ in range(2):
        queue.start()
        assert queue.result(queue.submit(work), LONG) == 7
        queue.stop()
        with pytest.raises(QueueClosed, match="expected an open store"):
            queue.submit(work)


def test_waiters_that_were_sent_away_wait_again(make: Callable[..., TaskQueue]) -> None:
    queue = make()
    said: list[str] = []
    queue.hooks.when_leaving(lambda: said.append("let go"), lambda: said.append("admit"))

    async def scenario() -> None:
        async with queue:
            queue.hooks.leave()

    run(scenario)
    run(scenario)
    assert said == ["admit", "let go"] * 2


def test_a_store_that_cannot_be_reopened_is_refused() -> None:
    class Bare:
        """The store's methods, without reopen()."""

        def __init__(self, store: MemoryStore) -> None:
            self._store = store

        def __getattr__(self, name: str) -> object:
            if name == "reopen":
                raise AttributeError(name)
            return getattr(self._store, name)

    queue = TaskQueue(Bare(MemoryStore()))  # type: ignore[arg-type]
    queue.start()
    queue.stop()
    with pytest.raises(QueueClosed, match="expected a store that can be reopened"):
        queue.start()
