"""Definitions: an indicator with its parameters bound, such as ``RSI(14)``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from fastcore.indicators import coerce, docstrings
from fastcore.indicators.functions import FUNCTIONS
from fastcore.indicators.live import Live
from fastcore.indicators.registry import INDICATORS, INPUTS, Indicator

__all__ = ["DEFINITIONS", "Definition"]


class Definition:
    """An indicator with its parameters bound; the base of ``SMA``, ``RSI`` and the others.

    Two definitions of the same indicator, parameters and columns are equal; definitions can be hashed and pickled.
    """

    __slots__ = ("_arguments", "_columns", "_values")

    row: ClassVar[Indicator]
    _arguments: Mapping[str, float]
    _columns: tuple[str, ...]
    _values: tuple[float, ...]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if type(self) is Definition:
            raise TypeError("Definition: expected one of its classes, such as RSI")
        self._values, self._columns = coerce.definition_arguments(self.row, args, kwargs)
        self._arguments = {
            param.name: value if param.kind == "float" else int(value)
            for param, value in zip(self.row.params, self._values)
        }

    @property
    def params(self) -> Mapping[str, float]:
        """The parameters by name."""
        return MappingProxyType(dict(self._arguments))

    @property
    def values(self) -> tuple[float, ...]:
        """The parameters in order, as floats."""
        return self._values

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a Plan takes the inputs from, in order."""
        return self._columns

    @property
    def lookback(self) -> int:
        """How many bars of clean data come before the first result."""
        return self.row.lookback(*self._arguments.values())

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Compute the indicator over whole series; inputs as the function takes them."""
        return FUNCTIONS[self.row.name](*inputs, **named, **self._arguments)

    def live(self, *history: Any) -> Live[Any]:
        """Return the indicator ready to take one bar at a time.

        Parameters
        ----------
        *history : array_like, optional
            The bars so far, one 1-D series an input.
        """
        live: Live[Any] = Live(self)
        if history:
            live.extend(*history)
        return live

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Definition):
            return NotImplemented
        return (self.row.name, self._values, self._columns) == (other.row.name, other._values, other._columns)

    def __hash__(self) -> int:
        return hash((self.row.name, self._values, self._columns))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.row.name, tuple(self._arguments.values()), self._columns)

    def __repr__(self) -> str:
        given = [f"{name}={value!r}" for name, value in self._arguments.items()]
        given += [
            f"{name}={column!r}" for name, column in zip(self.row.inputs, self._columns) if column != INPUTS[name][0]
        ]
        return f"{self.row.definition}({', '.join(given)})"


def _restore(name: str, values: tuple[float, ...], columns: tuple[str, ...]) -> Definition:
    made = DEFINITIONS[name]
    return made(*values, **dict(zip(made.row.inputs, columns)))


def _class(row: Indicator) -> type[Definition]:
    parameter = inspect.Parameter
    signature = inspect.Signature(
        [
            parameter(param.name, parameter.POSITIONAL_OR_KEYWORD, default=param.default, annotation=param.annotation)
            for param in row.params
        ]
        + [parameter(name, parameter.KEYWORD_ONLY, default=INPUTS[name][0], annotation="str") for name in row.inputs]
    )
    body = {
        "__slots__": (),
        "__module__": "fastcore.indicators",
        "__doc__": docstrings.definition_doc(row),
        "__signature__": signature,
        "row": row,
    }
    return type(row.definition, (Definition,), body)


DEFINITIONS: dict[str, type[Definition]] = {row.name: _class(row) for row in INDICATORS.values()}
