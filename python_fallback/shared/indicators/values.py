"""Values: what the series of a definition are while it is traced."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

__all__ = ["Maker", "Value", "is_number"]


# What numpy's numbers ask for where they stand before a value: ``np.float64(2.0) * close``.
_OF_NUMPY: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "add": operator.add,
        "subtract": operator.sub,
        "multiply": operator.mul,
        "divide": operator.truediv,
        "greater": operator.gt,
        "greater_equal": operator.ge,
        "less": operator.lt,
        "less_equal": operator.le,
    }
)
_NAMES = MappingProxyType({"log": "ln", "maximum": "greatest", "minimum": "least"})


class Maker(Protocol):
    """What makes values: the operators of a definition."""

    def node(self, operator: str, *inputs: Any, params: tuple[Any, ...] = ()) -> Value:
        """Return the value of an operator."""

    def value(self, operator: str, x: Any) -> Value:
        """Return `x` as a value."""


class Value:
    """A series within a definition: the close, say, or what an operator made of it.

    It takes part in arithmetic and comparisons with other values and with numbers. A comparison gives 1 where it holds
    and 0 where it does not: hand it to :meth:`Operators.where`.
    """

    __slots__ = ("_operators", "index")

    def __init__(self, operators: Maker, index: int) -> None:
        self._operators = operators
        self.index = index

    def __add__(self, other: Any) -> Value:
        return self._with("add", "add_number", self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Value:
        if isinstance(other, Value):
            return self._operators.node("sub", self, other)
        return self._with("sub", "add_number", self, -other if is_number(other) else other)

    def __rsub__(self, other: Any) -> Value:
        return self._with("sub", "subtract_from", self, other)

    def __mul__(self, other: Any) -> Value:
        return self._with("mul", "times", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Value:
        return self._with("div", "divide_by", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._with("div", "divide", self, other)

    def __neg__(self) -> Value:
        return self._operators.node("neg", self)

    def __abs__(self) -> Value:
        return self._operators.node("abs", self)

    def __gt__(self, other: Any) -> Value:
        return self._operators.node("gt", self, other)

    def __ge__(self, other: Any) -> Value:
        return self._operators.node("ge", self, other)

    def __lt__(self, other: Any) -> Value:
        return self._operators.node("gt", self._operators.value("<", other), self)

    def __le__(self, other: Any) -> Value:
        return self._operators.node("ge", self._operators.value("<=", other), self)

    def __eq__(self, other: object) -> Any:
        raise TypeError("a value of a definition is not compared with ==: write o.equal(x, y)")

    __hash__ = object.__hash__

    def __pow__(self, other: Any) -> Value:
        raise TypeError("a value of a definition has no power: write x * x, o.sqrt(x) or o.exp(y * o.ln(x))")

    __rpow__ = __pow__

    def __getitem__(self, place: Any) -> Value:
        raise TypeError("a value of a definition cannot be iterated or indexed: write o.lag(x, n) for an earlier bar")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        calculate = _OF_NUMPY.get(ufunc.__name__)
        if calculate is None or method != "__call__" or kwargs:
            name = _NAMES.get(ufunc.__name__, ufunc.__name__)
            raise TypeError(f"numpy.{ufunc.__name__} takes no value of a definition: write o.{name}(x)")
        return calculate(*(x.item() if hasattr(x, "item") else x for x in inputs))

    def _with(self, operator: str, by_number: str, value: Value, other: Any) -> Value:
        if isinstance(other, Value):
            return self._operators.node(operator, value, other)
        if not is_number(other):
            return self._operators.value(operator, other)  # raises
        return self._operators.node(by_number, value, params=(other,))

    def __bool__(self) -> bool:
        raise TypeError("a value of a definition has no truth at trace time: write o.where(condition, x, y)")

    def __iter__(self) -> Any:
        return self[0]

    def __repr__(self) -> str:
        return f"<value {self.index}>"


def is_number(x: Any) -> bool:
    """Whether `x` is a number that is known at trace time."""
    return isinstance(x, numbers.Real) and not isinstance(x, bool)
