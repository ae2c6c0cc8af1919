"""What is made from the table: the functions' faces, the stub, the docs page; and that nothing is left out."""

from __future__ import annotations

import inspect
import itertools
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from fastcore import indicators
from fastcore.dispatch import backends
from fastcore.indicators import FUNCTIONS, docstrings, generate
from fastcore.indicators.registry import INDICATORS, INPUTS, Indicator
from python_fallback.shared.indicators import gap
from python_fallback.shared.indicators.definitions import DEFINITIONS
from tests.conftest import PURE_ONLY
from tests.indicators.cases import walk
from tests.indicators.turns import in_turn

each_row = in_turn("row", INDICATORS.values())


@pytest.mark.parametrize("path", generate.FILES, ids=lambda path: path.name)
def test_files_generated_from_the_table_are_current(path: object) -> None:
    written, made = path.read_text(encoding="utf-8"), generate.FILES[path]()  # type: ignore[attr-defined,index]
    assert written == made, "run python -m fastcore.indicators.generate"


@each_row
def test_a_row_is_whole(row: Indicator) -> None:
    assert row.inputs
    assert row.outputs
    assert set(row.inputs) <= set(INPUTS)
    assert len(set(row.arguments)) == len(row.arguments)
    for param in row.params:
        assert param.lo <= param.default <= param.hi
        assert isinstance(param.default, float) is (param.kind == "float")
    assert row.lookback(*(param.default for param in row.params)) >= 0
    for text in (row.title, row.formula, row.source, *(o.doc for o in row.outputs), *(p.doc for p in row.params)):
        assert text
        assert text == text.strip()


@each_row
def test_both_twins_have_it(row: Indicator, backend: str) -> None:
    arrays = tuple(np.ones(3) for _ in row.inputs)
    params = tuple(float(param.default) for param in row.params)
    outputs = backends.twin("indicators", backend).batch(row.name, params, arrays)
    assert len(outputs) == len(row.outputs)


@pytest.mark.skipif(PURE_ONLY, reason="they are drawn with the compiled twin")
def test_the_pictures_of_the_pages_are_current() -> None:
    tool = Path(__file__).resolve().parents[2] / "tools" / "draw_indicators.py"
    ran = subprocess.run([sys.executable, str(tool), "--check"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@each_row
def test_a_missing_bar_costs_as_many_results_as_the_page_says(row: Indicator) -> None:
    """The bars that are lost follow from the operators; here they are counted."""
    scale = 1e-3 if row.group == "Math Transform" else 1.0
    params = [param.default for param in row.params]
    costs = []
    for place in range(len(row.inputs)):
        inputs = [walk(600)[name] * scale for name in row.inputs]
        inputs[place][400] = np.nan
        result = getattr(indicators, row.name)(*inputs)
        first = result[0] if row.result else result
        costs.append(int(np.isnan(first[row.lookback(*params) :]).sum()))
    assert gap(row.program(params)) == max(costs)


def test_every_definition_has_a_row() -> None:
    assert set(DEFINITIONS) == set(INDICATORS)


@each_row
def test_help_shows_the_docstring_of_a_function(row: Indicator) -> None:
    function = getattr(indicators, row.name)
    assert function is FUNCTIONS[row.name]
    assert function.__name__ == row.name
    assert function.__module__ == "fastcore.indicators"
    assert function.__doc__ == docstrings.function_doc(row)
    signature = inspect.signature(function)
    assert list(signature.parameters) == [*row.arguments, "out", "nan"]
    assert [p.default for p in signature.parameters.values() if p.default is not p.empty] == [
        *(param.default for param in row.params),
        *(None, None),
    ]


@each_row
def test_docstrings_are_numpydoc(row: Indicator) -> None:
    for text in (docstrings.function_doc(row), docstrings.definition_doc(row)):
        lines = text.splitlines()
        assert lines[0].endswith(".")
        assert not lines[1]
        heads = [line for line, rule in itertools.pairwise(lines) if rule and set(rule) == {"-"}]
        assert heads == [
            head for head in ("Parameters", "Returns", "Raises", "Notes", "See Also", "Examples") if head in heads
        ]
        assert {"Parameters", "See Also"} <= set(heads)
        assert max(map(len, lines)) <= 120
        assert textwrap.dedent(text) == text
        for name in row.arguments:
            assert f"\n{name} : " in text


@in_turn("row", [row for row in INDICATORS.values() if row.result])
def test_named_tuples(row: Indicator) -> None:
    made = getattr(indicators, row.result)
    assert made._fields == tuple(output.name for output in row.outputs)
    value = made(*range(len(row.outputs)))
    assert pickle.loads(pickle.dumps(value)) == value
    assert type(pickle.loads(pickle.dumps(value))) is made
    assert row.name in made.__doc__


def test_every_indicator_is_exported() -> None:
    for row in INDICATORS.values():
        for name in filter(None, (row.name, row.definition, row.result)):
            assert name in indicators.__all__
            assert hasattr(indicators, name)
