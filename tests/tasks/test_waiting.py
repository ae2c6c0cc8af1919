"""Waiters: a change is never missed, whenever it comes, and silence is reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from fastcore.tasks import State, TaskQueue, TaskView
from fastcore.tasks.http.changes import Changes
from tests.tasks.queue_cases import LONG, run


def test_a_change_during_a_look_leads_to_another_look() -> None:
    queue = TaskQueue()
    queue.task(lambda: None, name="work")
    id = queue.submit("work")
    looks = 0

    async def get(_: str) -> TaskView:
        nonlocal looks
        looks += 1
        view = queue.status(id)
        if looks == 1:
            queue.hooks.changed(id, "work")  # just after it was read
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return view
        return replace(view, state=State.SUCCEEDED, version=view.version + 1)

    async def scenario() -> None:
        following = queue.waiters.following(id, get, look=100 * LONG)
        async with asyncio.timeout(LONG):
            states = [None if view is None else view.state async for view in following]
        assert states == [State.QUEUED, State.SUCCEEDED]

    run(scenario)


def test_silence_is_reported_once_per_quiet_time_and_a_change_begins_it_again() -> None:
    queue = TaskQueue()
    queue.task(lambda: None, name="work")
    id = queue.submit("work")

    async def scenario() -> None:
        following = queue.waiters.following(id, queue.astatus, quiet=0.05)
        assert (await anext(following)) is not None
        assert await anext(following) is None
        assert await anext(following) is None
        queue.cancel(id)
        view = await anext(following)
        assert view is not None
        assert view.state is State.CANCELLED
        assert [one async for one in following] == []

    run(scenario)


def test_all_waiters_can_be_woken_to_check_again() -> None:
    queue = TaskQueue()
    queue.task(lambda: None, name="work")
    ids = [queue.submit("work") for _ in range(2)]
    looks: list[str] = []

    async def get(id: str) -> TaskView:
        looks.append(id)
        return queue.status(id)

    async def follow(id: str) -> None:
        async for _ in queue.waiters.following(id, get, look=100 * LONG):
            pass

    async def scenario() -> None:
        tasks = [asyncio.create_task(follow(id)) for id in ids]
        async with asyncio.timeout(LONG):
            while len(looks) < 2:
                await asyncio.sleep(0)
            queue.waiters.wake_all()
            while len(looks) < 4:
                await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(scenario)
    assert sorted(looks) == sorted(ids * 2)


@pytest.mark.parametrize("how", ["result", "events"])
def test_waiting_requests_are_released_when_the_server_ends(how: str) -> None:
    queue = TaskQueue()
    queue.task(lambda: None, name="work")
    id = queue.submit("work")
    queue.waiters._look = 100 * LONG
    changes = Changes(queue.astatus, queue.waiters)
    queue.hooks.when_leaving(changes.close, changes.open)

    async def scenario() -> None:
        view = queue.status(id)

        async def follow() -> None:
            if how == "result":
                assert await changes.until_ended(view, 100 * LONG, asyncio.Event().wait) is view
            else:
                assert [one async for one in changes.of(view, quiet=100 * LONG)] == []

        following = asyncio.create_task(follow())
        for _ in range(5):
            await asyncio.sleep(0)
        queue.hooks.leave()
        async with asyncio.timeout(LONG):
            await following
            await follow()  # nor does any begin to wait

    run(scenario)


def test_the_quiet_time_begins_with_the_last_change(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = TaskQueue()
    queue.task(lambda: None, name="work")
    id = queue.submit("work")
    clock = [0.0]
    times, versions = iter([0.0, 9.0, 12.0, 19.5, 20.0]), iter([1, 2, 2, 2, 3])
    monkeypatch.setattr("fastcore.tasks.waiting.time", SimpleNamespace(monotonic=lambda: clock[0]))

    async def get(_: str) -> TaskView:
        clock[0] = next(times)
        queue.hooks.changed(id, "work")
        version = next(versions)
        return replace(queue.status(id), version=version, state=State.QUEUED if version < 3 else State.SUCCEEDED)

    async def scenario() -> None:
        following = queue.waiters.following(id, get, look=100 * LONG, quiet=10.0)
        found = [(clock[0], None if view is None else view.version) async for view in following]
        assert found == [(0.0, 1), (9.0, 2), (19.5, None), (20.0, 3)]

    run(scenario)


def test_result_never_waits_on_the_loop_that_has_to_end_the_task(make: Callable[..., TaskQueue]) -> None:
    queue = make()

    @queue.task
    async def work() -> int:
        return 7

    async def scenario() -> None:
        async with queue:
            id = await queue.asubmit(work)
            with pytest.raises(RuntimeError, match=r"write await aresult\(id\)"):
                queue.result(id, LONG)
            assert await queue.aresult(id, LONG) == 7
            assert queue.result(id, LONG) == 7  # it has ended: nothing to wait for
            assert await asyncio.to_thread(queue.result, await queue.asubmit(work), LONG) == 7

    run(scenario)
