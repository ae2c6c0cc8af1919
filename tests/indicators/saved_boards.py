"""Boards as an earlier build saved them: ``python -m tests.indicators.saved_boards`` writes tests/indicators/saved/.

They are written again only when the format of states changes, or the program of a definition that remembers something:
the changelog says so then.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from fastcore import flags
from fastcore import indicators as ta
from fastcore.indicators.registry import INDICATORS
from tests.indicators.cases import walk

SAVED = Path(__file__).with_name("saved")
SYMBOLS, BARS, MORE = 2, 140, 20


def plan() -> Any:
    """A few indicators that have all operators between them."""
    chosen: dict[str, Any] = {}
    known: set[str] = set()
    for name, row in INDICATORS.items():
        operators = {node.operator for node in row.program([param.default for param in row.params]).nodes}
        if not operators <= known and row.group != "Math Transform":
            known |= operators
            chosen[name] = getattr(ta, row.definition)()
    return ta.Plan(**chosen)


def panels(first: int, last: int) -> dict[str, Any]:
    """Bars of each symbol, by column; a few are missing."""
    columns = {name: np.array([walk(BARS + MORE, seed=seed)[name] for seed in range(SYMBOLS)]) for name in walk(1)}
    columns["close"][0, 60] = columns["volume"][1, [5, 90]] = np.nan
    return {name: x[:, first:last].copy() for name, x in columns.items()}


def after(board: Any) -> list[Any]:
    """All values at each of the bars that came after the board was saved."""
    values = []
    for bar in range(BARS, BARS + MORE):
        columns = panels(bar, bar + 1)
        board.update(**{name: columns[name][:, 0] for name in board.plan.columns})
        for name in board:
            result = board[name]
            values += [x.copy() for x in (result if isinstance(result, tuple) else (result,))]
    return values


if __name__ == "__main__":
    SAVED.mkdir(exist_ok=True)
    for twin in ("compiled", "python"):
        with flags.override("indicators", twin):
            board = plan().live(history=panels(0, BARS))
        path = SAVED / f"board-{twin}.pickle"
        path.write_bytes(pickle.dumps(board, protocol=5))
        print(f"wrote {path.name}: {path.stat().st_size:,} bytes, {len(board)} indicators")
