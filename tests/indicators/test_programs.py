"""Indicators that run as programs of operators: every form gives the same, and missing data cost what the row says."""

from __future__ import annotations

import pickle
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import talib

from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import PROGRAM_CASES, PROGRAM_DEFAULTS, Case, call, inputs_of, on_twin, walk
from tests.indicators.turns import in_turn

each_case = in_turn("case", PROGRAM_CASES)
each_default = in_turn("case", PROGRAM_DEFAULTS)

NUMBERS = ("maxindex", "minindex", "minmaxindex")  # of bars, counted from the first one given
GAPS = ([], [0], [3], [150], [100, 103], list(range(120, 150)), list(range(5, 300, 40)))


def define(ta: ModuleType, case: Case, **columns: str) -> Any:
    params = [value if param.kind == "float" else int(value) for param, value in zip(case.row.params, case.params)]
    return getattr(ta, case.row.definition)(*params, **columns)


def gappy(case: Case, gaps: list[int], bars: int = 300) -> tuple[list[Any], Any]:
    """Inputs in which each gap hits one input or another, and where all are there."""
    inputs = [x.copy() for x in inputs_of(case.row, walk(bars, seed=9))]
    for turn, at in enumerate(at for at in gaps if at < bars):
        inputs[turn % len(inputs)][at] = (np.nan, np.inf, -np.inf)[turn % 3]
    return inputs, np.all([np.isfinite(x) for x in inputs], axis=0)


def tuples(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def scale_of(outputs: tuple[Any, ...]) -> float:
    """The largest value: results that are differences have that many digits."""
    there = [np.abs(x[np.isfinite(x)]) for x in outputs]
    return max((float(x.max()) for x in there if x.size), default=1.0)


def assert_close(ours: tuple[Any, ...], theirs: tuple[Any, ...], what: object = "") -> None:
    scale = scale_of(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert_array_equal(np.isnan(a), np.isnan(b), err_msg=str(what))
        assert_allclose(a, b, rtol=1e-9, atol=1e-11 * scale, err_msg=str(what))


@each_case
def test_live_bars_give_what_the_whole_series_does(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    for gaps in ([], [3, 40, 43, *range(60, 75), 110]):
        inputs, _ = gappy(case, gaps, 130)
        live = define(ta, case).live()
        peeked, kept, found = [], [], []
        for i, bar in enumerate(zip(*(x.tolist() for x in inputs))):
            if i % 37 == 11:
                live = pickle.loads(pickle.dumps(live)) if i % 2 else live.copy()
            if i % 5 == 0:
                peeked.append(tuples(live.peek(*bar)))
            found.append(tuples(live.update(*bar)))
            if i % 5 == 0:
                kept.append(tuples(live.value))
        assert_array_equal(peeked, found[::5])
        assert_array_equal(kept, found[::5])
        series = tuple(np.array(x) for x in zip(*found))
        assert_close(series, call(function, case, inputs), gaps)
        extended = tuples(define(ta, case).live().extend(*inputs))
        for ours, theirs in zip(extended, series):
            assert_array_equal(ours, theirs)


@in_turn("case", [case for case in PROGRAM_CASES if case.row.missing != "mixed"])
def test_a_gap_costs_what_the_row_says(ta: ModuleType, backend: str, case: Case) -> None:
    function = getattr(ta, case.row.name)
    for gaps in GAPS if backend == "compiled" else (GAPS[2], GAPS[5], GAPS[6]):
        inputs, there = gappy(case, gaps)
        expected = tuple(np.full(300, np.nan) for _ in case.row.outputs)
        if case.row.missing == "recurrence":  # as if the bar did not exist
            parts = [np.flatnonzero(there)]
        else:  # each run without a gap is a series of its own
            at = np.flatnonzero(there)
            parts = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
        for part in parts:
            for whole, values in zip(expected, call(function, case, [x[part].copy() for x in inputs])):
                whole[part] = values + (part[0] if case.row.name in NUMBERS else 0.0)
        assert_close(call(function, case, inputs), expected, gaps)


@each_default
def test_symbols_of_a_board_are_live_indicators(ta: ModuleType, case: Case) -> None:
    columns = [f"c{i}" for i in range(len(case.row.inputs))]
    board = ta.Plan(one=define(ta, case, **dict(zip(case.row.inputs, columns)))).live(symbols=3)
    panel = [np.stack([inputs_of(case.row, walk(100, seed))[j] for seed in range(3)]) for j in range(len(columns))]
    panel[0][1, 50] = np.nan
    lives = [define(ta, case).live() for _ in range(3)]
    found, expected = [], []
    for t in range(100):
        board.update(**{name: x[:, t].copy() for name, x in zip(columns, panel)})
        found.append(np.array(tuples(board["one"])).T)
        expected.append([tuples(live.update(*(x[i, t] for x in panel))) for i, live in enumerate(lives)])
    assert_array_equal(found, expected)
    again = pickle.loads(pickle.dumps(board))
    board.update(at=[2], **{name: [1.5] for name in columns})
    again.update(at=[2], **{name: [1.5] for name in columns})
    for ours, theirs in zip(tuples(board["one"]), tuples(again["one"])):
        assert_array_equal(ours, theirs)


@each_default
def test_rows_are_computed_by_themselves(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    panel = [
        np.stack([inputs_of(case.row, walk(600, seed))[j] for seed in range(3)]) for j in range(len(case.row.inputs))
    ]
    panel[-1][1, 50] = np.nan
    rows = [call(function, case, [x[i] for x in panel]) for i in range(3)]
    for ours, theirs in zip(call(function, case, panel), zip(*rows)):
        assert_array_equal(ours, np.array(theirs))


@each_case
@pytest.mark.skipif(PURE_ONLY, reason="compares the twins")
def test_the_twins_give_the_same(case: Case) -> None:
    for gaps in GAPS[::2]:
        inputs, _ = gappy(case, gaps)
        compiled, pure = (call(on_twin(twin, case.row.name), case, inputs) for twin in ("compiled", "python"))
        assert_close(compiled, pure, gaps)


@each_default
def test_nothing_and_little(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    for shape in ((0,), (1,), (0, 5), (5, 0), (3, 1)):
        for output in call(function, case, [np.ones(shape) for _ in case.row.inputs]):
            assert output.shape == shape
            assert output.dtype == np.float64


@in_turn("case", [case for case in PROGRAM_DEFAULTS if case.by_window])
def test_a_spike_leaves_no_trace_after_its_window(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    clean = inputs_of(case.row, walk(1500))
    spiked = [x.copy() for x in clean]
    for x in spiked:
        x[700] = 1e16
    after = slice(701 + case.row.lookback(*case.params), None)
    expected = call(function, case, clean)
    for ours, theirs in zip(call(function, case, spiked), expected):
        assert_allclose(ours[after], theirs[after], rtol=1e-11, atol=1e-12 * scale_of(expected))


def test_a_program_of_more_operators_than_fit_the_stack_has_every_form(ta: ModuleType) -> None:
    """Averages for each of 47 periods: more than 500 operators."""
    real, periods = walk(320)["real"].copy(), np.random.default_rng(3).integers(2, 49, 320).astype(float)
    expected = talib.MAVP(real, periods, 2, 48, 8)
    wanted = ta.mavp(real, periods, 2, 48, 8)
    assert_allclose(wanted, expected, rtol=1e-9)
    definition = ta.MAVP(2, 48, 8)
    assert len(definition.row.program(definition.values).nodes) > 500
    live = definition.live(real[:310], periods[:310])
    board = ta.Plan(one=definition).live(
        symbols=2, history={"close": np.tile(real[:310], (2, 1)), "periods": np.tile(periods[:310], (2, 1))}
    )
    for i in range(310, 320):
        live = pickle.loads(pickle.dumps(live)) if i % 5 == 0 else live.copy()
        peeked = live.peek(real[i], periods[i])
        assert live.update(real[i], periods[i]) == peeked
        board.update(close=np.full(2, real[i]), periods=np.full(2, periods[i]))
        assert_allclose([peeked, *board["one"]], wanted[i], rtol=1e-12)
    real[300] = np.nan
    gap = ta.mavp(real, periods, 2, 48, 8)
    assert_allclose(gap[:300], wanted[:300], rtol=1e-12)
    assert_allclose(definition.live().extend(real, periods), gap, rtol=1e-12)


@pytest.mark.parametrize("maxperiod", [1_000, 100_000])
def test_a_program_of_too_many_operators_is_refused_at_once(ta: ModuleType, maxperiod: int) -> None:
    text = (
        f"mavp: one average of matype 8 for each period from 2 to {maxperiod}: expected a definition of at most 10000"
    )
    for attempt in (lambda: ta.mavp(np.ones(9), np.ones(9), 2, maxperiod, 8), ta.MAVP(2, maxperiod, 8).live):
        with pytest.raises(ValueError, match=text):
            attempt()
