"""The public functions: for each row of the table a Switch between the pure and the compiled twin."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from fastcore import _ext
from fastcore.dispatch import backends
from fastcore.dispatch.switch import Switch
from fastcore.indicators import destination, docstrings
from fastcore.indicators.coerce import bind
from fastcore.indicators.registry import INDICATORS, Indicator
from fastcore.indicators.results import RESULTS

__all__ = ["FUNCTIONS"]


def _arm(row: Indicator, twin: ModuleType) -> Callable[..., Any]:
    """The function of `row` on one twin, before any flag."""
    params = tuple((param.name, param.kind, param.default, param.lo, param.hi) for param in row.params)
    made: Callable[..., Any] = twin.function(
        row.name, row.inputs, params, RESULTS.get(row.name), functools.partial(bind, row, twin=twin)
    )
    return made


def _control(row: Indicator) -> Callable[..., Any]:
    function: Any = _arm(row, backends.twin("indicators", "python"))
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    function.__signature__ = inspect.Signature(
        [inspect.Parameter(name, kind, annotation="ArrayLike") for name in row.inputs]
        + [
            inspect.Parameter(param.name, kind, default=param.default, annotation=param.annotation)
            for param in row.params
        ]
        + [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in (("out", "Out | None"), ("nan", "Literal['talib'] | None"))
        ],
        return_annotation=row.result or "Array",
    )
    function.__module__ = "fastcore.indicators"
    function.__doc__ = docstrings.function_doc(row)
    return function  # type: ignore[no-any-return]


def _switch(row: Indicator) -> Switch[..., Any]:
    compiled = _ext.probe("indicators").module
    candidate = None if compiled is None else _arm(row, compiled)
    made: Switch[..., Any] = Switch(
        f"indicators.{row.name}", control=_control(row), candidate=candidate, flag="indicators"
    )
    vars(made)["_deliver"] = functools.partial(destination.into, row)
    return made


FUNCTIONS: dict[str, Switch[..., Any]] = {row.name: _switch(row) for row in INDICATORS.values()}
