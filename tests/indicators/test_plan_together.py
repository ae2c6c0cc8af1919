"""A plan computes its indicators together: each is what its function gives."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastcore import _ext, indicators
from fastcore.indicators import ADX, ATR, DEMA, EMA, MACD, NATR, PLUS_DI, RSI, SMA, STDDEV, Plan
from fastcore.indicators.registry import INDICATORS
from python_fallback.indicators import Plan as Pure
from python_fallback.indicators import batch
from tests.indicators.arrays import assert_allclose, assert_array_equal

EVERY = Plan(**{f"{row.name}_": getattr(indicators, row.definition)() for row in INDICATORS.values()})


def bars(symbols: int, count: int, seed: int = 5) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(size=(symbols, count)) * 0.01, axis=1))
    known = {
        "close": close,
        "high": close * (1.0 + 0.01 * rng.random(close.shape)),
        "low": close * (1.0 - 0.01 * rng.random(close.shape)),
        "volume": rng.random(close.shape) * 1e5,
    }
    return {name: known.get(name, 50.0 + rng.random(close.shape)).copy() for name in EVERY.columns}


def flat(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def assert_together(data: dict[str, Any], plan: Plan = EVERY) -> None:
    found = plan(data)
    for name, definition in plan.definitions.items():
        expected = definition(*[data[column] for column in definition.columns])
        for ours, theirs in zip(flat(found[name]), flat(expected), strict=True):
            scale = np.nanmax(np.abs(theirs), initial=1.0, where=np.isfinite(theirs))
            assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10 * scale, err_msg=name)


@pytest.mark.parametrize("count", [0, 1, 5, 40, 700])
def test_every_indicator_of_clean_bars(ta: ModuleType, count: int) -> None:
    assert_together(bars(2, count))


def test_every_indicator_where_bars_are_missing(ta: ModuleType) -> None:
    data = bars(4, 300)
    data["high"][1, 100:103] = np.nan
    for x in data.values():
        x[2, :7] = np.nan
    data["close"][3, 5] = np.inf
    assert_together(data)


def test_equal_definitions_are_arrays_of_their_own(ta: ModuleType) -> None:
    found = Plan(one=RSI(14), two=RSI(14), sd=STDDEV(5), again=STDDEV(5))({"close": bars(1, 60)["close"][0]})
    assert_array_equal(found["one"], found["two"])
    assert_array_equal(found["sd"], found["again"])
    found["one"][:] = found["sd"][:] = 0.0
    assert found["two"][30] != 0.0
    assert found["again"][30] != 0.0


def test_columns_of_different_lengths_go_to_their_own_indicators(ta: ModuleType) -> None:
    found = Plan(a=SMA(2), b=SMA(2, real="volume"))({"close": [1.0, 2.0], "volume": [3.0, 4.0, 5.0]})
    assert_array_equal(found["b"], [np.nan, 3.5, 4.5])


def test_eight_threads_share_definitions_plans_and_boards(ta: ModuleType) -> None:
    plan = Plan(ema=EMA(9), dema=DEMA(9), macd=MACD(), atr=ATR(), natr=NATR(), adx=ADX(), di=PLUS_DI(), rsi=RSI())
    sets = [bars(6, 400 if indicators.RSI().live().backend == "compiled" else 60, seed) for seed in range(8)]
    expected = [plan(data) for data in sets]
    board = Plan(sma=SMA(3), sd=STDDEV(3)).live(symbols=64)
    wrong: list[Any] = []

    def work(i: int) -> None:
        for _ in range(5):
            found = plan(sets[i])
            for name in plan.definitions:
                for ours, theirs in zip(flat(found[name]), flat(expected[i][name])):
                    if not np.array_equal(ours, theirs, equal_nan=True):
                        wrong.append(name)
            for _ in range(20):  # each thread has eight symbols, whose bars all threads bring in turns
                board.update(close=np.arange(8.0) + i, at=np.arange(8) + 8 * i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert_array_equal(board["sma"], np.arange(64) % 8 + np.arange(64) // 8)
    assert_array_equal(board["sd"], np.zeros(64))


def test_the_core_of_a_plan_takes_columns_in_its_order() -> None:
    data = bars(3, 80)
    specs = [(*one.row.core(one.values), one.columns) for one in (ATR(5), MACD(3, 5, 3), NATR(5))]
    expected = [batch(source, params, [data[name] for name in columns]) for source, params, columns in specs]
    for core in [Pure, *([] if _ext.probe("indicators").module is None else [_ext.load("indicators").Plan])]:
        plan = core(specs)
        assert plan.columns == ("high", "low", "close")
        for threads in (0, 2):
            found = plan([data[name] for name in plan.columns], threads)
            for ours, theirs in zip(found, expected, strict=True):
                assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def compiled_plan() -> Any:
    if _ext.probe("indicators").module is None:
        pytest.skip("needs the compiled twin")
    return _ext.load("indicators").Plan(
        [(*one.row.core(one.values), one.columns) for one in (SMA(5), STDDEV(7), MACD(3, 5, 3), ATR(5))]
    )


def every(results: Any) -> list[Any]:
    return [x for outputs in results for x in outputs]


def test_plans_of_several_threads_share_what_helps_them() -> None:
    plan, data = compiled_plan(), bars(200, 60)
    columns = [data[name] for name in plan.columns]
    expected, wrong = every(plan(columns, 1)), []

    def work(threads: int) -> None:
        for _ in range(20):
            for ours, theirs in zip(every(plan(columns, threads)), expected, strict=True):
                if not np.array_equal(ours, theirs, equal_nan=True):
                    wrong.append(threads)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_while_plans_run_on_threads_runs_them_too() -> None:
    plan, data, stop = compiled_plan(), bars(100, 60), threading.Event()
    columns = [data[name] for name in plan.columns]
    expected = every(plan(columns, 4))

    def run() -> None:
        while not stop.is_set():
            plan(columns, 4)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)  # ends a child that waits for what was not forked
                right = False
                try:
                    found = every(plan(columns, 4))
                    right = all(np.array_equal(x, y, equal_nan=True) for x, y in zip(found, expected, strict=True))
                finally:
                    os._exit(0 if right else 1)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_threads_that_help_plans_take_no_signals() -> None:
    plan, data = compiled_plan(), bars(100, 60)
    plan([data[name] for name in plan.columns], 3)
    masks = [task.read_text().split("SigBlk:")[1].split()[0] for task in Path("/proc/self/task").glob("*/status")]
    assert sum(int(mask, 16) >> (signal.SIGINT - 1) & 1 for mask in masks) >= 2
