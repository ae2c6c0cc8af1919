"""What a task raises or cancels costs that task only, and what it leaves behind no other task sees."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from fastcore.concurrency import Retry, map_async
from fastcore.tasks import State, TaskQueue, TaskView, UnknownTask, progress
from tests.loops import STANDARD_LOOPS, factory_of
from tests.tasks.queue_cases import LONG, SOON, run, until

SURROGATE = "caf\udce9"  # as os.listdir gives a name that is not UTF-8
ESCAPED = r"caf\udce9"


class RaisingMeta(type):
    """A class that cannot be asked for anything."""

    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def __repr__(cls) -> str:
        raise RuntimeError("no repr")


class NamelessError(Exception, metaclass=RaisingMeta):
    pass


class MuteError(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


class ClasslessError(Exception):
    @property
    def __class__(self) -> Any:
        raise SystemExit

    @__class__.setter
    def __class__(self, value: Any) -> None: ...


class OddStr(str):
    def __getitem__(self, key: Any) -> Any:
        raise RuntimeError("no slice")

    def encode(self, *_: Any) -> bytes:
        raise RuntimeError("no bytes")


class OddTextError(Exception):
    def __str__(self) -> str:
        return OddStr("odd")


class OddRetryAfterError(Exception):
    @property
    def retry_after(self) -> float:
        raise GeneratorExit


def named_oddly(qualname: str, module: Any) -> Exception:
    kind = type("OddError", (Exception,), {})
    kind.__qualname__ = qualname
    kind.__module__ = module
    error: Exception = kind("x")
    return error


ERRORS: list[Callable[[], BaseException]] = [
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    asyncio.CancelledError,
    NamelessError,
    MuteError,
    ClasslessError,
    OddTextError,
    OddRetryAfterError,
    lambda: BaseExceptionGroup("many", [KeyboardInterrupt(), ValueError()]),
    lambda: ValueError(SURROGATE),
    lambda: named_oddly(SURROGATE, "x"),
    lambda: named_oddly("Error", 5),
]


@pytest.mark.parametrize("on", ["at once", "later", "thread"])
def test_any_error_ends_only_its_task(make: Callable[..., TaskQueue], on: str) -> None:
    queue = make(workers={"async": 1, "thread": 1})

    async def at_once(n: int) -> None:
        raise ERRORS[n]()

    async def later(n: int) -> None:
        await asyncio.sleep(0)
        raise ERRORS[n]()

    def on_a_thread(n: int) -> None:
        raise ERRORS[n]()

    bad = queue.task({"at once": at_once, "later": later}.get(on, on_a_thread), name="bad", retries=SOON)
    good = queue.task(int, name="good") if on == "thread" else queue.task(asyncio.sleep, name="good")

    queue.start()
    try:
        ids = [id for n in range(len(ERRORS)) for id in (queue.submit(bad, n), queue.submit(good, 0))]
        for id in ids[1::2]:
            queue.result(id, LONG)
        views = [asyncio.run(queue.wait(id, LONG)) for id in ids[::2]]
        assert {view.state for view in views} <= {State.FAILED, State.DEAD}
        for view in views:
            assert view.error is not None
            assert {type(text) for text in view.error} == {str}
            "".join(view.error).encode()
        assert queue.running
    finally:
        queue.stop()


def test_a_failure_is_stored_as_valid_text(make: Callable[..., TaskQueue]) -> None:
    queue = make()

    @queue.task(retries=0)
    async def bad(kind: str) -> None:
        progress(0.5, f"reading {SURROGATE}")
        await asyncio.sleep(0.1)
        raise ValueError(SURROGATE) if kind == "text" else named_oddly(SURROGATE, SURROGATE)

    async def scenario() -> None:
        async with queue:
            text = await queue.wait(queue.submit(bad, "text"), LONG)
            name = await queue.wait(queue.submit(bad, "name"), LONG)
        assert text.error is not None
        assert name.error is not None
        assert text.error.text == ESCAPED
        assert name.error.type == f"{ESCAPED}.{ESCAPED}"
        assert {text.note, name.note} <= {f"reading {ESCAPED}", ""}

    run(scenario)


@pytest.mark.parametrize("name", ["unique_key", "idempotency_key", "fingerprint"])
def test_keys_that_cannot_be_stored_are_refused_where_they_are_given(name: str) -> None:
    task = TaskQueue().task(int, name="good", on="thread")
    with pytest.raises(ValueError, match=f"{name}: expected text that can be stored as UTF-8, got 'caf"):
        task.configure(**{name: SURROGATE})


def test_names_that_cannot_be_stored_match_no_task(make: Callable[..., TaskQueue]) -> None:
    queue = make()
    queue.submit(queue.task(int, name="good", on="thread"), 5)
    for ask in (queue.status, queue.cancel):
        with pytest.raises(UnknownTask):
            ask(SURROGATE)
    for name in ("kind", "group"):
        assert queue.find(**{name: SURROGATE}) == []
    assert queue.retry_dead([SURROGATE]) == queue.retry_dead(task=SURROGATE) == []
    assert queue.unschedule(SURROGATE) is False
    assert queue.resume(SURROGATE) is False
    assert len(queue.find()) == 1


def test_an_interrupt_in_a_task_that_a_job_began_leaves_the_queue_running(
    make: Callable[..., TaskQueue], caplog: pytest.LogCaptureFixture
) -> None:
    queue = make()

    async def interrupt() -> None:
        raise KeyboardInterrupt

    @queue.task(retries=0)
    async def begins() -> None:
        await asyncio.create_task(interrupt())

    @queue.task
    async def good() -> int:
        await asyncio.sleep(0)
        return 1

    queue.start()
    try:
        with caplog.at_level(logging.ERROR, "fastcore.tasks"):
            bad = queue.submit(begins)
            assert queue.result(queue.submit(good), LONG) == 1
        view = asyncio.run(queue.wait(bad, LONG))
        assert view.error is not None
        assert (view.state, view.error.type) == (State.FAILED, "KeyboardInterrupt")
    finally:
        queue.stop()


def test_hooks_that_raise_anything_change_nothing(make: Callable[..., TaskQueue]) -> None:
    queue = make()
    queue.on("success", lambda event: exec("raise SystemExit"))
    queue.on("start", lambda event: exec("raise KeyboardInterrupt"))

    @queue.task
    async def good() -> int:
        return 1

    queue.start()
    try:
        assert [queue.result(queue.submit(good), LONG) for _ in range(3)] == [1, 1, 1]
    finally:
        queue.stop()


# ---- cancellation ----


async def fails() -> None:
    await asyncio.sleep(0)
    raise ConnectionError


async def fails_in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fails())
        group.create_task(asyncio.sleep(LONG))


async def handles_a_group() -> str:
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await map_async(_fail, [1, 2])
    with pytest.raises(ExceptionGroup):
        await fails_in_a_group()
    return "handled"


async def _fail(n: int) -> None:
    await fails()


async def handles_scopes() -> str:
    with anyio.move_on_after(0.001):
        await anyio.sleep(LONG)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anyio.sleep(LONG)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(LONG)
    return "handled"


async def swallows() -> str:
    me = asyncio.current_task()
    assert me is not None
    me.cancel()
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        pass
    return "handled"


async def asks_at_the_end() -> str:
    me = asyncio.current_task()
    assert me is not None
    me.cancel()
    return "handled"


async def cancels_itself() -> None:
    await asks_at_the_end()
    await asyncio.sleep(LONG)


async def cancels_itself_after_a_group() -> None:
    await handles_a_group()
    await cancels_itself()


async def awaits_what_was_cancelled() -> None:
    other = asyncio.create_task(asyncio.sleep(LONG))
    other.cancel()
    await other


async def is_cancelled_by_its_child() -> None:
    me = asyncio.current_task()
    assert me is not None

    async def watchdog() -> None:
        me.cancel()

    child = asyncio.create_task(watchdog())
    await asyncio.sleep(LONG)
    await child


@pytest.fixture(params=STANDARD_LOOPS)
def loop(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any]], None]:
    def go(scenario: Callable[[], Any]) -> None:
        with asyncio.Runner(loop_factory=factory_of(request.param)) as runner:
            runner.run(asyncio.wait_for(scenario(), LONG))

    return go


@pytest.mark.parametrize(
    ("fn", "state", "text"),
    [
        (handles_a_group, State.SUCCEEDED, ""),
        (handles_scopes, State.SUCCEEDED, ""),
        (swallows, State.SUCCEEDED, ""),
        (asks_at_the_end, State.SUCCEEDED, ""),
        (fails_in_a_group, State.DEAD, "ExceptionGroup"),
        (cancels_itself, State.FAILED, "asyncio.exceptions.CancelledError"),
        (cancels_itself_after_a_group, State.FAILED, "asyncio.exceptions.CancelledError"),
        (awaits_what_was_cancelled, State.FAILED, "asyncio.exceptions.CancelledError"),
        (is_cancelled_by_its_child, State.FAILED, "asyncio.exceptions.CancelledError"),
    ],
)
@pytest.mark.parametrize("workers", [1, 4])
def test_a_job_s_cancellations_are_its_own(loop: Any, fn: Any, state: State, text: str, workers: int) -> None:
    queue = TaskQueue(workers={"async": workers})
    task = queue.task(fn, name="odd", retries=Retry(2, base=0.0))

    @queue.task
    async def good() -> int:
        me = asyncio.current_task()
        assert me is not None
        assert not me.cancelling()
        async with asyncio.timeout(LONG):
            await asyncio.sleep(0)
        return 1

    async def scenario() -> None:
        async with queue:
            for _ in range(3):
                odd, plain = queue.submit(task), queue.submit(good)
                assert await queue.aresult(plain, LONG) == 1
                view = await queue.wait(odd, LONG)
                assert (view.state, "" if view.error is None else view.error.type) == (state, text)

    loop(scenario)


@pytest.mark.parametrize("fn", [handles_a_group, swallows])
def test_after_its_own_cancellations_a_job_is_still_stopped(loop: Any, fn: Any) -> None:
    queue = TaskQueue(workers={"async": 1}, drain=0.0)
    begun: list[int] = []

    @queue.task(retries=0)
    async def endless() -> None:
        await fn()
        begun.append(1)
        await asyncio.sleep(LONG)

    async def scenario() -> None:
        async with queue:
            slow = queue.submit(endless.configure(timeout=0.05))
            view = await queue.wait(slow, LONG)
            assert view.error is not None
            assert view.error.type == "fastcore.tasks.errors.TaskTimeout"
            running = queue.submit(endless)
            while len(begun) < 2:
                await asyncio.sleep(0)
            queue.cancel(running)
            assert (await queue.wait(running, LONG)).state is State.CANCELLED
            queue.submit(endless)
            while len(begun) < 3:
                await asyncio.sleep(0)
            assert await queue.drain(0.0) is False
        counts = queue.store.counts().result()  # given back with its attempt
        assert counts["endless"][State.QUEUED] == 1

    loop(scenario)


def test_a_loop_that_ends_without_stopping_its_queue_does_not_hang() -> None:
    queue = TaskQueue()
    begun: list[int] = []

    @queue.task
    async def endless() -> None:
        begun.append(1)
        await asyncio.sleep(LONG)

    async def scenario() -> None:
        await queue.astart()
        queue.submit_many([(endless, ())] * 3)
        while len(begun) < 3:
            await asyncio.sleep(0)

    asyncio.run(scenario())  # it cancels all tasks, and waits for their ends
    queue.close()
    assert len(begun) == 3


# ---- context ----


@pytest.mark.parametrize("on", ["async", "thread"])
@pytest.mark.parametrize("waits", [False, True])
def test_every_job_has_a_context_of_its_own(make: Callable[..., TaskQueue], on: str, waits: bool) -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="none")
    queue = make(workers={on: 1})

    def enter(name: str) -> str:
        before = tenant.get()
        tenant.set(name)
        return before

    async def enter_later(name: str) -> list[str]:
        before = enter(name)
        if waits:
            await asyncio.sleep(0)
        await asyncio.create_task(asyncio.sleep(0))  # a child begins with a copy
        return [before, tenant.get()]

    def enter_on_a_thread(name: str) -> list[str]:
        return [enter(name), tenant.get()]

    task = queue.task(enter_later if on == "async" else enter_on_a_thread, name="enter")

    async def scenario() -> None:
        tenant.set("service")
        async with queue:
            ids = [await queue.asubmit(task, f"t{n}") for n in range(6)]
            assert [await queue.aresult(id, LONG) for id in ids] == [["none", f"t{n}"] for n in range(6)]

    run(scenario)


def test_a_failed_job_leaves_no_context_either(make: Callable[..., TaskQueue]) -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="none")
    queue = make(workers={"async": 1})
    seen: list[str] = []

    @queue.task(retries=0)
    async def leave(how: str) -> None:
        seen.append(tenant.get())
        tenant.set("left")
        await asyncio.sleep(0)
        if how == "cancel":
            await cancels_itself()
        raise ValueError(how)

    async def scenario() -> None:
        async with queue:
            views: list[TaskView] = []
            for how in ("cancel", "raise", "cancel", "raise"):
                views.append(await queue.wait(queue.submit(leave, how), LONG))
            assert [view.state for view in views] == [State.FAILED] * 4
        assert seen == ["none"] * 4

    run(scenario)


class Large: ...


@pytest.mark.parametrize("kind", ["thread", "async", "async in a thread"])
def test_what_a_function_held_is_let_go_when_it_has_failed(
    make: Callable[..., TaskQueue], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("fastcore.tasks"), "disabled", True)  # pytest keeps records, and their errors
    held: list[weakref.ref[Large]] = []

    def fail() -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise OSError("no room")

    async def fail_later() -> None:
        await asyncio.sleep(0)
        if kind == "async":
            fail()
        await asyncio.to_thread(fail)

    queue = make(workers={"thread": 1, "async": 1})
    task: Any = queue.task(fail if kind == "thread" else fail_later, name="fail", retries=0)

    async def scenario() -> None:
        async with queue:
            id = await queue.asubmit(task)
            while (await asyncio.to_thread(queue.status, id)).state in (State.QUEUED, State.RUNNING):
                await asyncio.sleep(0.01)
            await until(lambda: held[0]() is None)

    gc.disable()  # the error and the frames of its traceback must not need a collection
    try:
        run(scenario)
    finally:
        gc.enable()
