"""Boards and their own outputs, forks, and ticks that all take the same steps."""

from __future__ import annotations

import math
import os
import pickle
import signal
import threading
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastcore.indicators import BBANDS, EMA, MACD, MAX, OBV, SMA, STDDEV, Plan
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import walk

PLAN = Plan(mean=SMA(3), ema=EMA(2), band=BBANDS(4), line=MACD(2, 3, 2))


def outputs(board: Any) -> Any:
    return [x for name in board for x in (board[name] if isinstance(board[name], tuple) else (board[name],))]


def assert_same(one: Any, two: Any) -> None:
    for ours, theirs in zip(outputs(one), outputs(two), strict=True):
        assert_array_equal(ours, theirs)


def begun(symbols: int) -> Any:
    board = PLAN.live(symbols=symbols)
    for t in range(20):
        board.update(close=walk(symbols, seed=t)["close"])
    return board


@pytest.mark.parametrize("name", ["mean", "ema"])
def test_an_output_of_the_board_may_be_its_column(ta: ModuleType, name: str) -> None:
    board = begun(7)
    other = board.copy()
    for at in (None, [5, 0, 6], []):
        column = board[name] if at is None else board[name][: len(at)]
        apart = other[name].copy() if at is None else other[name][: len(at)].copy()
        board.update(close=column, at=at)
        other.update(close=apart, at=at)
        assert_same(board, other)
    board.extend({"close": board[name].reshape(7, 1)})
    other.extend({"close": other[name].copy().reshape(7, 1)})
    assert_same(board, other)


def test_several_outputs_may_be_columns(ta: ModuleType) -> None:
    plan = Plan(obv=OBV(), mean=SMA(2), volume=SMA(2, real="volume"))
    board = plan.live(symbols=4)
    board.update(close=np.arange(4.0), volume=np.ones(4))
    board.update(close=np.arange(4.0), volume=np.ones(4))
    other = board.copy()
    for _ in range(3):
        board.update(close=board["volume"], volume=board["mean"])
        other.update(close=other["volume"].copy(), volume=other["mean"].copy())
        assert_same(board, other)


def test_threads_may_feed_a_board_with_its_own_outputs(ta: ModuleType) -> None:
    """All symbols are alike at every tick, so they must be at the end of any order of ticks."""
    board = Plan(a=SMA(2), b=EMA(3)).live(symbols=500)
    board.update(close=np.full(500, 5.0))
    board.update(close=np.full(500, 7.0))

    def work(name: str) -> None:
        for _ in range(15):
            board.update(close=board[name])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in "ab":
        assert len(set(board[name])) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("what", ["board", "live"])
def test_a_child_forked_during_a_tick_works(ta: ModuleType, what: str) -> None:
    board = Plan(b=BBANDS(20), s=SMA(2)).live(symbols=400)
    live = ta.MACD().live(np.arange(50.0))
    column, stop = np.ones(400), threading.Event()

    def run() -> None:
        while not stop.is_set():
            board.update(close=column)
            live.update(1.0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                signal.alarm(30)  # ends a child that waits for a lock whose holder was not forked
                right = False
                try:
                    if what == "live":
                        right = math.isfinite(live.update(1.0).macd)
                    else:
                        board.update(close=column)
                        right = len({str(x) for x in outputs(board)[3]}) == 1  # no symbol is a tick behind
                        pickle.loads(pickle.dumps(board)).update(close=column)
                finally:
                    os._exit(0 if right else 1)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        thread.join()
    board.update(close=column)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_parent_continues_after_forks_from_several_threads(ta: ModuleType) -> None:
    board = PLAN.live(symbols=50)
    ended: list[int] = []

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        ended.append(os.waitpid(pid, 0)[1])

    threads = [threading.Thread(target=fork) for _ in range(6)]
    for thread in threads:
        thread.start()
    for t in range(30):
        board.update(close=np.full(50, float(t)))
    for thread in threads:
        thread.join()
    assert ended == [0] * 6
    board.update(close=np.ones(50))


@pytest.mark.parametrize("period", [*range(1, 12), 16, 33])
def test_windows_of_every_length_at_every_tick(ta: ModuleType, period: int) -> None:
    """From the first tick, over several turns of the memory, with gaps that fall at any place of a turn."""
    rng = np.random.default_rng(period)
    plan = Plan(
        mean=SMA(period),
        most=MAX(max(period, 2)),
        deviation=STDDEV(max(period, 2)),
    )
    symbols, bars = 6, 5 * period + 20
    data = np.round(rng.normal(100.0, 5.0, (symbols, bars)), 2)
    for symbol in range(1, symbols):
        data[symbol, rng.random(bars) < 0.3 / period] = np.nan
    board = plan.live(symbols=symbols)
    for t in range(bars):
        board.update(close=data[:, t].copy())
        for name, n, law in (
            ("mean", period, np.mean),
            ("most", max(period, 2), np.max),
            ("deviation", max(period, 2), np.std),
        ):
            wanted = law(data[:, t + 1 - n : t + 1], axis=1) if t + 1 >= n else np.full(symbols, np.nan)
            assert_allclose(board[name], wanted, rtol=1e-12, atol=1e-12, err_msg=f"{name} at {t}")


@pytest.mark.parametrize("bars", [10, 500, 20_000])
def test_one_output_keeps_only_its_own_memory(ta: ModuleType, bars: int) -> None:
    x = walk(bars)["close"]
    for output in (*ta.bbands(x), *ta.macd(np.array([x, x]))):
        base = output
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert base.nbytes == output.nbytes
