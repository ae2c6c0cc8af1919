"""Boards: many symbols, tick by tick, are as many live indicators."""

from __future__ import annotations

import copy
import pickle
import re
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from fastcore.dispatch import flags
from fastcore.indicators import ATR, MACD, RSI, SMA, Board, Plan
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import CASES, FUSED_ROWS, walk

COLUMNS = ("high", "low", "close", "volume")


def whole_table() -> Plan:
    """Every case of every row, on one board."""
    definitions = {}
    for case in CASES:
        values = {p.name: v if p.kind == "float" else int(v) for p, v in zip(case.row.params, case.params)}
        definitions[str(case)] = getattr(__import__("fastcore.indicators").indicators, case.row.definition)(**values)
    return Plan(**definitions)


PLAN = whole_table()


def panel(symbols: int, bars: int, gaps: float = 0.0) -> dict[str, Any]:
    rows = [walk(bars, seed=seed) for seed in range(symbols)]
    found = {name: np.array([row[name] for row in rows]).reshape(symbols, bars) for name in COLUMNS}
    rng = np.random.default_rng(3)
    for x in found.values():
        x[rng.random(x.shape) < gaps] = np.nan
    return found


def tick(data: dict[str, Any], t: int, at: Any = slice(None)) -> dict[str, Any]:
    return {name: x[at, t] for name, x in data.items()}


def flat(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def assert_board(board: Board, expected: Any, what: str = "") -> None:
    """`expected(name)` is the outputs of a definition, each an array with a value a symbol."""
    for name in board:
        for ours, theirs in zip(flat(board[name]), expected(name), strict=True):
            assert_allclose(ours, theirs, rtol=1e-12, atol=1e-11, err_msg=f"{name} {what}")


def batch(data: dict[str, Any], t: int) -> Any:
    results = PLAN({name: np.ascontiguousarray(x[:, : t + 1]) for name, x in data.items()})
    return lambda name: [output[:, -1] for output in flat(results[name])]


@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_a_board_equals_the_functions(ta: ModuleType, backend: str, gaps: float) -> None:
    for symbols in (1, 2, 3, 4, 5, 8, 17) if backend == "compiled" else (1, 3):
        data = panel(symbols, 90, gaps)
        board = PLAN.live(symbols=symbols)
        assert all(np.isnan(x).all() for name in board for x in flat(board[name]))
        for t in range(90):
            board.update(**tick(data, t))
            if t in (0, 1, 5, 30, 63, 64, 89):
                assert_board(board, batch(data, t), f"{symbols} symbols, bar {t}")


@pytest.mark.parametrize("seen", [0, 1, 2, 40, 89])
def test_history_then_ticks(ta: ModuleType, seen: int) -> None:
    data = panel(5, 90, 0.05)
    board = PLAN.live(history={name: x[:, :seen] for name, x in data.items()})
    assert board.symbols == 5
    if seen:
        assert_board(board, batch(data, seen - 1))
    for t in range(seen, 90):
        board.update(**tick(data, t))
    assert_board(board, batch(data, 89))


def test_extend_in_pieces(ta: ModuleType) -> None:
    data = panel(3, 90, 0.05)
    board = PLAN.live(symbols=3)
    for start, end in ((0, 10), (10, 10), (10, 11), (11, 90)):
        board.extend({name: x[:, start:end] for name, x in data.items()})
    assert_board(board, batch(data, 89))


def test_symbols_without_a_bar_keep_their_values(ta: ModuleType) -> None:
    symbols, bars = 9, 120
    data = panel(symbols, bars, 0.02)
    board = PLAN.live(symbols=symbols)
    rng = np.random.default_rng(1)
    seen: list[list[int]] = [[] for _ in range(symbols)]
    for t in range(bars):
        at = rng.permutation(symbols)[: rng.integers(0, symbols + 1)]
        board.update(**tick(data, t, at), at=at if t % 2 else at.tolist())
        for symbol in at:
            seen[symbol].append(t)
    for symbol, ts in enumerate(seen):
        alone = PLAN({name: x[symbol, ts] for name, x in data.items()})
        for name in board:
            for ours, theirs in zip(flat(board[name]), flat(alone[name])):
                assert_allclose(ours[symbol], theirs[-1], rtol=1e-12, atol=1e-11, err_msg=name)


def test_a_repeated_symbol_gets_two_bars(ta: ModuleType) -> None:
    data = panel(2, 60)
    twice, once = PLAN.live(symbols=2), PLAN.live(symbols=2)
    for t in range(0, 60, 2):
        pair = {name: np.array([x[1, t], x[0, t], x[1, t + 1]]) for name, x in data.items()}
        twice.update(**pair, at=[1, 0, 1])
        once.update(**tick(data, t))
        once.update(**tick(data, t + 1, [1]), at=[1])
    assert_board(twice, lambda name: flat(once[name]))


def test_output_arrays_are_reused(ta: ModuleType) -> None:
    board = Plan(mean=SMA(2), macd=MACD(2, 3, 1)).live(symbols=3)
    mean, macd = board["mean"], board["macd"]
    assert type(macd).__name__ == "MACDResult"
    for value in (1.0, 2.0, 4.0):
        board.update(close=[value] * 3)
    assert_array_equal(mean, [3.0] * 3)
    assert board["mean"] is mean
    assert board["macd"].hist is macd.hist
    assert mean.dtype == np.float64
    for array in (mean, *macd):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    del board
    assert_array_equal(mean, [3.0] * 3)


CLONES = [lambda b: b.copy(), copy.copy, copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b))]


@pytest.mark.parametrize("clone", CLONES)
def test_a_copy_is_independent(ta: ModuleType, backend: str, clone: Any) -> None:
    for seen in (0, 1, 40) if backend == "compiled" else (40,):
        data = panel(4, 90, 0.05)
        board = PLAN.live(symbols=4)
        for t in range(seen):
            board.update(**tick(data, t))
        other = clone(board)
        assert (other.plan, other.symbols, other.backend) == (board.plan, board.symbols, board.backend)
        assert_board(other, lambda name, board=board: flat(board[name]))
        for t in range(seen, 90):
            board.update(**tick(data, t))
        for t in range(seen, 60):
            other.update(**tick(data, t))
        assert_board(board, batch(data, 89))
        assert_board(other, batch(data, 59))


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        lambda x: np.repeat(x, 2)[::2],
        lambda x: x.astype(">f8"),
        lambda x: pl.Series(x),
        lambda x: x.astype("f4").astype("f8")[::-1][::-1],
    ],
)
def test_columns_of_any_array_type(ta: ModuleType, form: Any) -> None:
    data = {name: x.astype("f4").astype("f8") for name, x in panel(3, 50).items()}
    board = PLAN.live(symbols=3)
    for t in range(50):
        board.update(**{name: form(x) for name, x in tick(data, t).items()})
    assert_board(board, batch(data, 49))


def test_attributes_and_repr(ta: ModuleType) -> None:
    plan = Plan(rsi=RSI(14), atr=ATR(14))
    board = plan.live(symbols=3)
    assert isinstance(board, Board)
    assert (board.plan, board.symbols, list(board), len(board)) == (plan, 3, ["rsi", "atr"], 2)
    assert "rsi" in board
    assert "close" not in board
    assert repr(board) == "<board of 3 symbols: rsi, atr>"
    with flags.override("indicators", "python"):
        assert plan.live(symbols=1).backend == "python"
    assert plan.live(symbols=np.int64(2)).symbols == 2


SMALL = Plan(rsi=RSI(3), atr=ATR(3))
OK = {"close": [1.0, 2.0], "high": [1.0, 2.0], "low": [1.0, 2.0]}

WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "a column missing": (
        lambda b: b.update(close=[1.0, 2.0]),
        TypeError,
        "update: expected columns close, high, low, got close",
    ),
    "none": (lambda b: b.update(), TypeError, "update: expected columns close, high, low, got none"),
    "a column too many": (
        lambda b: b.update(**OK, volume=[1.0, 2.0]),
        TypeError,
        "update: expected columns close, high, low, got close, high, low, volume",
    ),
    "too short": (lambda b: b.update(**{**OK, "low": [1.0]}), ValueError, "low: expected 2 values, got 1"),
    "too long": (lambda b: b.update(**{**OK, "low": np.ones(3)}), ValueError, "low: expected 2 values, got 3"),
    "2-D": (
        lambda b: b.update(**{**OK, "low": np.ones((2, 1))}),
        ValueError,
        "low: expected numbers in 1 dimension, got 2 dimensions",
    ),
    "a number": (
        lambda b: b.update(**{**OK, "low": 1.0}),
        ValueError,
        "low: expected numbers in 1 dimension, got 0 dimensions",
    ),
    "None": (lambda b: b.update(**{**OK, "low": None}), TypeError, "low: expected numbers in 1 dimension, got None"),
    "text": (
        lambda b: b.update(**{**OK, "low": ["a", "b"]}),
        TypeError,
        "low: expected numbers, got an array of dtype <U1",
    ),
    "an index too high": (lambda b: b.update(**OK, at=[0, 2]), ValueError, "at: expected ints in 0..1, got 2"),
    "an index below 0": (lambda b: b.update(**OK, at=[0, -1]), ValueError, "at: expected ints in 0..1, got -1"),
    "a huge index": (
        lambda b: b.update(**OK, at=np.array([0, 2**64 - 1], dtype="u8")),
        ValueError,
        "at: expected ints in 0..1, got 18446744073709551615",
    ),
    "indices of floats": (
        lambda b: b.update(**OK, at=[0.0, 1.0]),
        TypeError,
        "at: expected ints in 1 dimension, got float64 in 1",
    ),
    "indices as a mask": (
        lambda b: b.update(**OK, at=[True, False]),
        TypeError,
        "at: expected ints in 1 dimension, got bool in 1",
    ),
    "one index": (lambda b: b.update(**OK, at=1), TypeError, "at: expected ints in 1 dimension, got int64 in 0"),
    "ragged indices": (
        lambda b: b.update(**OK, at=[[0], [0, 1]]),
        TypeError,
        "at: expected ints in 1 dimension, got a list of another form",
    ),
    "other lengths with indices": (lambda b: b.update(**OK, at=[1]), ValueError, "close: expected 1 values, got 2"),
    "a history that is none": (
        lambda b: b.extend([1.0]),
        TypeError,
        "history: expected a mapping of column name to array, got list",
    ),
    "a history without a column": (
        lambda b: b.extend({"close": np.ones((2, 5))}),
        ValueError,
        "history: expected columns close, high, low, got no high, low; there are close",
    ),
    "a history of one dimension": (
        lambda b: b.extend(OK),
        ValueError,
        "close: expected numbers in 2 dimensions, got 1 dimension",
    ),
    "a history of others": (
        lambda b: b.extend({name: np.ones((3, 5)) for name in OK}),
        ValueError,
        "history: expected 2 rows, one a symbol, got 3",
    ),
    "a history of unequal shapes": (
        lambda b: b.extend({"close": np.ones((2, 5)), "high": np.ones((2, 4)), "low": np.ones((2, 5))}),
        ValueError,
        "close, high, low: expected arrays of one shape, got (2, 5), (2, 4), (2, 5)",
    ),
    "no plan": (lambda b: Board(RSI(3), 2), TypeError, "plan: expected a Plan, got RSI"),
    "no symbols": (lambda b: SMALL.live(0), ValueError, "symbols: expected an int in 1..100000000, got 0"),
    "half a symbol": (lambda b: SMALL.live(1.5), TypeError, "symbols: expected an int in 1..100000000, got 1.5"),
    "neither": (
        lambda b: SMALL.live(),
        ValueError,
        "symbols: expected an int, or a history that has one row per symbol, got neither",
    ),
    "a column called at": (
        lambda b: Plan(a=SMA(2, real="at")).live(2),
        ValueError,
        "plan: expected columns of other names, got at, which update() takes for the symbols",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_invalid_input_raises_a_clear_error_and_changes_nothing(ta: ModuleType, what: str) -> None:
    act, kind, text = WRONG[what]
    history = {name: x[:, :6] for name, x in panel(2, 8).items()}
    board, other = SMALL.live(history=history), SMALL.live(history=history)
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        act(board)
    for one in (board, other):
        one.update(**{name: [5.0, 6.0] for name in OK})
    for name in board:
        assert_array_equal(board[name], other[name])


def test_an_unknown_output_name(ta: ModuleType) -> None:
    board = SMALL.live(2)
    for name in ("close", 0, [], None):
        with pytest.raises(KeyError, match="expected one of rsi, atr, got"):
            board[name]


def test_many_symbols(ta: ModuleType, backend: str) -> None:
    symbols = 500 if backend == "compiled" else 40
    data = panel(symbols, 40, 0.02)
    plan = Plan(**{row.name: getattr(ta, row.definition)() for row in FUSED_ROWS})
    board = plan.live(symbols=symbols)
    for t in range(40):
        board.update(**tick(data, t))
    results = plan(data)
    for name in board:
        for ours, theirs in zip(flat(board[name]), flat(results[name])):
            assert_allclose(ours, theirs[:, -1], rtol=1e-12, atol=1e-11)
