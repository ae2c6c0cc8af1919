"""The replies of the writing thread, and their waiters."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks import UnknownTask
from fastcore.tasks.ports import arrived
from fastcore.tasks.stores.sqlite.commit_reply import CommitReply, give
from fastcore.tasks.stores.sqlite.reader import Read
from fastcore.tasks.stores.sqlite.store import SqliteStore

LONG = 60.0


def test_a_value_that_is_there() -> None:
    answer: CommitReply[int] = CommitReply()
    assert not answer.done()
    answer.set_result(3)
    assert answer.done()
    assert answer.result() == 3
    assert answer.result(0) == 3
    seen: list[Any] = []
    answer.add_done_callback(seen.append)
    assert seen == [answer]


def test_an_error_is_raised_each_time() -> None:
    answer: CommitReply[int] = CommitReply()
    answer.set_exception(KeyError("no"))
    for _ in range(2):
        with pytest.raises(KeyError, match="no"):
            answer.result(LONG)


@pytest.mark.parametrize("waits", [True, False])
def test_a_question_that_failed_leaves_nothing_to_the_garbage_collector(tmp_path: Path, waits: bool) -> None:
    def left() -> set[int]:
        return {id(one) for one in gc.get_objects() if type(one) in (UnknownTask, Read)}

    store = SqliteStore(tmp_path / "tasks.db").open()
    gc.collect()
    gc.disable()
    before = left()
    try:

        async def ask() -> None:
            for n in range(20):
                try:
                    await arrived(store.get(f"{n:032d}"))
                except UnknownTask:
                    pass

        for n in range(20):
            with pytest.raises(UnknownTask):
                store.get(f"{n:032d}").result(LONG)
        if waits:
            asyncio.run(ask())
        deadline = time.monotonic() + LONG
        while left() - before:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # a thread lets go of a question a moment after it has answered
    finally:
        gc.enable()
        store.close()


def test_a_time_that_is_over() -> None:
    answer: CommitReply[int] = CommitReply()
    with pytest.raises(TimeoutError, match=r"within 0\.01 s, got none"):
        answer.result(0.01)
    with pytest.raises(TimeoutError):
        answer.result(-1)
    answer.set_result(1)  # which finds the lock of one that has gone
    assert answer.result(0.01) == 1


def test_every_thread_that_waits_is_woken() -> None:
    answers: list[CommitReply[int]] = [CommitReply() for _ in range(50)]
    got: list[int] = []
    threads = [threading.Thread(target=lambda one=one: got.append(one.result(LONG))) for one in answers * 2]
    for thread in threads:
        thread.start()
    give(zip(answers, range(50)))
    for thread in threads:
        thread.join(LONG)
    assert sorted(got) == sorted([*range(50)] * 2)


def test_a_waiter_that_registers_during_delivery_is_called_once() -> None:
    """Without a lock, the registering waiter and the replying thread must neither miss each other nor both wake."""
    for _ in range(300):
        answer: CommitReply[int] = CommitReply()
        told: list[int] = []
        go = threading.Barrier(2)

        def enter(answer: CommitReply[int] = answer, go: threading.Barrier = go, told: list[int] = told) -> None:
            go.wait()
            for _ in range(5):
                answer.add_done_callback(lambda _: told.append(1))

        thread = threading.Thread(target=enter)
        thread.start()
        go.wait()
        answer.set_result(1)
        thread.join()
        assert len(told) == 5


def test_a_call_that_fails_does_not_stop_the_next(caplog: pytest.LogCaptureFixture) -> None:
    answer: CommitReply[int] = CommitReply()
    seen: list[Any] = []
    answer.add_done_callback(lambda _: 1 // 0)
    answer.add_done_callback(seen.append)
    answer.set_result(1)
    assert seen == [answer]
    assert "ZeroDivisionError" in caplog.text


def wakeups_of(loop: asyncio.AbstractEventLoop) -> list[Any]:
    """The calls of `loop.call_soon_threadsafe` from now on."""
    calls: list[Any] = []
    unchanged = loop.call_soon_threadsafe

    def counted(*args: Any) -> Any:
        calls.append(args)
        return unchanged(*args)

    loop.call_soon_threadsafe = counted  # type: ignore[assignment]
    return calls


def test_a_loop_is_woken_once_for_many() -> None:
    async def scenario() -> tuple[list[int], int]:
        loop = asyncio.get_running_loop()
        calls = wakeups_of(loop)
        answers: list[CommitReply[int]] = [CommitReply() for _ in range(30)]
        waiting = [asyncio.ensure_future(arrived(one)) for one in answers]
        await asyncio.sleep(0)
        thread = threading.Thread(target=give, args=(list(zip(answers, range(30))),))
        thread.start()
        found = await asyncio.wait_for(asyncio.gather(*waiting), LONG)
        thread.join()
        return found, len(calls)

    assert asyncio.run(scenario()) == (list(range(30)), 1)


async def turned(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop run all its scheduled callbacks."""
    for _ in range(3):
        done = loop.create_future()
        loop.call_soon_threadsafe(done.set_result, None)
        await done


def test_a_callback_runs_on_its_loop_when_the_result_arrives() -> None:
    async def scenario() -> list[tuple[int, int]]:
        loop = asyncio.get_running_loop()
        answer: CommitReply[int] = CommitReply()
        called: list[tuple[int, int]] = []
        answer.call_on(loop, lambda: called.append((threading.get_ident(), answer.result(0))))
        await turned(loop)
        assert called == []
        thread = threading.Thread(target=answer.set_result, args=(4,))
        thread.start()
        thread.join()
        await turned(loop)
        return called

    assert asyncio.run(scenario()) == [(threading.get_ident(), 4)]


def test_a_callback_runs_if_the_result_arrived_before() -> None:
    async def scenario() -> list[BaseException | None]:
        loop = asyncio.get_running_loop()
        answer: CommitReply[int] = CommitReply()
        error = KeyError("no")
        answer.set_exception(error)
        called: list[BaseException | None] = []
        answer.call_on(loop, lambda: called.append(answer.error()))
        assert called == []  # on the loop, as ever, and not at once
        await turned(loop)
        assert called == [error]
        return called

    assert len(asyncio.run(scenario())) == 1


def test_a_function_for_a_loop_that_was_closed_is_passed_over() -> None:
    called: list[int] = []
    answers: list[CommitReply[int]] = [CommitReply() for _ in range(3)]

    async def enter() -> None:
        for answer in answers[:2]:
            answer.call_on(asyncio.get_running_loop(), lambda: called.append(1))

    asyncio.run(enter())
    answers[0].set_result(1)
    closed = asyncio.new_event_loop()
    closed.close()
    give([(answers[1], 2), (answers[2], 3)], [(closed, lambda: called.append(2))])
    assert [answer.result(0) for answer in answers] == [1, 2, 3]
    assert called == []


def test_functions_futures_and_wakeups_wake_a_loop_once_in_order() -> None:
    async def scenario() -> tuple[list[str], int]:
        loop = asyncio.get_running_loop()
        answers: list[CommitReply[int]] = [CommitReply() for _ in range(3)]
        order: list[str] = []

        async def wait(answer: CommitReply[int]) -> None:
            await arrived(answer)
            order.append("awaited")

        answers[0].call_on(loop, lambda: order.append("first"))
        waiting = asyncio.ensure_future(wait(answers[1]))
        answers[2].call_on(loop, lambda: order.append("last"))
        await asyncio.sleep(0)
        calls = wakeups_of(loop)
        bells = [(loop, lambda: order.append("then")), (loop, lambda: order.append("then again"))]
        thread = threading.Thread(target=give, args=(list(zip(answers, range(3))), bells))
        thread.start()
        await asyncio.wait_for(waiting, LONG)
        thread.join()
        return order, len(calls)

    # Who awaits is told with the others, and runs a turn later, as a task does.
    assert asyncio.run(scenario()) == (["first", "last", "then", "then again", "awaited"], 1)


def test_wakeups_run_without_waiters() -> None:
    async def scenario() -> list[int]:
        loop = asyncio.get_running_loop()
        answer: CommitReply[int] = CommitReply()
        rung: list[int] = []
        give([(answer, 1)], [(loop, lambda: rung.append(answer.result(0)))])
        await turned(loop)
        return rung

    assert asyncio.run(scenario()) == [1]


def test_each_loop_gets_its_own_replies() -> None:
    answers: list[CommitReply[int]] = [CommitReply() for _ in range(20)]
    ready = threading.Barrier(3)
    told: dict[int, list[int]] = {0: [], 1: []}

    def live(which: int) -> None:
        async def scenario() -> None:
            loop = asyncio.get_running_loop()
            done = asyncio.Event()
            its = told[which]

            def hear(answer: CommitReply[int]) -> None:
                its.append(answer.result(0))
                if len(its) == 10:
                    done.set()

            for answer in answers[which::2]:
                answer.call_on(loop, lambda answer=answer: hear(answer))  # type: ignore[misc]
            ready.wait(LONG)
            await asyncio.wait_for(done.wait(), LONG)

        asyncio.run(scenario())

    threads = [threading.Thread(target=live, args=(which,)) for which in told]
    for thread in threads:
        thread.start()
    ready.wait(LONG)
    give(zip(answers, range(20)))
    for thread in threads:
        thread.join(LONG)
    assert told == {0: [*range(0, 20, 2)], 1: [*range(1, 20, 2)]}


def test_an_error_in_a_batch_affects_only_its_own_request() -> None:
    answers: list[CommitReply[int]] = [CommitReply() for _ in range(3)]
    error = KeyError("no")
    give(zip(answers, [1, error, 3]))
    assert [answer.error() for answer in answers] == [None, error, None]
    assert (answers[0].result(0), answers[2].result(0)) == (1, 3)
    with pytest.raises(KeyError, match="no"):
        answers[1].result(0)


def test_a_cancelled_waiter_does_not_affect_others() -> None:
    async def scenario() -> int:
        answer: CommitReply[int] = CommitReply()
        gone, stays = asyncio.ensure_future(arrived(answer)), asyncio.ensure_future(arrived(answer))
        await asyncio.sleep(0)
        gone.cancel()
        answer.set_result(7)
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await asyncio.wait_for(stays, LONG)

    assert asyncio.run(scenario()) == 7


def test_a_loop_that_was_closed_is_passed_over() -> None:
    answer: CommitReply[int] = CommitReply()

    async def enter() -> None:
        waiting = asyncio.ensure_future(answer.arrive())
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(enter())
    answer.set_result(2)
    assert answer.result() == 2


def test_it_waits_without_using_a_processor() -> None:
    answer: CommitReply[int] = CommitReply()
    timer = threading.Timer(0.2, answer.set_result, (1,))
    timer.start()
    began = time.thread_time()
    assert answer.result(LONG) == 1
    assert time.thread_time() - began < 0.1
    timer.join()
