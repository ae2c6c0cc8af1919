"""The compiled twin against the pure one on random input: results, and the text of errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.indicators.registry import INDICATORS, Indicator
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import FUSED_ROWS, on_twin

pytestmark = pytest.mark.skipif(PURE_ONLY, reason="compares the twins")
FACES = [*FUSED_ROWS, *(INDICATORS[name] for name in ("acos", "adx", "beta", "macdext", "mfi", "t3"))]
each_row = pytest.mark.parametrize("row", FACES, ids=lambda row: row.name)

WALKS = ("random", "up", "down", "flat", "zigzag", "spikes", "jumps")


@st.composite
def series(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """A walk of one kind, at an offset, on a scale, with gaps of one kind."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    bars = shape[-1]
    kind = draw(st.sampled_from(WALKS))
    x: Any = {
        "random": lambda: rng.normal(size=shape).cumsum(axis=-1),
        "up": lambda: rng.random(shape).cumsum(axis=-1),
        "down": lambda: -rng.random(shape).cumsum(axis=-1),
        "flat": lambda: np.full(shape, 0.1),
        "zigzag": lambda: np.broadcast_to(np.arange(bars) % 2, shape).astype(float),
        "spikes": lambda: rng.normal(size=shape) + 1e6 * (rng.random(shape) < 0.02),
        "jumps": lambda: np.round(rng.normal(size=shape), 1) * (rng.random(shape) < 0.1),
    }[kind]()
    x = (x + draw(st.sampled_from([0.0, 100.0, -7.0, 1e6]))) * draw(st.sampled_from([1.0, 1e-6, 1e6]))
    gaps = draw(st.sampled_from([0.0, 0.0, 0.01, 0.2, 0.9]))
    missing = rng.random(shape) < gaps
    return np.where(missing, rng.choice([np.nan, np.inf, -np.inf], size=shape), x)


shapes = st.one_of(
    st.tuples(st.integers(0, 300)),
    st.tuples(st.integers(4090, 4110)),
    st.tuples(st.integers(0, 5), st.integers(0, 120)),
)


@st.composite
def calls(draw: st.DrawFn, row: Indicator) -> tuple[list[Any], list[float]]:
    shape = draw(shapes)
    inputs = [draw(series(shape)) for _ in row.inputs]
    if "volume" in row.inputs:
        inputs[-1] = np.abs(inputs[-1])
    params: list[float] = []
    for param in row.params:
        if param.kind == "float":
            params.append(draw(st.floats(-5, 5)))
        elif param.kind == "matype":
            params.append(draw(st.integers(0, 1)))
        else:
            params.append(draw(st.one_of(st.integers(int(param.lo), 40), st.integers(41, 400))))
    return inputs, params


def run(row: Indicator, backend: str, *args: Any) -> Any:
    result = on_twin(backend, row.name)(*args)
    return result if row.result else (result,)


@pytest.mark.parametrize("row", FUSED_ROWS, ids=lambda row: row.name)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_both_twins_return_the_same_values(row: Indicator, data: st.DataObject) -> None:
    inputs, params = data.draw(calls(row))
    compiled, pure = (run(row, backend, *inputs, *params) for backend in ("compiled", "python"))
    finite = [np.abs(x[np.isfinite(x)]) for x in inputs]
    scale = max((float(x.max()) for x in finite if x.size), default=1.0)
    if row.name in ("rsi", "stoch"):
        scale = 100.0
    if row.name == "obv":
        scale = float(sum(finite[1])) + 1.0
    for output, ours, theirs in zip(row.outputs, compiled, pure, strict=True):
        assert_array_equal(np.isnan(ours), np.isnan(theirs), err_msg=f"{output.name}: where NaN stands")
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12 * scale, err_msg=output.name)


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 8),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.one_of(st.floats(), st.integers(), st.none()), max_size=5),
    st.sampled_from([np.float32(3), np.int8(3), np.bool_(True), np.array(3), np.array([3]), object, {}, 3j]),
    st.sampled_from(["f4", "i8", ">f8", "O", "U3", "?", "c16", "M8[s]"]).map(lambda dtype: np.ones(6, dtype=dtype)),
    st.sampled_from([(6,), (5,), (2, 3), (6, 1), (1, 1, 1), (), (0,)]).map(np.ones),
)


def outcome(row: Indicator, backend: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """What a call comes to: the kind and text of its error, or its outputs."""
    try:
        result = on_twin(backend, row.name)(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)
    return [np.asarray(output) for output in (result if row.result else (result,))]


@each_row
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_twins_refuse_alike(row: Indicator, data: st.DataObject) -> None:
    good: list[Any] = [np.arange(6.0)] * len(row.inputs) + [max(2, int(param.lo)) for param in row.params]
    args = good[: data.draw(st.integers(0, len(good)))]
    for place in data.draw(st.lists(st.integers(0, 12), max_size=2)):
        if place < len(args):
            args[place] = data.draw(anything)
    if data.draw(st.booleans()):
        args.append(data.draw(anything))
    kwargs = data.draw(st.dictionaries(st.sampled_from([*row.arguments, "zzz"]), anything, max_size=2))
    compiled, pure = (outcome(row, backend, args, kwargs) for backend in ("compiled", "python"))
    if isinstance(compiled, list) and isinstance(pure, list):
        assert [output.shape for output in compiled] == [output.shape for output in pure]
        for ours, oracle in zip(compiled, pure):
            assert_allclose(ours, oracle, rtol=1e-9, atol=1e-9)
    else:
        assert compiled == pure
