"""Arithmetic and functions of one bar, sums and extremes of a window."""

from __future__ import annotations

from python_fallback.shared.indicators.tracing import Definition, Operators, Value


def add(o: Operators, real0: Value, real1: Value) -> Value:
    return real0 + real1


def sub(o: Operators, real0: Value, real1: Value) -> Value:
    return real0 - real1


def mult(o: Operators, real0: Value, real1: Value) -> Value:
    return real0 * real1


def div(o: Operators, real0: Value, real1: Value) -> Value:
    return real0 / real1


def cumsum(o: Operators, real: Value) -> Value:
    return o.total(real)


def total(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.sum(real, timeperiod)


def minimum(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.lowest(real, timeperiod)


def maximum(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.highest(real, timeperiod)


def minmax(o: Operators, real: Value, timeperiod: int) -> tuple[Value, ...]:
    return o.lowest(real, timeperiod), o.highest(real, timeperiod)


def minindex(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.bar_number(real) - o.since_lowest(real, timeperiod, 2)


def maxindex(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.bar_number(real) - o.since_highest(real, timeperiod, 2)


def minmaxindex(o: Operators, real: Value, timeperiod: int) -> tuple[Value, ...]:
    return minindex(o, real, timeperiod), maxindex(o, real, timeperiod)


def _function(name: str) -> Definition:
    def calculate(o: Operators, real: Value) -> Value:
        return o.map(name, real)

    return calculate


_FUNCTIONS = ("acos", "asin", "atan", "ceil", "cos", "cosh", "exp", "floor", "ln", "log10", "sin", "sinh", "sqrt")

DEFINITIONS = {
    "add": (2, add),
    "sub": (2, sub),
    "mult": (2, mult),
    "div": (2, div),
    "cumsum": (1, cumsum),
    "sum": (1, total),
    "min": (1, minimum),
    "max": (1, maximum),
    "minmax": (1, minmax),
    "minindex": (1, minindex),
    "maxindex": (1, maxindex),
    "minmaxindex": (1, minmaxindex),
    **{name: (1, _function(name)) for name in (*_FUNCTIONS, "tan", "tanh")},
}
