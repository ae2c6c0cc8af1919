"""Refreshing in the background: where it cannot be, when it fails, and when the process ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from fastcore.cache import cached, refresh
from tests.cache.conftest import Clock

pytestmark = pytest.mark.usefixtures("on_backend")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the waits between refreshes, whose jitter is taken away."""
    clock = Clock()
    monkeypatch.setattr(refresh, "_monotonic", clock)
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    return clock


class Source:
    """What a function asks; it is down while `error` is set."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.answered = threading.Semaphore(0)

    def ask(self) -> int:
        self.calls += 1
        try:
            if self.error is not None:
                raise self.error
            return self.calls
        finally:
            self.answered.release()

    def wait(self) -> None:
        assert self.answered.acquire(timeout=10), "no refresh within 10 s"


def settle(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        time.sleep(0.001)


def stale_function(source: Source, **options: Any) -> tuple[Any, Clock]:
    clock = Clock()

    @cached(ttl=10, stale=1000, timer=clock, **options)
    def price(symbol: str) -> int:
        return source.ask()

    assert price("A") == 1
    source.wait()
    clock.time = 20
    return price, clock


# ---- failures ----


def test_a_failing_refresh_waits_longer_each_time(waits: Clock) -> None:
    source = Source()
    price, _ = stale_function(source)
    source.error = ConnectionError("down")
    tried = []
    for tick in range(400):  # a quarter of a second each
        waits.time = tick / 4
        before = source.calls
        for _ in range(3):
            assert price("A") == 1
        if due(tick):
            source.wait()
            settle(lambda: not price.get_entry("A").error and idle(price))
            tried.append(tick / 4)
        assert source.calls - before == due(tick)
    assert tried == [0, 0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 31.75, 63.75]


def due(tick: int) -> bool:
    return tick in (0, 1, 3, 7, 15, 31, 63, 127, 255)


def idle(price: Any) -> bool:
    """Whether no refresh of its one record runs."""
    return price.cache._cache.peek(price.key("A")).attempts._running is None


def test_an_outage_is_logged_once_and_its_end_too(waits: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fastcore.cache")
    source = Source()
    price, clock = stale_function(source)
    for _ in range(2):
        source.error = ConnectionError("down")
        kept = price.peek("A")
        for _ in range(5):
            waits.time += 100
            assert price("A") == kept
            source.wait()
            settle(lambda: idle(price))
        source.error = None
        waits.time += 100
        old = price("A")
        source.wait()
        settle(lambda old=old: price.peek("A") != old)  # type: ignore[misc]
        settle(lambda: caplog.records[-1].levelname == "INFO")
        clock.time += 20
    messages = [(record.levelname, "succeeds again" in record.message) for record in caplog.records]
    assert messages == [("WARNING", False), ("INFO", True)] * 2
    assert "down" in caplog.text
    assert "price" in caplog.text


def test_another_outage_is_logged_after_callers_have_computed(waits: Clock, caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    price, clock = stale_function(source)
    for outage in range(1, 3):
        source.error = ConnectionError("down")
        price("A")
        source.wait()
        settle(lambda: idle(price))
        assert len(caplog.records) == outage
        source.error = None
        clock.time += 2000
        price("A")  # too old to be served: computed by the caller
        source.wait()
        clock.time += 20
        waits.time += 1000


def test_a_result_rejected_by_keep_if_leaves_the_old_one(waits: Clock) -> None:
    source = Source()
    price, _ = stale_function(source, keep_if=lambda value: value != 2)
    assert price("A") == 1
    source.wait()
    settle(lambda: idle(price))
    assert [price("A"), source.calls] == [1, 2]
    waits.time = 1
    assert price("A") == 1
    source.wait()
    settle(lambda: price("A") == 3)


def test_a_result_invalidated_during_its_refresh_is_not_cached() -> None:
    clock, started, gate = Clock(), threading.Event(), threading.Event()
    calls = 0

    @cached(ttl=10, stale=1000, timer=clock)
    def price(symbol: str) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            started.set()
            assert gate.wait(10)
        return calls

    price("A")
    clock.time = 20
    assert price("A") == 1
    assert started.wait(10)
    assert price.invalidate("A") is True
    assert price("A") == 3
    gate.set()
    settle(lambda: refresh._threads._idle > 0)
    assert price("A") == 3


def test_a_refresh_started_by_a_computation_waits_for_it() -> None:
    clock, computed, refreshing = Clock(), [], threading.Event()

    @cached(ttl=10, stale=1000, timer=clock)
    def rate(currency: str) -> int:
        if not clock.time:
            return 1
        refreshing.set()
        return price("A") + 1

    @cached(ttl=10, timer=clock)
    def price(symbol: str) -> int:
        computed.append(symbol)
        stale = rate("EUR")
        assert refreshing.wait(10)
        time.sleep(0.05)
        return 100 * stale

    rate("EUR")
    clock.time = 20
    assert price("A") == 100
    settle(lambda: rate("EUR") == 101)
    assert computed == ["A"]


def test_a_refresh_started_by_a_coroutine_waits_for_it() -> None:
    clock, computed = Clock(), []

    @cached(ttl=10, stale=1000, timer=clock)
    async def rate(currency: str) -> int:
        return await price("A") + 1 if clock.time else 1

    @cached(ttl=10, timer=clock)
    async def price(symbol: str) -> int:
        computed.append(symbol)
        stale = await rate("EUR")
        await asyncio.sleep(0.05)
        return 100 * stale

    async def main() -> None:
        await rate("EUR")
        clock.time = 20
        assert await price("A") == 100
        await asyncio.sleep(0.05)
        assert await rate("EUR") == 101

    asyncio.run(main())
    assert computed == ["A"]


# ---- no thread, another process, the end ----


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
    settle(lambda: price("A") == 2)


def test_one_idle_thread_does_not_hold_back_more_work() -> None:
    threads, both = refresh.Threads(2), threading.Barrier(2)
    ran = threading.Event()
    assert threads.submit(ran.set)
    assert ran.wait(10)
    settle(lambda: threads._idle == 1)
    met: list[int] = []
    with threads._changed:  # the idle thread wakes up after both were submitted
        assert threads.submit(lambda: met.append(both.wait(10)))
        assert threads.submit(lambda: met.append(both.wait(10)))
    settle(lambda: sorted(met) == [0, 1])


def test_threads_that_ended_for_lack_of_work_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "IDLE", 0.01)
    threads = refresh.Threads(2)
    for _ in range(5):
        ran: list[threading.Thread] = []
        assert threads.submit(lambda ran=ran: ran.append(threading.current_thread()))
        settle(lambda ran=ran: bool(ran))
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
    settle(lambda: len(running) == 2)
    gate.set()
    settle(lambda: [number.peek(n) for n in range(10)] == list(range(20, 30)))
    assert len(set(running)) == 2
    assert all(thread.daemon for thread in running)
    settle(lambda: not any(thread.is_alive() for thread in running))


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


# ---- event loops ----


def test_a_refresh_on_a_loop_that_was_closed_is_begun_again() -> None:
    clock, calls = Clock(), []

    @cached(ttl=10, stale=1000, timer=clock)
    async def price(symbol: str) -> int:
        calls.append(symbol)
        if len(calls) == 2:
            await asyncio.sleep(3600)
        return len(calls)

    async def ask() -> int:
        answer: int = await price("A")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return answer

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(ask()) == 1
    clock.time = 20
    assert loop.run_until_complete(ask()) == 1
    assert len(calls) == 2
    pending = asyncio.all_tasks(loop)
    loop.close()
    assert asyncio.run(ask()) == 1  # served, and begun again

    async def refreshed() -> None:
        while await price("A") != 3:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(refreshed(), 10))
    for task in pending:
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_failing_refresh_of_a_coroutine_function_backs_off(waits: Clock, caplog: pytest.LogCaptureFixture) -> None:
    clock, calls = Clock(), []

    @cached(ttl=10, stale=1000, timer=clock)
    async def price(symbol: str) -> int:
        calls.append(symbol)
        if 2 <= len(calls) <= 4:
            raise ConnectionError("down")
        return len(calls)

    async def ask(times: int) -> list[int]:
        answers = []
        for _ in range(times):
            answers.append(await price("A"))
            for _ in range(5):
                await asyncio.sleep(0)
        return answers

    async def main() -> None:
        assert await ask(1) == [1]
        clock.time = 20
        assert await ask(5) == [1] * 5
        assert len(calls) == 2
        waits.time = 0.25
        assert await ask(5) == [1] * 5
        assert len(calls) == 3
        waits.time = 10
        await ask(1)
        waits.time = 20
        assert await ask(3) == [1, 5, 5]

    asyncio.run(main())
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_loop_that_makes_no_task_leaves_the_stale_result(waits: Clock) -> None:
    clock, calls = Clock(), []

    @cached(ttl=10, stale=1000, timer=clock)
    async def price(symbol: str) -> int:
        calls.append(symbol)
        return len(calls)

    def refuse(loop: Any, coroutine: Any, **more: Any) -> Any:
        raise RuntimeError("no more tasks")

    async def main() -> None:
        await price("A")
        clock.time = 20
        loop = asyncio.get_running_loop()
        loop.set_task_factory(refuse)
        assert await price("A") == 1
        loop.set_task_factory(None)
        assert await price("A") == 1
        waits.time = 1
        assert await price("A") == 1
        await asyncio.sleep(0.01)
        assert await price("A") == 2

    asyncio.run(main())


# ---- what is kept alive ----


class Big:
    """Something of which a weak reference can be taken."""


def test_kept_errors_keep_no_locals_context_or_notes(backend: str) -> None:
    alive: list[weakref.ref[Big]] = []

    def local() -> Big:
        big = Big()
        alive.append(weakref.ref(big))
        return big

    @cached(negative_ttl=600)
    def fail(x: int) -> None:
        _big = local()
        raise LookupError(x) from ValueError("cause")

    @cached(negative_ttl=600)
    async def later(x: int) -> None:
        _big = local()
        raise LookupError(x) from ValueError("cause")

    def request(secret: str, call: Callable[[], object]) -> LookupError:
        _frame = local()
        try:
            try:
                raise KeyError(secret)
            except KeyError:
                call()
        except LookupError as error:
            error.add_note(f"note of {secret}")
            return error
        raise AssertionError

    for call in (lambda: fail(1), lambda: asyncio.run(later(1))):
        for secret in ("first", "second", "third"):
            error = request(secret, call)
            assert error.args == (1,)
            assert isinstance(error.__cause__, ValueError)
            notes = [note for note in error.__notes__ if note.startswith("note of")]
            assert notes == [f"note of {secret}"]
            context: BaseException | None = error
            while context is not None:
                assert context.args[0] in (1, "cause", secret)
                context = context.__cause__ or context.__context__
            del error, context
        gc.collect()
        assert [reference() for reference in alive] == [None] * len(alive)


@pytest.mark.parametrize("options", [{}, {"negative_ttl": 60}, {"ttl": 60, "stale": 60}])
def test_errors_make_no_cycles(options: dict[str, Any]) -> None:
    @cached(**options)
    def fail(x: int) -> None:
        raise LookupError(x)

    @cached(**options)
    async def later(x: int) -> None:
        raise LookupError(x)

    async def awaited() -> weakref.ref[Big]:
        return await request_later()

    def request() -> weakref.ref[Big]:
        big = Big()
        try:
            fail(1)
        except LookupError:
            pass
        return weakref.ref(big)

    async def request_later() -> weakref.ref[Big]:
        big = Big()
        try:
            await later(1)
        except LookupError:
            pass
        return weakref.ref(big)

    gc.collect()
    gc.disable()
    try:
        assert [request()() for _ in range(3)] == [None] * 3
        assert [asyncio.run(awaited())() for _ in range(3)] == [None] * 3
    finally:
        gc.enable()
