"""Arms that flip, drop, recurse or finalize, and calls from many threads."""

from __future__ import annotations

import functools
import gc
import inspect
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import Switch, flags
from tests.dispatch.arms import control, fast

Make = Callable[..., Switch[..., Any]]


def test_an_arm_may_flip_its_own_flag(make: Make) -> None:
    def flip(mode: str) -> str:
        flags.set(switch.flag, mode)
        return "flipped"

    switch = make(flip, lambda mode: "candidate", every=1)
    assert switch("candidate") == "flipped"
    assert switch("control") == "candidate"


def test_an_arm_may_drop_the_last_reference(make: Make) -> None:
    box: dict[str, Any] = {}

    def drop(box: dict[str, Any]) -> int:
        box.clear()
        gc.collect()
        return 1

    box["switch"] = make(drop, drop, every=1)
    assert box["switch"](box) == 1
    box["switch"] = make(drop, drop)
    assert box["switch"].call_for("k", box) == 1


def test_a_finalizer_that_calls_the_switch_it_is_freed_with(make: Make) -> None:
    outcomes: list[str] = []

    class Last:
        def __call__(self) -> str:
            return "called"

        def __del__(self) -> None:
            try:
                outcomes.append(self.switch())  # type: ignore[attr-defined]
            except RuntimeError as error:
                outcomes.append(str(error))

    last: Any = Last()
    last.switch = make(last, last)
    del last
    gc.collect()
    assert outcomes in (["called"], ["this Switch has not been set up"])


def test_endless_recursion_is_a_recursion_error(make: Make) -> None:
    def again(x: int) -> Any:
        return switch(x + 1)

    switch = make(again)
    with pytest.raises(RecursionError):
        switch(0)


def test_a_chain_of_switches_answers_or_is_a_recursion_error(make: Make, backend: str) -> None:
    chain: Any = make(len)
    for _ in range(20_000 if backend == "compiled" else 300):
        chain = make(functools.partial(chain))
    outcomes: list[Any] = []

    def call() -> None:
        try:
            outcomes.append(chain("abc"))
        except RecursionError as error:
            outcomes.append(type(error))

    before, size = sys.getrecursionlimit(), threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        sys.setrecursionlimit(len(inspect.stack()) + 200)
        call()
    finally:
        sys.setrecursionlimit(before)
        threading.stack_size(size)
    # The compiled twin asks how much of the stack is left, the pure one how many calls there are.
    assert outcomes[0] == (RecursionError if backend == "compiled" else 3)
    assert outcomes[1] in ((RecursionError, 3) if backend == "compiled" else (RecursionError,))
    chain = None  # and coming down does not exhaust it either


def test_hostile_attributes_of_the_control(make: Make) -> None:
    class Control:
        def __call__(self, x: int) -> int:
            return x

        def __getattr__(self, name: str) -> Any:
            if name in ("__name__", "__qualname__", "__doc__"):
                raise AttributeError(name)
            return 7

        __signature__ = None

    assert make(Control())(3) == 3


def test_flags_flip_while_eight_threads_call(make: Make) -> None:
    rows = [(i, i * 3 + 1) for i in range(100)]
    switch = make(lambda x: ("control", x * 3 + 1), lambda x: ("candidate", x * 3 + 1))
    stop = threading.Event()
    wrong: list[Any] = []
    calls = [0] * 8
    arms: set[str] = set()

    def call(n: int) -> None:
        try:
            while not stop.is_set():
                for x, expected in rows:
                    arm, value = switch(x) if n % 2 else switch.call_for(x, x)
                    arms.add(arm)
                    if value != expected:
                        wrong.append((x, value))
                    calls[n] += 1
        except BaseException as error:
            wrong.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    try:
        for thread in threads:
            thread.start()
        for i in range(600):
            flags.set(switch.flag, ("candidate", "ramp:30", "control", "ramp:70")[i % 4])
            if i % 50 == 0:
                switch.rollback("test")
                switch.report()
                switch.resume()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(before)
    assert wrong == []
    assert arms == {"control", "candidate"}
    report = switch.report()
    assert report.control.calls + report.candidate.calls == sum(calls)  # every call is counted, and once
    assert report.control.errors == report.candidate.errors == 0


def test_the_next_call_in_every_thread_follows_the_flag(make: Make) -> None:
    switch = make(control, fast)
    ready, flipped = threading.Barrier(9), threading.Barrier(9)
    after: list[str] = []

    def call() -> None:
        switch(1)
        ready.wait()
        flipped.wait()
        after.append(switch(1)[0])

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    ready.wait()
    flags.set(switch.flag, "candidate")
    flipped.wait()
    for thread in threads:
        thread.join()
    assert after == ["candidate"] * 8


def test_two_processes_agree_on_every_key(twin: Callable[[str], types.ModuleType]) -> None:
    keys = [f"S{i}" for i in range(50)]
    code = f"import fastcore.dispatch.assignment as a; print([a.bucket('desk', key) for key in {keys}])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert eval(out) == [twin("switch").bucket("desk", key) for key in keys]
