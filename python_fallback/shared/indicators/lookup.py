"""Programs by the name of an indicator."""

from __future__ import annotations

import functools
from typing import Any

from python_fallback.shared.indicators.definitions import definition
from python_fallback.shared.indicators.program import Program
from python_fallback.shared.indicators.tracing import trace

__all__ = ["inputs_of", "program_of"]


@functools.lru_cache(maxsize=4096)
def _named(name: str, params: tuple[float, ...]) -> Program:
    found = definition(name)
    return trace(found.calculate, found.inputs, params)


def program_of(source: Any, params: tuple[float, ...] = ()) -> Program:
    """Return the program of an indicator with `params`; of `source` itself where it is a program."""
    if isinstance(source, Program):
        return source
    if hasattr(source, "program"):  # an indicator of the user's
        made: Program = source.program(params)
        return made
    return _named(source, params)


def inputs_of(source: Any) -> int:
    """Return how many inputs the indicator `source` has.

    Raises
    ------
    ValueError
        If it is not the name of one.
    """
    if isinstance(source, Program) or hasattr(source, "program"):
        return int(source.inputs)
    return definition(source).inputs
