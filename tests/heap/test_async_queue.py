"""AsyncPriorityQueue: the contract of asyncio.PriorityQueue, and what goes beyond it."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from python_fallback.shared.queue_shutdown import QueueShutDown


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), 30))


async def turns(n: int = 5) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


@pytest.fixture
def queue(make: Any) -> Callable[..., Any]:
    return lambda *args, **kwargs: make("AsyncPriorityQueue", *args, **kwargs)


def test_tuples_are_ordered_as_in_the_standard_library(queue):
    async def main() -> None:
        ours, theirs = queue(), asyncio.PriorityQueue()
        for each in [(3, "c"), (1, "b"), (1, "a"), (2.5, "x"), (-1, "z")]:
            await ours.put(each)
            await theirs.put(each)
        assert [await ours.get() for _ in range(5)] == [await theirs.get() for _ in range(5)]

    run(main)


def test_can_be_created_without_a_running_loop(queue):
    q = queue(1)
    handle = q.put_nowait("x", priority=3)
    assert (q.qsize(), q.full(), q.empty(), q.maxsize) == (1, True, False, 1)
    with pytest.raises(asyncio.QueueFull):
        q.put_nowait("y")
    assert q.priority(handle) == 3
    assert q.get_nowait() == "x"
    with pytest.raises(asyncio.QueueEmpty):
        q.get_nowait()


def test_results_of_put_and_get(queue):
    async def main() -> None:
        q = queue()
        handle = await q.put(("a", "tuple"), priority=1)
        assert handle in q
        assert await q.get() == ("a", "tuple")
        stop = StopIteration(5)
        await q.put(stop, priority=1)
        assert await q.get() is stop
        await q.put(None, priority=1)
        assert await q.get() is None

    run(main)


def test_put_and_get_are_coroutines_to_asyncio(queue):
    async def main() -> None:
        q = queue()
        assert asyncio.iscoroutine(q.get())
        gc.collect()  # the one that is never awaited warns here
        assert (await asyncio.gather(q.put(2), q.put(1), q.get()))[2] == 1
        assert await asyncio.wait_for(q.get(), 1) == 2
        assert await asyncio.create_task(q.put(3)) > 0
        getting = asyncio.ensure_future(q.get())
        assert await getting == 3

    with pytest.warns(RuntimeWarning, match="never awaited"):
        run(main)


def test_put_and_get_do_nothing_until_awaited(queue):
    q = queue()
    with pytest.warns(RuntimeWarning, match=r"coroutine 'AsyncPriorityQueue\.put' was never awaited"):
        q.put(1)
    assert q.qsize() == 0


def test_closing_an_unawaited_coroutine_has_no_effect(queue):
    q = queue()
    operation = q.put(1)
    operation.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        operation.send(None)
    assert q.qsize() == 0
    operation = q.get()
    with pytest.raises(KeyError, match="thrown"):
        operation.throw(KeyError("thrown"))
    operation = q.put(1)
    with pytest.raises(TypeError, match="can't send non-None value to a just-started coroutine"):
        operation.send(5)
    operation.close()


def test_getters_are_served_in_their_order(queue):
    async def main() -> None:
        q = queue()
        getters = [asyncio.create_task(q.get()) for _ in range(3)]
        await turns()
        for i in (1, 2, 3):
            q.put_nowait(i)
            await turns()
        assert [await each for each in getters] == [1, 2, 3]

    run(main)


def test_putters_wait_for_room_in_their_order(queue):
    async def main() -> None:
        q = queue(1)
        await q.put(0)
        putters = [asyncio.create_task(q.put(i)) for i in (1, 2)]
        await turns()
        assert q.qsize() == 1
        assert [await q.get(), await q.get(), await q.get()] == [0, 1, 2]
        await asyncio.gather(*putters)

    run(main)


def test_a_cancelled_getter_loses_no_item(queue):
    async def main() -> None:
        q = queue()
        first, second = asyncio.create_task(q.get()), asyncio.create_task(q.get())
        await turns()
        q.put_nowait("x")  # wakes the first
        first.cancel()  # before it ran
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await second == "x"

    run(main)


def test_a_cancelled_putter_gives_its_room_to_the_next(queue):
    async def main() -> None:
        q = queue(1)
        q.put_nowait(0)
        first, second = asyncio.create_task(q.put(1)), asyncio.create_task(q.put(2))
        await turns()
        assert q.get_nowait() == 0
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
        assert q.get_nowait() == 2
        assert q.empty()

    run(main)


@pytest.mark.parametrize("how", ["cancel", "time-out"])
def test_when_the_first_getter_of_an_idle_queue_leaves_a_delayed_item_still_wakes_the_next(queue, how):
    async def main() -> None:
        q = queue()
        q.put_nowait("x", due=time.monotonic() + 0.1)

        async def first() -> None:
            async with asyncio.timeout(0.02 if how == "time-out" else None):
                await q.get()

        head = asyncio.create_task(first())
        await turns()
        others = [asyncio.create_task(q.get()) for _ in range(2)]
        await turns()
        if how == "cancel":
            head.cancel()
        await asyncio.wait([head])
        assert await others[0] == "x"
        others[1].cancel()
        await asyncio.wait(others)

    run(main)


def test_when_the_first_putter_times_out_the_next_one_still_gets_the_room(queue):
    async def main() -> None:
        q = queue(1)
        q.put_nowait(0)

        async def first() -> None:
            async with asyncio.timeout(0.02):
                await q.put(1)

        head = asyncio.create_task(first())
        await turns()
        second = asyncio.create_task(q.put(2))
        await asyncio.wait([head])
        assert q.get_nowait() == 0
        await second
        assert q.get_nowait() == 2
        assert q.empty()

    run(main)


def test_a_get_that_is_shielded_from_its_waiter_takes_its_item(queue):
    async def main() -> None:
        q = queue()
        shared = asyncio.create_task(q.get())
        waiters = [asyncio.ensure_future(asyncio.shield(shared)) for _ in range(2)]
        await turns()
        waiters[0].cancel()
        await turns()
        q.put_nowait("x")
        assert await waiters[1] == "x"
        assert q.empty()

    run(main)


@pytest.mark.parametrize("seed", range(5))
def test_cancellation_at_any_moment_loses_and_duplicates_no_item(queue, seed):
    async def main() -> None:
        rng = random.Random(seed)
        q = queue(3)
        put: list[int] = []
        got: list[int] = []

        async def produce(i: int) -> None:
            await q.put(i, priority=rng.random())
            put.append(i)

        async def consume() -> None:
            got.append(await q.get())

        tasks = []
        for i in range(400):
            tasks.append(asyncio.create_task(produce(i) if rng.random() < 0.5 else consume()))
            if rng.random() < 0.4:
                rng.choice(tasks).cancel()
            if rng.random() < 0.3:
                await turns(rng.randrange(3))
        await turns(20)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while not q.empty():
            got.append(q.get_nowait())
        assert sorted(got) == sorted(put)
        assert not q._getters
        assert not q._putters

    run(main)


def test_timeouts(queue):
    async def main() -> None:
        q = queue()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(q.get(), 0.01)
        q.put_nowait(1)
        assert await q.get() == 1

    run(main)


def test_join_and_task_done(queue):
    async def main() -> None:
        q = queue()
        await q.join()
        q.put_nowait(1)
        q.put_nowait(2)
        joining = asyncio.create_task(q.join())
        for _ in range(2):
            await q.get()
            await turns()
            assert not joining.done()
            q.task_done()
        await joining
        with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
            q.task_done()

    run(main)


def test_shutdown(queue):
    async def main() -> None:
        q, full = queue(), queue(1)
        q.put_nowait(1)
        full.put_nowait(1)
        putting = asyncio.create_task(full.put(2))
        await turns()
        q.shutdown()
        full.shutdown()
        with pytest.raises(QueueShutDown):
            await q.put(2)
        with pytest.raises(QueueShutDown):
            await putting
        assert await q.get() == 1
        for call in (q.get, full.get):
            if call == full.get:
                assert await full.get() == 1
            with pytest.raises(QueueShutDown):
                await call()
        waiting = queue()
        getters = [asyncio.create_task(waiting.get()) for _ in range(3)]
        joining = asyncio.create_task(waiting.join())
        await turns()
        waiting.shutdown(immediate=True)
        results = await asyncio.gather(*getters, return_exceptions=True)
        assert [type(each) for each in results] == [QueueShutDown] * 3
        await joining

    run(main)


def test_immediate_shutdown_ends_join(queue):
    async def main() -> None:
        q = queue()
        for i in range(3):
            q.put_nowait(i)
        joining = asyncio.create_task(q.join())
        await turns()
        q.shutdown(immediate=True)
        await joining
        assert (q.qsize(), q.unfinished_tasks, q.is_shutdown) == (0, 0, True)

    run(main)


def test_a_getter_wakes_when_a_delayed_item_is_due(queue):
    async def main() -> None:
        q = queue()
        start = time.monotonic()
        q.put_nowait("late", due=start + 60)
        getters = [asyncio.create_task(q.get()) for _ in range(2)]
        await turns()
        q.put_nowait("b", due=start + 0.10)
        q.put_nowait("a", due=start + 0.05)
        assert sorted([await each for each in getters]) == ["a", "b"]
        assert time.monotonic() - start >= 0.1
        with pytest.raises(asyncio.QueueEmpty):
            q.get_nowait()
        assert q.qsize() == 1

    run(main)


def test_when_a_getter_is_cancelled_another_watches_the_next_due_item(queue):
    async def main() -> None:
        q = queue()
        first, second = asyncio.create_task(q.get()), asyncio.create_task(q.get())
        await turns()
        q.put_nowait("x", due=time.monotonic() + 0.1)
        await turns()
        first.cancel()
        assert await second == "x"

    run(main)


def test_put_from_another_thread_wakes_a_getter(queue):
    async def main() -> list[int]:
        q = queue()
        threads = [
            threading.Thread(target=lambda n=n: [q.put_nowait(n * 100 + i, priority=i) for i in range(100)])
            for n in range(4)
        ]
        getters = [asyncio.create_task(q.get()) for _ in range(400)]
        await turns()
        for thread in threads:
            thread.start()
        got = await asyncio.gather(*getters)
        for thread in threads:
            thread.join()
        return got

    assert sorted(run(main)) == list(range(400))


def test_get_in_another_thread_wakes_a_putter(queue):
    async def main() -> None:
        q = queue(1)
        await q.put(1)
        putting = asyncio.create_task(q.put(2))
        await turns()
        thread = threading.Thread(target=q.get_nowait)
        thread.start()
        await putting
        thread.join()
        assert await q.get() == 2

    run(main)


def test_a_getter_cancelled_while_another_thread_wakes_it_hands_the_item_on(queue):
    async def main() -> None:
        q = queue()
        first, second = [asyncio.create_task(q.get()) for _ in range(2)]
        await turns()
        thread = threading.Thread(target=q.put_nowait, args=("x",))
        thread.start()
        thread.join()
        first.cancel()  # before the loop hears of the item
        assert await asyncio.wait_for(second, 10) == "x"
        assert first.cancelled()

    run(main)


def test_a_putter_cancelled_while_another_thread_wakes_it_hands_the_room_on(queue):
    async def main() -> None:
        q = queue(1)
        await q.put(1)
        first, second = [asyncio.create_task(q.put(n)) for n in (2, 3)]
        await turns()
        thread = threading.Thread(target=q.get_nowait)
        thread.start()
        thread.join()
        first.cancel()
        await asyncio.wait_for(second, 10)
        assert [q.get_nowait(), q.qsize()] == [3, 0]

    run(main)


def test_binds_to_the_first_loop_it_waits_in(queue):
    q = queue()

    async def main() -> None:
        getting = asyncio.create_task(q.get())
        await turns()
        q.put_nowait(1)
        assert await getting == 1

    run(main)
    with pytest.raises(RuntimeError, match="is bound to a different event loop"):
        run(main)


def test_waiters_of_a_dead_loop_do_not_stop_others(queue):
    q = queue()
    loop = asyncio.new_event_loop()

    async def wait() -> None:
        getting = asyncio.ensure_future(q.get())
        await turns()
        assert not getting.done()

    loop.run_until_complete(wait())
    assert len(q._getters) == 1
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.close()
    handle = q.put_nowait("x", priority=1)
    assert handle in q
    assert q.get_nowait() == "x"


def test_remove_update_and_clear(queue):
    async def main() -> None:
        q = queue(2)
        first, second = await q.put("a", priority=1), await q.put("b", priority=2)
        putting = asyncio.create_task(q.put("c", priority=3))
        await turns()
        q.update(second, 0)
        assert q.peek() == "b"
        assert q.remove(first) == "a"
        await putting
        assert list(q) == ["b", "c"]
        joining = asyncio.create_task(q.join())
        more = asyncio.create_task(q.put("d"))
        await turns()
        q.clear()
        await more
        assert await q.get() == "d"
        q.task_done()
        await joining

    run(main)


@pytest.mark.parametrize("empty", ["remove", "clear"])
def test_a_getter_of_a_closed_queue_ends_with_the_last_delayed_item(queue, empty):
    async def main() -> None:
        q = queue()
        handle = await q.put("later", priority=1, due=time.monotonic() + 3600)
        waiting = [asyncio.ensure_future(q.get()) for _ in range(2)]
        await turns()
        q.shutdown()
        await turns()
        q.remove(handle) if empty == "remove" else q.clear()
        for each in waiting:
            with pytest.raises(QueueShutDown):
                await each

    run(main)


def test_migrating_the_contents_wakes_putters(queue):
    async def main() -> None:
        q = queue(1)
        await q.put(1)
        putting = asyncio.ensure_future(q.put(2))
        await turns()
        q._take_state()
        await putting
        assert await q.get() == 2

    run(main)
