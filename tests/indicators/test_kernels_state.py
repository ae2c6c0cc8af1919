"""Compiled states: stored, damaged, shared between threads, and used while a caller's code runs in between."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import struct
import threading
from typing import Any

import numpy as np
import pytest

from fastcore import _env, _ext
from tests.indicators.arrays import assert_array_equal
from tests.indicators.turns import in_turn

if _env.boolean("FASTCORE_NO_EXTENSIONS"):
    pytest.skip("the pure suite", allow_module_level=True)

core: Any = _ext.load("indicators")

SPECS = [
    ("sma", (5.0,), ("close",)),
    ("macd", (12.0, 26.0, 9.0), ("close",)),
    ("bbands", (20.0, 2.0, 2.0, 0.0), ("close",)),
    ("atr", (14.0,), ("high", "low", "close")),
    ("stoch", (5.0, 3.0, 0.0, 3.0, 1.0), ("high", "low", "close")),
    ("obv", (), ("close", "volume")),
]
EVERY = [
    *SPECS,
    ("ema", (9.0,), ("close",)),
    ("rsi", (9.0,), ("close",)),
    ("stddev", (6.0, 1.0), ("close",)),
    ("min", (6.0,), ("close",)),
    ("max", (6.0,), ("close",)),
    ("vwap", (), ("high", "low", "close", "volume")),
]

# Programs of one operator whose state begins with the width, the next place and the bars since a gap ...
RING = ("avgdev", (6.0,), ("close",))
WINDOWS = [  # ... and with the width, half of it, the place in that half, which half, and the bars since a gap.
    ("wma", (6.0,), ("close",)),
    ("linearreg", (6.0,), ("close",)),
    ("correl", (6.0,), ("high", "low")),
    ("stddev", (6.0, 1.0), ("close",)),
]
EVERY += [
    RING,
    *WINDOWS,
    ("roc", (6.0,), ("close",)),
    ("dema", (5.0,), ("close",)),
    ("adx", (5.0,), ("high", "low", "close")),
    ("mfi", (5.0,), ("high", "low", "close", "volume")),
    ("kama", (5.0,), ("close",)),
]


def column(n: int, seed: int = 0) -> Any:
    return 100.0 + np.cumsum(np.random.default_rng(seed).standard_normal(n))


def same(one: Any, two: Any) -> bool:
    return np.array_equal(one, two, equal_nan=True)


def filled(spec: Any, bars: int = 77) -> Any:
    live = core.Live(spec[0], spec[1])
    live.extend(*(column(bars, seed) for seed in range(len(spec[2]))))
    return live


@in_turn("spec", EVERY)
@in_turn("bars", [0, 1, 5, 6, 20, 77, 200])
def test_a_copy_and_a_pickle_continue_alike(spec: Any, bars: int) -> None:
    live = filled(spec, bars)
    others = [live.copy(), copy.copy(live), copy.deepcopy(live)]
    others += [pickle.loads(pickle.dumps(live, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    for other in others:
        assert (other.name, other.params, other.count) == (live.name, live.params, live.count)
        assert same(other.value, live.value)
    for bar in np.column_stack([column(60, 9 + seed) for seed in range(len(spec[2]))]).tolist():
        peeked, wanted = live.peek(*bar), live.update(*bar)
        assert same(peeked, wanted)
        assert all(same(other.update(*bar), wanted) for other in others)


@pytest.mark.parametrize("spec", EVERY, ids=lambda spec: spec[0])
def test_a_damaged_state_is_refused_or_harmless(spec: Any) -> None:
    live = filled(spec)
    _, _, (version, state, last, count) = live.__reduce__()
    fresh = filled(spec)
    for wrong in [
        (version + 1, state, last, count),
        (version, state[:-1], last, count),
        (version, state + b"\0", last, count),
        (version, b"", last, count),
        (version, state, last[:-1], count),
        (version, state, last, -1),
    ]:
        with pytest.raises(ValueError, match="state: expected one of"):
            fresh.__setstate__(wrong)
    for wrong in [None, (), (version, state), (version, "x" * len(state), last, count), [version, state, last, count]]:
        with pytest.raises((TypeError, ValueError)):
            fresh.__setstate__(wrong)
    rng = random.Random(1)
    for _ in range(300):
        damaged = bytearray(state)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            fresh.__setstate__((version, bytes(damaged), last, count))
        except ValueError:
            continue
        for _ in range(40):
            fresh.update(*[1.0] * len(spec[2]))


def refuse(spec: Any, layout: str, field: int, value: int) -> None:
    live = filled(spec)
    _, _, (version, state, last, count) = live.__reduce__()
    size = struct.calcsize(layout)
    fields = list(struct.unpack(layout, state[:size]))
    assert fields[0] == fields[-1] == 6
    fields[field] = value
    with pytest.raises(ValueError, match="state: expected one of"):
        live.__setstate__((version, struct.pack(layout, *fields) + state[size:], last, count))


@pytest.mark.parametrize(("field", "value"), [(0, 7), (0, 5), (1, 6), (1, -1), (2, 7), (2, -1)])
def test_a_place_outside_the_ring_is_refused(field: int, value: int) -> None:
    refuse(RING, "=3q", field, value)


@in_turn("spec", WINDOWS)
@in_turn("field, value", [(0, 7), (0, 5), (1, 2), (1, 4), (2, 4), (2, -1), (3, 2), (3, -1), (4, 7), (4, -1)])
def test_a_place_outside_the_window_is_refused(spec: Any, field: int, value: int) -> None:
    refuse(spec, "=5i", field, value)


def test_a_number_that_calls_back_finds_a_consistent_state() -> None:
    live, twin = core.Live("sma", (3.0,)), core.Live("sma", (3.0,))

    class Nested(float):
        def __float__(self) -> float:
            live.update(1.0)
            live.__setstate__(live.__reduce__()[2])
            return 2.0

    class Number:
        def __float__(self) -> float:
            live.update(1.0)
            return 2.0

    class Broken:
        def __float__(self) -> float:
            raise RuntimeError("no number")

    for _ in range(5):
        live.update(Number())
        twin.update(1.0)
        twin.update(2.0)
    assert live.value == twin.value
    with pytest.raises(RuntimeError, match="no number"):
        live.update(Broken())
    with pytest.raises(RuntimeError, match="no number"):
        live.peek(Broken())
    assert (live.count, live.value) == (twin.count, twin.value)
    live.update(Nested(3.0))
    assert live.count > twin.count


def test_wrong_bars_change_nothing() -> None:
    live = filled(SPECS[3])
    count, value = live.count, live.value
    for wrong in [(), (1.0,), (1.0, 2.0, 3.0, 4.0), (1.0, 2.0, "3"), (None, 1.0, 2.0), (1.0, 2.0, 1j)]:
        for method in (live.update, live.peek):
            with pytest.raises(TypeError, match=rf"{method.__name__}: expected "):
                method(*wrong)
    x = column(5)
    for wrong in [(), (x,), (x, x, x[:3]), (x, x, x[None]), (x, x, [1.0]), (x, x, x.astype("f4")), (x, x, x[::2])]:
        with pytest.raises((TypeError, ValueError), match="extend: "):
            live.extend(*wrong)
    assert (live.count, live.value) == (count, value)


@pytest.mark.parametrize("arguments", [(), ("nothing", ()), ("sma", ()), ("sma", (0.0,)), ("sma", (2.5,)), ("sma", 3)])
def test_invalid_live_specifications_are_refused(arguments: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        core.Live(*arguments)


# ---- boards ----


def panel(symbols: int, bars: int) -> dict[str, Any]:
    return {
        name: np.stack([column(bars, 1000 * seed + i) for i in range(symbols)])
        for seed, name in enumerate(("close", "high", "low", "volume"))
    }


def values(board: Any) -> list[Any]:
    return [output.copy() for i in range(len(board.specs)) for output in board.output(i)]


def alike(one: Any, two: Any) -> bool:
    return all(same(a, b) for a, b in zip(values(one), values(two)))


def test_a_board_is_its_symbols_live() -> None:
    history, rng = panel(7, 60), np.random.default_rng(0)
    board = core.Board(EVERY, 7)
    lives = [[core.Live(spec[0], spec[1]) for _ in range(7)] for spec in EVERY]
    board.extend({name: np.ascontiguousarray(values[:, :20]) for name, values in history.items()})
    for spec, row in zip(EVERY, lives):
        for symbol, live in enumerate(row):
            live.extend(*(np.ascontiguousarray(history[name][symbol, :20]) for name in spec[2]))
    for bar in range(20, 60):
        at = None if bar % 2 else rng.integers(0, 7, size=5)
        tick = {
            name: np.ascontiguousarray(values[:, bar] if at is None else values[at, bar])
            for name, values in history.items()
        }
        if bar == 33:
            tick["close"][2] = np.nan
        board.update(tick, at)
        for spec, row in zip(EVERY, lives):
            for i, symbol in enumerate(range(7) if at is None else at):
                row[symbol].update(*(float(tick[name][i]) for name in spec[2]))
        for i, row in enumerate(lives):
            wanted = np.array([np.atleast_1d(live.value) for live in row]).T
            for output, expected in zip(board.output(i), wanted):
                assert_array_equal(output, expected)


def test_wrong_ticks_change_nothing() -> None:
    board = core.Board(SPECS, 4)
    board.extend(panel(4, 30))
    before = board.copy()
    good = {name: values[:, 0].copy() for name, values in panel(4, 1).items()}
    for at in [np.array([0, 4]), np.array([-1, 0]), np.array([0, 2**62]), np.array([1, -(2**63)])]:
        tick = {name: values[:2].copy() for name, values in good.items()}
        with pytest.raises(IndexError, match=r"at: expected indices in 0\.\.3"):
            board.update(tick, at)
    for at in [[0, 1, 2, 3], np.arange(4.0), np.arange(4, dtype="i4"), np.arange(8)[::2], np.zeros((2, 2), "i8"), 3]:
        with pytest.raises(TypeError, match="at: expected"):
            board.update(good, at)
    for wrong in [
        {},
        {"close": good["close"]},
        {**good, "close": good["close"][:3].copy()},
        {**good, "low": good["low"].astype("f4")},
        {**good, "low": good["low"].tolist()},
        {**good, "low": np.arange(8.0)[::2]},
        {**good, "low": good["low"][None]},
        {**good, "low": None},
        [good["close"]],
        7,
    ]:
        with pytest.raises((TypeError, ValueError)):
            board.update(wrong)
    for wrong in [{}, good, panel(3, 5), {**panel(4, 5), "low": np.ones((4, 6))}]:
        with pytest.raises((TypeError, ValueError)):
            board.extend(wrong)
    assert alike(board, before)
    board.update(good)
    before.update([good[name] for name in before.columns])
    assert alike(board, before)


@pytest.mark.parametrize(
    "arguments",
    [
        ([("sma", (5.0,))], 3),
        ([("sma", (5.0,), ("a", "b"))], 3),
        ([("sma", (5.0,), (3,))], 3),
        ([("sma", (0.0,), ("a",))], 3),
        ([("nothing", (), ("a",))], 3),
        ([3], 3),
        (3, 3),
        (SPECS, -1),
        (SPECS, 2.5),
    ],
)
def test_invalid_board_specifications_are_refused(arguments: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        core.Board(*arguments)


def test_outputs_outlive_the_board_and_cannot_be_resized() -> None:
    board = core.Board(SPECS, 50)
    board.extend(panel(50, 30))
    output = board.output(0)[0]
    with pytest.raises(ValueError, match="resize"):
        output.resize(10_000, refcheck=False)
    kept = output.copy()
    del board
    gc.collect()
    assert_array_equal(output, kept)


def test_boards_without_symbols_or_indicators() -> None:
    for board in (core.Board([], 3), core.Board(SPECS, 0), core.Board([], 0)):
        board.update({name: np.empty(board.symbols) for name in board.columns})
        board.extend({name: np.empty((board.symbols, 2)) for name in board.columns})
        assert alike(pickle.loads(pickle.dumps(board)), board.copy())


def test_a_pickled_board_continues_and_a_damaged_one_is_refused() -> None:
    board = core.Board(EVERY, 6)
    board.extend(panel(6, 45))
    again = pickle.loads(pickle.dumps(board))
    tick = {name: values[:, 0].copy() for name, values in panel(6, 1).items()}
    for one in (board, again):
        one.update(tick)
    assert alike(board, again)
    make, arguments, (version, states, outputs) = board.__reduce__()
    for wrong in [
        (version + 1, states, outputs),
        (version, states[:-1], outputs),
        (version, [state[:-1] for state in states], outputs),
        (version, states, [[part[:-1] for part in output] for output in outputs]),
        (version, tuple(states), outputs),
        (version, [bytearray(state) for state in states], outputs),
        (version, [b"\xff" * len(state) for state in states], outputs),
    ]:
        with pytest.raises(ValueError, match="state: expected"):
            make(*arguments).__setstate__(wrong)


def test_threads_take_turns_on_a_board() -> None:
    symbols, ticks = 2000, 40
    specs = [("obv", (), ("close", "volume")), ("sma", (3.0,), ("close",)), ("min", (3.0,), ("close",))]
    board = core.Board(specs, symbols)
    ones = np.ones(symbols)
    at = np.arange(symbols)

    def work(seed: int) -> None:
        for i in range(ticks):
            board.update({"close": ones, "volume": ones}, at if i % 2 else None)
            board.copy()
            if i % 10 == seed:
                pickle.loads(pickle.dumps(board))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Equal closes leave the balance at the first bar's volume; the windows are full of ones.
    for i in range(3):
        assert set(board.output(i)[0]) == {1.0}
