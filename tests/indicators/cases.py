"""Inputs and parameters that the tests of this folder walk the table with."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fastcore.indicators import FUNCTIONS
from fastcore.indicators.registry import INDICATORS, Indicator, Param
from python_fallback.shared.indicators import missing_data, program_of

# Each indicator with a fused kernel is tested with its defaults and with small, large, minimum and odd parameters, in
# every way of this folder; those that run as programs of operators with fewer, in fewer ways: their operators are
# tested by themselves.
PERIODS = (2, 3, 21, 64)
FUSED = ("sma", "ema", "bbands", "rsi", "macd", "stoch", "atr", "obv", "vwap", "stddev", "min", "max")


class Case(NamedTuple):
    """An indicator and the values of its parameters."""

    row: Indicator
    params: tuple[float, ...]

    @property
    def by_window(self) -> bool:
        """Whether all it does is look at a window."""
        return missing_data(program_of(self.row.name, tuple(map(float, self.params)))) in ("bar", "window")

    def __str__(self) -> str:
        return f"{self.row.name}({', '.join(f'{value:g}' for value in self.params)})"


def every_case(rows: Iterable[Indicator], turns: Iterable[int]) -> Iterator[Case]:
    for row in rows:
        seen = set()
        for turn in turns:
            params = tuple(_pick(row, param, turn, place) for place, param in enumerate(row.params))
            if params not in seen:
                seen.add(params)
                yield Case(row, params)


def _pick(row: Indicator, param: Param, turn: int, place: int) -> float:
    if turn == -2:
        return param.default
    if param.kind == "matype":
        return (0, 1, 13, 5)[max(turn, 0)] if row.name not in FUSED else max(turn, 0) % 2
    if param.name in ("min_count", "scale"):
        return (0, 2)[turn == 0]
    if param.name in ("minperiod", "maxperiod"):
        return (3, 40)[param.name == "maxperiod"] if turn else (1, 2)[param.name == "maxperiod"]
    if param.kind == "float":
        return min(max((1.0, 0.0, -1.5, 0.25, 3.0)[turn + 1], param.lo), param.hi)
    return max(int(param.lo), PERIODS[(turn + place) % len(PERIODS)] if turn >= 0 else 0)


FUSED_ROWS = [row for row in INDICATORS.values() if row.name in FUSED]
PROGRAM_ROWS = [row for row in INDICATORS.values() if row.name not in FUSED]
CASES = list(every_case(FUSED_ROWS, range(-2, len(PERIODS))))
DEFAULTS = list(every_case(FUSED_ROWS, (-2,)))
PROGRAM_CASES = list(every_case(PROGRAM_ROWS, (-2, 0, 2)))
PROGRAM_DEFAULTS = list(every_case(PROGRAM_ROWS, (-2,)))


def walk(bars: int, seed: int = 0, start: float = 100.0, step: float = 1.0) -> dict[str, Any]:
    """A random walk with a range about each bar and a volume: every input by its name, in arrays of the caller's."""
    found = {name: x.copy() for name, x in _walk(bars, seed, start, step).items()}
    return {"real": found["close"], "real0": found["high"], "real1": found["low"], **found}


@functools.lru_cache(maxsize=256)
def _walk(bars: int, seed: int, start: float, step: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = start + step * np.cumsum(rng.normal(size=bars))
    high = close + step * rng.random(bars)
    low = close - step * rng.random(bars)
    volume = np.round(1e6 * rng.random(bars))
    opened = low + (high - low) * rng.random(bars)
    periods = np.floor(rng.uniform(1.0, 35.0, bars))
    return {"periods": periods, "open": opened, "high": high, "low": low, "close": close, "volume": volume}


@functools.cache
def real_prices() -> dict[str, dict[str, Any]]:
    """Daily bars of five companies, 2000 to 2013."""
    from bokeh_sampledata import stocks

    found = {}
    for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT"):
        table = getattr(stocks, symbol)
        bars = {name: np.array(table[name], dtype=np.float64) for name in ("open", "high", "low", "close", "volume")}
        periods = np.floor(np.random.default_rng(12).uniform(1.0, 35.0, len(bars["close"])))
        found[symbol] = {
            "real": bars["close"],
            "real0": bars["high"],
            "real1": bars["low"],
            "periods": periods,
            **bars,
        }
    return found


def on_twin(backend: str, name: str) -> Any:
    """The function of that name on one twin, whatever the flag says; changing the flag takes longer than most calls."""
    function = FUNCTIONS[name]
    return function.candidate if backend == "compiled" else function.control


def inputs_of(row: Indicator, bars: dict[str, Any]) -> list[Any]:
    return [bars[name] for name in row.inputs]


def call(function: Any, case: Case, inputs: list[Any]) -> tuple[Any, ...]:
    """Call `function` as a user does, and return its outputs as a tuple even where there is one."""
    params = [value if param.kind == "float" else int(value) for param, value in zip(case.row.params, case.params)]
    result = function(*inputs, *params)
    return tuple(result) if case.row.result else (result,)
