"""Windows over series of each length at which the work is divided otherwise, whole and with a missing bar."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.turns import in_turn

REFERENCES: dict[str, Any] = {
    "sum": np.sum,
    "sma": np.mean,
    "max": np.max,
    "min": np.min,
    "stddev": np.std,
    "wma": lambda x, axis: np.average(x, axis=axis, weights=np.arange(1.0, x.shape[axis] + 1.0)),
}
WIDTHS = (7, 10, 14, 30, 64, 65)


def lengths_of(width: int) -> list[int]:
    """Eight blocks of windows are taken at a time, and what is left is shared by eight or taken one by one."""
    eight = 8 * width
    results = [1, 7, width, 2 * width - 1, 2 * width, 2 * width + 3, eight - 1, eight, eight + 1, eight + 5]
    results += [eight + width - 1, eight + width, eight + width + 3, 2 * eight, 2 * eight + 3 * width + 1]
    return [width - 1 + n for n in results]


@in_turn("width", WIDTHS)
@pytest.mark.parametrize("name", REFERENCES)
def test_windows_of_series_of_any_length_match_numpy(ta: ModuleType, name: str, width: int) -> None:
    rng = np.random.default_rng(width)
    for n in lengths_of(width):
        x = 100.0 + rng.normal(size=n).cumsum()
        got = getattr(ta, name)(x, width)
        assert np.isnan(got[: width - 1]).all()
        expected = REFERENCES[name](np.lib.stride_tricks.sliding_window_view(x, width), axis=-1)
        assert_allclose(got[width - 1 :], expected, rtol=1e-12, atol=1e-11, err_msg=f"{n} bars")


@in_turn("width", WIDTHS)
@pytest.mark.parametrize("name", REFERENCES)
def test_a_missing_bar_is_found_at_any_place_in_a_series_of_any_length(ta: ModuleType, name: str, width: int) -> None:
    rng = np.random.default_rng(width)
    for n in lengths_of(width):
        for gap in {0, width // 2, width - 1, n // 2, n - 2, n - 1} & set(range(n)):
            x = 100.0 + rng.normal(size=n).cumsum()
            x[gap] = np.nan
            got = getattr(ta, name)(x, width)
            bars = np.arange(n)
            missing = (bars < width - 1) | ((bars >= gap) & (bars < gap + width))
            assert_array_equal(np.isnan(got), missing, err_msg=f"{n} bars, bar {gap} is missing")
