"""AsyncPriorityQueue: cancelled waiters, threads and loops that end lose no item."""

from __future__ import annotations

import asyncio
import random
import threading
import time

import pytest

from tests.heap.coroutines import run, turns


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


def test_a_cancelled_putter_passes_its_room_to_the_next(queue):
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
