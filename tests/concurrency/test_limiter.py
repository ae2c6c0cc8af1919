"""Limiter: its rules under a clock told by the test, then its queue of real threads and tasks."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_loop import run

from fastcore.concurrency import Limiter
from fastcore.concurrency.limiter import Turns
from tests.waiting import until

# ---- the rules ----


@given(
    st.none() | st.integers(1, 4),
    st.integers(1, 5),
    st.floats(0.1, 10),
    st.lists(st.tuples(st.sampled_from(["join", "leave", "release", "wait"]), st.floats(0, 3)), max_size=120),
)
def test_no_window_exceeds_the_rate_and_no_caller_is_overtaken(
    concurrency: int | None, calls: int, period: float, steps: list[tuple[str, float]]
) -> None:
    turns: Turns[int] = Turns(concurrency, calls, period)
    now, next_name, starts = 50.0, 0, []
    waiting: list[int] = []
    for what, amount in steps:
        if what == "join":
            turns.join(next_name)
            waiting.append(next_name)
            next_name += 1
        elif what == "leave" and waiting:
            turns.leave(waiting.pop(int(amount * 7) % len(waiting)))
        elif what == "release" and turns.in_flight:
            turns.release()
        elif what == "wait":
            now += amount
        admitted = turns.admit(now)
        assert admitted == waiting[: len(admitted)]
        del waiting[: len(admitted)]
        starts += [now] * len(admitted)
        assert len(turns) == len(waiting)
        assert concurrency is None or turns.in_flight <= concurrency
        assert all(late >= early + period for early, late in zip(starts, starts[calls:]))
        if waiting:  # and none waits who need not
            full = concurrency is not None and turns.in_flight == concurrency
            assert (turns.wait(now) is None) == full
            assert full or starts[-calls] + period > now


def test_the_wait_is_the_rest_of_the_window() -> None:
    turns: Turns[str] = Turns(None, 2, 10.0)
    for who in "abc":
        turns.join(who)
    assert turns.admit(100.0) == ["a", "b"]
    assert turns.wait(104.0) == 6.0
    assert turns.admit(109.9) == []
    assert turns.admit(110.0) == ["c"]
    assert turns.wait(110.0) is None


# ---- tasks ----


def test_tasks_begin_in_order_and_within_the_rate() -> None:
    async def main() -> list[tuple[int, float]]:
        loop = asyncio.get_running_loop()
        limiter = Limiter(calls=3, period=10, clock=loop.time)
        began = []

        async def call(n: int) -> None:
            async with limiter:
                began.append((n, loop.time()))

        await asyncio.gather(*map(call, range(9)))
        return began

    began = run(main())
    assert [n for n, _ in began] == list(range(9))
    assert [round(at) for _, at in began] == [0, 0, 0, 10, 10, 10, 20, 20, 20]


@pytest.mark.parametrize("seed", range(10))
def test_bounds_hold_under_cancellation_and_nothing_leaks(seed: int) -> None:
    rng = random.Random(seed)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        limiter = Limiter(3, calls=5, period=1.0, clock=loop.time)
        running, most, starts = 0, 0, []

        async def call() -> None:
            nonlocal running, most
            async with limiter:
                starts.append(loop.time())
                running += 1
                most = max(most, running)
                try:
                    await asyncio.sleep(rng.random())
                finally:
                    running -= 1

        tasks = []
        for _ in range(150):
            tasks.append(asyncio.create_task(call()))
            await asyncio.sleep(rng.random() * 0.1)
            if rng.random() < 0.4:
                rng.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (limiter.in_flight, limiter.waiting, most) == (0, 0, 3)
        assert all(late >= early + 1.0 for early, late in zip(starts, starts[5:]))

    run(main())


def test_a_waiter_cancelled_at_its_turn_passes_the_turn_on() -> None:
    async def main() -> None:
        limiter = Limiter(1)
        await limiter.aacquire()
        first, second = (asyncio.create_task(limiter.aacquire()) for _ in range(2))
        await asyncio.sleep(0)
        limiter.release()  # first's turn, of which it will only hear in the loop's next round
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
        assert (limiter.in_flight, limiter.waiting) == (1, 0)

    asyncio.run(main())


@pytest.mark.parametrize("how", ["cancel", "time-out"])
@pytest.mark.parametrize("concurrency", [None, 3])
def test_when_the_head_of_an_idle_limiter_leaves_the_next_ones_still_begin(how: str, concurrency: int | None) -> None:
    """Only the head waits on the clock: with no call in flight, no other event would wake the others."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        limiter = Limiter(concurrency, calls=2, period=10, clock=loop.time)
        for _ in range(2):
            await limiter.aacquire()
            limiter.release()
        began: list[tuple[int, float]] = []

        async def call(n: int) -> None:
            async with limiter:
                began.append((n, loop.time()))

        async def first() -> None:
            async with asyncio.timeout(3 if how == "time-out" else None):
                await limiter.aacquire()

        head = asyncio.create_task(first())
        await asyncio.sleep(1)
        others = [asyncio.create_task(call(n)) for n in range(4)]
        await asyncio.sleep(1)
        assert limiter.in_flight == 0
        if how == "cancel":
            head.cancel()
        await asyncio.wait([head, *others[:2]])
        assert [n for n, _ in began] == [0, 1]
        others[2].cancel()  # the new head, again with no call in flight
        await asyncio.wait([others[3]])
        assert [n for n, _ in began] == [0, 1, 3]
        assert limiter.waiting == 0
        assert limiter.in_flight == 0

    run(asyncio.wait_for(main(), 1000))


def test_when_a_thread_at_the_head_gives_up_the_next_one_still_begins() -> None:
    clock = [0.0]
    limiter = Limiter(calls=1, period=5, clock=lambda: clock[0])
    assert limiter.try_acquire()
    limiter.release()
    ended: list[tuple[str, bool]] = []
    head = threading.Thread(target=lambda: ended.append(("head", limiter.acquire(timeout=0.05))))
    head.start()
    until(lambda: limiter.waiting == 1)
    following = threading.Thread(target=lambda: ended.append(("next", limiter.acquire(timeout=30))))
    following.start()
    head.join(20)
    assert ended == [("head", False)]
    clock[0] = 6.0
    limiter.try_acquire()  # anyone who comes serves those who wait first
    following.join(20)
    assert ended[1:] == [("next", True)]


def test_a_shielded_drain_continues_when_its_waiter_is_cancelled() -> None:
    async def main() -> None:
        limiter = Limiter(1)
        await limiter.aacquire()

        async def drain() -> str:
            async with limiter:
                return "drained"

        shared = asyncio.create_task(drain())
        waiters = [asyncio.ensure_future(asyncio.shield(shared)) for _ in range(3)]
        await asyncio.sleep(0)
        waiters[0].cancel()
        await asyncio.sleep(0)
        limiter.release()
        assert await waiters[1] == await waiters[2] == "drained"
        assert (limiter.in_flight, limiter.waiting) == (0, 0)

    run(main())


def test_a_newcomer_does_not_pass_the_queue() -> None:
    async def main() -> None:
        limiter = Limiter(1)
        await limiter.aacquire()
        waiter = asyncio.create_task(limiter.aacquire())
        await asyncio.sleep(0)
        limiter.release()
        assert not limiter.try_acquire()
        await waiter

    asyncio.run(main())


def test_an_error_inside_ends_the_turn() -> None:
    async def main() -> None:
        limiter = Limiter(1)
        for _ in range(3):
            with pytest.raises(KeyError):
                async with limiter:
                    raise KeyError
        assert limiter.in_flight == 0

    asyncio.run(main())


def test_a_loop_that_was_closed_under_its_waiters_does_not_block_the_others() -> None:
    limiter = Limiter(1)
    limiter.acquire()
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(limiter.aacquire()) for _ in range(3)]
    loop.run_until_complete(asyncio.sleep(0))
    assert limiter.waiting == 3
    loop.close()
    thread = threading.Thread(target=limiter.acquire)
    thread.start()
    until(lambda: limiter.waiting == 4)
    limiter.release()
    thread.join(20)
    assert not thread.is_alive()
    assert limiter.in_flight == 1
    for task in tasks:  # what the closed loop left behind may not complain either
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()  # type: ignore[union-attr]
    assert (limiter.in_flight, limiter.waiting) == (1, 0)


# ---- threads ----


def test_threads_and_tasks_stand_in_one_queue() -> None:
    limiter, order = Limiter(1), []
    limiter.acquire()

    def block(name: str) -> None:
        with limiter:
            order.append(name)

    async def wait(name: str) -> None:
        async with limiter:
            order.append(name)

    threads = []
    for n in range(8):
        name = f"{n}"
        target: Any = block if n % 2 else lambda name=name: asyncio.run(wait(name))
        threads.append(threading.Thread(target=target, args=(name,) if n % 2 else ()))
        threads[-1].start()
        until(lambda n=n: limiter.waiting == n + 1)  # type: ignore[misc]
    limiter.release()
    for thread in threads:
        thread.join(20)
    assert order == [str(n) for n in range(8)]
    assert (limiter.in_flight, limiter.waiting) == (0, 0)


def test_threads_keep_the_rate() -> None:
    starts = []
    limiter = Limiter(2, calls=4, period=0.05)
    admit = limiter._turns.admit

    def noted(now: float) -> Any:
        admitted = admit(now)
        starts.extend([now] * len(admitted))
        return admitted

    limiter._turns.admit = noted  # type: ignore[method-assign]
    inside, most, lock = [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(6):
            with limiter:
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with lock:
                    inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(starts) == 30
    assert most[0] <= 2
    assert all(late >= early + 0.05 for early, late in zip(starts, starts[4:]))


def test_a_timeout_leaves_the_queue() -> None:
    limiter = Limiter(1)
    assert limiter.acquire(timeout=0)
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(limiter.acquire(timeout=0.02)))
    thread.start()
    thread.join(20)
    assert got == [False]
    assert (limiter.in_flight, limiter.waiting) == (1, 0)
    limiter.release()
    assert limiter.try_acquire()


def test_blocking_the_event_loop_is_refused() -> None:
    async def main() -> None:
        with Limiter(1):
            pass

    with pytest.raises(RuntimeError, match="use `async with`"):
        asyncio.run(main())


def test_releasing_without_a_holder_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="release: expected a turn that was acquired, got none in flight"):
        Limiter(1).release()


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({}, ValueError, "Limiter: expected concurrency, calls or both, got neither"),
        ({"concurrency": 0}, ValueError, "concurrency: expected an int >= 1, got 0"),
        ({"calls": "3"}, TypeError, "calls: expected an int >= 1, got str"),
        ({"calls": 1, "period": 0}, ValueError, "period: expected a finite number > 0, got 0"),
        ({"calls": 1, "clock": 0}, TypeError, "clock: expected a callable, got int"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^{text}$"):
        Limiter(**options)


def test_a_destructor_may_release_in_the_middle_of_another_call() -> None:
    clock = iter(range(1000))

    class Dropped:
        """Stands for an object that is destroyed while a limiter is at work."""

        def __init__(self) -> None:
            self.armed = False

        def now(self) -> float:
            if self.armed:
                self.armed = False
                limiter.release()
            return float(next(clock))

    dropped = Dropped()
    limiter = Limiter(1, clock=dropped.now)
    assert limiter.try_acquire()
    dropped.armed = True
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(limiter.try_acquire()), daemon=True)
    thread.start()
    thread.join(60)
    assert taken == [True]
    assert limiter.in_flight == 1
