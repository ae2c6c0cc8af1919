"""The queue as its users see it: how tasks end, and what can be read of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastcore import tasks
from fastcore.concurrency import Retry
from fastcore.tasks import (
    NotFinished,
    ResultExpired,
    State,
    TaskCancelled,
    TaskEvent,
    TaskFailed,
    TaskQueue,
    UnknownTask,
    checkpoint,
    current,
    progress,
)
from fastcore.tasks.codec import Codec
from tests.tasks.queue_cases import LONG, SOON, run, until


def compute(how: str, log: str) -> Any:
    """Work that is seen each time it is done, and returns what cannot be stored."""
    with open(log, "a") as file:
        file.write("x")
    return {"object": object(), "large": b"x" * 10_000, "lock": threading.Lock()}[how]


async def acompute(how: str, log: str) -> Any:
    return compute(how, log)


class TestFailures:
    def test_it_tries_again_as_often_as_it_may(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()
        calls: list[int] = []

        @queue.task(retries=SOON)
        async def flaky(good: int) -> int:
            found = current()
            assert found is not None
            calls.append(found.attempt)
            if found.attempt < good:
                raise ConnectionError("down")
            return found.attempt

        async def scenario() -> None:
            async with queue:
                assert await queue.aresult(queue.submit(flaky, 3), LONG) == 3
                view = await queue.wait(queue.submit(flaky, 9), LONG)
                assert (view.state, view.attempt, view.attempts) == (State.DEAD, 3, 3)
                assert view.error is not None
                assert (view.error.type, view.error.text) == ("ConnectionError", "down")
                assert "raise ConnectionError" in view.error.trace
                with pytest.raises(TaskFailed, match="dead in attempt 3: ConnectionError: down") as caught:
                    queue.result(view.id)
                assert "raise ConnectionError" in caught.value.trace
            assert calls == [1, 2, 3] * 2

        run(scenario)

    def test_errors_without_retry_end_as_failed(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task(retries=Retry(5, base=0.01, give_up_on=KeyError))
        def missing() -> None:
            raise KeyError("AAPL")

        @queue.task(retries=0)
        def once() -> None:
            raise ValueError("bad")

        async def scenario() -> None:
            async with queue:
                for task in (missing, once):
                    view = await queue.wait(queue.submit(task), LONG)
                    assert (view.state, view.attempt) == (State.FAILED, 1)
                view = await queue.wait(queue.submit(missing.configure(retries=0)), LONG)
                assert (view.state, view.attempts) == (State.FAILED, 1)

        run(scenario)

    def test_dead_letters_run_again_on_request(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()
        up = False

        @queue.task(retries=Retry(2, base=0.01))
        async def call(n: int) -> int:
            if not up:
                raise ConnectionError("down")
            return n

        async def scenario() -> None:
            nonlocal up
            async with queue:
                ids = queue.submit_many([(call, (n,)) for n in range(3)])
                await queue.join(LONG)
                assert [queue.status(id).state for id in ids] == [State.DEAD] * 3
                assert len(queue.find(states=[State.DEAD])) == 3
                up = True
                assert sorted(queue.retry_dead(task="call")) == sorted(ids)
                await queue.join(LONG)
                assert [queue.result(id) for id in ids] == [0, 1, 2]
                assert queue.retry_dead() == []

        run(scenario)

    def test_an_attempt_over_its_time(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task(retries=SOON, timeout=0.1)
        async def slow() -> str:
            found = current()
            assert found is not None
            if found.attempt == 1:
                await asyncio.sleep(LONG)
            return "second"

        async def scenario() -> None:
            async with queue:
                assert await queue.aresult(queue.submit(slow), LONG) == "second"

        run(scenario)

    def test_unencodable_results_fail_with_a_clear_error(self, tmp_path: Path) -> None:
        queue = TaskQueue(f"sqlite:///{tmp_path}/tasks.db")

        @queue.task(retries=0)
        async def odd() -> object:
            return object()

        async def scenario() -> None:
            async with queue:
                with pytest.raises(TypeError, match="argument 'a' of takes"):
                    queue.submit(queue.task(lambda a: None, name="takes"), object())
                view = await queue.wait(queue.submit(odd), LONG)
                assert view.state is State.FAILED
                assert view.error is not None
                assert "result" in view.error.text

        run(scenario)

    @pytest.mark.parametrize("on", ["async", "thread", "process"])
    def test_a_result_that_cannot_be_stored_is_not_computed_again(self, tmp_path: Path, on: str) -> None:
        queue = TaskQueue(f"sqlite:///{tmp_path}/tasks.db", codec=Codec(max_bytes=4096), workers={"process": 1})
        task = queue.task(acompute if on == "async" else compute, name="compute", on=on, retries=SOON)

        async def scenario() -> None:
            async with queue:
                for how, text in (("object", "expected a type that can be stored"), ("large", "expected at most 4096")):
                    log = tmp_path / how
                    view = await queue.wait(queue.submit(task, how, str(log)), LONG)
                    assert (view.state, view.attempt, log.read_text()) == (State.FAILED, 1, "x")
                    assert view.error is not None
                    assert text in view.error.text

        run(scenario)

    def test_a_result_that_cannot_be_pickled_is_not_computed_again(self, tmp_path: Path) -> None:
        queue = TaskQueue(workers={"process": 1})
        task = queue.task(compute, on="process", retries=SOON)

        async def scenario() -> None:
            async with queue:
                view = await queue.wait(queue.submit(task, "lock", str(tmp_path / "log")), LONG)
            assert (view.state, view.attempt, (tmp_path / "log").read_text()) == (State.FAILED, 1, "x")
            assert view.error is not None
            assert "expected a result that can be pickled, got lock" in view.error.text

        run(scenario)

    def test_a_retry_policy_that_raises_is_no_retry(self) -> None:
        def judge(error: Exception) -> bool:
            raise RuntimeError("in the policy")

        queue = TaskQueue()

        @queue.task(retries=Retry(3, retry_on=judge))
        async def fails() -> None:
            raise ValueError("in the task")

        async def scenario() -> None:
            async with queue:
                view = await queue.wait(queue.submit(fails), LONG)
                assert view.state is State.FAILED
                assert view.error is not None
                assert view.error.text == "in the task"

        run(scenario)

    def test_an_error_without_a_text_of_its_own(self) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        queue = TaskQueue()

        @queue.task(retries=0)
        async def fails() -> None:
            raise Mute

        async def scenario() -> None:
            async with queue:
                view = await queue.wait(queue.submit(fails), LONG)
                assert view.error is not None
                assert view.error.type.endswith("Mute")

        run(scenario)


class TestCancel:
    def test_a_waiting_task_is_cancelled_at_once(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        async def work() -> None: ...

        id = queue.submit(work)
        assert queue.cancel(id) is State.CANCELLED
        assert queue.cancel(id) is State.CANCELLED
        with pytest.raises(TaskCancelled):
            queue.result(id)

    def test_a_running_coroutine(self, make: Callable[..., TaskQueue]) -> None:
        queue = make(workers={"async": 1})
        cleaned: list[str] = []

        @queue.task
        async def forever() -> None:
            try:
                await asyncio.sleep(LONG * 2)
            finally:
                cleaned.append("up")

        @queue.task
        async def quick() -> int:
            return 1

        async def scenario() -> None:
            async with queue:
                id = queue.submit(forever)
                await until(lambda: queue.status(id).state is State.RUNNING)
                assert await queue.acancel(id) is State.RUNNING
                view = await queue.wait(id, LONG)
                assert (view.state, cleaned) == (State.CANCELLED, ["up"])
                assert await queue.aresult(queue.submit(quick), LONG) == 1  # by the same worker

        run(scenario)

    def test_a_function_on_a_thread_that_looks(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        def forever() -> None:
            while True:
                checkpoint()
                time.sleep(0.005)

        async def scenario() -> None:
            async with queue:
                id = queue.submit(forever)
                await until(lambda: queue.status(id).state is State.RUNNING)
                queue.cancel(id)
                assert (await queue.wait(id, LONG)).state is State.CANCELLED

        run(scenario)

    def test_an_attempt_between_two(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task(retries=Retry(5, base=LONG))
        async def fails() -> None:
            raise ValueError

        async def scenario() -> None:
            async with queue:
                id = queue.submit(fails)
                await until(lambda: queue.status(id).attempt == 1 and queue.status(id).state is State.QUEUED)
                assert queue.cancel(id) is State.CANCELLED

        run(scenario)


class TestReading:
    def test_unknown_is_not_pending(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        async def work() -> None: ...

        with pytest.raises(UnknownTask):
            queue.status("0" * 32)
        id = queue.submit(work)
        assert queue.status(id).state is State.QUEUED
        with pytest.raises(NotFinished, match="queued; this queue runs no workers"):
            queue.result(id)
        with pytest.raises(NotFinished):
            queue.result(id, 0.05)

    def test_a_result_expires(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task(result_ttl=0)
        async def work() -> int:
            return 1

        async def scenario() -> None:
            async with queue:
                id = queue.submit(work)
                await queue.join(LONG)
                await tasks.ports.arrived(queue.store.prune(time.time() + 1))
                with pytest.raises(ResultExpired):
                    queue.result(id)
                assert (await queue.wait(id, LONG)).state is State.EXPIRED

        run(scenario)

    @pytest.mark.parametrize("on", ["async", "thread"])
    def test_progress_is_seen_while_it_runs(self, make: Callable[..., TaskQueue], on: str) -> None:
        queue = make()
        go = threading.Event()

        def work() -> str:
            progress(0.5, "half")
            while not go.is_set():
                time.sleep(0.005)
            progress(1)
            return "done"

        async def awork() -> str:
            progress(0.5, "half")
            while not go.is_set():
                await asyncio.sleep(0.005)
            progress(1)
            return "done"

        task = queue.task(awork if on == "async" else work, name="work")

        async def scenario() -> None:
            async with queue:
                id = queue.submit(task)
                seen: list[tuple[str, float | None]] = []
                async for view in queue.changes(id, LONG):
                    seen.append((view.state, view.progress))
                    if view.progress == 0.5:
                        assert view.note == "half"
                        go.set()
                assert ("running", 0.5) in seen
                assert seen[-1][0] == "succeeded"
                assert queue.status(id).version > 1

        run(scenario)

    def test_progress_outside_of_a_task(self) -> None:
        progress(0.5)
        checkpoint()
        assert current() is None

    @pytest.mark.parametrize(
        ("fraction", "error"), [("half", TypeError), (float("nan"), ValueError), (True, TypeError)]
    )
    def test_progress_is_a_number(self, fraction: Any, error: type[Exception]) -> None:
        queue = TaskQueue(inline=True)
        id = queue.submit(queue.task(lambda: progress(fraction), name="work", retries=0))
        with pytest.raises(TaskFailed, match=f"{error.__name__}: fraction: expected a number from 0 to 1"):
            queue.result(id)

    def test_waiters_are_woken_and_released(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        async def work() -> int:
            await asyncio.sleep(0.05)
            return 1

        async def scenario() -> None:
            async with queue:
                id = queue.submit(work)
                assert await asyncio.gather(*(queue.aresult(id, LONG) for _ in range(50))) == [1] * 50
                assert (await queue.wait(queue.submit(work.configure(delay=LONG)), 0.01)).state is State.QUEUED
                assert not queue.hooks.watched

        run(scenario)


class TestHooks:
    def test_hooks_are_called_and_their_errors_ignored(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()
        told: list[tuple[str, str, int]] = []
        events = ("submit", "start", "success", "retry", "failure", "dead", "cancel")

        def broken(event: TaskEvent) -> None:
            raise RuntimeError("a hook")

        for name in events:
            queue.on(name, broken)
            queue.on(name, lambda event: told.append((event.event, event.task, event.attempt)))

        @queue.task
        async def good() -> int:
            return 1

        @queue.task(retries=Retry(2, base=0.001))
        async def bad() -> None:
            raise ValueError("bad")

        async def scenario() -> None:
            async with queue:
                queue.submit(good)
                await queue.join(LONG)
                queue.submit(bad)
                await queue.join(LONG)
                queue.cancel(queue.submit(good.configure(delay=LONG)))

        run(scenario)
        assert told == [
            ("submit", "good", 0),
            ("start", "good", 1),
            ("success", "good", 1),
            ("submit", "bad", 0),
            ("start", "bad", 1),
            ("retry", "bad", 1),
            ("start", "bad", 2),
            ("failure", "bad", 2),
            ("dead", "bad", 2),
            ("submit", "good", 0),
            ("cancel", "good", 0),
        ]

    def test_a_removed_hook_is_not_called(self) -> None:
        queue = TaskQueue(inline=True)
        told: list[TaskEvent] = []
        stop = queue.on("success", told.append)
        task = queue.task(lambda: 7, name="seven")
        id = queue.submit(task)
        stop()
        queue.submit(task)
        assert [(event.id, event.result) for event in told] == [(id, 7)]
        with pytest.raises(ValueError, match="event: expected one of submit, "):
            queue.on("finish", print)


class TestInline:
    def test_everything_happens_in_submit(self, make: Callable[..., TaskQueue]) -> None:
        queue = make(inline=True)
        ran: list[str] = []

        @queue.task
        async def first() -> int:
            ran.append("first")
            progress(0.5)
            queue.submit(second)
            ran.append("still first")
            return 1

        @queue.task(retries=2)
        def second() -> int:
            ran.append("second")
            if ran.count("second") < 3:
                raise ValueError
            return 2

        assert queue.result(queue.submit(first.configure(delay=LONG))) == 1
        assert ran == ["first", "still first", "second", "second", "second"]

        async def scenario() -> None:
            assert await queue.aresult(await queue.asubmit(first), 0) == 1

        run(scenario)

    def test_groups_and_time_limits(self) -> None:
        queue = TaskQueue(inline=True)
        got: list[Any] = []

        @queue.task(timeout=0.05, retries=0)
        async def nap(seconds: float) -> float:
            await asyncio.sleep(seconds)
            return seconds

        queue.submit_group([(nap, (0,)), (nap, (LONG,))], then=queue.task(got.append, name="then"), partial=True)
        [[first, second]] = got
        assert (first["state"], second["state"]) == ("succeeded", "failed")
        assert second["error"].startswith("fastcore.tasks.errors.TaskTimeout: nap: expected to end within 0.05 s")
