"""Results as JSON: numpy and pandas values too, without importing either."""

from __future__ import annotations

import sys
from typing import Any

import pydantic_core

__all__ = ["NotJSON", "to_json"]


class NotJSON(ValueError):
    """A value that has no form in JSON."""


def to_json(value: Any) -> bytes:
    """Return `value` as JSON.

    NaN and infinities become null, bytes base64, sets and arrays lists, a Series or DataFrame an object as pandas
    writes it with ``orient="split"``.

    Raises
    ------
    NotJSON
        If there is no form for it.
    """
    try:
        return _encode(value)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:  # cycles, depth, keys
        problem = str(error).removeprefix("Error serializing to JSON: ")
    if "pandas" in sys.modules:  # a NaT is a datetime to all but pandas, and cannot be written as one
        try:
            return _encode(_without_nat(value))
        except (ValueError, TypeError, RecursionError, OverflowError):
            pass
    raise NotJSON(f"result: expected a value with a form in JSON, got {type(value).__name__}: {problem}")


def _encode(value: Any) -> bytes:
    return pydantic_core.to_json(value, fallback=_fallback, bytes_mode="base64", inf_nan_mode="null")


def _without_nat(value: Any) -> Any:
    if value is sys.modules["pandas"].NaT:
        return None
    if isinstance(value, dict):
        return {key: _without_nat(held) for key, held in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_without_nat(held) for held in value]
    return value


def _fallback(value: Any) -> Any:
    # Where such a value exists its library has been imported: it is looked up, never loaded.
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None:
        if isinstance(value, (numpy.datetime64, numpy.timedelta64)):
            return None if numpy.isnat(value) else str(value)
        if isinstance(value, numpy.generic):
            found = value.item()
            return str(found) if isinstance(found, numpy.generic) else found
        if isinstance(value, numpy.ndarray):
            return list(value) if value.dtype.kind in "mMV" else value.tolist()
    if pandas is not None:
        if value is pandas.NaT or value is pandas.NA:
            return None
        if isinstance(value, pandas.DataFrame):
            columns = [_column(value.iloc[:, i]) for i in range(value.shape[1])]
            rows = [list(row) for row in zip(*columns)] if columns else [[] for _ in range(len(value))]
            return {"columns": list(value.columns), "index": _column(value.index), "data": rows}
        if isinstance(value, pandas.Series):
            return {"name": value.name, "index": _column(value.index), "data": _column(value)}
        if isinstance(value, pandas.Index):
            return _column(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _column(values: Any) -> list[Any]:
    return [None if value is sys.modules["pandas"].NaT else value for value in values.tolist()]
