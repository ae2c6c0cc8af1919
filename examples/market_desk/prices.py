"""Real daily prices, aligned by trading day."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["FIELDS", "SYMBOLS", "Market", "load_market"]

SYMBOLS = ("AAPL", "IBM", "MSFT", "GOOG", "FB")
FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Market:
    """The daily bars of several symbols over one calendar.

    Attributes
    ----------
    symbols : tuple of str
    dates : tuple of str
        Trading days, ISO, ascending.
    panel : dict of str to float64[symbols, days]
        One matrix a field; NaN before a symbol was listed.
    """

    symbols: tuple[str, ...]
    dates: tuple[str, ...]
    panel: dict[str, NDArray[np.float64]]

    @property
    def all_listed(self) -> int:
        """The first day on which every symbol trades."""
        complete = ~np.isnan(self.panel["close"]).any(axis=0)
        return int(np.argmax(complete))

    def frame(self, symbol: str, start: int = 0, stop: int | None = None) -> pd.DataFrame:
        """Return the bars of `symbol` on days ``start:stop`` on which it traded, as most services keep them."""
        row = self.symbols.index(symbol)
        columns = {field: self.panel[field][row, start:stop] for field in FIELDS}
        index = pd.Index(self.dates[start:stop], name="date")
        return pd.DataFrame(columns, index=index).dropna()

    def history(self, start: int, stop: int) -> dict[str, NDArray[np.float64]]:
        """Return the days ``start:stop`` of every field as contiguous symbols x bars matrices."""
        return {field: np.ascontiguousarray(matrix[:, start:stop]) for field, matrix in self.panel.items()}


def load_market(symbols: Sequence[str] = SYMBOLS) -> Market:
    """Load the prices that the package ``bokeh_sampledata`` carries: 2000-03-01 to 2013-03-01, daily.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.
    """
    try:
        stocks = importlib.import_module("bokeh_sampledata.stocks")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the prices come with the package bokeh_sampledata: pip install it") from error
    raw = {symbol: getattr(stocks, symbol) for symbol in symbols}
    dates = sorted({day for table in raw.values() for day in table["date"]})
    place = {day: i for i, day in enumerate(dates)}
    panel = {field: np.full((len(raw), len(dates)), np.nan) for field in FIELDS}
    for row, table in enumerate(raw.values()):
        days = [place[day] for day in table["date"]]
        for field in FIELDS:
            panel[field][row, days] = table[field]
    return Market(tuple(symbols), tuple(dates), panel)
