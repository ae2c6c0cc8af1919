"""Shadowing of coroutine functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import Guard, Switch, flags
from fastcore.dispatch import controller
from tests.dispatch.arms import EAGER, Boom

pytestmark = pytest.mark.usefixtures("quiet_guard")

Make = Callable[..., Switch[..., Any]]


async def adouble(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


def test_async_pairs_rescues_and_rollback(make: Make) -> None:
    async def bad(x: int) -> int:
        await asyncio.sleep(0)
        if x % 7 == 0:
            raise Boom(x)
        return 2 * x

    async def main() -> None:
        switch: Any = make(adouble, bad, guard=EAGER)
        flags.set(switch.flag, "shadow:100")
        assert [await switch(i) for i in range(14)] == [2 * i for i in range(14)]
        until_done = [asyncio.sleep(0) for _ in range(50)]
        for pause in until_done:
            await pause
        assert switch.report().errors == 2
        flags.set(switch.flag, "candidate")
        assert await switch.call_for("key", 7) == 14
        assert flags.get(switch.flag).source == "guard"

    asyncio.run(main())


def test_an_async_caller_does_not_wait_for_the_other_arm(make: Make) -> None:
    release: list[asyncio.Event] = []

    async def hangs(x: int) -> int:
        await release[0].wait()
        return 2 * x

    async def main() -> None:
        release.append(asyncio.Event())
        switch: Any = make(adouble, hangs, guard=Guard(budget=0.01))
        flags.set(switch.flag, "shadow:100")
        for i in range(200):
            assert await asyncio.wait_for(switch(i), 60) == 2 * i
        paired = switch.report().paired
        assert paired.dropped == 200 - 64  # those in flight are bounded
        release[0].set()
        while (paired := switch.report().paired).pairs < 64:
            await asyncio.sleep(0)
        assert paired.mismatches == 0
        assert not controller.of(switch.flag).in_flight

    asyncio.run(main())


def test_verified_async_answers(make: Make) -> None:
    async def bad(x: int) -> int:
        return -1

    async def main() -> None:
        switch: Any = make(adouble, bad, guard=Guard(verify="all", mismatch_rate=0.4, run_length=10**9, slowdown=1e6))
        flags.set(switch.flag, "ramp:100")
        assert [await switch(i) for i in range(10)] == [2 * i for i in range(10)]

    asyncio.run(main())


def test_a_cancelled_async_pair_leaves_nothing_running(make: Make) -> None:
    async def main() -> None:
        ended: list[str] = []

        async def waits(x: int) -> int:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise
            return x

        switch: Any = make(waits, waits, guard=Guard(budget=60))
        flags.set(switch.flag, "shadow:100")
        tasks = [asyncio.create_task(switch(i)) for i in range(20)]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in found)
        while controller.of(switch.flag).in_flight:
            await asyncio.sleep(0)
        assert len(ended) >= 20

    asyncio.run(main())
