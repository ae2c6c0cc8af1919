"""Long tables: a Series or frame whose MultiIndex has a level of times, and levels that name the symbols."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SymbolRows", "rows_of"]

_TIMES = frozenset({"time", "timestamp", "datetime", "date"})  # what a level of numbers or texts is called


class SymbolRows:
    """Where the bars of each symbol are in a long table.

    Parameters
    ----------
    symbol : ndarray of int
        Of each row, which symbol it is of: 0, 1, ...
    """

    __slots__ = ("_column", "_order", "_row", "_shape")

    def __init__(self, symbol: NDArray[np.int64]) -> None:
        counts = np.bincount(symbol)
        longest = int(counts.max(initial=0))
        self._order = np.argsort(symbol, kind="stable")
        self._row = symbol[self._order]
        # A shorter series stands at the end of its row: what it lacks are missing bars before its first.
        place = np.arange(len(symbol)) - (np.cumsum(counts) - counts)[self._row]
        self._column = longest - counts[self._row] + place
        self._shape = (len(counts), longest)

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the column `values` as a panel with a row for each symbol."""
        panel = np.full(self._shape, np.nan)
        panel[self._row, self._column] = values[self._order]
        return panel

    def gather(self, panel: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the panel as a column again."""
        values = np.empty(len(self._order))
        values[self._order] = panel[self._row, self._column]
        return values


def rows_of(name: str, index: Any) -> SymbolRows | None:
    """Return the rows of each symbol in a table with the MultiIndex `index`; None where there is but one.

    Raises
    ------
    ValueError
        If none of its levels, or more than one, is of times.
    """
    pandas = sys.modules["pandas"]
    kinds = (pandas.DatetimeIndex, pandas.PeriodIndex, pandas.TimedeltaIndex)
    times = [i for i, level in enumerate(index.levels) if isinstance(level, kinds)]
    times = times or [i for i, title in enumerate(index.names) if str(title).lower() in _TIMES]
    if len(times) != 1:
        levels = ", ".join(f"{title} ({level.dtype})" for title, level in zip(index.names, index.levels))
        raise ValueError(
            f"{name}: expected a MultiIndex of symbols and one level of times, got the levels {levels}: "
            f'take one symbol, or each by itself, as series.groupby(level="symbol").transform(function)'
        )
    symbol = np.zeros(len(index), dtype=np.int64)
    for i, codes in enumerate(index.codes):
        if i not in times:
            _, symbol = np.unique(symbol * (len(index.levels[i]) + 1) + codes, return_inverse=True)
    return SymbolRows(symbol) if symbol.any() else None
