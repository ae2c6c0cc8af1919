"""Indicators of one's own on bars that are missing, and on values that are none: every form lacks the same."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.indicators.arrays import assert_array_equal

nan, inf = np.nan, np.inf
A, C = np.array([1.0, 0.0, nan, 3.0, -4.0, 5.0, 7.0]), np.array([2.0, -1.0, 3.0, nan, 2.0, 7.0, 1.0])


def assert_forms_agree(
    ta: ModuleType, calculate: Callable[..., Any], inputs: Any, policy: str | None, wanted: Any
) -> None:
    function = ta.indicator(calculate)
    whole = function(*inputs, nan=policy)
    assert_array_equal(np.round(whole, 9), np.round(wanted, 9))
    live, board = function().live(nan=policy), ta.Plan(own=function()).live(symbols=1, nan=policy)
    for bar, expected in zip(zip(*inputs), whole):
        board.update(**{name: np.array([x]) for name, x in zip(function.row.inputs, bar)})
        assert_array_equal([live.update(*bar), board["own"][0]], [expected, expected])


@pytest.mark.parametrize(
    ("calculate", "wanted"),
    [
        (lambda o, a, c: o.follow(a, 0.5, c), [1.5, 0.75, nan, nan, -1.625, 1.6875, 4.34375]),
        (lambda o, a, c: o.follow(c, 0.5, c / a), [2, nan, nan, nan, 2, 4.5, 2.75]),
        (lambda o, a, c: o.follow(abs(a), 0.5, o.sqrt(a)) + 0 * c, [1, 0.5, nan, nan, nan, 2.75, 4.875]),
        (lambda o, a, c: o.follow(o.bar_number(a), 0.5, a) + 0 * c, [0.5, 0.75, nan, nan, 2.375, 3.6875, 4.84375]),
    ],
)
def test_a_bar_without_a_start_is_no_bar_of_the_average(ta: ModuleType, calculate: Any, wanted: Any) -> None:
    assert_forms_agree(ta, calculate, (A, C), None, wanted)


def test_a_ratio_that_is_told_to_be_missing_takes_the_other_outputs_along(ta: ModuleType) -> None:
    @ta.indicator(outputs=("all", "part"))  # type: ignore[untyped-decorator]
    def share(o: Any, real: Any, of: Any) -> Any:
        return o.total(of), o.ratio(of, real, nan)

    real, of = [1.0, 0.0, 2.0, 4.0], [3.0, 2.0, 1.0, 5.0]
    live = share().live()
    for found in (share(real, of), [np.array(x) for x in zip(*(live.update(*bar) for bar in zip(real, of)))]):
        assert_array_equal(found[0], [3, nan, 6, 11])
        assert_array_equal(found[1], [3, nan, 0.5, 1.25])


@pytest.mark.parametrize(
    ("calculate", "wanted"),
    [
        (lambda o, a: o.ln(o.lag(a, 0) - a) - o.ema(a, 2), [nan, -inf, -inf, nan, -inf, -inf]),
        (lambda o, a: o.ln(a - a) - o.ema(a, 2), [nan, -inf, -inf, nan, -inf, -inf]),
        (lambda o, a: o.ema(o.highest(a, 1) / (a - a), 2) + o.mean(a, 1), [nan] * 6),
    ],
)
def test_an_infinite_value_is_a_result_and_no_bar_for_an_average(ta: ModuleType, calculate: Any, wanted: Any) -> None:
    assert_forms_agree(ta, calculate, (np.array([1.0, 2, 3, nan, 5, 6]),), None, wanted)


def test_an_input_that_nothing_reads_spoils_nothing_under_the_policy_of_talib(ta: ModuleType) -> None:
    assert_forms_agree(ta, lambda o, a, c: abs(a), ([1.0, 2, 3], [1, nan, 3]), "talib", [1, 2, 3])


@pytest.mark.parametrize(
    ("calculate", "wanted"),
    [
        (lambda o, a: o.count(o.mean(o.ln(a), 2), 3, 1), [nan, 1, nan, nan, 1, 2, 3]),
        (lambda o, a: o.age_of_highest(o.mean(o.ln(a), 2), 3, 2), [nan, nan, nan, nan, nan, 0, 0]),
    ],
)
def test_missing_values_that_a_definition_makes_spoil_its_windows(ta: ModuleType, calculate: Any, wanted: Any) -> None:
    assert_forms_agree(ta, calculate, ([1.0, 2, -1, 4, 5, 6, 7],), "talib", wanted)


GAPS = ([1.0, 2, nan, 4, 5, 6],)


@pytest.mark.parametrize(
    ("calculate", "wanted"),
    [
        (lambda o, a: o.total(1) - a, [0, 0, nan, -1, -1, -1]),
        (lambda o, a: o.mean(1, 2) + a, [nan, 3, nan, nan, 6, 7]),
        (lambda o, a: o.where(a > 2, o.total(o.sqrt(4)), 0), [0, 0, nan, 6, 8, 10]),
        (lambda o, a: o.lag(4, 1) + o.ema(1, 2), [nan, 5, nan, nan, 5, 5]),
        (lambda o, a: o.bar_number(3), [0, 1, nan, 3, 4, 5]),
        (lambda o, a: o.after(1, 2), [nan, nan, nan, 1, 1, 1]),
        (lambda o, a: o.exp(0), [1, 1, nan, 1, 1, 1]),
        (lambda o, a: 7.0, [7, 7, nan, 7, 7, 7]),
    ],
)
def test_numbers_alone_have_the_bars_of_the_inputs(ta: ModuleType, calculate: Any, wanted: Any) -> None:
    assert_forms_agree(ta, calculate, GAPS, None, wanted)
