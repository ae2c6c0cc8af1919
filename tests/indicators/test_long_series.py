"""Operators over many bars at a time: what whole series give equals one bar after another, at every length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastcore.dispatch import backends
from python_fallback.shared.indicators.operators import OPERATORS
from python_fallback.shared.indicators.program import Node, Program

LENGTHS = (119, 128, 131, 255, 512, 530, 701, 1_100)
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


@pytest.mark.parametrize(("name", "params"), CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_whole_series_equal_bar_after_bar(core: Any, name: str, params: tuple[float, ...]) -> None:
    for n in LENGTHS:
        for kind in ("walk", "constant"):
            inputs = series_of(name, kind, n)
            (found,) = core.batch(alone(name, params), (), tuple(inputs))
            expected = core.Live(alone(name, params), ()).extend(*inputs)
            if kind == "constant":
                np.testing.assert_array_equal(found, expected, err_msg=f"{n} bars")
            else:
                np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11, err_msg=f"{n} bars")
