"""PriorityQueue: the contract of queue.PriorityQueue, and what goes beyond it."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

import pytest

from python_fallback.shared.heap import ShutDown


def start(function: Any, *args: Any) -> tuple[threading.Thread, list[Any]]:
    """Run it in a thread; what it returns or raises is in the list."""
    out: list[Any] = []

    def run() -> None:
        try:
            out.append(function(*args))
        except BaseException as error:
            out.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, out


def finish(thread: threading.Thread) -> None:
    thread.join(10)
    assert not thread.is_alive()


def settle() -> None:
    """Long enough for a started thread to be waiting; too short a time makes a test weaker, not wrong."""
    time.sleep(0.05)


def test_tuples_are_ordered_as_in_the_standard_library(make):
    ours, theirs = make("PriorityQueue"), queue.PriorityQueue()
    for each in [(3, "c"), (1, "b"), (1, "a"), (2.5, "x"), (-1, "z")]:
        ours.put(each)
        theirs.put(each)
    assert [ours.get() for _ in range(5)] == [theirs.get() for _ in range(5)]


def test_with_priority_items_need_not_be_comparable(make):
    q = make("PriorityQueue")
    first, second = object(), object()
    q.put(first, priority=1)
    q.put(second, priority=1)
    q.put({"x": 1}, priority=0)
    assert [q.get(), q.get(), q.get()] == [{"x": 1}, first, second]


def test_sizes(make):
    q = make("PriorityQueue", 2)
    assert (q.maxsize, q.qsize(), q.empty(), q.full()) == (2, 0, True, False)
    q.put(1)
    q.put(2)
    assert (q.qsize(), q.empty(), q.full()) == (2, False, True)
    with pytest.raises(queue.Full):
        q.put_nowait(3)
    with pytest.raises(queue.Full):
        q.put(3, timeout=0.01)
    with pytest.raises(queue.Full):
        q.put(3, False)
    assert q.get_nowait() == 1
    assert q.get(block=False) == 2
    for call in (q.get_nowait, lambda: q.get(False), lambda: q.get(timeout=0.01), lambda: q.get(True, 0)):
        with pytest.raises(queue.Empty):
            call()


def test_timeouts_are_checked_as_in_the_standard_library(make):
    unbounded, bounded = make("PriorityQueue"), make("PriorityQueue", 1)
    unbounded.put(1, True, -1)
    unbounded.put(1, False, -1)
    with pytest.raises(ValueError, match="'timeout' must be a non-negative number"):
        bounded.put(1, True, -1)
    with pytest.raises(ValueError, match="'timeout' must be a non-negative number"):
        unbounded.get(True, -1)
    assert unbounded.get(False, -1) == 1
    with pytest.raises(TypeError, match="timeout: expected a number, got str"):
        unbounded.get(timeout="x")


def test_a_getter_waits_for_a_put(make):
    q = make("PriorityQueue")
    thread, out = start(q.get)
    settle()
    assert not out
    q.put("x")
    finish(thread)
    assert out == ["x"]


def test_a_putter_waits_for_room(make):
    q = make("PriorityQueue", 1)
    q.put(1)
    thread, out = start(q.put, 0)
    settle()
    assert (q.qsize(), out) == (1, [])
    assert q.get() == 1
    finish(thread)
    assert q.get() == 0


def test_join_waits_for_every_task_done(make):
    q = make("PriorityQueue")
    for i in range(3):
        q.put(i)
    thread, out = start(q.join)
    for _ in range(3):
        q.get()
        settle()
        assert not out
        q.task_done()
    finish(thread)
    with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
        q.task_done()


def test_a_removed_item_is_done(make):
    q = make("PriorityQueue", 1)
    handle = q.put("x", priority=1)
    waiting, _ = start(q.join)
    putting, _ = start(lambda: q.put("y", priority=2))
    settle()
    assert q.remove(handle) == "x"
    finish(putting)
    assert q.get() == "y"
    q.task_done()
    finish(waiting)


def test_shutdown_lets_getters_drain(make):
    q = make("PriorityQueue")
    q.put(1)
    q.shutdown()
    assert q.is_shutdown
    with pytest.raises(ShutDown):
        q.put(2)
    assert q.get() == 1
    with pytest.raises(ShutDown):
        q.get()
    with pytest.raises(ShutDown):
        q.get_nowait()


def test_shutdown_wakes_all_waiters(make):
    empty, full = make("PriorityQueue"), make("PriorityQueue", 1)
    full.put(1)
    threads = [start(empty.get) for _ in range(3)] + [start(full.put, 2) for _ in range(3)]
    settle()
    empty.shutdown()
    full.shutdown()
    for thread, out in threads:
        finish(thread)
        assert isinstance(out[0], ShutDown)
    assert full.get() == 1


def test_immediate_shutdown_empties_the_queue_and_ends_join(make):
    q = make("PriorityQueue")
    for i in range(3):
        q.put(i)
    thread, _ = start(q.join)
    settle()
    q.shutdown(immediate=True)
    finish(thread)
    assert (q.qsize(), q.unfinished_tasks) == (0, 0)
    with pytest.raises(ShutDown):
        q.get()


def test_immediate_shutdown_keeps_items_in_progress_unfinished(make):
    q = make("PriorityQueue")
    q.put(1)
    q.put(2)
    q.get()
    thread, out = start(q.join)
    q.shutdown(immediate=True)
    settle()
    assert not out
    q.task_done()
    finish(thread)


def test_a_getter_wakes_when_a_delayed_item_is_due(make):
    q = make("PriorityQueue")
    q.put("late", due=time.monotonic() + 30)
    thread, out = start(q.get)
    settle()
    q.put("soon", due=time.monotonic() + 0.1)
    finish(thread)
    assert out == ["soon"]
    assert (q.qsize(), q.ready(), q.empty()) == (1, 0, False)
    with pytest.raises(queue.Empty):
        q.get_nowait()


def test_every_getter_wakes_for_the_next_due_time(make):
    q = make("PriorityQueue")
    threads = [start(q.get) for _ in range(4)]
    settle()
    now = time.monotonic()
    for i in range(4):
        q.put(i, due=now + 0.05 + 0.02 * (4 - i))
    for thread, _ in threads:
        finish(thread)
    assert sorted(out[0] for _, out in threads) == [0, 1, 2, 3]


def test_when_a_getter_times_out_another_watches_the_next_due_item(make):
    q = make("PriorityQueue")
    impatient, first = start(lambda: q.get(timeout=0.2))
    settle()
    patient, second = start(q.get)
    settle()
    q.put("x", due=time.monotonic() + 0.4)  # wakes the impatient one only
    finish(impatient)
    finish(patient)
    assert isinstance(first[0], queue.Empty)
    assert second == ["x"]


def test_update_and_clear(make):
    q = make("PriorityQueue", 3)
    handles = [q.put(i, priority=i) for i in range(3)]
    q.update(handles[2], -1)
    assert q.peek() == 2
    assert q.priority(handles[2]) == -1
    putting, _ = start(q.put, 7)
    settle()
    q.clear()
    finish(putting)
    assert q.get() == 7
    assert q.unfinished_tasks == 1


def test_many_threads_lose_and_duplicate_no_item(make):
    q = make("PriorityQueue", 50)
    count, workers = 2000, 4

    def produce(base: int) -> None:
        for i in range(count):
            q.put(base + i, priority=i % 10)

    def consume() -> list[int]:
        out = []
        while True:
            try:
                out.append(q.get())
            except ShutDown:
                return out
            q.task_done()

    producers = [start(produce, n * count) for n in range(workers)]
    consumers = [start(consume) for _ in range(workers)]
    for thread, _ in producers:
        finish(thread)
    q.join()
    q.shutdown()
    got: list[int] = []
    for thread, out in consumers:
        finish(thread)
        got += out[0]
    assert sorted(got) == list(range(count * workers))


def test_wrong_maxsize_is_refused(make):
    with pytest.raises(TypeError, match="maxsize: expected a number, got str"):
        make("PriorityQueue", "3")


def test_raising_maxsize_wakes_putters(make):
    q = make("PriorityQueue", 1)
    q.put(1)
    thread, _ = start(q.put, 0)
    settle()
    q.maxsize = 2
    finish(thread)
    q.maxsize = 1
    assert (q.maxsize, q.qsize(), q.full()) == (1, 2, True)
    with pytest.raises(queue.Full):
        q.put_nowait(5)
    q.maxsize = float("inf")
    assert q.maxsize == 0


def test_two_waiting_putters_with_a_bad_one_before_them(make):
    q = make("PriorityQueue", 1)
    q.put((1, 1))
    bad, error = start(q.put, "not comparable with a tuple")
    settle()
    good, _ = start(q.put, (2, 2))
    settle()
    third, _ = start(q.put, (0, 0))
    settle()
    assert q.get() == (1, 1)
    got = [q.get(timeout=10), q.get(timeout=10), q.get(timeout=10)]
    for thread in (bad, good, third):
        finish(thread)
    assert {str(each) for each in got} == {"(2, 2)", "(0, 0)", "not comparable with a tuple"}
    assert error


@pytest.mark.parametrize("empty", ["remove", "clear"])
def test_a_getter_of_a_closed_queue_ends_with_the_last_delayed_item(make, empty):
    q = make("PriorityQueue")
    handle = q.put("later", priority=1, due=time.monotonic() + 3600)
    waiting = [start(q.get) for _ in range(2)]
    settle()
    q.shutdown()
    settle()
    q.remove(handle) if empty == "remove" else q.clear()
    for thread, out in waiting:
        finish(thread)
        assert isinstance(out[0], ShutDown)


def test_migrating_the_contents_wakes_putters(make):
    q = make("PriorityQueue", 1)
    q.put(1)
    thread, _ = start(q.put, 2)
    settle()
    q._take_state()
    finish(thread)
    assert q.get() == 2
