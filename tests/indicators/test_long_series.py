"""Operators over many bars at a time: what whole series give equals one bar after another, at every length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastcore.dispatch import backends
from python_fallback.shared.indicators.operators import OPERATORS
from python_fallback.shared.indicators.program import Node, Program
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.turns import in_turn

LENGTHS = (119, 128, 131, 255, 512, 530, 701, 1_100)
PURE_LENGTHS = (119, 530)  # for the pure twin, which has no blocks
# Each with its parameters: periods below, near and above the blocks that are taken side by side.
CASES = [
    *(("smooth", (period, (period - 1.0) / (period + 1.0))) for period in (1.0, 2.0, 30.0, 400.0)),
    *(("apart", (period, (period - 1.0) / (period + 1.0))) for period in (1.0, 2.0, 30.0, 400.0)),
    ("follow", ()),
    ("hold", ()),
    ("product", ()),
    *(
        (name, (period, ties))
        for name in ("since_highest", "since_lowest")
        for period in (5.0, 8.0, 30.0, 64.0, 200.0)
        for ties in (0.0, 1.0, 2.0)
    ),
    *(
        (name, (period,))
        for name in ("mean", "variance", "deviation", "highest", "lowest", "weighted", "slope", "correlation", "beta")
        for period in (5.0, 8.0, 11.0, 30.0, 63.0, 64.0, 65.0)
    ),
]


@pytest.fixture
def core(backend: str) -> Any:
    return backends.twin("indicators", backend)


def alone(name: str, params: tuple[float, ...]) -> Program:
    inputs = OPERATORS[name].inputs
    return Program(inputs, (Node(name, tuple(range(inputs)), params),), (inputs,))


def series_of(name: str, kind: str, n: int) -> list[Any]:
    """Inputs of an operator; the second one of `follow` is a rate, and a constant series is constant in all of them."""
    rng = np.random.default_rng(n)
    walk = 100.0 + rng.normal(size=(3, n)).cumsum(axis=1) if kind == "walk" else np.full((3, n), 0.1)
    if name.startswith("since"):
        walk = np.round(walk)  # so that there are ties
    if name == "product":
        walk = np.exp(rng.normal(size=(3, n)) * 1e-3) if kind == "walk" else walk * 10.0
        walk[0, 50:56] *= [1e250, 1e-250, -1.0, 1e-290, 1e290, -1.0]  # what four of them come to is no number
    if name == "hold" and kind == "walk":
        walk[1] = rng.integers(-1, 2, n)  # of which those above zero count
    if name == "follow":
        walk[1] = rng.random(n)
        walk[1, rng.random(n) < 0.1] = 1.0
    return [np.ascontiguousarray(row) for row in walk[: OPERATORS[name].inputs]]


@in_turn("name, params", CASES)
def test_whole_series_equal_bar_after_bar(core: Any, backend: str, name: str, params: tuple[float, ...]) -> None:
    for n in LENGTHS if backend == "compiled" else PURE_LENGTHS:
        for kind in ("walk", "constant"):
            inputs = series_of(name, kind, n)
            (found,) = core.batch(alone(name, params), (), tuple(inputs))
            expected = core.Live(alone(name, params), ()).extend(*inputs)
            if kind == "constant":
                assert_array_equal(found, expected, err_msg=f"{n} bars")
            else:
                assert_allclose(found, expected, rtol=1e-12, atol=1e-11, err_msg=f"{n} bars")


# More bars than a recurrence is given in segments side by side, and so few that it is not.
MANY = (1_500, 1_700, 5_000, 20_001)


def many(backend: str) -> tuple[int, ...]:
    """The pure twin takes one bar after another over whole series as well."""
    return (300, 400, *MANY) if backend == "compiled" else (400,)


def steps_of(core: Any, name: str, params: tuple[float, ...], inputs: list[Any]) -> Any:
    """The same a bar at a time: a live indicator is given a few bars at once."""
    return core.Live(alone(name, params), ()).extend(*inputs)


def prices(kind: str, n: int) -> Any:
    rng = np.random.default_rng(n)
    if kind == "walk":
        return 100.0 * np.exp(1e-3 * rng.normal(size=n).cumsum())
    if kind == "cycle":
        return 100.0 + np.sin(np.arange(n) * 0.3) + 0.01 * rng.normal(size=n)
    halted = 100.0 * np.exp(1e-3 * rng.normal(size=n).cumsum())
    halted[n // 3 : n // 2] = halted[n // 3]  # no turn, and no cycle
    return halted


@pytest.mark.parametrize("kind", ["walk", "cycle", "halted"])
@pytest.mark.parametrize("params", [(0.0,), (34.0,)])
def test_periods_of_segments_side_by_side_equal_those_bar_after_bar(
    core: Any, backend: str, kind: str, params: Any
) -> None:
    for n in many(backend):
        x = prices(kind, n)
        (found,) = core.batch(alone("cycle_period", params), (), (x,))
        assert_allclose(found, steps_of(core, "cycle_period", params, [x]), rtol=1e-10)


@pytest.mark.parametrize("kind", ["walk", "cycle", "halted"])
@pytest.mark.parametrize(("offset", "short_by"), [(0.0, 1.0), (0.01, -1.0)])
def test_stops_of_segments_side_by_side_are_those_bar_after_bar(
    core: Any, backend: str, kind: str, offset: float, short_by: float
) -> None:
    params = (0.0, offset, 0.02, 0.02, 0.2, 0.01, 0.05, 0.3, short_by)
    for n in many(backend):
        x, rng = prices(kind, n), np.random.default_rng(1)
        bars = [x + 0.1 * rng.random(n), x - 0.1 * rng.random(n)]
        (found,) = core.batch(alone("parabolic", params), (), tuple(bars))
        assert_array_equal(found, steps_of(core, "parabolic", params, bars))


@pytest.mark.parametrize("kind", ["walk", "cycle", "halted"])
def test_a_supertrend_of_segments_side_by_side_is_that_bar_after_bar(ta: Any, backend: str, kind: str) -> None:
    for n in many(backend):
        x, rng = prices(kind, n), np.random.default_rng(1)
        bars = x + 0.1 * rng.random(n), x - 0.1 * rng.random(n), x
        stop, trend = ta.supertrend(*bars, 10, 2.0)
        stops, trends = ta.SUPERTREND(10, 2.0).live().extend(*bars)
        assert_array_equal(trend, trends)
        assert_allclose(stop, stops, rtol=1e-12)


def test_the_phase_of_a_wave_without_imaginary_part_goes_on_from_the_one_before(core: Any) -> None:
    n = 200
    x, period = np.zeros(n), np.full(n, 20.0)
    x[70], x[120] = 1.0, -1.0
    program = Program(2, (Node("cycle_phase", (0, 1), ()),), (2,))
    (found,) = core.batch(program, (), (x, period))
    expected = core.Live(program, ()).extend(x, period)
    assert_allclose(found, expected, rtol=1e-12)
