"""Symbols that are added to a board, begin again, or get their own history; which of them are ready."""

from __future__ import annotations

import pickle
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastcore.indicators import ATR, EMA, MACD, MAX, OBV, RSI, SMA, STDDEV, VWAP, WMA, Board, Plan
from tests.indicators.arrays import assert_array_equal

PLAN = Plan(
    sma=SMA(5), sd=STDDEV(5), top=MAX(4), rsi=RSI(6), macd=MACD(3, 5, 3), atr=ATR(4), obv=OBV(), vwap=VWAP(), wma=WMA(5)
)
BARS = 40


def panel(symbols: int, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = 100.0 + np.cumsum(rng.normal(size=(symbols, BARS)), axis=1)
    found = {"close": close, "high": close + rng.random(close.shape), "low": close - rng.random(close.shape)}
    found["volume"] = rng.random(close.shape) * 1e4
    found["close"][rng.random(close.shape) < 0.02] = np.nan
    return found


def part(data: dict[str, Any], symbols: Any, start: int, end: int) -> dict[str, Any]:
    return {name: x[symbols, start:end] for name, x in data.items()}


def tick(board: Board, data: dict[str, Any], t: int, symbols: Any = slice(None)) -> None:
    board.update(**{name: x[symbols, t] for name, x in data.items()})


def flat(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def assert_symbol(board: Board, symbol: int, bars: dict[str, Any], names: Any = None) -> None:
    """The symbol has the values of live indicators that had just these bars."""
    for name in board if names is None else names:
        definition = PLAN.definitions[name]
        live = definition.live(*[bars[column] for column in definition.columns])
        ours = [float(x[symbol]) for x in flat(board[name])]
        assert_array_equal(ours, flat(live.value), err_msg=f"{name} of {symbol}")


def test_added_symbols_go_on_like_the_others(ta: ModuleType) -> None:
    data = panel(7)
    board = PLAN.live(history=part(data, slice(0, 3), 0, 20))
    before = board["sma"]
    board.add(history=part(data, slice(3, 5), 8, 20))
    board.add(2)
    assert board.symbols == 7
    assert (before.shape, board["sma"].shape, board["macd"].hist.shape) == ((3,), (7,), (7,))
    for t in range(20, BARS):
        tick(board, data, t)
    for symbol, start in enumerate([0, 0, 0, 8, 8, 20, 20]):
        assert_symbol(board, symbol, {name: x[symbol, start:] for name, x in data.items()})
    again = pickle.loads(pickle.dumps(board))
    tick(again, data, 0)
    tick(board, data, 0)
    assert all(np.array_equal(x, y, equal_nan=True) for n in board for x, y in zip(flat(board[n]), flat(again[n])))


def test_a_reset_symbol_begins_again(ta: ModuleType) -> None:
    data = panel(6)
    board = PLAN.live(history=part(data, slice(None), 0, 20))
    board.reset(at=[1, 4])
    assert_array_equal(np.isnan(board["macd"].signal)[:5], [False, True, False, False, True])
    for t in range(20, BARS):
        tick(board, data, t)
    for symbol in range(6):
        start = 20 if symbol in (1, 4) else 0
        assert_symbol(board, symbol, {name: x[symbol, start:] for name, x in data.items()})
    board.reset()
    assert all(np.isnan(x).all() for name in board for x in flat(board[name]))
    tick(board, data, 3)
    assert_symbol(board, 2, {name: x[2, 3:4] for name, x in data.items()})


@pytest.mark.parametrize("at", [None, [0, 2]])
def test_a_reset_of_some_names_leaves_the_others(ta: ModuleType, at: Any) -> None:
    data = panel(4)
    board = PLAN.live(history=part(data, slice(None), 0, 20))
    board.reset(names=["vwap", "macd", "sd"], at=at)  # the deviation and the mean have a window in common
    board.reset(names="wma", at=at)
    copied = pickle.loads(pickle.dumps(board))
    for one in (board, copied, board.copy()):
        for t in range(20, BARS):
            tick(one, data, t)
        for symbol in range(4):
            again = at is None or symbol in at
            whole = {name: x[symbol] for name, x in data.items()}
            names = ("vwap", "macd", "sd", "wma")
            assert_symbol(one, symbol, {n: x[20:] for n, x in whole.items()} if again else whole, names)
            assert_symbol(one, symbol, whole, [name for name in PLAN.definitions if name not in names])


def test_history_of_some_symbols(ta: ModuleType) -> None:
    data = panel(5)
    board = PLAN.live(symbols=5)
    board.extend(part(data, [3, 1], 0, 25), at=[3, 1])
    assert np.isnan(board["sma"][[0, 2, 4]]).all()
    assert_symbol(board, 3, {name: x[3, :25] for name, x in data.items()})
    tick(board, data, 25)
    assert_symbol(board, 1, {name: x[1, :26] for name, x in data.items()})
    assert_symbol(board, 0, {name: x[0, 25:26] for name, x in data.items()})


def test_ready_says_which_symbols_have_every_value(ta: ModuleType) -> None:
    board = Plan(fast=EMA(2), slow=SMA(4)).live(symbols=3)
    for _ in range(3):
        board.update(close=[1.0, 2.0, 3.0])
        assert not board.ready.any()
    board.update(close=[1.0, np.nan, 3.0])
    assert_array_equal(board.ready, [True, False, True])


def test_what_cannot_be_added_or_reset_is_refused(ta: ModuleType) -> None:
    board = PLAN.live(symbols=2)
    with pytest.raises(ValueError, match="symbols: expected an int"):
        board.add()
    with pytest.raises(ValueError, match="history: expected 3 rows, one a symbol, got 2"):
        board.add(3, history=panel(2))
    with pytest.raises(ValueError, match=r"names: expected some of sma, .*got 'ema'"):
        board.reset(names="ema")
    with pytest.raises(ValueError, match=r"at: expected ints in 0\.\.1, got 2"):
        board.reset(at=[2])
    with pytest.raises(ValueError, match="history: expected 1 rows"):
        board.extend(panel(2), at=[0])
    assert board.symbols == 2
