"""Functions of one number in the compiled twin: how far they are from the true value, and from each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fastcore.dispatch import backends
from python_fallback.shared.indicators.program import Node, Program
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal

pytestmark = pytest.mark.skipif(PURE_ONLY, reason="of the compiled twin")

# The name in numpy, where it takes its arguments from (uniform, then by powers of ten up to the last), and units in the
# last place that are allowed.
FUNCTIONS: dict[str, tuple[str, float, float, float]] = {
    "exp": ("exp", -700.0, 700.0, 1.5),
    "ln": ("log", 1e-3, 1e4, 1.5),
    "log10": ("log10", 1e-3, 1e4, 1.5),
    "sin": ("sin", -1e3, 5e5, 1.5),
    "cos": ("cos", -1e3, 5e5, 1.5),
    "tan": ("tan", -1e3, 5e5, 2.5),
    "asin": ("arcsin", -1.0, 1.0, 2.5),
    "acos": ("arccos", -1.0, 1.0, 1.5),
    "atan": ("arctan", -20.0, 20.0, 2.5),
    "sinh": ("sinh", -700.0, 700.0, 2.5),
    "cosh": ("cosh", -700.0, 700.0, 2.5),
    "tanh": ("tanh", -22.0, 22.0, 2.5),
}
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 5e-324, -1e-310, 2.3e-308, 1e-8, 709.0, -745.0, 1e3, -1e6, 1e22, 1.8e308)
EDGES += (math.inf, -math.inf, math.nan, math.pi, 11.0 * math.pi, 355.0, 52174.0 * 5.0, math.sqrt(0.5), 19.9, 20.1)


def run(name: str, x: Any, isa: str | None = None) -> Any:
    core = backends.twin("indicators", "compiled")
    program = Program(1, (Node(name, (0,), ()),), (1,))
    (found,) = core.batch(program, (), (np.ascontiguousarray(x),), **({"isa": isa} if isa else {}))
    return found


def arguments(low: float, high: float) -> Any:
    rng = np.random.default_rng(5)
    powers = 10.0 ** rng.uniform(-12.0, math.log10(high), 20_000)
    signed = powers * (rng.choice((-1.0, 1.0), powers.size) if low < 0.0 else 1.0)
    near = np.nextafter(np.arange(1, 2_000) * (math.pi / 2.0), rng.choice((-math.inf, math.inf), 1_999))
    every = np.concatenate((rng.uniform(low, high, 20_000), rng.uniform(low, min(high, 2.0), 20_000), signed, near))
    return every[(every >= low) & (every <= high)]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no wider type to compare with")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_within_units_in_the_last_place(name: str) -> None:
    of_numpy, low, high, allowed = FUNCTIONS[name]
    x = arguments(low, high)
    true = getattr(np, of_numpy)(x.astype(np.longdouble))
    off = np.abs(run(name, x) - true) / np.spacing(np.maximum(np.abs(true.astype(float)), 1e-300))
    worst = int(np.argmax(off))
    print(f"{name}: {float(off[worst]):.2f} units in the last place at {x[worst]!r}")
    assert off[worst] <= allowed, (name, x[worst])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_edges_are_those_of_the_library(name: str) -> None:
    x = np.array(EDGES)
    with np.errstate(all="ignore"):
        expected = getattr(np, FUNCTIONS[name][0])(x)
        expected[~np.isfinite(x)] = math.nan  # such a bar is missing
        one_by_one = np.array([run(name, x[i : i + 1])[0] for i in range(len(x))])
    core = backends.twin("indicators", "compiled")
    for found in (run(name, x), one_by_one, core.Live(Program(1, (Node(name, (0,), ()),), (1,)), ()).extend(x)):
        assert_allclose(found, expected, rtol=1e-15, atol=0.0)
    for isa in core.isas():
        assert run(name, x, isa).tobytes() == run(name, x).tobytes()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_missing_or_out_of_range_leaves_its_neighbours_alone(name: str) -> None:
    x = np.linspace(-0.99, 0.99, 200) if FUNCTIONS[name][2] == 1.0 else np.linspace(0.01, 30.0, 200)
    usual = run(name, x)
    for odd in (math.nan, 1.5, -1e7, 1e300):
        for places in ([70], [0, 63, 64, 199], list(range(0, 200, 3))):
            given = x.copy()
            given[places] = odd
            expected = usual.copy()
            expected[places] = run(name, np.array([odd]))[0]
            assert_array_equal(run(name, given), expected)
