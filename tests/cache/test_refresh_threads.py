"""Threads of the background refresh: how many there are, a fork, the end of the process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import pytest

from fastcore.cache import cached, refresh
from tests.cache.conftest import Clock
from tests.cache.stale import Source, stale_function
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("on_backend")


def test_without_a_thread_the_stale_result_is_served(waits: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    price, _ = stale_function(source)
    monkeypatch.setattr(refresh, "_threads", refresh.Threads(4))

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert [price("A") for _ in range(5)] == [1] * 5
    assert [price("A"), source.calls] == [1, 1]
    waits.time = 0.25
    assert price("A") == 1
    source.wait()
    until(lambda: price("A") == 2)


def test_one_idle_thread_does_not_hold_back_more_work() -> None:
    threads, both = refresh.Threads(2), threading.Barrier(2)
    ran = threading.Event()
    assert threads.submit(ran.set)
    assert ran.wait(10)
    until(lambda: threads._idle == 1)
    met: list[int] = []
    with threads._changed:  # the idle thread wakes up after both were submitted
        assert threads.submit(lambda: met.append(both.wait(10)))
        assert threads.submit(lambda: met.append(both.wait(10)))
    until(lambda: sorted(met) == [0, 1])


def test_threads_that_ended_for_lack_of_work_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "IDLE", 0.01)
    threads = refresh.Threads(2)
    for _ in range(5):
        ran: list[threading.Thread] = []
        assert threads.submit(lambda ran=ran: ran.append(threading.current_thread()))
        until(lambda ran=ran: bool(ran))
        ran[0].join(10)
        assert not ran[0].is_alive()
    assert threads._count == 0


def test_no_more_than_a_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "_threads", refresh.Threads(2))
    monkeypatch.setattr(refresh, "IDLE", 0.01)
    clock, gate, running = Clock(), threading.Event(), []

    @cached(ttl=10, stale=100, timer=clock)
    def number(n: int) -> int:
        if clock.time:
            running.append(threading.current_thread())
            assert gate.wait(10)
        return n + int(clock.time)

    for n in range(10):
        number(n)
    clock.time = 20
    assert [number(n) for n in range(10)] == list(range(10))
    until(lambda: len(running) == 2)
    gate.set()
    until(lambda: [number.peek(n) for n in range(10)] == list(range(20, 30)))
    assert len(set(running)) == 2
    assert all(thread.daemon for thread in running)
    until(lambda: not any(thread.is_alive() for thread in running))


SCRIPT = """
import sys, threading, time
from fastcore import flags
flags.set("cache", sys.argv[1])
from fastcore.cache import cached
now = [0.0]
calls = []
gate = threading.Event()

@cached(ttl=10, stale=1000, timer=lambda: now[0])
def price(symbol):
    calls.append(symbol)
    if len(calls) == 2:
        gate.set()
        time.sleep(HANG)
    return len(calls)

price("A")
now[0] = 20
"""


def run(backend: str, hang: float, code: str) -> str:
    script = SCRIPT.replace("HANG", str(hang)) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script, backend], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_the_end_of_the_process_does_not_wait_for_a_refresh(backend: str) -> None:
    # A refresh of ten minutes: were it waited for, the run would not end within its time.
    assert run(backend, 600, "print(price('A')); gate.wait(10)") == "1"


def test_a_call_while_the_interpreter_ends_is_served(backend: str) -> None:
    code = """
        import atexit
        atexit.register(lambda: print([price("A") for _ in range(3)]))
        class Last:
            def __del__(self): print(price("A"))
        last = Last()
        """
    assert run(backend, 0, code).splitlines()[0] in ("[1, 1, 1]", "[1, 1, 3]", "[1, 3, 3]")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_runs_its_own_refreshes(backend: str) -> None:
    code = """
        import os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads, which are the point here
        print(price("A"), flush=True)      # the refresh begins, and hangs in the parent
        gate.wait(10)
        child = os.fork()
        if child == 0:
            price("A")
            end = time.monotonic() + 10
            while len(calls) < 3 and time.monotonic() < end:
                time.sleep(0.01)
            while price("A") == 1 and time.monotonic() < end:
                time.sleep(0.01)
            print(price("A"), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        """
    assert run(backend, 600, code).split() == ["1", "3"]
