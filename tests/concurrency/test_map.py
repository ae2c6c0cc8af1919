"""map_async: order, bounds and laziness, how errors and cancellation end it, and that nothing is left running."""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import cpu_jobs as jobs
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_loop import run

from fastcore.concurrency import ProcessDied, Retry, map_async
from tests.loops import LOOPS, factory_of


async def later(items: Any) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0.01)
        yield item


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


# ---- order and bounds ----


@given(
    st.lists(st.floats(0, 5), max_size=40),
    st.integers(1, 12),
    st.sampled_from([list, iter, later]),
)
def test_results_are_in_order_and_in_flight_is_bounded(delays: list[float], limit: int, shape: Any) -> None:
    async def main() -> None:
        running = most = taken = finished = ahead = 0

        def items() -> Iterator[tuple[int, float]]:
            nonlocal taken, ahead
            for pair in enumerate(delays):
                taken += 1
                ahead = max(ahead, taken - finished)
                yield pair

        async def call(pair: tuple[int, float]) -> int:
            nonlocal running, most, finished
            running += 1
            most = max(most, running)
            await asyncio.sleep(pair[1])
            running -= 1
            finished += 1
            return pair[0] * 10

        assert await map_async(call, shape(items()), limit=limit) == [n * 10 for n in range(len(delays))]
        assert most <= limit
        assert shape is list or ahead <= limit
        assert not others()

    run(main())


def test_concurrency_reaches_the_limit() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await map_async(lambda _: asyncio.sleep(0.1), range(1000), limit=200, on="async")
        return loop.time() - began

    assert run(main()) == pytest.approx(0.5)


@pytest.mark.parametrize(("limit", "expected"), [(3, 3), (1000, 6)])
def test_no_more_workers_than_items(limit: int, expected: int) -> None:
    async def main() -> int:
        most = 0

        async def call(_: int) -> None:
            nonlocal most
            most = max(most, len(others()))
            await asyncio.sleep(1)

        await map_async(call, iter(range(5)), limit=limit)
        return most

    assert run(main()) == expected  # the caller counted instead of the worker that looks


def test_an_endless_source_is_consumed_lazily() -> None:
    async def main() -> None:
        seen = []

        async def call(n: int) -> None:
            seen.append(n)
            await asyncio.sleep(1)
            if n == 20:
                raise LookupError

        def count() -> Iterator[int]:
            n = 0
            while True:
                yield n
                n += 1

        with pytest.raises(LookupError):
            await map_async(call, count(), limit=4)
        assert max(seen) <= 24

    run(main())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_function_that_never_waits_does_not_block_the_loop(loop: str) -> None:
    async def main() -> int:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0)

        async def call(n: int) -> None:
            time.sleep(0.001)  # busy, as the loop sees it

        task = asyncio.create_task(beat())
        await map_async(call, range(200), limit=2)
        task.cancel()
        return beats

    with asyncio.Runner(loop_factory=factory_of(loop)) as runner:
        assert runner.run(main()) >= 8  # of about twenty; four, if it were let in at the begin and the end alone


def test_no_items() -> None:
    for items in ([], iter(()), later([])):
        assert asyncio.run(map_async(jobs.square, items, on="thread")) == []


# ---- errors ----


def test_the_first_error_cancels_the_others_and_is_raised_unchanged() -> None:
    async def main() -> None:
        cancelled, began = [], []
        error = LookupError("first")

        async def call(n: int) -> None:
            began.append(n)
            try:
                await asyncio.sleep(n + 1)
            except asyncio.CancelledError:
                cancelled.append(n)
                raise ValueError("in the way out") from None
            raise error

        with pytest.raises(LookupError) as caught:
            await map_async(call, range(100), limit=5)
        assert caught.value is error
        assert caught.value.__context__ is None
        assert (began, sorted(cancelled)) == ([0, 1, 2, 3, 4], [1, 2, 3, 4])
        assert not others()

    run(main())


@pytest.mark.parametrize("on", ["async", "thread", "process"])
def test_return_exceptions_keeps_each_in_its_place(on: Any) -> None:
    async def later_root(n: int) -> float:
        return root(n)

    results = asyncio.run(
        map_async(later_root if on == "async" else root, [4, -1, 9, -4], on=on, return_exceptions=True, limit=2)
    )
    assert [type(result) for result in results] == [float, ValueError, float, ValueError]
    assert (results[0], results[2]) == (2.0, 3.0)


def root(n: int) -> float:
    if n < 0:
        raise ValueError(n)
    return float(n**0.5)


@pytest.mark.parametrize("keep", [False, True])
def test_an_error_of_the_source_ends_the_map(keep: bool) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the source")

    async def items_later() -> AsyncIterator[int]:
        for item in items():
            yield item

    for source in (items(), items_later()):
        with pytest.raises(OSError, match="the source"):
            asyncio.run(map_async(asyncio.sleep, source, return_exceptions=keep))


@pytest.mark.parametrize("keep", [False, True])
def test_a_cancellation_that_the_function_raised_is_an_error_like_others(keep: bool) -> None:
    async def call(n: int) -> int:
        if n == 1:
            raise asyncio.CancelledError
        return n

    async def main() -> list[Any]:
        return await map_async(call, range(3), return_exceptions=keep)

    if keep:
        results = asyncio.run(main())
        assert isinstance(results[1], asyncio.CancelledError)
        assert (results[0], results[2]) == (0, 2)
    else:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())


def test_a_running_thread_is_awaited_before_an_error_is_raised() -> None:
    async def main() -> None:
        begun, ended, ran = threading.Event(), [], []

        def call(n: int) -> None:
            ran.append(n)
            if n == 0:
                begun.wait(20)
                raise LookupError
            begun.set()
            threading.Event().wait(0.05)
            ended.append(n)

        with pytest.raises(LookupError):
            await map_async(call, range(50), limit=2)
        assert ended == [1]
        assert ran in ([0, 1], [1, 0])
        assert not [t for t in threading.enumerate() if t.name.startswith("fastcore-map")]

    asyncio.run(main())


def test_a_killed_process_fails_only_its_item() -> None:
    results = asyncio.run(
        map_async(jobs.die_if, [1, 2, -1, 3, 4, -1, 5], on="process", limit=3, return_exceptions=True)
    )
    assert [type(result) for result in results] == [int, int, ProcessDied, int, int, ProcessDied, int]
    assert "to return from cpu_jobs.die_if, got its " in str(results[2])
    with pytest.raises(ProcessDied):
        asyncio.run(map_async(jobs.die_if, [1, -1, 2], on="process"))


# ---- cancellation ----


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("swallowed", [False, True])
def test_cancelling_stops_every_call_and_takes_no_further_item(keep: bool, swallowed: bool) -> None:
    async def main() -> None:
        began, ended = [], []

        async def call(n: int) -> None:
            began.append(n)
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                if not swallowed:
                    raise
                raise ValueError("a function that turns cancellation into something else") from None
            finally:
                ended.append(n)

        task = asyncio.create_task(map_async(call, range(100), limit=7, return_exceptions=keep))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert began == sorted(ended) == list(range(7))
        assert not others()

    run(main())


def test_cancelling_while_it_waits_for_the_source() -> None:
    async def main() -> None:
        closed = []

        async def source() -> AsyncIterator[int]:
            try:
                await asyncio.sleep(1000)
                yield 1
            finally:
                closed.append(True)

        task = asyncio.create_task(map_async(asyncio.sleep, source()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed == [True]
        assert not others()

    run(main())


def test_cancelling_kills_processes_and_empties_their_queue(tmp_path: Path) -> None:
    async def main() -> list[int]:
        paths = [str(tmp_path / f"{n}") for n in range(20)]
        task = asyncio.create_task(map_async(jobs.report_and_sleep, paths, on="process", limit=20))
        while not (tmp_path / "0").exists():
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not others()
        return [int(path.read_text()) for path in tmp_path.iterdir() if path.suffix != ".part"]

    pids = asyncio.run(main())
    assert 1 <= len(pids) < 20
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert asyncio.run(map_async(jobs.square, range(5), on="process")) == [0, 1, 4, 9, 16]


def test_cancelled_twice_it_still_waits_for_its_threads() -> None:
    async def main() -> None:
        begun, release, ended = threading.Event(), threading.Event(), []

        def call(n: int) -> None:
            begun.set()
            release.wait(20)
            ended.append(n)

        task = asyncio.create_task(map_async(call, range(10), limit=1))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.01)
        assert not task.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [0]

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_left_running_however_it_ends(seed: int) -> None:
    rng = random.Random(seed)

    async def main() -> None:
        live = 0

        async def call(n: int) -> int:
            nonlocal live
            live += 1
            try:
                await asyncio.sleep(rng.random())
                if rng.random() < 0.1:
                    raise KeyError(n)
                return n
            finally:
                live -= 1

        task = asyncio.create_task(
            map_async(call, rng.choice([later, iter])(range(30)), limit=6, return_exceptions=rng.random() < 0.5)
        )
        await asyncio.wait([task], timeout=rng.random() * 4)
        task.cancel()
        await asyncio.wait([task])
        assert live == 0
        assert not others()

    run(main())


# ---- retry, progress, context ----


def test_every_item_is_retried_by_the_policy() -> None:
    async def main() -> None:
        calls: dict[int, int] = {}

        async def call(n: int) -> int:
            calls[n] = calls.get(n, 0) + 1
            if calls[n] <= n:
                raise OSError(n)
            return n

        retry = Retry(3, base=1, retry_on=OSError)
        results = await map_async(call, range(5), retry=retry, return_exceptions=True)
        assert results[:3] == [0, 1, 2]
        assert [error.args for error in results[3:]] == [(3,), (4,)]
        assert calls == {0: 1, 1: 2, 2: 3, 3: 3, 4: 3}

    run(main())


def test_a_retry_completes_a_killed_item(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{n}") for n in range(3)]
    retry = Retry(2, base=0, retry_on=ProcessDied)
    assert asyncio.run(map_async(jobs.die_once, paths, on="process", retry=retry)) == ["survived"] * 3


def test_progress_is_called_for_every_item() -> None:
    async def main() -> None:
        for items, total in ((range(4), 4), (iter(range(4)), None)):
            heard: list[tuple[int, int | None]] = []
            await map_async(asyncio.sleep, items, progress=lambda *told, heard=heard: heard.append(told))
            assert heard == [(n, total) for n in (1, 2, 3, 4)]

    run(main())


def test_a_progress_that_raises_is_logged_once_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    def progress(done: int, total: int | None) -> None:
        raise ValueError

    assert asyncio.run(map_async(jobs.square, range(3), on="thread", progress=progress)) == [0, 1, 4]
    assert caplog.messages == ["progress raised; it is not called again"]


@pytest.mark.parametrize("on", ["async", "thread"])
def test_context_variables_reach_the_calls(on: Any) -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")

    async def name_later(_: int) -> str:
        return who.get()

    async def main() -> list[str]:
        who.set("caller")
        return await map_async(name_later if on == "async" else lambda _: who.get(), range(3), on=on)

    assert asyncio.run(main()) == ["caller"] * 3


def test_where_it_runs_by_default() -> None:
    async def on_loop(_: int) -> int:
        return threading.get_ident()

    assert asyncio.run(map_async(on_loop, range(3))) == [threading.get_ident()] * 3
    assert threading.get_ident() not in asyncio.run(map_async(lambda _: threading.get_ident(), range(3)))


# ---- wrong use ----


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"fn": 5}, TypeError, "fn: expected a callable, got int"),
        ({"items": 5}, TypeError, "items: expected an iterable or an async iterable, got int"),
        ({"limit": 0}, ValueError, "limit: expected an int >= 1, got 0"),
        ({"limit": None}, TypeError, "limit: expected an int >= 1, got NoneType"),
        ({"on": "gpu"}, ValueError, "on: expected one of async, thread, process, got 'gpu'"),
        ({"fn": asyncio.sleep, "on": "thread"}, TypeError, "fn: expected a plain function, got a coroutine function"),
        ({"fn": asyncio.sleep, "on": "process"}, TypeError, "fn: expected a plain function, got a coroutine function"),
        ({"retry": 3}, TypeError, "retry: expected a Retry or None, got int"),
        ({"progress": 3}, TypeError, "progress: expected a callable, got int"),
        (
            {"on": "async"},
            TypeError,
            "fn: expected a coroutine function with on='async', got one that returned int",
        ),
        (
            {"fn": lambda n: asyncio.sleep(n), "on": "thread"},
            TypeError,
            "fn: expected a plain function with on='thread', got one that returned a coroutine",
        ),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], kind: type[Exception], text: str) -> None:
    arguments = {"fn": jobs.square, "items": [1, 2], **options}
    with pytest.raises(kind, match=f"^{text}$"):
        asyncio.run(map_async(arguments.pop("fn"), arguments.pop("items"), **arguments))
