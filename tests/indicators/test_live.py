"""Live indicators: bar by bar they give what the function gives for the whole series."""

from __future__ import annotations

import copy
import functools
import gc
import itertools
import pickle
import re
import sys
import threading
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore import indicators
from fastcore.dispatch import flags
from fastcore.indicators.registry import Indicator
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import CASES, DEFAULTS, FUSED_ROWS, Case, call, inputs_of, walk
from tests.indicators.turns import in_turn

each_case = in_turn("case", CASES)
each_default = in_turn("case", DEFAULTS)
each_row = pytest.mark.parametrize("row", FUSED_ROWS, ids=lambda row: row.name)


def define(ta: ModuleType, case: Case) -> Any:
    params = [value if param.kind == "float" else int(value) for param, value in zip(case.row.params, case.params)]
    return getattr(ta, case.row.definition)(*params)


def gappy(case: Case, bars: int = 300) -> list[Any]:
    inputs = [x.copy() for x in inputs_of(case.row, walk(bars))]
    rng = np.random.default_rng(5)
    for x in inputs:
        x[rng.random(bars) < 0.03] = np.nan
        x[rng.random(bars) < 0.01] = np.inf
    return inputs


def spiky(case: Case) -> list[Any]:
    inputs = [x.copy() for x in inputs_of(case.row, walk(300, start=1e8))]
    for x in inputs:
        x[77] = 1e14
    return inputs


def floats(value: Any) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def bars_of(inputs: list[Any]) -> list[tuple[float, ...]]:
    return list(zip(*(x.tolist() for x in inputs)))


@each_case
@pytest.mark.parametrize(
    "make", [lambda case: inputs_of(case.row, walk(300)), gappy, spiky], ids=["clean", "gaps", "spike"]
)
def test_live_equals_batch(ta: ModuleType, case: Case, make: Any) -> None:
    inputs = make(case)
    live = define(ta, case).live()
    ours = np.array([floats(live.update(*bar)) for bar in bars_of(inputs)]).T
    scale = max(float(np.abs(x[np.isfinite(x)]).max()) for x in inputs)
    for a, b in zip(ours, call(getattr(ta, case.row.name), case, inputs), strict=True):
        assert_allclose(a, b, rtol=1e-12, atol=1e-14 * scale)


@each_case
def test_extend_equals_update(ta: ModuleType, case: Case) -> None:
    inputs = gappy(case)
    definition = define(ta, case)
    one = definition.live()
    expected = np.array([floats(one.update(*bar)) for bar in bars_of(inputs)]).T
    for cuts in ([0, 300], [0, 1, 2, 3, 150, 150, 299, 300], list(range(0, 301, 20))):
        live = definition.live()
        parts = [floats(live.extend(*(x[a:b] for x in inputs))) for a, b in itertools.pairwise(cuts)]
        for a, b in zip(map(np.concatenate, zip(*parts)), expected):
            assert_allclose(a, b, rtol=1e-12, atol=1e-11)
        assert live.count == one.count == 300
        assert_allclose(floats(live.value), floats(one.value), rtol=1e-12, atol=1e-11)


@each_case
def test_history_then_updates(ta: ModuleType, case: Case) -> None:
    inputs = gappy(case)
    live = define(ta, case).live(*(x[:200] for x in inputs))
    ours = np.array([floats(live.update(*bar)) for bar in bars_of([x[200:] for x in inputs])]).T
    for a, b in zip(ours, call(getattr(ta, case.row.name), case, inputs)):
        assert_allclose(a, b[200:], rtol=1e-12, atol=1e-11)


@each_case
def test_peek_equals_update_without_changing_state(ta: ModuleType, case: Case) -> None:
    inputs = gappy(case, 120)
    live, other = define(ta, case).live(), define(ta, case).live()
    before, after, peeked, found, expected, kept = [], [], [], [], [], []
    for bar in bars_of(inputs):
        before.append(live.value)
        peeked.append(live.peek(*bar))
        live.peek(*(x + 1e6 for x in bar))
        assert live.peek(*[float("nan")] * len(bar)) is not None
        after.append(live.value)
        assert live.count == other.count
        found.append(live.update(*bar))
        kept.append(live.value)
        expected.append(other.update(*bar))
    assert_array_equal(after, before)
    for values in (peeked, found, kept):
        assert_array_equal(values, expected)


CLONES = [
    lambda live: live.copy(),
    copy.copy,
    copy.deepcopy,
    lambda live: pickle.loads(pickle.dumps(live, 2)),
    lambda live: pickle.loads(pickle.dumps(live)),
]


@each_case
def test_a_copy_is_independent(ta: ModuleType, case: Case) -> None:
    bars = bars_of(gappy(case, 50))
    for clone, cut in itertools.product(CLONES, (0, 7, 40)):
        live = define(ta, case).live()
        for bar in bars[:cut]:
            live.update(*bar)
        twin = clone(live)
        assert (twin.definition, twin.backend, twin.count) == (live.definition, live.backend, live.count)
        assert_array_equal(floats(twin.value), floats(live.value))
        for bar in bars:
            twin.update(*(x * 2 for x in bar))
        straight = define(ta, case).live()
        for bar in bars[:cut]:
            straight.update(*bar)
        pairs = np.array([(live.update(*bar), straight.update(*bar)) for bar in bars[cut:]])
        assert_array_equal(pairs[:, 0], pairs[:, 1])


@each_default
def test_results_have_the_types_of_the_functions(ta: ModuleType, case: Case) -> None:
    definition = define(ta, case)
    live = definition.live()
    bar = [1.0] * len(case.row.inputs)
    kind = getattr(ta, case.row.result) if case.row.result else float
    assert type(live.value) is kind
    assert np.isnan(floats(live.value)).all()
    assert type(live.update(*bar)) is type(live.peek(*bar)) is kind
    arrays = live.extend(*[[1.0, 2.0]] * len(bar))
    assert type(arrays) is (kind if case.row.result else np.ndarray)
    index = pd.RangeIndex(3, 5)
    series = floats(live.extend(*[pd.Series([1.0, 2.0], index)] * len(bar)))
    assert all(isinstance(x, pd.Series) and x.index.equals(index) for x in series)
    assert isinstance(live, ta.Live)
    assert repr(definition) in repr(live)


@each_default
def test_a_bar_accepts_any_number_type(ta: ModuleType, case: Case) -> None:
    live = define(ta, case).live()
    width = len(case.row.inputs)
    for value in (1, np.float32(1.5), np.int64(2), np.float64(3), 10**20, True):
        live.update(*[value] * width)
    assert live.count == 6


@each_default
def test_wrong_bars_raise_a_clear_error_and_change_nothing(ta: ModuleType, case: Case) -> None:
    live = define(ta, case).live(*inputs_of(case.row, walk(60)))
    width = len(case.row.inputs)
    before, twin = floats(live.value), live.copy()
    plural = "1 number" if width == 1 else f"{width} numbers"
    for method in ("update", "peek"):
        function = getattr(live, method)
        for count in {0, width + 1}:
            with pytest.raises(TypeError, match=f"^{method}: expected {plural}, got {count}$"):
                function(*[1.0] * count)
        for wrong in ("1.5", None, b"1", [1.0], 1j, object()):
            bar = [1.0] * (width - 1) + [wrong]
            with pytest.raises(TypeError, match=f"^{method}: expected a number, got {type(wrong).__name__}$"):
                function(*bar)
        with pytest.raises(OverflowError):
            function(*[10**400] * width)
        with pytest.raises(TypeError):
            function(**{case.row.inputs[0]: 1.0})
    with pytest.raises(
        TypeError, match=re.escape(f"extend: expected {width} series ({', '.join(case.row.inputs)}), got")
    ):
        live.extend(*[[1.0]] * (width + 1))
    with pytest.raises(ValueError, match="expected numbers in 1 dimension, got 2 dimensions"):
        live.extend(*[np.ones((2, 2))] * width)
    with pytest.raises(TypeError, match=f"^{case.row.inputs[-1]}: expected numbers in 1 dimension, got None$"):
        live.extend(*[[1.0]] * (width - 1), None)
    if width > 1:
        with pytest.raises(ValueError, match="expected arrays of one shape"):
            live.extend([1.0], *[[1.0, 2.0]] * (width - 1))
    assert_array_equal(floats(live.value), before)
    bar = [5.0] * width
    assert_array_equal(floats(live.update(*bar)), floats(twin.update(*bar)))


def test_a_number_that_raises_or_calls_back_leaves_the_state_consistent(ta: ModuleType) -> None:
    live = ta.ATR(3).live()

    class Hostile:
        def __init__(self, act: Any) -> None:
            self.act = act

        def __float__(self) -> float:
            return float(self.act())

    def fail() -> float:
        raise ZeroDivisionError("mine")

    live.update(3.0, 1.0, 2.0)
    with pytest.raises(ZeroDivisionError, match="mine"):
        live.update(1.0, 2.0, Hostile(fail))
    assert live.count == 1

    def again() -> float:
        live.update(3.0, 1.0, 2.0)
        return 2.0

    live.update(3.0, 1.0, Hostile(again))
    assert live.count == 3
    live.update(3.0, 1.0, 2.0)
    assert live.value == 2.0


def test_the_flag_is_read_at_construction(ta: ModuleType) -> None:
    with flags.override("indicators", "python"):
        live = ta.SMA(2).live()
    assert live.backend == "python"
    live.update(1.0)
    assert live.backend == "python"


@functools.cache
def begun(backend: str, case: Case) -> Any:
    with flags.override("indicators", backend):
        return define(indicators, case).live()


@pytest.mark.skipif(PURE_ONLY, reason="compares the twins")
@each_row
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_live_twins_agree(row: Indicator, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from([case for case in CASES if case.row is row]))
    value = st.one_of(st.floats(0, 1e6), st.sampled_from([float("nan"), float("inf"), 0.0, 1.0, 1e6]))
    bars = data.draw(st.lists(st.tuples(*[value] * len(row.inputs)), max_size=80))
    made = [begun(backend, case).copy() for backend in ("compiled", "python")]
    assert [live.backend for live in made] == ["compiled", "python"]
    compiled, pure = ([live.update(*bar) for bar in bars] for live in made)
    assert_allclose(compiled, pure, rtol=1e-9, atol=1e-5 if row.name == "obv" else 1e-6)


def test_threads_may_share_one(ta: ModuleType, backend: str) -> None:
    rounds = 300 if backend == "compiled" else 60
    plan = ta.Plan(obv=ta.OBV(), mean=ta.SMA(50), bands=ta.BBANDS(20))
    obv, bands = ta.OBV().live([0.0], [0.0]), ta.BBANDS(20).live()
    board = plan.live(symbols=3)
    trouble: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(rounds):
                obv.update(1.0, 1.0)
                bands.update(5.0)
                bands.peek(7.0)
                bands.extend([5.0] * 30)
                bands.copy()
                pickle.dumps(bands)
                board.update(close=[5.0] * 3, volume=[1.0] * 3)
                assert bands.update(5.0).upper == 5.0
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not trouble, trouble[0]
    assert obv.count == 8 * rounds + 1
    assert bands.count == 8 * rounds * 32
    assert_array_equal(board["mean"], [5.0] * 3)
    assert_array_equal(board["obv"], [1.0] * 3)


def test_a_finaliser_may_update(ta: ModuleType) -> None:
    live = ta.MACD(2, 3, 2).live()
    board = ta.Plan(macd=ta.MACD(2, 3, 2)).live(symbols=2)
    brought = 0

    class Finalised:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            nonlocal brought
            brought += 1
            live.update(5.0)
            live.peek(5.0)
            board.update(close=[5.0, 5.0])

    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(300):
            Finalised()
            live.update(5.0)
            live.extend([5.0] * 5)
            board.update(close=[5.0, 5.0])
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert brought == 300
    assert live.count == 300 * 7
    assert live.value == (0.0, 0.0, 0.0)
    assert_array_equal(board["macd"].hist, [0.0, 0.0])
