"""The engine and calls from outside: cancels of other processes, drains, submissions of tasks, hooks and threads."""

from __future__ import annotations

import asyncio
import threading
import time

from fastcore.concurrency import Retry
from fastcore.tasks import State, TaskEvent, TaskQueue
from fastcore.tasks.stores import MemoryStore
from tests.tasks.queue_cases import LONG, run, until


class TestSteering:
    def test_a_task_cancelled_by_another_process_is_stopped_here(self) -> None:
        """The store is asked by someone who does not know the engine."""
        store = MemoryStore()
        queue = TaskQueue(store)

        @queue.task
        async def forever() -> None:
            await asyncio.sleep(LONG * 2)

        async def scenario() -> None:
            async with queue:
                id = queue.submit(forever)
                await until(lambda: queue.status(id).state is State.RUNNING)
                assert store.request_cancel(id).result().state is State.RUNNING
                assert (await queue.wait(id, LONG)).state is State.CANCELLED

        run(scenario)

    def test_cancelled_by_its_own_code_and_by_its_library(self) -> None:
        """A CancelledError without a request to cancel is a failure like others, not the end of a worker."""
        queue = TaskQueue(workers={"async": 1})

        @queue.task(retries=0)
        async def odd() -> None:
            raise asyncio.CancelledError

        @queue.task
        async def good() -> int:
            return 1

        async def scenario() -> None:
            async with queue:
                view = await queue.wait(queue.submit(odd), LONG)
                assert view.state is State.FAILED
                assert await queue.aresult(queue.submit(good), LONG) == 1

        run(scenario)

    def test_drain_from_another_loop(self) -> None:
        queue = TaskQueue().start()
        go = threading.Event()
        try:
            id = queue.submit(queue.task(lambda: go.wait(LONG), name="work"))
            while queue.status(id).state is not State.RUNNING:
                time.sleep(0.005)
            assert asyncio.run(queue.drain(0.05)) is False
            go.set()
            assert asyncio.run(queue.drain(LONG)) is True
            assert queue.status(id).state is State.SUCCEEDED
        finally:
            go.set()
            queue.stop()

    def test_tasks_of_an_earlier_process_need_no_submission(self) -> None:
        store = MemoryStore()
        first, second = TaskQueue(store), TaskQueue(store)
        id = first.submit(first.task(len, name="size"), "four")

        async def scenario() -> None:
            async with second:
                second.task(len, name="size")
                assert await second.aresult(id, LONG) == 4

        run(scenario)

    def test_submissions_by_tasks_and_hooks(self) -> None:
        """Functions that the queue calls may use it."""
        queue = TaskQueue()
        left = [50]

        @queue.task
        async def again() -> None:
            if left[0] > 0:
                left[0] -= 1
                await queue.asubmit(again)

        def on_success(event: TaskEvent) -> None:
            if left[0] > 25:
                left[0] -= 1
                queue.submit(again)

        async def scenario() -> None:
            queue.on("success", on_success)
            async with queue:
                queue.submit(again)
                assert await queue.join(LONG)
            assert left == [0]
            assert {state for kind in queue.counts().values() for state in kind} == {State.SUCCEEDED}

        run(scenario)

    def test_many_threads_submit_cancel_and_read(self) -> None:
        queue = TaskQueue(workers={"async": 8})
        ids: list[str] = []

        @queue.task(retries=Retry(2, base=0.001))
        async def work(n: int) -> int:
            await asyncio.sleep(0)
            if n % 7 == 0:
                raise ValueError(n)
            return n

        def some(part: int) -> None:
            for n in range(100):
                id = queue.submit(work.configure(priority=n % 3), part * 100 + n)
                ids.append(id)
                if n % 5 == 0:
                    queue.cancel(id)
                queue.status(id)
                queue.counts()

        queue.start()
        try:
            threads = [threading.Thread(target=some, args=(part,)) for part in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert asyncio.run(queue.join(LONG))
            views = [queue.status(id) for id in ids]
        finally:
            queue.stop()
        assert len(views) == 600
        assert {view.state for view in views} <= {State.SUCCEEDED, State.DEAD, State.CANCELLED}
        assert queue.engine.running == {}
