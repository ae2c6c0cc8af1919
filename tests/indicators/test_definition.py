"""Definitions as objects: parameters, columns, equality, pickling, calling."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastcore import indicators
from fastcore.indicators.registry import INDICATORS, INPUTS, Indicator
from tests.indicators.arrays import assert_array_equal
from tests.indicators.cases import CASES, DEFAULTS, Case, call, inputs_of, walk
from tests.indicators.turns import in_turn

each_row = in_turn("row", INDICATORS.values())
each_case = in_turn("case", CASES)


def define(case: Case) -> Any:
    params = [value if param.kind == "float" else int(value) for param, value in zip(case.row.params, case.params)]
    return getattr(indicators, case.row.definition)(*params)


@each_case
def test_calling_a_definition_equals_calling_the_function(ta: ModuleType, case: Case) -> None:
    inputs = inputs_of(case.row, walk(100))
    expected = call(getattr(ta, case.row.name), case, inputs)
    for result in (define(case)(*inputs), define(case)(**dict(zip(case.row.inputs, inputs)))):
        for ours, theirs in zip(result if case.row.result else (result,), expected):
            assert_array_equal(ours, theirs)


@each_case
def test_repr_evaluates_to_an_equal_definition(case: Case) -> None:
    definition = define(case)
    assert eval(repr(definition), vars(indicators)) == definition
    elsewhere = type(definition)(**definition.params, **{case.row.inputs[0]: "my column"})
    assert eval(repr(elsewhere), vars(indicators)) == elsewhere != definition


@each_case
@in_turn("clone", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_equal_definitions_are_one_key(case: Case, clone: Any) -> None:
    definition = type(define(case))(**define(case).params, **{case.row.inputs[-1]: "mine"})
    again = clone(definition)
    assert again == definition
    assert hash(again) == hash(definition)
    assert type(again) is type(definition)
    assert again.columns == definition.columns
    assert again.params == definition.params
    assert {definition: 1}[again] == 1
    assert definition != define(case)
    assert definition != case.row.name


def test_definitions_of_different_indicators_differ() -> None:
    made = [define(case) for case in DEFAULTS] + [indicators.MIN(5), indicators.MAX(5), indicators.SMA(5)]
    assert len(set(made)) == len(made)


@each_row
def test_attributes(row: Indicator) -> None:
    made = getattr(indicators, row.definition)
    definition = made()
    assert dict(definition.params) == {param.name: param.default for param in row.params}
    assert [type(value) for value in definition.params.values()] == [type(param.default) for param in row.params]
    assert definition.columns == tuple(INPUTS[name][0] for name in row.inputs)
    assert definition.row is row
    assert isinstance(definition, indicators.Definition)
    assert definition.lookback == row.lookback(*(param.default for param in row.params))
    with pytest.raises(TypeError):
        definition.params["timeperiod"] = 3
    with pytest.raises(AttributeError):
        definition.period = 3
    assert list(inspect.signature(made).parameters) == [*(param.name for param in row.params), *row.inputs]
    for part in (row.title, *(param.name for param in row.params)):
        assert part in made.__doc__


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: indicators.RSI(1), ValueError, "timeperiod: expected an int in 2..100000, got 1"),
        (lambda: indicators.RSI("14"), TypeError, "timeperiod: expected an int in 2..100000, got '14'"),
        (lambda: indicators.RSI(14, 15), TypeError, "RSI() takes from 0 to 1 positional arguments but 2 were given"),
        (
            lambda: indicators.RSI(period=3),
            TypeError,
            "RSI() got an unexpected keyword argument 'period'; did you mean timeperiod?",
        ),
        (lambda: indicators.RSI(real=3), TypeError, "real: expected the name of a column, got 3"),
        (lambda: indicators.OBV(3), TypeError, "OBV() takes 0 positional arguments but 1 was given"),
        (lambda: indicators.Live(14), TypeError, "definition: expected a definition such as RSI(14), got int"),
        (lambda: indicators.Definition(), TypeError, "Definition: expected one of its classes, such as RSI"),
    ],
)
def test_invalid_parameters_raise_at_construction(make: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        make()


def test_too_few_inputs_are_not_taken_from_the_parameters() -> None:
    x = np.ones(50)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'close'"):
        indicators.ATR(3)(x, x)
    with pytest.raises(TypeError, match="timeperiod"):
        indicators.ATR(3)(x, x, x, 5)
