"""Exponential averages of one another: run as one operator over whole series, they equal one bar after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastcore.dispatch import backends
from python_fallback.shared.indicators.program import Node, Program
from tests.indicators.arrays import assert_allclose
from tests.indicators.turns import in_turn

LENGTHS = (60, 131, 300, 530, 1_100, 2_300)
PURE_LENGTHS = (131, 300)  # for the pure twin, which runs each operator by itself
PERIODS: tuple[tuple[int, ...], ...] = (
    (30, 30),
    (1, 5),
    (25, 13),
    (5, 1, 5),
    (30, 30, 30),
    (2, 9, 40, 3),
    (4, 4, 4, 4, 4),
    (5,) * 6,
    (2,) * 6,
    (9,) * 8,
)
SUMS: tuple[tuple[float, ...], ...] = ((), (1.0, -0.5), (3.0, -3.0, 1.0), (4.0, -6.0, 3.5, -0.5))


@pytest.fixture
def core(backend: str) -> Any:
    return backends.twin("indicators", backend)


def chained(periods: tuple[int, ...], weights: tuple[float, ...]) -> Program:
    """Averages of each other and the sum of the last ones, or the last one."""
    nodes = [Node("smooth", (i,), (float(n), (n - 1.0) / (n + 1.0))) for i, n in enumerate(periods)]
    last = len(periods)
    if weights:
        name = {2: "combine_two", 3: "combine_three", 4: "combine_four"}[len(weights)]
        nodes.append(Node(name, tuple(range(last, last - len(weights), -1)), weights))
    return Program(1, tuple(nodes), (len(nodes),))


CASES = [(periods, weights) for periods in PERIODS for weights in SUMS if len(weights) <= len(periods)]
each_case = in_turn("periods, weights", CASES)


def series_of(kind: str, n: int) -> Any:
    x = 100.0 + np.random.default_rng(n).normal(size=n).cumsum()
    if kind == "halted":
        x[n // 2 :] = 0.0
    return {"walk": x, "halted": x, "huge": x * 1e300, "tiny": x * 1e-300, "constant": np.full(n, 0.1)}[kind]


@each_case
@pytest.mark.parametrize("kind", ["walk", "halted", "huge", "tiny", "constant"])
def test_a_chain_equals_bar_after_bar(
    core: Any, backend: str, periods: tuple[int, ...], weights: tuple[float, ...], kind: str
) -> None:
    program = chained(periods, weights)
    for n in LENGTHS if backend == "compiled" else PURE_LENGTHS:
        x = series_of(kind, n)
        (found,) = core.batch(program, (), (x,))
        expected = core.Live(program, ()).extend(x)
        scale = float(np.abs(x).max())
        assert_allclose(found, expected, rtol=1e-12, atol=1e-14 * scale, err_msg=f"{n} bars")


@each_case
def test_a_chain_leaves_out_what_is_missing(
    core: Any, backend: str, periods: tuple[int, ...], weights: tuple[float, ...]
) -> None:
    program = chained(periods, weights)
    n, places = (1_100, (0, 200, 700, 1_099)) if backend == "compiled" else (300, (0, 200))
    for value in (np.nan, np.inf, -np.inf):
        for at in places:
            x = series_of("walk", n)
            x[at] = value
            (found,) = core.batch(program, (), (x,))
            assert_allclose(found, core.Live(program, ()).extend(x), rtol=1e-12, atol=1e-12, err_msg=f"{value} at {at}")
