"""One flight per key: threads, tasks, errors, cancellation, recursion, and callers that would wait for each other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Make = Callable[..., Any]


def test_threads_and_tasks_compute_a_missing_key_once(make: Make) -> None:
    cache = make("TTLCache", 100, 60)
    calls: list[int] = []
    go = threading.Event()

    def compute() -> object:
        calls.append(1)
        time.sleep(0.05)
        return answer

    async def acompute() -> object:
        calls.append(1)
        await asyncio.sleep(0.05)
        return answer

    async def tasks() -> list[object]:
        go.set()
        return await asyncio.gather(*(cache.aget_or_compute("k", acompute) for _ in range(1000)))

    def ask() -> object:
        go.wait(10)
        return cache.get_or_compute("k", compute)

    answer = object()
    with ThreadPoolExecutor(64) as pool:
        asked = [pool.submit(ask) for _ in range(64)]
        answers = asyncio.run(tasks()) + [future.result(20) for future in asked]
    assert len(calls) == 1
    assert all(each is answer for each in answers)
    assert len(cache._flights) == 0


def test_an_error_reaches_every_waiter_and_is_not_kept(make: Make) -> None:
    cache = make("LRUCache", 10)
    waiting = threading.Barrier(8)
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        time.sleep(0.1)
        raise LookupError("no such symbol")

    def ask() -> str:
        waiting.wait(10)
        with pytest.raises(LookupError, match="no such symbol"):
            cache.get_or_compute("k", fail)
        return "raised"

    with ThreadPoolExecutor(8) as pool:
        assert [future.result(20) for future in [pool.submit(ask) for _ in range(8)]] == ["raised"] * 8
    assert len(calls) == 1
    assert cache.get_or_compute("k", lambda: 5) == 5


def test_an_interrupt_reaches_only_the_computing_thread(make: Make) -> None:
    cache = make("LRUCache", 10)
    leading = threading.Event()

    def interrupted() -> None:
        leading.set()
        time.sleep(0.1)
        raise KeyboardInterrupt

    def lead() -> None:
        with pytest.raises(KeyboardInterrupt):
            cache.get_or_compute("k", interrupted)

    thread = threading.Thread(target=lead)
    thread.start()
    leading.wait(10)
    assert cache.get_or_compute("k", lambda: "computed again") == "computed again"
    thread.join()


def test_recursion_on_one_key_computes_instead_of_waiting(make: Make) -> None:
    cache = make("LRUCache", 10)
    depth = 0

    def compute() -> int:
        nonlocal depth
        depth += 1
        return depth if depth == 3 else cache.get_or_compute("k", compute) + 10

    assert cache.get_or_compute("k", compute) == 23
    assert cache.peek("k") == 23

    async def acompute() -> int:
        return 1 + await cache.aget_or_compute("a", lambda: 1)

    assert asyncio.run(cache.aget_or_compute("a", acompute)) == 2


def test_mutually_dependent_computations_do_not_deadlock(make: Make) -> None:
    cache = make("LRUCache", 10)
    both = threading.Barrier(2)

    def compute(other: str) -> Callable[[], str]:
        def run() -> str:
            both.wait(10)
            return "<" + cache.get_or_compute(other, lambda: other) + ">"

        return run

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(cache.get_or_compute, "a", compute("b"))
        two = pool.submit(cache.get_or_compute, "b", compute("a"))
        answers = {one.result(20), two.result(20)}
    assert answers in ({"<<a>>", "<a>"}, {"<b>", "<<b>>"}, {"<a>", "<b>"})

    async def tasks() -> list[str]:
        async def compute(other: str) -> str:
            await asyncio.sleep(0.01)
            return "<" + await cache.aget_or_compute(other, lambda: other) + ">"

        cache.clear()
        return await asyncio.wait_for(
            asyncio.gather(
                cache.aget_or_compute("a", lambda: compute("b")), cache.aget_or_compute("b", lambda: compute("a"))
            ),
            20,
        )

    assert all(asyncio.run(tasks()))


def test_cancelling_one_waiter_does_not_cancel_the_computation(make: Make) -> None:
    cache = make("LRUCache", 10)
    cancelled: list[str] = []

    async def compute() -> int:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            cancelled.append("computation")
            raise
        return 5

    async def main() -> None:
        tasks = [asyncio.create_task(cache.aget_or_compute("k", compute)) for _ in range(3)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()  # the one that began it
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert answers[1:] == [5, 5]
        assert cache.peek("k") == 5
        assert cancelled == []
        alone = asyncio.create_task(cache.aget_or_compute("other", compute))
        await asyncio.sleep(0.01)
        alone.cancel()
        await asyncio.gather(alone, return_exceptions=True)
        await asyncio.sleep(0.01)
        assert cancelled == ["computation"]
        assert cache.peek("other") is None
        assert len(cache._flights) == 0

    asyncio.run(main())


def test_a_waiting_thread_computes_when_the_loop_ends(make: Make) -> None:
    cache = make("LRUCache", 10)
    begun, answers = threading.Event(), []

    async def never() -> None:
        begun.set()
        await asyncio.sleep(3600)

    def ask() -> None:
        begun.wait(10)
        answers.append(cache.get_or_compute("k", lambda: "by the thread"))

    thread = threading.Thread(target=ask)
    thread.start()

    async def main() -> None:
        task = asyncio.create_task(cache.aget_or_compute("k", never))
        await asyncio.sleep(0.1)
        del task

    asyncio.run(main())  # cancels what is left
    thread.join(20)
    assert answers == ["by the thread"]


def test_blocking_the_computing_loop_computes_instead(make: Make) -> None:
    cache = make("LRUCache", 10)

    async def slow() -> str:
        await asyncio.sleep(0.05)
        return "slow"

    async def main() -> None:
        task = asyncio.create_task(cache.aget_or_compute("k", slow))
        await asyncio.sleep(0.01)
        assert cache.get_or_compute("k", lambda: "at once") == "at once"
        assert await task == "slow"

    asyncio.run(main())


def test_values_too_large_are_returned_to_all_and_not_kept(make: Make) -> None:
    cache = make("LRUCache", 3, getsizeof=len)
    assert cache.get_or_compute("k", lambda: "much too long") == "much too long"
    assert asyncio.run(cache.aget_or_compute("k", lambda: "much too long")) == "much too long"
    assert len(cache) == 0
    assert cache.get_or_compute("k", lambda: "ok", ttl=60) == "ok"
    assert 59 < cache.ttl_remaining("k") <= 60 + 1e-6
    assert cache.get_or_compute("w", lambda: "x", weight=2) == "x"
    assert dict(cache.items()) == {"w": "x"}


def test_wrong_calls_are_refused(make: Make) -> None:
    cache = make("LRUCache", 3)
    with pytest.raises(TypeError):
        cache.get_or_compute()
    with pytest.raises(TypeError):
        cache.get_or_compute("k")
    with pytest.raises(TypeError):
        cache.get_or_compute("k", lambda: 1, bad=1)
    with pytest.raises(TypeError, match="unhashable"):
        cache.get_or_compute([], lambda: 1)
    with pytest.raises(TypeError, match="not callable"):
        cache.get_or_compute("k", 5)
    assert len(cache._flights) == 0
