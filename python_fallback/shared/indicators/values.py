"""Values: what the series of a definition are while it is traced."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

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
# What to write in place of functions of numpy, and of methods of a pandas Series.
_INSTEAD: Mapping[str, str] = MappingProxyType(
    {
        **{name: f"o.{name}(x)" for name in ("exp", "sign", "sqrt")},
        **{name: f'o.map("{name}", x)' for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
        **{name: f'o.map("{name}", x)' for name in ("log10", "floor", "ceil")},
        **{f"arc{name}": f'o.map("a{name}", x)' for name in ("sin", "cos", "tan")},
        **dict.fromkeys(("abs", "absolute", "fabs"), "abs(x)"),
        **dict.fromkeys(("around", "rint", "round"), 'o.map("floor", x + 0.5)'),
        **dict.fromkeys(("max", "amax"), "o.highest(x, n) for a window, o.greatest(x, y) for several values"),
        **dict.fromkeys(("min", "amin"), "o.lowest(x, n) for a window, o.least(x, y) for several values"),
        **dict.fromkeys(("maximum", "fmax"), "o.greatest(x, y)"),
        **dict.fromkeys(("minimum", "fmin"), "o.least(x, y)"),
        **dict.fromkeys(("mean", "average"), "o.mean(x, n)"),
        **dict.fromkeys(("median", "percentile", "quantile"), "o.quantile(x, n, n, 0.5)"),
        **dict.fromkeys(("logical_and", "bitwise_and"), "a * b"),
        **dict.fromkeys(("logical_or", "bitwise_or"), "o.greatest(a, b)"),
        **dict.fromkeys(("logical_xor", "bitwise_xor"), "abs(a - b)"),
        **dict.fromkeys(("logical_not", "invert"), "1 - a"),
        **dict.fromkeys(("where", "select", "mask"), "o.where(condition, x, y)"),
        **dict.fromkeys(("shift", "roll", "iloc", "loc"), "o.lag(x, n)"),
        **dict.fromkeys(("equal", "eq"), "o.equal(x, y)"),
        **dict.fromkeys(("not_equal", "ne"), "1 - o.equal(x, y)"),
        **dict.fromkeys(("cumsum", "expanding"), "o.total(x)"),
        "clip": "o.least(o.greatest(x, low), high)",
        "cumprod": "o.product(x)",
        "diff": "x - o.lag(x, 1)",
        "ewm": "o.ema(x, n)",
        "log": "o.ln(x)",
        "negative": "-x",
        "pct_change": "x / o.lag(x, 1) - 1",
        "power": "x * x, o.sqrt(x) or o.exp(y * o.ln(x))",
        "rolling": "o.mean(x, n), o.highest(x, n) and so on",
        "square": "x * x",
        "std": "o.deviation(x, n)",
        "sum": "o.sum(x, n) for a window, o.total(x) for all bars",
        "var": "o.variance(x, n)",
    }
)
_JOINED = "; in place of and, or, not: a * b, o.greatest(a, b), 1 - a"
_OPERATOR = "an operator, such as o.mean(x, n)"


def _refusal(text: str) -> Callable[..., NoReturn]:
    def method(*_: Any) -> NoReturn:
        raise TypeError(f"a value of a definition {text}")

    return method


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

    __pow__ = __rpow__ = _refusal("has no power: write x * x, o.sqrt(x) or o.exp(y * o.ln(x))")
    __and__ = __rand__ = _refusal("has no &: write a * b, which is not 0 where both are not")
    __or__ = __ror__ = _refusal("has no |: write o.greatest(a, b), which is 1 where a condition holds")
    __xor__ = __rxor__ = _refusal("has no ^: write abs(a - b), which is 1 where one condition holds")
    __invert__ = _refusal("has no ~: write 1 - a, which is 1 where a condition does not hold")
    __mod__ = __rmod__ = _refusal('has no %: write x - y * o.map("floor", x / y)')
    __floordiv__ = __rfloordiv__ = _refusal('has no //: write o.map("floor", x / y)')
    __round__ = _refusal('is not rounded by round(): write o.map("floor", x + 0.5)')
    __float__ = __int__ = _refusal(
        "is no number at trace time: in place of a function of math write o.sqrt(x), o.ln(x), "
        'o.map("floor", x) and so on'
    )

    def __getitem__(self, place: Any) -> Value:
        raise TypeError("a value of a definition cannot be iterated or indexed: write o.lag(x, n) for an earlier bar")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        calculate = _OF_NUMPY.get(ufunc.__name__)
        if calculate is None or method != "__call__" or kwargs:
            self._refuse(ufunc.__name__)
        for x in inputs:
            if getattr(x, "shape", ()) != ():
                expected = "a value of the definition or a number"
                raise TypeError(f"numpy.{ufunc.__name__}: expected {expected}, got an array of shape {x.shape}")
        return calculate(*(x.item() if hasattr(x, "item") else x for x in inputs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> NoReturn:
        self._refuse(function.__name__)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"a value of a definition is no array at trace time: write {_OPERATOR}")

    def _refuse(self, name: str) -> NoReturn:
        raise TypeError(f"numpy.{name} takes no value of a definition: write {_INSTEAD.get(name, _OPERATOR)}")

    def _with(self, operator: str, by_number: str, value: Value, other: Any) -> Value:
        if isinstance(other, Value):
            return self._operators.node(operator, value, other)
        if not is_number(other):
            return self._operators.value(operator, other)  # raises
        return self._operators.node(by_number, value, params=(other,))

    def __bool__(self) -> bool:
        raise TypeError("a value of a definition has no truth at trace time: write o.where(condition, x, y)" + _JOINED)

    def __iter__(self) -> Any:
        return self[0]

    def __getattr__(self, name: str) -> NoReturn:
        instead = f": write {_INSTEAD[name]}" if name in _INSTEAD else ""
        raise AttributeError(f"a value of a definition has no {name}{instead}")

    def __repr__(self) -> str:
        return f"<value {self.index}>"


def is_number(x: Any) -> bool:
    """Whether `x` is a number that is known at trace time."""
    return isinstance(x, numbers.Real) and not isinstance(x, bool)
