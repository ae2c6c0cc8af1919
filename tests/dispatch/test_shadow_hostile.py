"""Arms under watch that recurse, change their flag, drop their Switch or run in many threads."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import Guard, Switch, flags
from tests.dispatch.arms import EAGER, Boom, double, failing, freed_without_collector

pytestmark = pytest.mark.usefixtures("quiet_guard")

Make = Callable[..., Switch[..., Any]]


def test_arms_that_call_the_switch_again(make: Make) -> None:
    def again(x: int) -> Any:
        return 0 if x == 0 else switch(x - 1) + 1

    switch = make(again, again, guard=EAGER)
    flags.set(switch.flag, "shadow:100")
    assert switch(8) == 8  # every level runs both arms
    endless = make(lambda: endless(), lambda: endless())
    flags.set(endless.flag, "shadow:100")
    with pytest.raises(RecursionError):
        endless()


def test_a_recursion_is_compared_once(make: Make) -> None:
    calls = [0]

    def again(x: int) -> int:
        calls[0] += 1
        return 0 if x == 0 else switch(x - 1) + 1

    def fails_below(x: int) -> int:
        calls[0] += 1
        if x == 0:
            raise Boom
        return switch(x - 1) + 1  # type: ignore[no-any-return]

    switch = make(again, fails_below, guard=Guard(error_rate=0.4, live=0, sample=0, verify=0, run_length=10**9))
    flags.set(switch.flag, "shadow:100")
    assert switch(60) == 60
    assert calls[0] <= 130
    calls[0] = 0
    flags.set(switch.flag, "ramp:100")
    assert switch(60) == 60
    assert calls[0] <= 61 * 61


def test_tasks_started_by_an_arm_are_watched_separately(make: Make) -> None:
    async def main() -> None:
        tasks: list[asyncio.Task[int]] = []

        async def starts(x: int) -> int:
            if x == 0:
                tasks.append(asyncio.create_task(later()))
            return 2 * x

        async def fails(x: int) -> int:
            if x:
                raise Boom(x)
            return 0

        async def later() -> int:
            await asyncio.sleep(0)
            flags.set(switch.flag, "ramp:100")
            return await switch(7)  # type: ignore[no-any-return]

        switch: Any = make(starts, fails, guard=Guard(error_rate=0.4, live=0, verify=0, run_length=10**9))
        flags.set(switch.flag, "shadow:100")
        assert await switch(0) == 0
        assert await asyncio.gather(*tasks) == [14]

    asyncio.run(main())


def test_an_arm_that_flips_or_rolls_back_in_the_middle(make: Make) -> None:
    def flips(x: int) -> int:
        flags.set(switch.flag, ("canary", "candidate", "shadow:100", "ramp:50")[x % 4])
        if x % 5 == 0:
            switch.rollback("in the middle")
            switch.resume()
        return x

    switch = make(flips, flips, guard=Guard(slowdown=1e6))
    flags.set(switch.flag, "shadow:100")
    assert [switch(i) for i in range(200)] == list(range(200))


def test_an_arm_that_drops_the_switch(make: Make) -> None:
    box: dict[str, Any] = {}

    def drop() -> int:
        box.clear()
        gc.collect()
        return 1

    for mode in ("shadow:100", "candidate"):
        box["switch"] = make(drop, drop, guard=Guard(live=100))
        flags.set(box["switch"].flag, mode)
        assert box["switch"]() == 1


@pytest.mark.parametrize("live", [0, 100])
def test_a_watched_switch_is_freed_by_reference_counting(make: Make, live: int) -> None:
    def control(x: int) -> int:
        if x < 0:
            raise Boom(x)
        return 2 * x

    def candidate(x: int) -> int:
        return control(x) if x < 0 else failing(x)

    switch = make(control, candidate, guard=Guard(error_rate=0.4, live=live, run_length=10**9))
    flags.set(switch.flag, "candidate")
    assert [switch(i) for i in (1, 7, 14)] == [2, 14, 28]
    with contextlib.suppress(Boom):
        switch(-1)
    held = [switch]
    del switch
    assert freed_without_collector(held)


def test_threads_under_watch(make: Make) -> None:
    guard = Guard(min_samples=50, min_seconds=0, sample=50, verify=50, error_rate=0.45, mismatch_rate=0.4, slowdown=1e6)
    switch = make(double, failing, guard=guard)
    wrong_answers: list[Any] = []
    stop = threading.Event()

    def call(n: int) -> None:
        i = n
        while not stop.is_set():
            i += 1
            try:
                if switch(i) != 2 * i:
                    wrong_answers.append(i)
            except BaseException as error:
                wrong_answers.append(error)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    try:
        for i in range(60):
            flags.set(switch.flag, ("canary", "candidate", "shadow:30", "ramp:50", "control")[i % 5])
            if i % 20 == 0:
                switch.rollback("test")
                str(switch.report())
                switch.resume()
            time.sleep(0.001)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong_answers == []
