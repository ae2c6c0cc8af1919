"""Every form in which an indicator runs: the same bars go in, its outputs over all bars come out."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests.indicators.cases import CASES, DEFAULTS, Case, call

Run = Callable[[ModuleType, Case, list[Any]], list[Any]]


def _definition(ta: ModuleType, case: Case, **columns: str) -> Any:
    params = {p.name: v if p.kind == "float" else int(v) for p, v in zip(case.row.params, case.params)}
    return getattr(ta, case.row.definition)(**params, **columns)


def _outputs(result: Any) -> list[Any]:
    return [np.asarray(x, dtype=float) for x in (result if isinstance(result, tuple) else (result,))]


def function(ta: ModuleType, case: Case, inputs: list[Any]) -> list[Any]:
    return list(call(getattr(ta, case.row.name), case, inputs))


def series(ta: ModuleType, case: Case, inputs: list[Any]) -> list[Any]:
    index = pd.date_range("2024-01-01", periods=len(inputs[0]), freq="min")
    return [x.to_numpy() for x in function(ta, case, [pd.Series(x, index) for x in inputs])]


def polars(ta: ModuleType, case: Case, inputs: list[Any]) -> list[Any]:
    return [x.to_numpy() for x in function(ta, case, [pl.Series(x) for x in inputs])]


def rows(ta: ModuleType, case: Case, inputs: list[Any]) -> list[Any]:
    """The middle one of three rows, whose neighbours are other series."""
    panels = [np.array([np.arange(len(x)) + 1.0, x, np.full(len(x), 1e6)]) for x in inputs]
    return [x[1] for x in function(ta, case, panels)]


def table(ta: ModuleType, case: Case, inputs: list[Any]) -> list[Any]:
    """One of two symbols whose bars alternate in a long table."""
    times = pd.date_range("2024-01-01", periods=len(inputs[0]), freq="min")
    index = pd.MultiIndex.from_product([times, ["AAPL", "MSFT"]], names=["time", "symbol"])
    columns = [pd.Series(np.column_stack([np.arange(len(x)) + 1.0, x]).ravel(), index) for x in inputs]
    wanted = index.get_level_values("symbol") == "MSFT"
    return [x[wanted].to_numpy() for x in function(ta, case, columns)]


def extended(ta: ModuleType, case: Case, inputs: list[Any]) -> list[Any]:
    return _outputs(_definition(ta, case).live().extend(*inputs))


def updated(ta: ModuleType, case: Case, inputs: list[Any]) -> list[Any]:
    live = _definition(ta, case).live()
    values = []
    for bar in zip(*(x.tolist() for x in inputs)):
        peeked = _outputs(live.peek(*bar))
        values.append(_outputs(live.update(*bar)))
        np.testing.assert_array_equal(peeked, values[-1])
    return [np.array(x) for x in zip(*values)] if values else [np.empty(0) for _ in case.row.outputs]


def board(ta: ModuleType, case: Case, inputs: list[Any]) -> list[Any]:
    """The last of two symbols, the first of which is another series, and has a gap from time to time."""
    columns = [f"c{i}" for i in range(len(inputs))]
    made = ta.Plan(one=_definition(ta, case, **dict(zip(case.row.inputs, columns)))).live(symbols=2)
    values = []
    for t, bar in enumerate(zip(*(x.tolist() for x in inputs))):
        made.update(**{name: [np.nan if t % 7 == 3 else t + 1.0, x] for name, x in zip(columns, bar)})
        values.append([x[1] for x in _outputs(made["one"])])
    return [np.array(x) for x in zip(*values)] if values else [np.empty(0) for _ in case.row.outputs]


FORMS: dict[str, Run] = {
    form.__name__: form for form in (function, series, polars, rows, table, extended, updated, board)
}

# Every case as a whole series and bar by bar, which have code of their own; the other forms are built on these two.
_PAIRS = [(form, case) for form in (function, extended) for case in CASES]
_PAIRS += [(form, case) for form in FORMS.values() if form not in (function, extended) for case in DEFAULTS]

each_form_of_each_case = pytest.mark.parametrize(
    ("form", "case"), _PAIRS, ids=[f"{form.__name__}-{case}" for form, case in _PAIRS]
)
