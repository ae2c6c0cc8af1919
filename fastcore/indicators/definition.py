"""Definitions: an indicator with its parameters bound, such as ``RSI(14)``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from fastcore.indicators import coerce, docstrings
from fastcore.indicators.functions import FUNCTIONS
from fastcore.indicators.live import Live
from fastcore.indicators.registry import INDICATORS, Indicator, column

__all__ = ["DEFINITIONS", "Definition", "definition_class"]


class Definition:
    """An indicator with its parameters bound; the base of ``SMA``, ``RSI`` and the others.

    Two definitions of the same indicator, parameters and columns are equal; definitions can be hashed and pickled.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcore import indicators as ta
    >>> rsi = ta.RSI(14)
    >>> rsi.lookback
    14
    >>> live = rsi.live(np.arange(30.0))              # its state after these bars
    >>> round(float(live.update(25.0)), 1)
    76.5
    """

    __slots__ = ("_arguments", "_columns", "_values")

    row: ClassVar[Indicator]
    maker: ClassVar[Any]  # of the user's: the indicator that makes it; None for a built-in
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
        function = FUNCTIONS[self.row.name] if self.maker is None else self.maker.compute
        return function(*inputs, **named, **self._arguments)

    def live(self, *history: Any, nan: Literal["talib"] | None = None) -> Live[Any]:
        """Return the indicator ready to take one bar at a time.

        Parameters
        ----------
        *history : array_like, optional
            The bars so far, one 1-D series an input.
        nan : {'talib'}, optional
            The policy towards missing data, as the functions take it.
        """
        live: Live[Any] = Live(self, nan)
        if history:
            live.extend(*history)
        return live

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Definition):
            return NotImplemented
        return (self.row, self._values, self._columns) == (other.row, other._values, other._columns)

    def __hash__(self) -> int:
        return hash((self.row, self._values, self._columns))

    def __reduce__(self) -> tuple[Any, ...]:
        source = self.row.name if self.maker is None else self.maker
        return _restore, (source, tuple(self._arguments.values()), self._columns)

    def __repr__(self) -> str:
        given = [f"{name}={value!r}" for name, value in self._arguments.items()]
        given += [
            f"{name}={chosen!r}" for name, chosen in zip(self.row.inputs, self._columns) if chosen != column(name)
        ]
        return f"{self.row.definition}({', '.join(given)})"


def _restore(source: Any, values: tuple[float, ...], columns: tuple[str, ...]) -> Definition:
    made: Any = DEFINITIONS[source] if isinstance(source, str) else source
    found: Definition = made(*values, **dict(zip(made.row.inputs, columns)))
    return found


def definition_class(row: Indicator, maker: Any = None) -> type[Definition]:
    """Return the class of the definitions of `row`; `maker` is what makes them where that is not the class itself."""
    parameter = inspect.Parameter
    signature = inspect.Signature(
        [
            parameter(param.name, parameter.POSITIONAL_OR_KEYWORD, default=param.default, annotation=param.annotation)
            for param in row.params
        ]
        + [parameter(name, parameter.KEYWORD_ONLY, default=column(name), annotation="str") for name in row.inputs]
    )
    body = {
        "__slots__": (),
        "__module__": "fastcore.indicators" if maker is None else maker.__module__,
        "__doc__": docstrings.definition_doc(row),
        "__signature__": signature,
        "row": row,
        "maker": maker,
    }
    return type(row.definition, (Definition,), body)


DEFINITIONS: dict[str, type[Definition]] = {row.name: definition_class(row) for row in INDICATORS.values()}
