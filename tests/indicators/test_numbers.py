"""The pure twin's operators on single numbers: what those on arrays give, to the last digit."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from python_fallback.indicators.maps import MAPS
from python_fallback.indicators.numbers import NUMBERS
from python_fallback.shared.indicators.operators import OPERATORS
from tests.indicators.arrays import assert_array_equal
from tests.indicators.turns import in_turn

pytestmark = pytest.mark.backend_independent
ODD = (0.0, -0.0, 1.0, -1.0, 7.5, 0.1, 5e-324, -5e-324, 3e-160, 1.7e308, -1.7e308, np.inf, -np.inf, np.nan)
PARAMS = (0.0, -0.0, 2.5, -3.0, 1e300)


def bars_of(inputs: int) -> list[Any]:
    """Combinations of numbers at which operators have branches, and usual ones."""
    rng = random.Random(inputs)
    odd = list(itertools.product(ODD, repeat=inputs))
    return [*rng.sample(odd, min(len(odd), 3000)), *([rng.gauss(0.0, 10.0) for _ in range(inputs)] for _ in range(500))]


@in_turn("name", MAPS)
def test_operators_on_numbers_give_the_digits_of_arrays(name: str) -> None:
    operator = OPERATORS[name]
    bars = bars_of(operator.inputs)
    arrays = [np.array(x) for x in zip(*bars)]
    rng = random.Random(0)
    for params in [rng.choices(PARAMS, k=len(operator.params)) for _ in range(6)] if operator.params else [()]:
        with np.errstate(all="ignore"):
            expected = np.broadcast_to(MAPS[name](*arrays, *params), len(bars))
            found = [NUMBERS[name](*params)(*bar) for bar in bars]
        assert {type(x) for x in found} == {float}
        assert_array_equal(found, expected, err_msg=str(params))
        there = ~np.isnan(expected)
        signs = np.signbit(expected) if name not in ("greatest", "least", "true_range") else np.signbit(found)
        assert_array_equal(np.signbit(found)[there], signs[there], err_msg=str(params))


def test_every_operator_that_looks_at_one_bar_has_both() -> None:
    assert set(NUMBERS) == set(MAPS) == {name for name, operator in OPERATORS.items() if operator.kind == "map"}
