"""AsyncPriorityQueue: the contract of asyncio.PriorityQueue, and what goes beyond it."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest

from python_fallback.shared.queue_shutdown import QueueShutDown
from tests.heap.coroutines import run, turns


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
