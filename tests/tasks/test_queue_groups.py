"""Groups as a queue's users see them: an id that can be waited for, read and cancelled, in Python and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastcore.tasks import (
    GroupView,
    ResultExpired,
    State,
    TaskCancelled,
    TaskFailed,
    TaskQueue,
    UnknownTask,
    checkpoint,
)
from fastcore.tasks.codec import Codec
from tests.tasks.queue_cases import LONG, run, until


def part(n: int) -> int:
    if n < 0:
        raise ValueError(f"{n} is negative")
    return n


def total(results: list[int]) -> int:
    return sum(results)


def prepared(queue: TaskQueue) -> TaskQueue:
    queue.task(part, retries=0, result_ttl=1000)
    queue.task(total, retries=0)
    return queue


class TestHandle:
    def test_the_result_is_the_callback_s_or_the_members_in_order(self, make: Callable[..., TaskQueue]) -> None:
        queue = prepared(make())

        async def scenario() -> None:
            async with queue:
                calls = [("part", (n,)) for n in (3, 1, 2)]
                with_callback = await queue.asubmit_group(calls, then="total")
                without = queue.submit_group(calls)
                assert await queue.aresult(with_callback, LONG) == 6
                assert await queue.aresult(without, LONG) == [3, 1, 2]
                assert await asyncio.to_thread(queue.result, with_callback, LONG) == 6
                view = await queue.wait(with_callback, LONG)
                assert isinstance(view, GroupView)
                assert (view.state, view.size, view.result, view.progress) == (State.SUCCEEDED, 3, 6, 1.0)
                assert view.then is not None
                assert view.then.result == queue.result(view.then.id) == 6
                members = queue.status(without)
                assert isinstance(members, GroupView)
                assert members.result == [one.result for one in members.members] == [3, 1, 2]
                assert await queue.acancel(without) is State.SUCCEEDED

        run(scenario)

    def test_the_error_of_a_failed_member_is_raised(self, make: Callable[..., TaskQueue]) -> None:
        queue = prepared(make())

        async def scenario() -> None:
            async with queue:
                for then in (None, "total"):
                    group = queue.submit_group([("part", (1,)), ("part", (-2,))], then=then)
                    with pytest.raises(TaskFailed, match="ValueError: -2 is negative"):
                        await queue.aresult(group, LONG)

        run(scenario)

    def test_changes_are_yielded_until_the_end(self, make: Callable[..., TaskQueue]) -> None:
        queue = prepared(make(workers={"thread": 1}))

        async def scenario() -> None:
            async with queue:
                group = queue.submit_group([("part", (n,)) for n in range(3)], then="total")
                states = [view.state async for view in queue.changes(group, LONG)]
                assert states[-1] is State.SUCCEEDED
                assert set(states[:-1]) <= {State.QUEUED, State.RUNNING}

        run(scenario)

    def test_cancelling_a_group(self, make: Callable[..., TaskQueue]) -> None:
        queue = prepared(make(workers={"thread": 1}))
        began, told = asyncio.Event(), []
        queue.on("cancel", lambda event: told.append(event.id))

        async def scenario() -> None:
            loop = asyncio.get_running_loop()

            @queue.task
            def hold() -> None:
                loop.call_soon_threadsafe(began.set)
                while True:
                    checkpoint()

            async with queue:
                group = queue.submit_group([(hold, ()), ("part", (1,)), ("part", (2,))], then="total")
                await began.wait()
                assert await queue.acancel(group) is State.RUNNING
                view = await queue.wait(group, LONG)
                assert view.state is State.CANCELLED
                with pytest.raises(TaskCancelled):
                    queue.result(group)
                await until(lambda: len(told) == 3)
                assert sorted(told) == sorted(one.id for one in queue.find(group=group))
                assert queue.counts().get("total") is None

        run(scenario)

    def test_an_id_of_no_group(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()
        for ask in (queue.status, queue.result, queue.cancel):
            with pytest.raises(UnknownTask):
                ask("0" * 32)

    def test_where_tasks_run_inline(self) -> None:
        queue = prepared(TaskQueue(inline=True))
        assert queue.result(queue.submit_group([("part", (2,)), ("part", (3,))], then="total")) == 5
        assert queue.result(queue.submit_group([("part", (2,)), ("part", (3,))])) == [2, 3]


class TestCallback:
    def test_a_callback_retried_after_results_expired_fails_with_an_explanation(
        self, make: Callable[..., TaskQueue]
    ) -> None:
        queue = make()
        calls: list[Any] = []

        @queue.task(retries=0)
        async def send(results: list[int]) -> int:
            calls.append(results)
            if len(calls) == 1:
                raise OSError("the mail server is down")
            return sum(results)

        @queue.task(result_ttl=0)
        async def brief(n: int) -> int:
            return n

        async def scenario() -> None:
            async with queue:
                group = queue.submit_group([(brief, (n,)) for n in (1, 2)], then=send)
                first = await queue.wait(group, LONG)
                assert first.then is not None  # type: ignore[attr-defined]
                await until(lambda: queue.store.prune(queue._clock() + 120).result() or _expired(queue, group))
                assert queue.retry_dead([first.then.id]) == [first.then.id]  # type: ignore[attr-defined]
                with pytest.raises(TaskFailed, match=r"expected all 2 of the group to succeed, got .* expired"):
                    await queue.aresult(first.then.id, LONG)  # type: ignore[attr-defined]
            assert calls == [[1, 2]]

        run(scenario)

    def test_results_are_read_by_the_codecs_of_their_tasks(self, tmp_path: Any) -> None:
        queue = TaskQueue(f"sqlite:///{tmp_path}/tasks.db")

        @queue.task(codec=Codec("pickle"))
        async def span(n: int) -> slice:
            return slice(n)

        @queue.task
        async def stops(spans: list[slice]) -> list[int]:
            return [one.stop for one in spans]

        async def scenario() -> None:
            async with queue:
                assert await queue.aresult(queue.submit_group([(span, (1,)), (span, (2,))], then=stops), LONG) == [1, 2]
                assert await queue.aresult(queue.submit_group([(span, (1,))]), LONG) == [slice(1)]

        run(scenario)

    def test_expired_results_are_reported(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task(result_ttl=0)
        async def brief() -> None: ...

        async def scenario() -> None:
            async with queue:
                group = queue.submit_group([(brief, ())])
                await queue.wait(group, LONG)
                await until(lambda: queue.store.prune(queue._clock() + 1).result() or _expired(queue, group))
                with pytest.raises(ResultExpired):
                    queue.result(group)

        run(scenario)


def _expired(queue: TaskQueue, group: str) -> bool:
    return all(view.state is State.EXPIRED for view in queue.store.members(group).result())


class TestHttp:
    def served(self, make: Callable[..., TaskQueue], test: Callable[..., Any], **options: Any) -> None:
        queue = prepared(make())

        async def scenario() -> None:
            app = FastAPI()
            app.include_router(queue.router(**options))
            async with queue, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
                await test(queue, client)

        run(scenario)

    def test_status_and_result(self, make: Callable[..., TaskQueue]) -> None:
        async def test(queue: TaskQueue, client: httpx.AsyncClient) -> None:
            calls = [("part", (n,)) for n in range(3)]
            for then, expected in (("total", 3), (None, [0, 1, 2])):
                group = await queue.asubmit_group(calls, then=then)
                found = await client.get(f"/api/tasks/task/{group}/result", params={"wait": 30})
                assert found.json() == {"task_id": group, "status": "succeeded", "result": expected}
                body = (await client.get(f"/api/tasks/task/{group}")).json()
                assert (body["task"], body["group"]["size"]) == ("group", 3)
                assert body["group"]["states"] == {"succeeded": 3}
                assert (body["group"]["callback"] is None) is (then is None)
                events = await client.get(f"/api/tasks/task/{group}/events")
                assert "event: end" in events.text
                assert (await client.delete(f"/api/tasks/task/{group}")).status_code == 409

        self.served(make, test)

    def test_failures_and_cancelling(self, make: Callable[..., TaskQueue]) -> None:
        async def test(queue: TaskQueue, client: httpx.AsyncClient) -> None:
            group = await queue.asubmit_group([("part", (-1,))], then="total")
            failed = await client.get(f"/api/tasks/task/{group}/result", params={"wait": 30})
            assert (failed.status_code, "-1 is negative" in failed.text) == (424, True)
            waiting = await queue.asubmit_group([(queue.tasks["part"].configure(delay=1000), (1,))], then="total")
            cancelled = await client.delete(f"/api/tasks/task/{waiting}")
            assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
            assert (await client.get(f"/api/tasks/task/{waiting}/result")).status_code == 409

        self.served(make, test)

    @pytest.mark.parametrize(("expose", "status"), [(["part", "total"], 200), (["part"], 404), (["total"], 404)])
    def test_one_of_tasks_that_are_not_shown(
        self, make: Callable[..., TaskQueue], expose: list[str], status: int
    ) -> None:
        async def test(queue: TaskQueue, client: httpx.AsyncClient) -> None:
            group = await queue.asubmit_group([("part", (1,))], then="total")
            await queue.wait(group, LONG)
            for path in ("", "/result", "/events"):
                assert (await client.get(f"/api/tasks/task/{group}{path}")).status_code == status

        self.served(make, test, expose=expose)
