"""Every form in which an indicator runs: the same bars go in, its outputs over all bars come out."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from tests.indicators.arrays import assert_array_equal
from tests.indicators.cases import CASES, DEFAULTS, Case, call
from tests.indicators.turns import in_turn

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
    peeked, values = [], []
    for bar in zip(*(x.tolist() for x in inputs)):
        peeked.append(live.peek(*bar))
        values.append(live.update(*bar))
    assert_array_equal(peeked, values)
    rows = list(map(tuple, values)) if case.row.result else values
    return list(np.reshape(rows, (-1, len(case.row.outputs))).T)


def board(ta: ModuleType, case: Case, inputs: list[Any]) -> list[Any]:
    """The last of two symbols, the first of which is another series, and has a gap from time to time."""
    columns = [f"c{i}" for i in range(len(inputs))]
    made = ta.Plan(one=_definition(ta, case, **dict(zip(case.row.inputs, columns)))).live(symbols=2)
    outputs = made["one"] if case.row.result else (made["one"],)
    bars = np.arange(len(inputs[0]))
    other = np.where(bars % 7 == 3, np.nan, bars + 1.0)
    panels = dict(zip(columns, (np.column_stack([other, x]) for x in inputs)))
    values = np.empty((len(outputs), len(bars)))
    for t in range(len(bars)):
        made.update(**{name: panel[t] for name, panel in panels.items()})
        for output, found in zip(outputs, values):
            found[t] = output[1]
    return list(values)


FORMS: dict[str, Run] = {
    form.__name__: form for form in (function, series, polars, rows, table, extended, updated, board)
}

# Every case as a whole series and bar by bar, which have code of their own; the other forms are built on these two.
_PAIRS = [(form, case) for form in (function, extended) for case in CASES]
_PAIRS += [(form, case) for form in FORMS.values() if form not in (function, extended) for case in DEFAULTS]

each_form_of_each_case = in_turn("form, case", _PAIRS)
