"""The functions follow their flag, at once and in every thread."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from typing import Any

import pytest

from fastcore import indicators
from fastcore.dispatch import flags
from fastcore.indicators import FUNCTIONS, rsi
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose
from tests.indicators.cases import DEFAULTS, PROGRAM_DEFAULTS, call, inputs_of, walk
from tests.indicators.turns import in_turn

both_twins = pytest.mark.skipif(PURE_ONLY, reason="switches between the twins")
X = walk(100)["real"]


def calls_of(function: Any) -> tuple[int, int]:
    report = function.report()
    return report.control.calls, report.candidate.calls


@both_twins
def test_a_flag_set_in_another_thread_holds_from_the_next_call() -> None:
    def elsewhere(mode: str) -> None:
        thread = threading.Thread(target=flags.set, args=("indicators", mode))
        thread.start()
        thread.join()

    try:
        for mode, arm in (("compiled", 1), ("python", 0), ("compiled", 1), ("python", 0)):
            elsewhere(mode)
            before = calls_of(rsi)
            rsi(X)
            after = calls_of(rsi)
            assert [b - a for a, b in zip(before, after)] == [1 - arm, arm]
    finally:
        flags.clear("indicators")


@both_twins
def test_a_rollback_reaches_every_function() -> None:
    try:
        flags.rollback("indicators", "test")
        before = {name: calls_of(function) for name, function in FUNCTIONS.items()}
        for case in (*DEFAULTS, *PROGRAM_DEFAULTS):
            call(FUNCTIONS[case.row.name], case, inputs_of(case.row, walk(50)))
        for name, function in FUNCTIONS.items():
            assert calls_of(function) == (before[name][0] + 1, before[name][1])
    finally:
        flags.resume("indicators")


@both_twins
def test_flipping_while_eight_threads_call_gives_no_wrong_result() -> None:
    cases = []
    for case in DEFAULTS:
        inputs = inputs_of(case.row, walk(300))
        cases.append((case, inputs, call(FUNCTIONS[case.row.name], case, inputs)))
    done = threading.Event()
    trouble: list[BaseException] = []
    counts = [0] * 8

    def work(number: int) -> None:
        try:
            while not done.is_set():
                for case, inputs, expected in cases[number % 3 :: 3]:
                    for ours, theirs in zip(call(FUNCTIONS[case.row.name], case, inputs), expected):
                        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
                    counts[number] += 1
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    flips = 0
    try:
        for thread in threads:
            thread.start()
        while (flips < 60 or min(counts) < 12) and not trouble:  # however long that takes
            flags.set("indicators", ("python", "compiled", "auto", "ramp:50")[flips % 4])
            flips += 1
    finally:
        done.set()
        for thread in threads:
            thread.join()
        flags.clear("indicators")
    assert not trouble, trouble[0]


@in_turn("name", FUNCTIONS)
def test_a_function_is_pickled_by_name(name: str) -> None:
    function = getattr(indicators, name)
    assert pickle.loads(pickle.dumps(function)) is function


def test_importing_it_loads_neither_pandas_nor_polars() -> None:
    code = (
        "import sys, numpy, fastcore.indicators as ta; ta.macd(numpy.ones(99)); ta.RSI(3).live([1.0]);"
        "ta.Plan(a=ta.SMA(2))({'close': [1.0]}); assert not {'pandas', 'polars', 'talib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
