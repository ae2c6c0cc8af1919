"""`nan="talib"` in every form: live objects and boards give what whole series do, bar by bar."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fastcore.indicators.registry import INDICATORS, Indicator, column
from python_fallback.shared.indicators import MISSING
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import walk
from tests.indicators.turns import in_turn

BARS = 260


def broken(bars: int, seed: int, share: float = 0.01) -> dict[str, Any]:
    """Bars of which some lack a price."""
    random = np.random.default_rng(seed)
    columns = walk(bars, seed=seed)
    for x in columns.values():
        x[random.random(bars) < share] = np.nan
        x[random.random(bars) < share / 4] = np.inf
    return columns


def outputs(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


@in_turn("row", INDICATORS.values())
def test_live_gives_what_the_series_does(ta: ModuleType, row: Indicator) -> None:
    scale = 1e-3 if row.group == "Math Transform" else 1.0
    columns = broken(BARS, seed=4)
    inputs = [columns[name] * scale for name in row.inputs]
    definition = getattr(ta, row.definition)()
    whole = outputs(definition(*inputs, nan="talib"))
    live = definition.live(*(x[:100] for x in inputs), nan="talib")
    peeked, ticks = [], []
    for bar in zip(*(x[100:].tolist() for x in inputs)):
        peeked.append(outputs(live.peek(*bar)))
        ticks.append(outputs(live.update(*bar)))
    assert_array_equal(peeked, ticks)
    assert live.count == BARS
    assert_array_equal(outputs(live.value), ticks[-1])
    size = max(float(np.nanmax(np.abs(np.where(np.isinf(x), np.nan, x)))) for x in inputs)
    for a, b in zip(whole, zip(*ticks), strict=True):
        assert_allclose(b, a[100:], rtol=1e-10, atol=1e-12 * size)


@in_turn("row", INDICATORS.values())
def test_a_board_gives_what_live_objects_do(ta: ModuleType, backend: str, row: Indicator) -> None:
    definition = getattr(ta, row.definition)()
    bars, symbols = (120, 3) if backend == "compiled" else (60, 2)  # the pure twin's board is so many live objects
    panels = [broken(bars, seed=seed, share=0.03) for seed in range(symbols)]
    names = [column(name) for name in row.inputs]
    board = ta.Plan(one=definition).live(symbols=symbols, nan="talib")
    lives = [definition.live(nan="talib") for _ in panels]
    result = board["one"]
    found, expected = [], []
    for bar in range(bars):
        values = {name: np.array([panel[own][bar] for panel in panels]) for name, own in zip(names, row.inputs)}
        board.update(**values)
        found.append(np.array(outputs(result)).T)
        expected.append([outputs(live.update(*(values[name][i] for name in names))) for i, live in enumerate(lives)])
    assert_array_equal(found, expected)
    assert board["one"] is result


def test_a_board_with_the_policy_takes_part_in_all_that_others_do(ta: ModuleType) -> None:
    plan = ta.Plan(rsi=ta.RSI(5), range=ta.MINMAX(4), sar=ta.SAR())
    closes = np.array([broken(60, seed=seed, share=0.05)["close"] for seed in range(4)])
    panel = {"close": closes, "high": closes + 1.0, "low": closes - 1.0}
    board = plan.live(history={name: x[:2] for name, x in panel.items()}, nan="talib")
    assert board.nan == "talib"
    board.add(history={name: x[2:] for name, x in panel.items()})
    for name, definition in plan.definitions.items():
        whole = outputs(definition(*(panel[one] for one in definition.columns), nan="talib"))
        for a, b in zip(outputs(board[name]), whole):
            assert_allclose(a, b[:, -1], rtol=1e-12)
    again = pickle.loads(pickle.dumps(board))
    twin = copy.copy(board)
    assert again.nan == twin.nan == "talib"
    tick = {name: np.array([np.nan, 101.0]) for name in panel}
    for one in (board, again, twin):
        one.update(at=[2, 0], **tick)
        one.reset(at=[3], names="rsi")
        assert np.isnan(one["rsi"][3])
        assert one["rsi"][2] == 0.0
        with pytest.raises(ValueError, match="read-only"):
            one["rsi"][0] = 1.0
    for name in plan.definitions:
        assert_array_equal(outputs(again[name]), outputs(board[name]))
        assert_array_equal(outputs(twin[name]), outputs(board[name]))
    board.update(**{name: np.full(4, 100.0) for name in panel})
    assert not np.array_equal(outputs(twin["range"]), outputs(board["range"]))


def test_threads_share_a_board_with_the_policy(ta: ModuleType) -> None:
    board = ta.Plan(mean=ta.SMA(3), high=ta.MAX(3)).live(symbols=4, nan="talib")
    begun = threading.Barrier(3)

    def tick() -> None:
        begun.wait()
        for _ in range(50):
            board.update(at=[0, 3], close=np.array([1.0, np.nan]))

    def add() -> None:
        begun.wait()
        for _ in range(20):
            board.add(5)

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(tick), pool.submit(tick), pool.submit(add)]:
            done.result()
    assert board["mean"].shape == (104,)
    assert board["mean"][0] == 1.0
    assert np.isnan(board["mean"][1:]).all()
    assert board["high"][0] == 1.0


def test_a_live_object_with_the_policy_is_copied_and_pickled_with_it(ta: ModuleType) -> None:
    close = broken(80, seed=9)["close"]
    for definition in (ta.RSI(5), ta.MACD(3, 6, 4), ta.VAR(4)):
        live = definition.live(close[:60], nan="talib")
        others = [live.copy(), copy.deepcopy(live), pickle.loads(pickle.dumps(live))]
        wanted = outputs(live.extend(close[60:]))
        for other in others:
            assert (other.nan, other.count, type(other.value)) == ("talib", 60, type(live.value))
            assert_array_equal(outputs(other.extend(close[60:])), wanted)
    assert ta.RSI(5).live(close).nan is None


def test_a_state_is_not_read_under_another_policy(ta: ModuleType) -> None:
    state = ta.RSI(5).live([1.0, 2.0], nan="talib").__reduce__()
    restore, arguments = state[:2]
    with pytest.raises(ValueError, match="computed in another way"):
        restore(*arguments[:-1], None)


def test_bad_bars_are_refused_as_without_the_policy(ta: ModuleType) -> None:
    live = ta.RSI(5).live(nan="talib")
    for bar, error in ((("1.0",), "expected a number, got str"), ((1.0, 2.0), "expected 1 number, got 2")):
        with pytest.raises(TypeError, match=error):
            live.update(*bar)
    assert live.count == 0
    with pytest.raises(ValueError, match="nan: expected 'talib' or None, got 'skip'"):
        ta.RSI(5).live(nan="skip")
    with pytest.raises(TypeError, match="nan: expected 'talib' or None, got a bool"):
        ta.Plan(rsi=ta.RSI(5)).live(3, nan=True)


def test_every_form_of_series_has_the_policy(ta: ModuleType) -> None:
    bars = 600
    clean = walk(bars, seed=1)["close"]
    close = clean.copy()
    close[[100, 400]] = np.nan
    columns = {"close": close}
    plan = ta.Plan(rsi=ta.RSI(14), macd=ta.MACD())
    wanted = ta.macd(close, nan="talib")
    assert np.isfinite(wanted.hist[33:100]).all()
    assert np.isnan(wanted.hist[100:]).all()
    times = pd.date_range("2024-01-01", periods=bars)
    index = pd.MultiIndex.from_product([times, ["A", "B"]], names=["time", "symbol"])
    table = pd.Series(np.column_stack([clean, close]).ravel(), index)
    panel = np.array([clean, close])
    out = tuple(np.empty(bars) for _ in range(3))
    spread = tuple(np.empty(2 * bars) for _ in range(3))
    found = [
        ta.MACD()(close, nan="talib"),
        ta.macd(pd.Series(close), nan="talib"),
        ta.macd(pl.Series(close), nan="talib"),
        ta.macd(close, out=out, nan="talib"),
        ta.MACD().live(pd.Series(close)[:0], nan="talib").extend(pd.Series(close)),
        plan(columns, nan="talib")["macd"],
        plan(columns, out={"macd": out}, nan="talib")["macd"],
        [x[1] for x in ta.macd(panel, nan="talib")],
        [x.to_numpy()[1::2] for x in ta.macd(table, nan="talib")],
        [x[1::2] for x in ta.macd(table, out=spread, nan="talib")],
        [plan(pd.DataFrame(columns), nan="talib")[f"macd_{name}"] for name in wanted._fields],
        [plan(pl.DataFrame(columns), nan="talib")[f"macd_{name}"] for name in wanted._fields],
        [plan(pl.LazyFrame(columns), nan="talib").collect()[f"macd_{name}"] for name in wanted._fields],
    ]
    for one in found:
        for a, b in zip(one, wanted, strict=True):
            assert_allclose(np.asarray(a), b, rtol=1e-9)
    assert_allclose(ta.macd(table, nan="talib").hist.to_numpy()[::2], ta.macd(clean).hist, rtol=1e-9)
    into = close.copy()
    assert ta.sma(into, 5, out=into, nan="talib") is into
    assert_array_equal(into, ta.sma(close, 5, nan="talib"))


def test_a_lag_is_spoiled_at_two_bars_and_a_window_as_long_as_it_is(ta: ModuleType) -> None:
    real = np.arange(40.0) + 1.0
    real[[20, 22]] = np.nan
    at = {"mom": [20, 22, 30, 32], "avgdev": list(range(20, 27)), "sqrt": [20, 22], "sma": list(range(20, 40))}
    for name, spoiled in at.items():
        params = {"mom": (10,), "avgdev": (5,), "sma": (5,)}.get(name, ())
        found = getattr(ta, name)(real, *params, nan="talib")
        first = {"mom": 10, "avgdev": 4, "sma": 4}.get(name, 0)
        assert np.flatnonzero(np.isnan(found)).tolist() == [*range(first), *spoiled]


def test_an_indicator_of_the_users_has_the_policy(ta: ModuleType) -> None:
    @ta.indicator
    def apart(o: Any, close: Any, timeperiod: int = 5) -> Any:
        return close - o.highest(close, timeperiod)

    real = np.arange(20.0)
    real[10] = np.nan
    whole = apart(real, 3, nan="talib")
    assert np.flatnonzero(np.isnan(whole)).tolist() == [0, 1, 10, 11, 12]
    live = apart(3).live(nan="talib")
    assert_array_equal([live.update(x) for x in real], whole)
    board = ta.Plan(one=apart(3)).live(history={"close": real[None, :11]}, nan="talib")
    assert np.isnan(board["one"]).all()
    assert apart.live(real, nan="talib").nan == "talib"


def test_counts_of_a_window_that_is_not_full_are_spoiled_while_it_holds_a_missing_value(ta: ModuleType) -> None:
    real = np.arange(12.0)
    real[[1, 7]] = np.nan
    found = ta.median(real, 4, 2, nan="talib")
    assert np.flatnonzero(np.isnan(found)).tolist() == [0, 1, 2, 3, 4, 7, 8, 9, 10]


def test_the_number_that_stands_for_a_missing_value_is_no_result(ta: ModuleType) -> None:
    real = broken(50, seed=2, share=0.2)["close"]
    for name in ("sma", "max", "rsi", "exp", "macd", "kama"):
        for x in outputs(getattr(ta, name)(real, nan="talib")):
            assert not (x == MISSING).any()


@pytest.mark.parametrize(
    ("nan", "error"), [("skip", ValueError), ("TALIB", ValueError), (True, TypeError), (np.nan, TypeError)]
)
def test_another_policy_is_refused(ta: ModuleType, nan: Any, error: type[Exception]) -> None:
    for call in (ta.rsi, ta.RSI(14)):
        with pytest.raises(error, match="nan: expected 'talib' or None, got"):
            call(np.arange(30.0), nan=nan)
    with pytest.raises(error, match="nan: expected 'talib' or None, got"):
        ta.Plan(rsi=ta.RSI(14))({"close": np.arange(30.0)}, nan=nan)
