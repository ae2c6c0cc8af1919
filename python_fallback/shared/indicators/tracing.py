"""Tracing: a definition is run once, on values that only note what is done with them."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from python_fallback.shared.indicators.operators import KINDS, NODES_MAX, OPERATORS, REALS
from python_fallback.shared.indicators.program import Node, Program
from python_fallback.shared.indicators.values import Value, is_number
from python_fallback.shared.indicators.weighted_sums import join_sums

__all__ = ["BUILT_IN", "OPERATOR_NAMES", "Definition", "Named", "Operators", "Value", "trace"]

# Called with operators, then inputs and parameters in the order of the registry; returns a value or a tuple of them.
Definition = Callable[..., Any]
# Of the name of a built-in indicator and the arguments of a call of it: all its arguments, in order.
Arguments = Callable[[str, tuple[Any, ...], Mapping[str, Any]], tuple[Any, ...]]


class Named(NamedTuple):
    """A definition, and how many of its arguments are inputs: the first ones."""

    inputs: int
    calculate: Definition


BUILT_IN: dict[str, Named] = {}  # filled by ``definitions``, which is written over what is here

# Operators by those that they join: the one whose first input the other one makes, and that one.
_JOINED = {("abs", "sub"): "distance", ("times", "ratio"): "scaled_ratio", ("where", "gt"): "where_greater"}
_COMMUTATIVE = frozenset({"add", "mul", "greatest", "least", "eq"})


class Operators:
    """The operators of definitions.

    The name of a built-in indicator is an operator too: ``o.rsi(close, 14)``, ``o.macd(close, 12, 26, 9)``.
    """

    def __init__(self, inputs: int, arguments: Arguments | None = None) -> None:
        self._arguments = arguments
        self._nodes: list[Node] = []
        self._known: dict[Node, int] = {}
        self._made: dict[int, Node] = {}  # by the first value that a node makes
        self._numbers: set[int] = set()  # values that are made of numbers alone
        self._inputs = inputs
        self._count = inputs

    # ---- of one bar ----

    def sqrt(self, x: Any) -> Value:
        """The square root."""
        return self.node("sqrt", x)

    def exp(self, x: Any) -> Value:
        """e to the power of x."""
        return self.node("exp", x)

    def ln(self, x: Any) -> Value:
        """The natural logarithm."""
        return self.node("ln", x)

    def sign(self, x: Any) -> Value:
        """-1, 0 or 1."""
        return self.node("sign", x)

    def greatest(self, x: Any, *others: Any) -> Value:
        """The greatest of several values."""
        return functools.reduce(lambda a, b: self.node("greatest", a, b), others, self.value("greatest", x))

    def least(self, x: Any, *others: Any) -> Value:
        """The least of several values."""
        return functools.reduce(lambda a, b: self.node("least", a, b), others, self.value("least", x))

    def equal(self, x: Any, y: Any) -> Value:
        """1 where x equals y, else 0."""
        return self.node("eq", x, y)

    def ratio(self, x: Any, y: Any, otherwise: float = 0.0) -> Value:
        """x / y, and `otherwise` where y is 0."""
        return self.node("ratio", x, y, params=(otherwise,))

    def where(self, condition: Any, x: Any, y: Any) -> Value:
        """x where the condition is not 0, else y; missing where any of the three is."""
        return self.node("where", condition, x, y)

    def surplus(self, x: Any, y: Any) -> Value:
        """x where it is above both y and zero, else 0."""
        return self.node("surplus", x, y)

    def share(self, x: Any, y: Any) -> Value:
        """x / y where y is above zero, else 0."""
        return self.node("share", x, y)

    def within(self, x: Any, low: Any, high: Any, by: float = 1.0) -> Value:
        """Where x is from `low` to `high`, in 0..`by`; 0 where the two are equal."""
        return self.node("within", x, low, high, params=(by,))

    def true_range(self, high: Any, low: Any, before: Any) -> Value:
        """The range of a bar, and from the close before it."""
        return self.node("true_range", high, low, before)

    def money_flow(self, high: Any, low: Any, close: Any, volume: Any) -> Value:
        """The volume, weighed by where in the bar's range the close is: -1 to 1."""
        return self.node("money_flow", high, low, close, volume)

    def true_move(self, high: Any, low: Any, close: Any, before: Any) -> Value:
        """How far the close has come since the close before it: from the low or that close, the lower one, where it
        rose, from the high or that close, the higher one, where it fell, else 0; also where that close is infinite."""
        return self.node("true_move", high, low, close, before)

    def balance(self, open: Any, high: Any, low: Any, close: Any) -> Value:
        """How far a bar has come from its open to its close, as a share of its range; 0 without a range."""
        return self.node("balance", open, high, low, close)

    def complete(self, *values: Any) -> tuple[Value, ...]:
        """The values, each made missing wherever any of them is."""
        return tuple(
            functools.reduce(lambda a, b: self.node("there", a, b), values[:i] + values[i + 1 :], value)
            for i, value in enumerate(values)
        )

    def map(self, name: str, x: Any) -> Value:
        """The function `name` of one number: sin, tanh, floor and so on."""
        operator = OPERATORS.get(name)
        if operator is None or (operator.kind, operator.inputs, operator.params) != ("map", 1, ()):
            raise ValueError(f"map: expected the name of a function of one number, got {name!r}")
        return self.node(name, x)

    # ---- of a window ----

    def lag(self, x: Any, bars: float = 1) -> Value:
        """The value so many bars ago."""
        return self.node("lag", x, params=(bars,))

    def sum(self, x: Any, period: float) -> Value:
        """The sum of the last `period` values."""
        whole = self.value("sum", x).index
        half = self._known.get(Node("sum", (whole,), (period / 2.0,))) if is_number(period) else None
        if half is None or Node("sum", (whole,), (float(period),)) in self._known:
            return self.node("sum", x, params=(period,))
        known = Value(self, half)
        total = known + self.lag(known, period / 2.0)  # two neighbours make the whole
        self._known[Node("sum", (whole,), (float(period),))] = total.index
        return total

    def mean(self, x: Any, period: float) -> Value:
        """The mean of the last `period` values."""
        return self.node("mean", x, params=(period,))

    def variance(self, x: Any, period: float) -> Value:
        """The population variance of the last `period` values."""
        return self.node("variance", x, params=(period,))

    def deviation(self, x: Any, period: float) -> Value:
        """The population standard deviation of the last `period` values about their own mean."""
        return self.node("deviation", x, params=(period,))

    def mean_deviation(self, x: Any, period: float) -> Value:
        """The mean distance of the last `period` values from their mean."""
        return self.node("mean_deviation", x, params=(period,))

    def highest(self, x: Any, period: float) -> Value:
        """The highest of the last `period` values."""
        return self.node("highest", x, params=(period,))

    def lowest(self, x: Any, period: float) -> Value:
        """The lowest of the last `period` values."""
        return self.node("lowest", x, params=(period,))

    def since_highest(self, x: Any, period: float, ties: float = 0) -> Value:
        """How many bars ago the highest of the last `period` values was: of equal ones the newest, or the oldest
        with `ties` 1. With 2 a bar once found stays until another equals it, or it leaves: then the oldest counts.
        """
        return self.node("since_highest", x, params=(period, ties))

    def since_lowest(self, x: Any, period: float, ties: float = 0) -> Value:
        """How many bars ago the lowest of the last `period` values was; `ties` as in :meth:`since_highest`."""
        return self.node("since_lowest", x, params=(period, ties))

    def bar_number(self, x: Any) -> Value:
        """How many bars came before this one, also those where x was missing."""
        return self.node("bar_number", x)

    def weighted(self, x: Any, period: float) -> Value:
        """The mean of the last `period` values with weights 1 to `period`, the newest the heaviest."""
        return self.node("weighted", x, params=(period,))

    def slope(self, x: Any, period: float) -> Value:
        """The slope of the least-squares line through the last `period` values."""
        return self.node("slope", x, params=(period,))

    def line(self, x: Any, period: float, at: float) -> Value:
        """The least-squares line through the last `period` values, `at` so many bars from the oldest."""
        return self.node("line", x, params=(period, at))

    def correlation(self, x: Any, y: Any, period: float) -> Value:
        """Pearson's correlation of the last `period` pairs; 0 where one of the series does not move."""
        return self.node("correlation", x, y, params=(period,))

    def beta(self, x: Any, y: Any, period: float) -> Value:
        """The slope of y over x in the last `period` pairs; 0 where x does not move."""
        return self.node("beta", x, y, params=(period,))

    def mean_of(self, x: Any, bars: Any, longest: float) -> Value:
        """The mean of the last `bars` values, which may differ from bar to bar: 1 to `longest` of them."""
        return self.node("mean_of", x, bars, params=(longest,))

    # ---- of the values that are there in a window, of which there must be at least so many ----

    def quantile(self, x: Any, period: float, least: float, share: float, nearest: float = 0) -> Value:
        """The value below which `share` of the last `period` values are: between two of them, or the `nearest` one."""
        return self.node("quantile", x, params=(period, least, share, nearest))

    def rank(self, x: Any, period: float, least: float, below: float = 0) -> Value:
        """The place of x among the last `period` values, from 1 on; or how many are `below` it."""
        return self.node("rank", x, params=(period, least, below))

    def count(self, x: Any, period: float, least: float) -> Value:
        """How many of the last `period` values are there."""
        return self.node("count", x, params=(period, least))

    def standard_score(self, x: Any, period: float, least: float) -> Value:
        """The distance of x from the mean of the last `period` values, in standard deviations of a sample."""
        return self.node("standard_score", x, params=(period, least))

    def skewness(self, x: Any, period: float, least: float) -> Value:
        """The skewness of the last `period` values, of a sample."""
        return self.node("skewness", x, params=(period, least))

    def kurtosis(self, x: Any, period: float, least: float) -> Value:
        """The excess kurtosis of the last `period` values, of a sample."""
        return self.node("kurtosis", x, params=(period, least))

    def covariance(self, x: Any, y: Any, period: float, least: float) -> Value:
        """The covariance of the last `period` pairs, of a sample."""
        return self.node("covariance", x, y, params=(period, least))

    def age_of_highest(self, x: Any, period: float, least: float) -> Value:
        """How many bars ago the highest of the last `period` values was, of equal ones the newest."""
        return self.node("age_of_highest", x, params=(period, least))

    def age_of_lowest(self, x: Any, period: float, least: float) -> Value:
        """How many bars ago the lowest of the last `period` values was, of equal ones the newest."""
        return self.node("age_of_lowest", x, params=(period, least))

    # ---- of all bars so far ----

    def after(self, x: Any, bars: float) -> Value:
        """x without its first `bars` values."""
        return self.node("after", x, params=(bars,)) if bars else self.value("after", x)

    def previous(self, x: Any, start: float = math.nan) -> Value:
        """The last value before this one that was not missing; `start` before there was any."""
        return self.node("previous", x, params=(start,))

    def total(self, x: Any) -> Value:
        """The sum of all values so far."""
        return self.node("total", x)

    def product(self, x: Any) -> Value:
        """The product of all values so far."""
        return self.node("product", x)

    def follow(self, x: Any, rate: Any, start: Any) -> Value:
        """``y += rate * (x - y)``, begun at the first bar from `start` there."""
        return self.node("follow", x, rate, start)

    def hold(self, x: Any, weight: Any) -> Value:
        """x where `weight` is above zero, else the last such x, and 0 before the first."""
        return self.node("hold", x, weight)

    def first(self, x: Any, weight: Any) -> Value:
        """The first x whose `weight` is not zero, from there on, and before that x itself."""
        return self.node("first", x, weight)

    def smooth(self, x: Any, period: float, keep: float) -> Value:
        """Exponential smoothing ``y = keep * y + (1 - keep) * x``, begun with the mean of the first `period` values."""
        return self.node("smooth", x, params=(period, keep))

    def apart(self, x: Any, period: float, keep: float) -> Value:
        """How far exponential smoothing is from x, to all its digits."""
        return self.node("apart", x, params=(period, keep))

    def rises(self, x: Any, period: float) -> Value:
        """The share of the rises in Wilder's averages of all changes of x; where x has not changed it stays."""
        return self.node("rises", x, params=(period,))

    # ---- of the dominant cycle ----

    def cycle_smooth(self, x: Any) -> Value:
        """The mean of the last four values with weights 1 to 4, the newest the heaviest, by sums that run on."""
        return self.node("cycle_smooth", x)

    def hilbert(self, x: Any, gain: Any) -> Value:
        """The Hilbert transform of the last seven values, times `gain`; values before the first count as 0."""
        return self.node("hilbert", x, gain)

    def cycle_period(self, x: Any, skip: float = 0) -> Value:
        """How long the dominant cycle of a smoothed price is, 6 to 50 bars once it has settled, from bar `skip` on."""
        return self.node("cycle_period", x, params=(skip,))

    def cycle_phase(self, x: Any, period: Any) -> Value:
        """Where in its dominant cycle of `period` bars a smoothed price stands, in degrees."""
        return self.node("cycle_phase", x, period)

    def cycle_mode(self, phase: Any, period: Any) -> Value:
        """1 while the price does not go through its dominant cycle, else 0."""
        return self.node("cycle_mode", phase, period)

    # ---- of stops and positions ----

    def trail_below(self, x: Any, price: Any) -> Value:
        """A stop below the price: x where it is above the stop before, or the price before was below that."""
        return self.node("trail_below", x, price)

    def trail_above(self, x: Any, price: Any) -> Value:
        """A stop above the price: x where it is below the stop before, or the price before was above that."""
        return self.node("trail_above", x, price)

    def side(self, price: Any, lower: Any, upper: Any) -> Value:
        """-1 once the price is below `lower`, 1 once it is above `upper`, and 1 at first."""
        return self.node("side", price, lower, upper)

    def parabolic(self, high: Any, low: Any, start: float, offset: float, *rates: float, short_by: float) -> Value:
        """Wilder's stop and reverse; stops of a short position are multiplied with `short_by`.

        `start` is the first stop, 0 to take it from prices, below zero that of a short position. A new stop is `offset`
        of itself farther off. `rates`: the first one, its step, the highest, of long and then of short positions.
        """
        if len(rates) != 6:
            raise ValueError(f"parabolic: rates: expected 6 numbers, got {len(rates)}")
        return self.node("parabolic", high, low, params=(start, offset, *rates, short_by))

    # ---- tracing ----

    def __getattr__(self, name: str) -> Any:
        definition = BUILT_IN.get(name)
        if definition is None:
            close = difflib.get_close_matches(name, [*OPERATOR_NAMES, *BUILT_IN], 1)
            hint = f"; did you mean o.{close[0]}?" if close else ""
            raise AttributeError(f"o.{name}: expected an operator or a built-in indicator{hint}")

        def operator(*args: Any, **named: Any) -> Any:
            if self._arguments is not None:
                args, named = self._arguments(name, args, named), {}
            outputs = definition.calculate(self, *args, **named)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            outputs = self.complete(*outputs) if len(outputs) > 1 else outputs
            return outputs[0] if len(outputs) == 1 else outputs

        operator.__name__ = name
        return operator

    def value(self, operator: str, x: Any) -> Value:
        """Return `x` as a value: a number becomes a constant."""
        if isinstance(x, Value):
            if x._operators is not self:
                raise ValueError(f"{operator}: expected a value of this definition, got one of another")
            return x
        if not is_number(x):
            raise TypeError(f"{operator}: expected a value of the definition or a number, got {_shown(x)}")
        return self.node("constant", params=(x,))

    def node(self, operator: str, *inputs: Any, params: tuple[Any, ...] = ()) -> Value:
        """Return the value of an operator; the same one for the same inputs and parameters."""
        places = [self.value(operator, x).index for x in inputs]
        alone, is_map = self._numbers.issuperset(places), OPERATORS[operator].kind == "map"
        if alone and places and not is_map:  # what goes from bar to bar has the bars of the inputs
            places[0] = self._at_bars(places[0])
        if operator in _COMMUTATIVE:
            places.sort()
        node = self._joined(Node(operator, tuple(places), _checked(operator, params)))
        known = self._known.get(node)
        if known is None:
            self._known[node] = known = self._count
            self._made[known] = node
            self._nodes.append(node)
            self._count += OPERATORS[operator].outputs
            if alone and is_map:
                self._numbers.add(known)
        return Value(self, known)

    def _at_bars(self, number: int) -> int:
        """The place of a number that is missing where a bar is."""
        return self.node("there", Value(self, number), Value(self, 0)).index

    def _joined(self, node: Node) -> Node:
        """The node, or the one operator that does its work and that of the one before it."""
        before = self._made.get(node.inputs[0]) if node.inputs else None
        joined = _JOINED.get((node.operator, before.operator)) if before else None
        if before is None or joined is None:
            return node
        return Node(joined, before.inputs + node.inputs[1:], before.params + node.params)

    def leave_room(self, what: str, more: int = 0) -> None:
        """Raise a ValueError that begins with `what` if there are too many operators, or would be with so many more."""
        if len(self._nodes) + more > NODES_MAX:
            raise ValueError(f"{what}: expected a definition of at most {NODES_MAX} operators, got more")

    def program(self, outputs: tuple[Value, ...]) -> Program:
        """Return the program that gives `outputs`: of the nodes those that are needed, in order."""
        copies, wanted = list[Node](), list[int]()
        places = [self._at_bars(one.index) if one.index in self._numbers else one.index for one in outputs]
        for place in places:  # one each, so that an output is nothing but an output
            if place < self._inputs or place in wanted:
                wanted.append(self._count + len(copies))
                copies.append(Node("copy", (place,), ()))
            else:
                wanted.append(place)
        program = join_sums(Program(self._inputs, (*self._nodes, *copies), tuple(wanted)))
        if len(program.nodes) > NODES_MAX:
            raise ValueError(f"expected a definition of at most {NODES_MAX} operators, got {len(program.nodes)}")
        return program


# What a definition may call, in the order of the class.
OPERATOR_NAMES = tuple(
    name
    for name in vars(Operators)
    if not name.startswith("_") and name not in ("node", "value", "program", "leave_room")
)


def trace(calculate: Definition, inputs: int, params: tuple[float, ...], arguments: Arguments | None = None) -> Program:
    """Return the program of a definition with its parameters; `arguments` completes calls of built-in indicators."""
    operators = Operators(inputs, arguments)
    numbers_given = [int(value) if value == math.floor(value) else value for value in map(float, params)]
    outputs = calculate(operators, *(Value(operators, i) for i in range(inputs)), *numbers_given)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    if not outputs:
        raise TypeError("expected a definition to return a value or a tuple of them, got an empty tuple")
    return operators.program(tuple(operators.value("return", output) for output in outputs))


def _checked(operator: str, params: tuple[Any, ...]) -> tuple[float, ...]:
    row = OPERATORS[operator]
    checked = []
    for declared, value in zip(row.params, params, strict=True):
        name, kind = declared.split(":")
        if not is_number(value):
            raise TypeError(f"{operator}: {name}: expected a number that is known at trace time, got {_shown(value)}")
        try:
            number = float(value)
        except OverflowError:
            raise ValueError(f"{operator}: {name}: expected {_wanted(kind)}, got an int past 1e308") from None
        least, most = KINDS.get(kind) or REALS.get(kind) or (-math.inf, math.inf)
        if kind != "any" and not (least <= number <= most and (kind in REALS or number == int(number))):
            raise ValueError(f"{operator}: {name}: expected {_wanted(kind)}, got {value!r}")
        checked.append(number)
    return tuple(checked)


def _wanted(kind: str) -> str:
    """What a parameter of that kind may be."""
    if kind not in KINDS:
        return {"share": "a number in 0..1", "number": "a finite number"}.get(kind, "a number that a float holds")
    least, most = KINDS[kind]
    return f"an int in {least}..{most}"


def _shown(x: Any) -> str:
    return "a value" if isinstance(x, Value) else f"{type(x).__name__}"
