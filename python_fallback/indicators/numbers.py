"""The operators of ``maps`` on single numbers, to the same digits; arrays of one bar would take many times as long.

Where Python raises an error, of a division by zero, these give what arrays do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["BY_NUMPY", "NUMBERS"]

_finite, _nan, _infinity = math.isfinite, math.nan, math.inf


def _over(x: float, y: float) -> float:
    if y != 0.0:
        return x / y
    return x * math.copysign(_infinity, y) if x else _nan


def _ratio(x: float, y: float, otherwise: float) -> float:
    return x / y if y != 0.0 else otherwise if _finite(x) else _nan


def _where_greater(a: float, b: float, x: float, y: float) -> float:
    if a != a or b != b or x != x or y != y:
        return _nan
    return x if a > b else y


def _greatest(x: float, y: float) -> float:
    return _nan if x != x or y != y else x if x > y else y


def _compared(compare: Callable[[float, float], bool]) -> Callable[[], Callable[[float, float], float]]:
    return lambda: lambda x, y: _nan if x != x or y != y else 1.0 if compare(x, y) else 0.0


def _where(condition: float, x: float, y: float) -> float:
    if condition != condition or x != x or y != y:
        return _nan
    return x if condition != 0.0 else y


def _surplus(a: float, b: float) -> float:
    return _nan if a != a or b != b else a if a > b and a > 0.0 else 0.0


def _share(x: float, y: float) -> float:
    return _nan if y != y else x / y if y > 0.0 else 0.0 if _finite(x) else _nan


def _true_range(high: float, low: float, before: float) -> float:
    return _greatest(high - low, _greatest(abs(high - before), abs(low - before)))


def _money_flow(high: float, low: float, close: float, volume: float) -> float:
    spread, part = high - low, (close - low) - (high - close)
    if not (_finite(part) and _finite(volume)):
        return _nan
    return part / spread * volume if spread > 0.0 else 0.0


def _true_move(high: float, low: float, close: float, before: float) -> float:
    if not (_finite(high) and _finite(low) and _finite(close)) or before != before:
        return _nan
    if close > before:
        return close - (low if low < before else before)
    return close - (high if high > before else before) if close < before < _infinity else 0.0


def _balance(open: float, high: float, low: float, close: float) -> float:
    spread, part = high - low, close - open
    if not (_finite(part) and _finite(spread)):
        return _nan
    return part / spread if spread > 0.0 else 0.0


def _adaptive_rate(span: float, slowest: float) -> Callable[[float, float, float], float]:
    def rate(x: float, before: float, path: float) -> float:
        move = x - before
        efficiency = _ratio(abs(move), path, 1.0)
        if move != move or efficiency != efficiency:
            return _nan
        root = (1.0 if path <= move else efficiency) * span + slowest
        return root * root

    return rate


def _numpy(function: Any) -> Callable[[], Callable[[float], float]]:
    return lambda: lambda x: float(function(x))


# Those of the mathematical library are NumPy's, whose last digits are its own; they warn where there is no result.
BY_NUMPY: Mapping[str, Callable[[], Callable[[float], float]]] = {
    "exp": _numpy(np.exp),
    "ln": _numpy(np.log),
    "log10": _numpy(np.log10),
    "sin": _numpy(np.sin),
    "cos": _numpy(np.cos),
    "tan": _numpy(np.tan),
    "asin": _numpy(np.arcsin),
    "acos": _numpy(np.arccos),
    "atan": _numpy(np.arctan),
    "sinh": _numpy(np.sinh),
    "cosh": _numpy(np.cosh),
    "tanh": _numpy(np.tanh),
    "floor": _numpy(np.floor),
    "ceil": _numpy(np.ceil),
    "sign": _numpy(np.sign),
}

# Called with the parameters, for a function of the inputs.
NUMBERS: Mapping[str, Callable[..., Callable[..., float]]] = {
    **BY_NUMPY,
    "copy": lambda: lambda x: x,
    "neg": lambda: lambda x: -x,
    "abs": lambda: abs,
    "sqrt": lambda: lambda x: math.sqrt(x) if x >= 0.0 else _nan,
    "add_number": lambda number: lambda x: x + number,
    "subtract_from": lambda number: lambda x: number - x,
    "times": lambda number: lambda x: x * number,
    "divide_by": lambda number: lambda x: _over(x, number),
    "divide": lambda number: lambda x: _over(number, x),
    "add": lambda: lambda x, y: x + y,
    "sub": lambda: lambda x, y: x - y,
    "mul": lambda: lambda x, y: x * y,
    "div": lambda: _over,
    "greatest": lambda: _greatest,
    "least": lambda: lambda x, y: _nan if x != x or y != y else x if x < y else y,
    "gt": _compared(float.__gt__),
    "ge": _compared(float.__ge__),
    "eq": _compared(float.__eq__),
    "there": lambda: lambda x, y: x if _finite(y) else _nan,
    "constant": lambda number: lambda: number,
    "ratio": lambda otherwise: lambda x, y: _ratio(x, y, otherwise),
    "where": lambda: _where,
    "distance": lambda: lambda x, y: abs(x - y),
    "scaled_ratio": lambda otherwise, by: lambda x, y: _ratio(x, y, otherwise) * by,
    "where_greater": lambda: _where_greater,
    "surplus": lambda: _surplus,
    "share": lambda: _share,
    "within": lambda by: lambda x, low, high: _ratio(x - low, high - low, 0.0) * by,
    "true_range": lambda: _true_range,
    "money_flow": lambda: _money_flow,
    "true_move": lambda: _true_move,
    "balance": lambda: _balance,
    "adaptive_rate": _adaptive_rate,
    "sum_over": lambda number: lambda x, y: _over(x + y, number),
    "sum_of_three_over": lambda number, weight: lambda x, y, z: _over(x + y + z * weight, number),
    "sum_of_four_over": lambda number: lambda x, y, z, u: _over(x + y + z + u, number),
    "combine_two": lambda a, b: lambda x, y: x * a + y * b,
    "combine_three": lambda a, b, c: lambda x, y, z: (x * a + y * b) + z * c,
    "combine_four": lambda a, b, c, d: lambda x, y, z, u: ((x * a + y * b) + z * c) + u * d,
}
