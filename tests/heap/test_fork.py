"""A forked process has the heap's items, and neither its parent's waiters nor a lock that another thread held."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_child(function: Callable[[], None]) -> None:
    """Run it in a forked process, which has 20 seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads, which are the point here
        pid = os.fork()
    if pid == 0:
        try:
            function()
        except BaseException as error:
            print(f"in the child: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("the child hangs")


class Gate:
    """Comparisons that block until released."""

    def __init__(self) -> None:
        self.closed = False
        self.entered, self.open = threading.Event(), threading.Event()

    def key(self, value: int) -> Any:
        gate = self

        class Key:
            def __lt__(self, other: Any) -> bool:
                if gate.closed:
                    gate.entered.set()
                    gate.open.wait(30)
                return value < other.value

        key: Any = Key()
        key.value = value
        return key


@pytest.mark.parametrize(
    "operation", ["push", "push_many", "pop", "pop_many", "remove", "update", "promote", "entries"]
)
def test_fork_while_another_thread_compares(make, operation, clock):
    gate = Gate()
    heap = make("PriorityHeap", priorities="any", clock=clock)
    handles = [heap.push(n, gate.key(n)) for n in range(10)]
    if operation == "promote":
        heap.push(10, gate.key(10), due=clock.now + 5)
        clock.now += 5
    operations: dict[str, Callable[[], object]] = {
        "push": lambda: heap.push(10, gate.key(5)),
        "push_many": lambda: heap.push_many([10, 11], [gate.key(3), gate.key(5)]),
        "pop": heap.pop,
        "pop_many": lambda: heap.pop_many(3),
        "remove": lambda: heap.remove(handles[2]),
        "update": lambda: heap.update(handles[2], gate.key(7)),
        "promote": heap.ready,
        "entries": heap.entries,
    }
    gate.closed = True
    thread = threading.Thread(target=operations[operation], daemon=True)
    thread.start()
    if not gate.entered.wait(0.5):
        thread.join(10)
        pytest.skip("this twin need not compare here")

    def child() -> None:
        gate.closed = False
        heap._check()
        heap.push("new", gate.key(-1))
        got = heap.pop_many(100)
        expected = ["new", *range(11 if operation == "promote" else 10)]
        assert got == expected, got
        heap._check()

    in_child(child)
    gate.open.set()
    thread.join(10)
    heap._check()


def test_fork_while_other_threads_wait(make):
    held = make("PriorityQueue")
    waiting = [threading.Thread(target=held.get, daemon=True) for _ in range(3)]
    for thread in waiting:
        thread.start()
    time.sleep(0.05)

    def child() -> None:
        held.put(1)
        assert held.get(timeout=10) == 1
        mine = threading.Thread(target=held.get, daemon=True)
        mine.start()
        held.put(2)
        mine.join(10)
        assert not mine.is_alive()
        held.task_done()
        held.task_done()
        held.join()

    in_child(child)
    for n in range(3):
        held.put(n)
    for thread in waiting:
        thread.join(10)
        assert not thread.is_alive()


def test_forks_under_load_do_not_hang(make):
    held = make("PriorityQueue", 10)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            held.put((1, 2))
            held.get()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()

    def child() -> None:
        held._check()
        while held.qsize():
            held.get_nowait()
        held.put((0, 0))
        assert held.get() == (0, 0)

    for _ in range(10):
        in_child(child)
    stop.set()
    for thread in threads:
        thread.join(10)


def test_an_async_queue_works_in_a_forked_child(make):
    held = make("AsyncPriorityQueue")

    async def waits() -> None:
        getter = asyncio.ensure_future(held.get())
        await asyncio.sleep(0)
        in_child(lambda: threads_run(child))
        held.put_nowait("parent", priority=1)
        assert await getter == "parent"

    async def child() -> None:
        getter = asyncio.ensure_future(held.get())
        await asyncio.sleep(0)
        held.put_nowait("child", priority=1)
        assert await asyncio.wait_for(getter, 10) == "child"

    def threads_run(function: Callable[[], Any]) -> None:
        """In a thread: the child's main thread is in the middle of the parent's loop."""
        errors: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(function())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(15)
        assert not errors, errors

    asyncio.run(waits())
