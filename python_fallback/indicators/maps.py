"""The operators that look at one bar: on arrays, and on single numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAPS", "Array"]

Array = NDArray[np.float64]


def _compare(function: Any) -> Callable[..., Any]:
    return lambda x, y: np.where(np.isnan(x) | np.isnan(y), np.nan, function(x, y))


def _ratio(x: Any, y: Any, otherwise: float) -> Any:
    return np.where(y != 0.0, x / np.where(y != 0.0, y, 1.0), np.where(np.isfinite(x), otherwise, np.nan))


def _where(condition: Any, x: Any, y: Any) -> Any:
    return np.where(np.isnan(condition) | np.isnan(x) | np.isnan(y), np.nan, np.where(condition != 0.0, x, y))


def _where_greater(a: Any, b: Any, x: Any, y: Any) -> Any:
    return _where(np.where(np.isnan(a) | np.isnan(b), np.nan, a > b), x, y)


def _surplus(a: Any, b: Any) -> Any:
    return _where_greater(a, b, np.maximum(a, 0.0), 0.0)


def _within(x: Any, low: Any, high: Any, by: float) -> Any:
    return _ratio(x - low, high - low, 0.0) * by


def _true_range(high: Any, low: Any, before: Any) -> Any:
    return np.maximum(high - low, np.maximum(np.abs(high - before), np.abs(low - before)))


def _money_flow(high: Any, low: Any, close: Any, volume: Any) -> Any:
    spread, part = high - low, (close - low) - (high - close)
    flow = np.where(spread > 0.0, part / np.where(spread > 0.0, spread, 1.0) * volume, 0.0)
    return np.where(np.isfinite(part) & np.isfinite(volume), flow, np.nan)


def _true_move(high: Any, low: Any, close: Any, before: Any) -> Any:
    fall = np.where(close < before, close - np.maximum(high, before), 0.0)
    move = np.where(close > before, close - np.minimum(low, before), fall)
    there = np.isfinite(high) & np.isfinite(low) & np.isfinite(close) & ~np.isnan(before)
    return np.where(there, np.where(np.isposinf(before), 0.0, move), np.nan)


def _balance(open: Any, high: Any, low: Any, close: Any) -> Any:
    spread, part = high - low, close - open
    share = np.where(spread > 0.0, part / np.where(spread > 0.0, spread, 1.0), 0.0)
    return np.where(np.isfinite(part) & np.isfinite(spread), share, np.nan)


def _adaptive_rate(x: Any, before: Any, path: Any, span: float, slowest: float) -> Any:
    move = x - before
    efficiency = _where(
        np.where(np.isnan(move) | np.isnan(path), np.nan, path <= move), 1.0, _ratio(abs(move), path, 1.0)
    )
    return (efficiency * span + slowest) ** 2


# Called with the inputs, then the parameters.
MAPS: Mapping[str, Callable[..., Any]] = {
    "copy": lambda x: x,
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "ln": np.log,
    "log10": np.log10,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "floor": np.floor,
    "ceil": np.ceil,
    "sign": np.sign,
    "add_number": lambda x, number: x + number,
    "subtract_from": lambda x, number: number - x,
    "times": lambda x, number: x * number,
    "divide_by": lambda x, number: x / number,
    "divide": lambda x, number: number / x,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "greatest": np.maximum,
    "least": np.minimum,
    "gt": _compare(np.greater),
    "ge": _compare(np.greater_equal),
    "eq": _compare(np.equal),
    "there": lambda x, y: np.where(np.isfinite(y), x, np.nan),
    "constant": lambda number: np.float64(number),
    "ratio": _ratio,
    "where": _where,
    "distance": lambda x, y: np.abs(x - y),
    "scaled_ratio": lambda x, y, otherwise, by: _ratio(x, y, otherwise) * by,
    "where_greater": _where_greater,
    "surplus": _surplus,
    "share": lambda x, y: np.where(np.isnan(y), np.nan, _ratio(x, np.where(y > 0.0, y, 0.0), 0.0)),
    "within": _within,
    "true_range": _true_range,
    "money_flow": _money_flow,
    "true_move": _true_move,
    "balance": _balance,
    "adaptive_rate": _adaptive_rate,
    "sum_over": lambda x, y, number: (x + y) / number,
    "sum_of_three_over": lambda x, y, z, number, weight: (x + y + z * weight) / number,
    "sum_of_four_over": lambda x, y, z, u, number: (x + y + z + u) / number,
    "combine_two": lambda x, y, a, b: x * a + y * b,
    "combine_three": lambda x, y, z, a, b, c: (x * a + y * b) + z * c,
    "combine_four": lambda x, y, z, u, a, b, c, d: ((x * a + y * b) + z * c) + u * d,
}
