"""The queue as its users see it: submitting, order, groups, its life."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import metrics, tasks
from fastcore.tasks import (
    QueueFull,
    State,
    TaskQueue,
    UnsupportedOption,
)
from fastcore.tasks.stores import MemoryStore
from tests.tasks.queue_cases import LONG, run, until


class TestSubmit:
    def test_functions_of_both_kinds(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        async def add(a: int, b: int = 1) -> int:
            return a + b

        @queue.task(name="desk.subtract")
        def subtract(a: int, b: int) -> int:
            return a - b

        assert subtract(5, 3) == 2  # calling a task is calling its function

        async def scenario() -> None:
            async with queue:
                assert await queue.aresult(await queue.asubmit(add, 1), LONG) == 2
                assert await queue.aresult(queue.submit("desk.subtract", 5, b=2), LONG) == 3
                assert await queue.aresult(await add.asubmit(4, b=4), LONG) == 8
                view = await queue.wait(subtract.submit(1, 1), LONG)
                assert (view.kind, view.state, view.result, view.attempt) == ("desk.subtract", State.SUCCEEDED, 0, 1)

        run(scenario)

    def test_many_in_the_order_given(self, make: Callable[..., TaskQueue]) -> None:
        queue = make(workers={"async": 1})
        ran: list[int] = []

        @queue.task
        async def note(n: int) -> None:
            ran.append(n)

        async def scenario() -> None:
            ids = queue.submit_many([(note, (n,)) if n % 2 else ("note", (), {"n": n}) for n in range(200)])
            assert len(set(ids)) == 200
            assert await queue.asubmit_many([]) == []
            async with queue:
                assert await queue.join(LONG)
            assert ran == list(range(200))

        run(scenario)

    def test_from_threads_while_it_runs(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        async def double(n: int) -> int:
            return 2 * n

        queue.start()
        try:
            results: dict[int, int] = {}

            def some(part: int) -> None:
                for n in range(part * 20, part * 20 + 20):
                    results[n] = queue.result(queue.submit(double, n), LONG)

            threads = [threading.Thread(target=some, args=(part,)) for part in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert results == {n: 2 * n for n in range(80)}
        finally:
            queue.stop()

    def test_wrong_calls_are_refused_where_they_are_made(self, make: Callable[..., TaskQueue]) -> None:
        queue, other = make(), TaskQueue()

        @queue.task
        def one(a: int, *, key: int) -> None: ...

        @other.task
        def elsewhere() -> None: ...

        for args, kwargs in (((), {}), ((1,), {}), ((1, 2), {"key": 1}), ((1,), {"key": 1, "no": 2})):
            with pytest.raises(TypeError, match="one: "):
                queue.submit(one, *args, **kwargs)
        with pytest.raises(AttributeError, match=r"no attribute 'delay'; write task\.submit\(\.\.\.\)"):
            one.delay(1)  # type: ignore[attr-defined]
        assert not hasattr(one, "lag")
        with pytest.raises(LookupError, match="'nothing'"):
            queue.submit("nothing")
        with pytest.raises(LookupError, match=r"got 'onee'; did you mean one\?"):
            queue.submit("onee")
        with pytest.raises(LookupError, match="another"):
            queue.submit(elsewhere)
        with pytest.raises(TypeError, match=r"got function; make it a task with @queue.task"):
            queue.submit(lambda: None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="got 1 items"):
            queue.submit_many([(one,)])
        assert queue.counts() == {}

    def test_a_full_queue_raises_queue_full(self, make: Callable[..., TaskQueue]) -> None:
        queue = make(max_queued=2)

        @queue.task
        def work() -> None: ...

        queue.submit_many([(work, ()), (work, ())])
        with pytest.raises(QueueFull, match="at most 2"):
            queue.submit(work)

    def test_options_unsupported_by_an_executor_are_refused_by_name(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task(timeout=5)
        def slow() -> None: ...

        @queue.task(memory_limit=1 << 30)
        async def big() -> None: ...

        with pytest.raises(UnsupportedOption, match=r"timeout: .*'thread'"):
            queue.submit(slow)
        with pytest.raises(UnsupportedOption, match=r"memory_limit: .*'async'"):
            queue.submit(big)
        assert queue.submit(slow.configure(timeout=None))

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"on": "gpu"}, ValueError, "on: expected one of async, thread, process, got 'gpu'"),
            ({"on": "async"}, TypeError, "expected a coroutine function for on='async'"),
            ({"priority": "high"}, TypeError, "priority: expected a finite number, got str"),
            ({"priority": float("nan")}, ValueError, "priority: expected a finite number, got nan"),
            ({"retries": -1}, ValueError, "retries: expected an int in 0..2147483646, got -1"),
            ({"retries": 1.5}, TypeError, "retries: expected an int >= 0 or a Retry, got float"),
            ({"timeout": 0}, ValueError, "timeout: expected a finite number > 0, got 0"),
            ({"result_ttl": -1}, ValueError, "result_ttl: expected a finite number >= 0, got -1"),
            ({"concurrency": 0}, ValueError, "concurrency: expected an int >= 1, got 0"),
            ({"rate": "5/week"}, ValueError, "rate: expected like '10/s', with s, m, h or d, got '5/week'"),
            ({"rate": 5}, TypeError, "rate: expected .* got int"),
            ({"delay": 5}, TypeError, "delay: expected it of one submission"),
            ({"colour": "red"}, TypeError, "expected some of .*, got 'colour'"),
            ({"name": ""}, TypeError, "name: expected a str that is not empty, got ''"),
        ],
    )
    def test_wrong_options_are_refused(self, options: dict[str, Any], error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            TaskQueue().task(**options)(len)

    def test_a_name_that_cannot_be_stored_is_refused(self) -> None:
        queue = TaskQueue()
        with pytest.raises(ValueError, match="name: expected text that can be stored"):
            queue.task(print, name="\ud800")

    def test_generators_are_refused(self) -> None:
        def items(n: int) -> Any:
            yield n

        async def aitems(n: int) -> Any:
            yield n

        class Reader:
            def __call__(self, n: int) -> Any:
                yield n

            async def read(self, n: int) -> Any:
                yield n

        half = functools.partial
        for fn in (items, aitems, Reader(), Reader().read, half(items, 1), half(half(aitems), 1), half(Reader(), 1)):
            with pytest.raises(
                TypeError, match="expected a function or a coroutine function, got a generator function"
            ):
                TaskQueue().task(fn, name="read")

    @pytest.mark.parametrize("on", ["async", "thread"])
    def test_a_generator_that_a_function_returns_unawares_is_no_success(
        self, make: Callable[..., TaskQueue], on: str
    ) -> None:
        queue = make()
        ran: list[int] = []

        def items(n: int) -> Any:
            ran.append(n)
            yield n

        async def aitems(n: int) -> Any:
            return items(n)

        async def scenario() -> None:
            task = queue.task(aitems if on == "async" else lambda n: items(n), name="items")
            async with queue:
                view = await queue.wait(queue.submit(task, 1), LONG)
            assert (view.state, view.attempt, ran) == (State.FAILED, 1, [])
            assert view.error is not None
            assert "generator" in view.error.text

        run(scenario)

    def test_a_name_belongs_to_one_function(self) -> None:
        queue = TaskQueue()
        queue.task(len, name="size")
        with pytest.raises(ValueError, match="name: expected one that is free, got 'size'"):
            queue.task(max, name="size")


class TestOrder:
    def test_tasks_run_by_priority(self, make: Callable[..., TaskQueue]) -> None:
        queue = make(workers={"async": 2}, aging=0)
        ran: list[float] = []

        @queue.task
        async def low(n: float) -> None:
            ran.append(n)
            await asyncio.sleep(0.002)

        @queue.task
        async def high(n: float) -> None:
            ran.append(n)
            await asyncio.sleep(0.002)

        async def scenario() -> None:
            for n in (9, 3, 7, 1, 5):
                queue.submit(low.configure(priority=n), n)
                queue.submit(high.configure(priority=n - 0.5), n - 0.5)
            async with queue:
                await queue.join(LONG)
            assert all(earlier <= later + 0.5 for earlier, later in zip(ran, sorted(ran), strict=True))
            assert sorted(ran[:2]) == [0.5, 1]

        run(scenario)

    def test_aging_ends_starvation(self, make: Callable[..., TaskQueue]) -> None:
        clock = [time.time()]
        queue = make(workers={"async": 1}, aging=0.1, clock=lambda: clock[0])
        ran: list[str] = []

        @queue.task
        async def work(name: str) -> None:
            ran.append(name)

        async def scenario() -> None:
            queue.submit(work.configure(priority=5), "patient")
            clock[0] += 40
            queue.submit(work.configure(priority=0), "urgent")  # 4 points do not make up for 5
            clock[0] += 20
            queue.submit(work.configure(priority=0), "later")  # 6 do
            async with queue:
                await queue.join(LONG)
            assert ran == ["urgent", "patient", "later"]

        run(scenario)

    def test_a_delayed_task_runs_after_its_time(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()
        ran: list[tuple[str, float]] = []

        @queue.task
        async def work(name: str) -> None:
            ran.append((name, time.time()))

        async def scenario() -> None:
            async with queue:
                began = time.time()
                queue.submit(work.configure(delay=0.3), "late")
                queue.submit(work.configure(run_at=began - 5), "at once")
                await queue.join(LONG)
            assert [name for name, _ in ran] == ["at once", "late"]
            assert ran[1][1] >= began + 0.3

        run(scenario)

    def test_no_more_of_a_kind_than_it_may(self, make: Callable[..., TaskQueue]) -> None:
        queue = make(workers={"async": 10})
        most: dict[str, int] = {"few": 0, "many": 0}
        now: dict[str, int] = {"few": 0, "many": 0}

        async def work(kind: str) -> None:
            now[kind] += 1
            most[kind] = max(most[kind], now[kind])
            await asyncio.sleep(0.05 if kind == "few" else 0.02)  # others end, and make room, meanwhile
            now[kind] -= 1

        few = queue.task(work, name="few", concurrency=2)
        many = queue.task(work, name="many")

        async def scenario() -> None:
            queue.submit_many([(few, ("few",))] * 10 + [(many, ("many",))] * 40)
            async with queue:
                await queue.join(LONG)
            assert most == {"few": 2, "many": most["many"]}
            assert most["many"] >= 8

        run(scenario)

    def test_no_more_of_a_kind_within_a_time_than_it_may(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()
        began: list[float] = []

        @queue.task(rate=(3, 0.2))
        async def work() -> None:
            began.append(time.monotonic())

        async def scenario() -> None:
            queue.submit_many([(work, ())] * 8)
            async with queue:
                await queue.join(LONG)
            assert len(began) == 8
            assert all(later - earlier > 0.15 for earlier, later in zip(began, began[3:], strict=False))

        run(scenario)

    def test_a_thousand_waiting_calls_share_two_hundred_slots(self) -> None:
        queue = TaskQueue(workers={"async": 200})
        now = most = 0

        @queue.task
        async def fetch() -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.05)
            now -= 1

        async def scenario() -> None:
            async with queue:
                queue.submit_many([(fetch, ())] * 1000)
                await queue.join(LONG)
            assert most == 200
            assert queue.counts() == {"fetch": {State.SUCCEEDED: 1000}}

        run(scenario)


class TestGroups:
    def test_the_callback_gets_the_results_in_order(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()
        ended = asyncio.Event()
        got: list[Any] = []

        @queue.task
        async def square(n: int) -> int:
            await asyncio.sleep(0.01 / (n + 1))
            return n * n

        @queue.task
        async def collect(results: list[int], label: str) -> None:
            got.append((results, label))
            ended.set()

        async def scenario() -> None:
            async with queue:
                group = await queue.asubmit_group([(square, (n,)) for n in range(5)], then=collect, args=("squares",))
                await ended.wait()
                assert len(queue.find(group=group)) == 5
                await queue.join(LONG)
            assert got == [([0, 1, 4, 9, 16], "squares")]

        run(scenario)

    def test_a_member_that_failed(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()
        got: list[Any] = []

        @queue.task(retries=0)
        async def half(n: int) -> int:
            if n % 2:
                raise ValueError(f"{n} is odd")
            return n // 2

        @queue.task
        async def collect(results: list[Any]) -> None:
            got.append(results)

        async def scenario() -> None:
            async with queue:
                queue.submit_group([(half, (2,)), (half, (3,))], then=collect)
                await queue.join(LONG)
                [view] = queue.find(kind="collect")
                assert view.state is State.FAILED
                assert view.error is not None
                assert "expected all 2 of the group to succeed" in view.error.text
                assert "3 is odd" in view.error.text
                assert got == []
                queue.submit_group([(half, (2,)), (half, (3,))], then=collect, partial=True)
                await queue.join(LONG)
            [[first, second]] = got
            assert (first["state"], first["result"], first["error"]) == ("succeeded", 1, None)
            assert (second["state"], second["result"], second["error"]) == ("failed", None, "ValueError: 3 is odd")

        run(scenario)

    def test_an_empty_group_is_refused(self, make: Callable[..., TaskQueue]) -> None:
        with pytest.raises(ValueError, match="calls: expected at least one, got none"):
            make().submit_group([])


class TestLife:
    def test_running_tasks_are_returned_at_stop(self, make: Callable[..., TaskQueue], url: str) -> None:
        store = MemoryStore()
        if url == "memory":
            store.close = lambda: None  # type: ignore[method-assign]  # one store for both queues
        first = make(**({"store": store} if url == "memory" else {}))

        async def wait(seconds: float) -> str:
            await asyncio.sleep(seconds)
            return "ended"

        async def scenario() -> None:
            task = first.task(wait)
            async with first:
                short, long = first.submit(task, 0.1), first.submit(task, LONG * 2)
                await until(lambda: len(first.engine.running) == 2)
                await first.astop(drain=0.5)
            second = make(**({"store": store} if url == "memory" else {}))
            second.task(wait)
            assert second.result(short) == "ended"
            view = second.status(long)
            assert (view.state, view.attempt) == (State.QUEUED, 0)  # the attempt was given back

        run(scenario)

    def test_it_starts_once_at_a_time(self, make: Callable[..., TaskQueue]) -> None:
        queue = make().start()
        with pytest.raises(tasks.QueueClosed):
            queue.start()
        assert queue.running  # the refusal left it as it was
        work = queue.task(lambda: 7, name="work")
        assert queue.result(queue.submit(work), LONG) == 7
        queue.stop()
        assert not queue.running
        queue.stop()

    def test_submit_background_task_uses_the_installed_queue(self) -> None:
        with pytest.raises(RuntimeError, match="expected an installed queue, got none"):
            tasks.installed()
        queue = TaskQueue()

        @queue.task
        def generate_report(symbols: list[str]) -> str:
            return ",".join(symbols)

        async def scenario() -> None:
            async with queue:
                assert tasks.installed() is queue
                id = await tasks.submit_background_task("generate_report", ["AAPL", "IBM"])
                assert await queue.aresult(id, LONG) == "AAPL,IBM"

        run(scenario)
        with pytest.raises(RuntimeError):
            tasks.installed()

    def test_metrics(self) -> None:
        queue = TaskQueue(inline=True)
        queue.submit_many([(queue.task(lambda: None, name="counted"), ())] * 3)
        snapshot = metrics.snapshot()
        assert snapshot.get("fastcore_tasks_submitted_total", task="counted") == 3
        assert snapshot.get("fastcore_tasks_ended_total", task="counted", state="succeeded") == 3
