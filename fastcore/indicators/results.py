"""The named tuples of the indicators that have several outputs."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from fastcore.indicators.registry import INDICATORS, Indicator

__all__ = ["RESULTS", "result_type"]


def _unknown(self: Any, name: str) -> Any:
    text = f"{type(self).__name__!r} object has no attribute {name!r}"
    if not name.startswith("_"):
        from fastcore.indicators.habits import instead_of_output

        text += instead_of_output(name, self._fields)
    raise AttributeError(text)


def _result(row: Indicator) -> type[tuple[Any, ...]]:
    made: type[tuple[Any, ...]] = namedtuple(row.result, [output.name for output in row.outputs])  # type: ignore[misc]
    made.__module__ = "fastcore.indicators"
    made.__getattr__ = _unknown  # type: ignore[attr-defined]
    made.__doc__ = (
        f"{row.title}: what ``{row.name}`` returns, and a live {row.definition}.\n\n"
        "Examples\n--------\n"
        ">>> from fastcore import indicators as ta\n"
        f">>> ta.{row.result}._fields\n"
        f"{made._fields!r}"
    )
    for output in row.outputs:
        getattr(made, output.name).__doc__ = output.doc
    return made


RESULTS: dict[str, type[tuple[Any, ...]]] = {row.name: _result(row) for row in INDICATORS.values() if row.result}


def result_type(row: Indicator) -> type[tuple[Any, ...]] | None:
    """Return the named tuple of the outputs of `row`; None where it has one output."""
    if len(row.outputs) == 1:
        return None
    own: type[tuple[Any, ...]] | None = getattr(row, "result_type", None)
    return RESULTS[row.name] if own is None else own
