"""Quotients whose divisor is 0: what the documentation says, and averages of whole numbers that cancel."""

from __future__ import annotations

import re
from types import ModuleType

import numpy as np
import pytest
import talib

from fastcore.indicators.registry import INDICATORS, Indicator
from tests.indicators.arrays import assert_allclose
from tests.indicators.turns import in_turn

STATED = [row for row in INDICATORS.values() if "without movement" in row.outputs[0].doc]


@in_turn("row", STATED)
def test_the_value_without_movement_is_the_one_that_is_stated(ta: ModuleType, row: Indicator) -> None:
    stated = re.search(r"(\d+) without movement", row.outputs[0].doc)
    assert stated is not None
    found = getattr(ta, row.name)(*[np.full(200, 19.99)] * len(row.inputs))
    assert found[-1] == float(stated[1])


@pytest.mark.parametrize("name", ["ppo", "pvo"])
@pytest.mark.parametrize("matype", [0, 2, 5])
def test_an_average_that_cancels_is_zero_as_in_talib(ta: ModuleType, name: str, matype: int) -> None:
    random, zeros = np.random.default_rng(1), 0
    for _ in range(60):
        real = random.integers(-4, 5, 60).astype(float) * random.choice([1.0, 1000.0])
        fast, slow = (int(period) for period in random.integers(2, 9, 2))
        theirs = getattr(talib, name.upper())(real, fast, slow, matype)
        zeros += np.count_nonzero(theirs == 0.0)
        assert_allclose(getattr(ta, name)(real, fast, slow, matype), theirs, rtol=1e-9, atol=1e-9)
        live = getattr(ta, name.upper())(fast, slow, matype).live()
        assert_allclose(live.extend(real), theirs, rtol=1e-9, atol=1e-9)
    assert zeros > 100


def test_prices_of_every_size_have_an_oscillator(ta: ModuleType) -> None:
    rising = np.linspace(1.0, 1.1, 80)
    wanted = ta.ppo(rising, 3, 64, 5)[-1]
    for size in (1e-150, 1e150, 1e299):
        assert_allclose(ta.ppo(rising * size, 3, 64, 5)[-1], wanted, rtol=1e-9)
