"""A board gives exactly what as many live indicators give, to the last bit."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastcore import indicators
from fastcore.indicators.registry import INDICATORS
from tests.indicators.arrays import assert_array_equal

DEFINITIONS: dict[str, Any] = {
    f"{row.name}_default": getattr(indicators, row.definition)() for row in INDICATORS.values()
}
for name in ("sma", "sum", "var", "stddev", "max", "min", "mom", "wma", "ema", "rsi", "cci"):
    for period in (1, 2, 3, 4, 9):
        row = INDICATORS[name]
        first = row.params[0]
        if first.lo <= period <= first.hi:
            DEFINITIONS[f"{name}_{period}"] = getattr(indicators, row.definition)(period)
PLAN = indicators.Plan(**DEFINITIONS)


def bars(symbols: int, count: int, gaps: float) -> dict[str, Any]:
    rng = np.random.default_rng(symbols)
    close = 100.0 * np.exp(np.cumsum(rng.normal(size=(symbols, count)) * 0.01, axis=1))
    known = {
        "close": close,
        "high": close * (1.0 + 0.01 * rng.random(close.shape)),
        "low": close * (1.0 - 0.01 * rng.random(close.shape)),
        "open": close * (1.0 + 0.005 * rng.normal(size=close.shape)),
        "volume": rng.random(close.shape) * 1e5,
    }
    other = 50.0 + np.cumsum(rng.normal(size=close.shape), axis=1)
    found = {name: known.get(name, other).copy() for name in PLAN.columns}
    for x in found.values():
        x[rng.random(x.shape) < gaps] = np.nan
        x[rng.random(x.shape) < gaps / 5] = np.inf
        x[0, 20:40] = x[0, 19]  # a price that stands still
    return found


def flat(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize(
    ("symbols", "gaps", "some"), [(3, 0.0, False), (5, 0.06, False), (5, 0.06, True), (9, 0.4, True)]
)
def test_every_indicator_on_a_board_is_its_live_form(
    ta: ModuleType, backend: str, symbols: int, gaps: float, some: bool
) -> None:
    symbols = symbols if backend == "compiled" else 2  # the pure twin's board is so many live objects
    data = bars(symbols, 50, gaps)
    rng = np.random.default_rng(1)
    board = PLAN.live(symbols=symbols)
    live = {name: [definition.live() for _ in range(symbols)] for name, definition in DEFINITIONS.items()}
    for t in range(50):
        at = np.sort(rng.permutation(symbols)[: rng.integers(0, symbols + 1)]) if some and t % 3 == 1 else None
        chosen: Any = np.arange(symbols) if at is None else at
        board.update(at=at, **{name: x[chosen, t] for name, x in data.items()})
        rows = {column: x[:, t].tolist() for column, x in data.items()}
        for name, definition in DEFINITIONS.items():
            inputs = [rows[column] for column in definition.columns]
            values = [live[name][symbol].update(*[x[symbol] for x in inputs]) for symbol in chosen.tolist()]
            ours = np.array(flat(board[name]))[:, chosen].T
            assert_array_equal(ours, np.reshape(values, ours.shape), err_msg=f"{name} at bar {t}")


def test_more_symbols_than_a_tile_holds_are_as_many_live_indicators(ta: ModuleType) -> None:
    if indicators.RSI().live().backend == "python":
        pytest.skip("the pure twin has no tiles")
    data = bars(2100, 45, 0.01)  # so many that threads divide them
    board = PLAN.live(history={name: x[:, :20] for name, x in data.items()})
    for t in range(20, 45):
        board.update(**{name: x[:, t] for name, x in data.items()})
    for symbol in (0, 1023, 1024, 2047, 2048, 2099):
        for name, definition in DEFINITIONS.items():
            live = definition.live(*[data[column][symbol] for column in definition.columns])
            ours = [float(x[symbol]) for x in flat(board[name])]
            assert_array_equal(ours, flat(live.value), err_msg=name)
