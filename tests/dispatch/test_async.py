"""A Switch between async functions: the await is what is timed and what fails; every test runs on both twins."""

from __future__ import annotations

import asyncio
import collections.abc
import gc
import inspect
import sys
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import Switch, flags

Make = Callable[..., Switch[..., Any]]


async def control(x: int, *, pause: float = 0.0) -> tuple[str, int]:
    """Slowly."""
    await asyncio.sleep(pause)
    return "control", x


async def fast(x: int, *, pause: float = 0.0) -> tuple[str, int]:
    return "candidate", x


def test_it_is_awaited_like_its_control(make: Make) -> None:
    switch: Any = make(control, fast)
    assert inspect.iscoroutinefunction(switch)
    assert asyncio.iscoroutinefunction(switch)

    async def main() -> None:
        assert await switch(1) == ("control", 1)
        flags.set(switch.flag, "candidate")
        assert await switch(2) == ("candidate", 2)
        assert await switch.call_for("key", 3) == ("candidate", 3)
        flags.set(switch.flag, "ramp:50")
        assert {(await switch(4))[0] for _ in range(100)} == {"control", "candidate"}

    asyncio.run(main())
    report = switch.report()
    assert report.control.calls + report.candidate.calls == 103
    assert report.control.timed == report.control.calls  # unless told, every await is timed


def test_the_timing_covers_the_await(make: Make) -> None:
    switch = make(control)

    async def main() -> float:
        waiting = switch(1, pause=0.01)
        time.sleep(0.05)  # made, not yet awaited
        began = time.perf_counter()
        await waiting
        return time.perf_counter() - began

    took = asyncio.run(main())
    assert 0.0098 <= switch.report().control.p50 <= 1.02 * took  # known within 1 %


def test_the_arm_is_chosen_by_the_call(make: Make) -> None:
    switch = make(control, fast)

    async def main() -> tuple[str, int]:
        waiting = switch(1)
        flags.set(switch.flag, "candidate")
        return await waiting  # type: ignore[no-any-return]

    assert asyncio.run(main())[0] == "control"


def test_tasks_gather_and_timeouts(make: Make) -> None:
    switch = make(control)

    async def main() -> None:
        tasks = [asyncio.create_task(switch(i, pause=0.001), name=str(i)) for i in range(20)]
        assert await asyncio.gather(*tasks) == [("control", i) for i in range(20)]
        assert await asyncio.gather(switch(1), switch(2)) == [("control", 1), ("control", 2)]
        assert await asyncio.wait_for(switch(3), 1) == ("control", 3)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(switch(3, pause=10), 0.01)

    asyncio.run(main())
    assert asyncio.run(switch(9)) == ("control", 9)
    report = switch.report().control
    assert (report.calls, report.errors) == (25, 0)  # a cancellation is not the arm's error
    assert report.timed == 24


def test_errors_of_the_await_are_raised_and_counted(make: Make) -> None:
    error = ZeroDivisionError("the very one")

    async def broken(x: int) -> None:
        await asyncio.sleep(0)
        raise error

    switch = make(broken)

    async def main() -> None:
        waiting = switch(1)
        assert switch.report().control.errors == 0
        with pytest.raises(ZeroDivisionError) as caught:
            await waiting
        assert caught.value is error

    asyncio.run(main())
    report = switch.report().control
    assert (report.calls, report.errors, report.timed) == (1, 1, 0)


def test_a_cancelled_task_cleans_up(make: Make) -> None:
    events: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise
        finally:
            events.append("cleaned")

    switch = make(waits)

    async def main() -> None:
        task = asyncio.create_task(switch())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert events == ["cancelled", "cleaned"]
    assert switch.report().control.errors == 0


def test_a_cancellation_that_is_caught_is_a_result(make: Make) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return "caught"
        return "slept"

    switch = make(stubborn)

    async def main() -> None:
        task = asyncio.create_task(switch())
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "caught"

    asyncio.run(main())
    report = switch.report().control
    assert (report.errors, report.timed) == (0, 1)


class Steps:
    """An awaitable whose steps a test drives by hand."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps

    def __await__(self) -> Any:
        sent = []
        for step in self.steps:
            sent.append((yield step))
        return sent


def test_driven_by_hand(make: Make) -> None:
    async def stepping() -> list[Any]:
        found: list[Any] = await Steps("a", "b")
        return found

    switch = make(stepping)
    coroutine: Any = switch()
    assert isinstance(coroutine, collections.abc.Coroutine)
    assert coroutine.send(None) == "a"
    assert coroutine.send(1) == "b"
    with pytest.raises(StopIteration) as stop:
        coroutine.send(2)
    assert stop.value.value == [1, 2]
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)
    coroutine.close()
    report = switch.report().control
    assert (report.calls, report.errors, report.timed) == (1, 0, 1)


@pytest.mark.parametrize("value", [None, (), (1, 2), ValueError("a value"), StopIteration(3)])
def test_any_value_is_returned_unchanged(make: Make, value: Any) -> None:
    async def returns() -> Any:
        return value

    switch = make(returns)
    with pytest.raises(StopIteration) as stop:
        switch().send(None)
    assert stop.value.value is value

    async def main() -> Any:
        return await switch()

    assert asyncio.run(main()) is value


def test_throw_and_close(make: Make) -> None:
    seen: list[str] = []

    async def stepping() -> str:
        try:
            await Steps("a", "b")
        except KeyError:
            seen.append("key error")
            await Steps("c")
        except GeneratorExit:
            seen.append("closed")
            raise
        return "end"

    switch = make(stepping)
    coroutine: Any = switch()
    assert coroutine.send(None) == "a"
    assert coroutine.throw(KeyError("k")) == "c"
    with pytest.raises(LookupError):
        coroutine.throw(LookupError("not caught"))
    second: Any = switch()
    assert second.send(None) == "a"
    second.close()
    second.close()
    assert seen == ["key error", "closed"]
    third: Any = switch()
    third.close()  # never begun
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        third.send(None)
    report = switch.report().control
    assert (report.calls, report.errors, report.timed) == (3, 1, 0)


def test_a_coroutine_that_will_not_close(make: Make) -> None:
    async def ignores() -> None:
        try:
            await Steps("a")
        except GeneratorExit:
            await Steps("b")

    coroutine: Any = make(ignores)()
    coroutine.send(None)
    with pytest.raises(RuntimeError, match="coroutine ignored GeneratorExit"):
        coroutine.close()


def test_a_coroutine_that_steps_itself(make: Make) -> None:
    async def itself() -> str:
        with pytest.raises(ValueError, match="coroutine already executing"):
            box[0].send(None)
        with pytest.raises(ValueError, match="coroutine already executing"):
            box[0].throw(KeyError)
        with pytest.raises(ValueError, match="coroutine already executing"):
            box[0].close()
        return "done"

    switch = make(itself)
    box: list[Any] = [switch()]
    with pytest.raises(StopIteration) as stop:
        box[0].send(None)
    assert stop.value.value == "done"
    box.clear()
    assert switch.report().control.errors == 0


def test_awaited_twice(make: Make) -> None:
    switch = make(fast)

    async def main() -> None:
        waiting = switch(1)
        assert await waiting == ("candidate", 1)
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await waiting

    asyncio.run(main())
    assert switch.report().control.errors == 0


def test_never_awaited_warns(make: Make) -> None:
    switch = make(fast)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        switch(1)
        gc.collect()
    assert any("was never awaited" in str(warning.message) for warning in caught)


def test_methods(make: Make) -> None:
    async def slowly(self: Any, x: int) -> tuple[str, Any, int]:
        return "control", self, x

    class Service:
        fetch = make(slowly)

    service = Service()
    assert inspect.iscoroutinefunction(service.fetch)
    assert asyncio.run(service.fetch(3)) == ("control", service, 3)


def test_arms_must_both_be_async(make: Make) -> None:
    with pytest.raises(TypeError, match="candidate: expected an async function, as control is"):
        make(control, lambda x: x)
    with pytest.raises(TypeError, match="candidate: expected a plain function, as control is"):
        make(lambda x: x, control)


def test_wrong_arguments_raise_at_the_call(make: Make) -> None:
    with pytest.raises(TypeError, match=r"control\(\) missing 1 required positional argument: 'x'"):
        make(control)()


def test_many_at_once_while_the_flag_flips(make: Make) -> None:
    switch = make(control, fast)

    async def main() -> None:
        async def flip() -> None:
            for i in range(200):
                flags.set(switch.flag, ("candidate", "ramp:50", "control")[i % 3])
                await asyncio.sleep(0)

        results = await asyncio.gather(flip(), *(switch(i, pause=0.0001 * (i % 7)) for i in range(500)))
        assert [value for _, value in results[1:]] == list(range(500))

    asyncio.run(main())
    report = switch.report()
    assert report.control.calls + report.candidate.calls == 500
    assert report.control.timed + report.candidate.timed == 500


def test_a_waiting_call_does_not_leak(make: Make) -> None:
    async def holds(box: list[Any]) -> None:
        await Steps("a")

    switch = make(holds)

    def cycle() -> None:
        box: list[Any] = []
        box.append(switch(box))
        box[0].send(None)

    for _ in range(10):
        cycle()
    gc.collect()
    assert not [o for o in gc.get_objects() if type(o) is types.CoroutineType and "holds" in repr(o)]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="markcoroutinefunction is of 3.12")
def test_an_arm_marked_as_async_may_return_any_awaitable(make: Make) -> None:
    def returns_future() -> Any:
        return Steps()

    inspect.markcoroutinefunction(returns_future)  # type: ignore[attr-defined,unused-ignore]
    switch = make(returns_future)

    async def main() -> Any:
        return await switch()

    assert asyncio.run(main()) == []
