"""Series that begin with missing values, as an indicator of an indicator does, and series with gaps, in every form."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import CASES, DEFAULTS, Case, call, inputs_of, walk
from tests.indicators.forms import FORMS, each_form_of_each_case
from tests.indicators.turns import in_turn

each_case = in_turn("case", CASES)
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))

LEADS = (1, 7, 300)
VALUES = (np.nan, np.inf, -np.inf)


def assert_alike(ours: Any, expected: Any, what: str = "") -> None:
    assert_allclose(ours, expected, rtol=1e-12, atol=1e-11, err_msg=what)


@each_form_of_each_case
def test_the_series_begins_with_its_first_complete_bar(ta: ModuleType, case: Case, form: Any) -> None:
    bars = inputs_of(case.row, walk(160))
    expected = call(getattr(ta, case.row.name), case, bars)
    for lead, value in zip(LEADS, VALUES):
        inputs = [np.concatenate([np.full(lead, value), x]) for x in bars]
        inputs[-1][: lead - 1] = 1.0  # one input is there earlier than the others
        for ours, theirs in zip(form(ta, case, inputs), expected):
            if len(inputs) > 1:
                assert np.isnan(ours[:lead]).all()
                assert_alike(ours[lead:], theirs, f"{lead}")
    inputs = [np.concatenate([np.full(11, np.nan), x]) for x in bars]
    for ours, theirs in zip(form(ta, case, inputs), expected):
        assert np.isnan(ours[:11]).all()
        assert_alike(ours[11:], theirs)


@each_form_of_each_case
def test_all_values_missing(ta: ModuleType, case: Case, form: Any) -> None:
    for bars in (0, 1, 40):
        for output in form(ta, case, [np.full(bars, np.nan) for _ in case.row.inputs]):
            assert output.shape == (bars,)
            assert np.isnan(output).all()


@each_case
def test_each_row_begins_at_its_own_first_bar(ta: ModuleType, case: Case) -> None:
    function = getattr(ta, case.row.name)
    panel = [np.tile(x, (9, 1)) for x in inputs_of(case.row, walk(120))]
    for lead in range(9):
        for x in panel:
            x[lead, : 15 * lead] = np.nan
    for together, alone in zip(
        call(function, case, panel),
        zip(*(call(function, case, [x[lead].copy() for x in panel]) for lead in range(9))),
    ):
        assert_array_equal(together, np.array(alone))


GAPS = ([], [80], [80, 81, 150], list(range(60, 90)), list(range(0, 200, 9)), [199])


@each_form
@in_turn("case", DEFAULTS)
def test_leading_gaps_are_alike_in_batch_live_and_board(ta: ModuleType, case: Case, form: Any) -> None:
    for turn, gaps in enumerate(GAPS):
        inputs = [x.copy() for x in inputs_of(case.row, walk(200))]
        for x in inputs:
            x[:13] = np.nan
            x[gaps] = VALUES[turn % 3]
        expected = call(getattr(ta, case.row.name), case, inputs)
        for ours, theirs in zip(form(ta, case, inputs), expected):
            assert_alike(ours, theirs, str(gaps))


@in_turn("outer", [case for case in DEFAULTS if len(case.row.inputs) == 1])
@in_turn("inner", DEFAULTS)
def test_an_indicator_of_an_indicator(ta: ModuleType, outer: Case, inner: Case) -> None:
    first = call(getattr(ta, inner.row.name), inner, inputs_of(inner.row, walk(300)))[-1]
    lead = int(np.isnan(first).sum())
    for ours, theirs in zip(
        call(getattr(ta, outer.row.name), outer, [first]),
        call(getattr(ta, outer.row.name), outer, [first[lead:].copy()]),
    ):
        assert np.isnan(ours[:lead]).all()
        assert_array_equal(ours[lead:], theirs)
