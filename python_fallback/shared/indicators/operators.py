"""The table of operators: what the nodes of a program may be.

How an operator meets a missing value follows from its kind. A ``map`` looks at one bar: its result is missing where an
input is. A ``window`` gives no result while a missing value is among the bars it looks at. A ``recurrence`` skips
missing values as if those bars did not exist. A ``count`` leaves missing values out of its window, and gives a result
where enough others are left. For windows, counts and recurrences a value that is not finite is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

__all__ = ["COUNT_MAX", "KINDS", "NODES_MAX", "OPERATORS", "REALS", "Operator"]

COUNT_MAX = 100_000_000  # of bars in a window
NODES_MAX = 10_000  # of a program

# Whole numbers: bars of a window, of one through which a line goes, bars that may be none, and which of equals counts.
KINDS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"period": (1, COUNT_MAX), "pair": (2, COUNT_MAX), "count": (0, COUNT_MAX), "ties": (0, 2)}
)
# Other numbers: a share of a window's values, and any number that is finite.
REALS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"share": (0.0, 1.0), "number": (-sys.float_info.max, sys.float_info.max)}
)

Kind = Literal["map", "window", "recurrence", "count"]


class Operator(NamedTuple):
    """One operator."""

    name: str
    kind: Kind
    inputs: int
    outputs: int
    params: tuple[str, ...]  # "name:kind"; the kinds are in KINDS and REALS, or any: NaN and infinity too
    lag: Callable[..., int]  # of the parameters: bars of its input before the first result


def _none(*params: float) -> int:
    return 0


def _window(period: float, *others: float) -> int:
    return int(period) - 1


def _count(count: float, *others: float) -> int:
    return int(count)


def _counted(period: float, least: float, *others: float) -> int:
    return int(least) - 1


_COUNTED = ("period:period", "least:period")
_FUNCTIONS = (
    *("copy", "neg", "abs", "sqrt", "exp", "ln", "log10", "floor", "ceil", "sign"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
)
_OF_TWO = ("add", "sub", "mul", "div", "greatest", "least", "gt", "ge", "eq", "there")

_PARABOLIC = (
    *("start:number", "offset:number"),
    *("first_long:number", "step_long:number", "most_long:number"),
    *("first_short:number", "step_short:number", "most_short:number", "short_by:number"),
)

_TABLE = (
    *(Operator(name, "map", 1, 1, (), _none) for name in _FUNCTIONS),
    *(
        Operator(name, "map", 1, 1, ("number:any",), _none)
        for name in ("add_number", "subtract_from", "times", "divide_by", "divide")
    ),
    *(Operator(name, "map", 2, 1, (), _none) for name in _OF_TWO),
    Operator("constant", "map", 0, 1, ("number:any",), _none),
    Operator("ratio", "map", 2, 1, ("otherwise:any",), _none),
    Operator("where", "map", 3, 1, (), _none),
    Operator("distance", "map", 2, 1, (), _none),
    Operator("scaled_ratio", "map", 2, 1, ("otherwise:any", "by:any"), _none),
    Operator("where_greater", "map", 4, 1, (), _none),
    Operator("surplus", "map", 2, 1, (), _none),
    Operator("share", "map", 2, 1, (), _none),
    Operator("within", "map", 3, 1, ("by:number",), _none),
    Operator("true_range", "map", 3, 1, (), _none),
    Operator("money_flow", "map", 4, 1, (), _none),
    Operator("true_move", "map", 4, 1, (), _none),
    Operator("balance", "map", 4, 1, (), _none),
    Operator("sum_over", "map", 2, 1, ("number:number",), _none),
    Operator("sum_of_three_over", "map", 3, 1, ("number:number", "weight:number"), _none),
    Operator("sum_of_four_over", "map", 4, 1, ("number:number",), _none),
    *(
        Operator(f"combine_{name}", "map", n, 1, tuple(f"weight{i}:number" for i in range(n)), _none)
        for n, name in ((2, "two"), (3, "three"), (4, "four"))
    ),
    Operator("adaptive_rate", "map", 3, 1, ("span:number", "slowest:number"), _none),
    Operator("lag", "window", 1, 1, ("bars:count",), _count),
    *(
        Operator(name, "window", 1, 1, ("period:period",), _window)
        for name in ("sum", "mean", "variance", "deviation", "highest", "lowest", "weighted", "mean_deviation")
    ),
    Operator("since_highest", "window", 1, 1, ("period:period", "ties:ties"), _window),
    Operator("since_lowest", "window", 1, 1, ("period:period", "ties:ties"), _window),
    Operator("bar_number", "window", 1, 1, (), _none),
    Operator("slope", "window", 1, 1, ("period:pair",), _window),
    Operator("line", "window", 1, 1, ("period:pair", "at:number"), _window),
    Operator("correlation", "window", 2, 1, ("period:period",), _window),
    Operator("beta", "window", 2, 1, ("period:period",), _window),
    Operator("mean_of", "window", 2, 1, ("longest:period",), _window),
    Operator("quantile", "count", 1, 1, (*_COUNTED, "share:share", "nearest:number"), _counted),
    Operator("rank", "count", 1, 1, (*_COUNTED, "below:number"), _counted),
    *(
        Operator(name, "count", 1, 1, _COUNTED, _counted)
        for name in ("count", "standard_score", "skewness", "kurtosis", "age_of_highest", "age_of_lowest")
    ),
    Operator("covariance", "count", 2, 1, _COUNTED, _counted),
    Operator("after", "recurrence", 1, 1, ("bars:count",), _count),
    Operator("previous", "recurrence", 1, 1, ("start:any",), lambda start: int(start != start)),
    Operator("total", "recurrence", 1, 1, (), _none),
    Operator("product", "recurrence", 1, 1, (), _none),
    Operator("follow", "recurrence", 3, 1, (), _none),
    Operator("hold", "recurrence", 2, 1, (), _none),
    Operator("first", "recurrence", 2, 1, (), _none),
    Operator("smooth", "recurrence", 1, 1, ("period:period", "keep:number"), _window),
    Operator("apart", "recurrence", 1, 1, ("period:period", "keep:number"), _window),
    Operator("rises", "recurrence", 1, 1, ("period:period",), _count),
    Operator("cycle_smooth", "recurrence", 1, 1, (), lambda: 3),
    Operator("hilbert", "recurrence", 2, 1, (), _none),
    Operator("cycle_period", "recurrence", 1, 1, ("skip:count",), _none),
    Operator("cycle_phase", "recurrence", 2, 1, (), _none),
    Operator("cycle_mode", "recurrence", 2, 1, (), _none),
    Operator("trail_below", "recurrence", 2, 1, (), _none),
    Operator("trail_above", "recurrence", 2, 1, (), _none),
    Operator("side", "recurrence", 3, 1, (), _none),
    Operator("parabolic", "recurrence", 2, 1, _PARABOLIC, lambda *params: 1),
)

OPERATORS: Mapping[str, Operator] = MappingProxyType({operator.name: operator for operator in _TABLE})
