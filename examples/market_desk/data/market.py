"""The market: the last bars of every symbol, one more of each every second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from examples.market_desk.data.sources import FIELDS
from examples.market_desk.data.universe import Paths, Universe

__all__ = ["HISTORY", "Market", "Quote", "UnknownSymbol", "time_of"]

HISTORY = 600  # bars that are kept of each symbol
START = datetime(2013, 3, 1, 9, 30)


def time_of(bar: int) -> str:
    """Return the text of a bar's time: one minute for each since the start."""
    return (START + timedelta(minutes=bar)).isoformat(timespec="minutes")


class UnknownSymbol(KeyError):
    """There is no such symbol."""

    def __str__(self) -> str:
        return f"symbol: expected one of the market's, got {self.args[0]!r:.100}"


class Quote(NamedTuple):
    """The newest price of a symbol.

    `bar` is the bar's number, `at` when it was due in seconds since 1970, `change` the relative change to the close
    before; `origin` is ``"real"`` or ``"bootstrapped"``.
    """

    symbol: str
    bar: int
    at: float
    price: float
    change: float
    volume: float
    origin: str


class Market:
    """A provider of bars: the newest `HISTORY` of each symbol, read from any thread while one appends.

    Parameters
    ----------
    universe : Universe, optional
        The 500 symbols by default.
    clock : callable, optional
        Seconds since 1970.

    Attributes
    ----------
    bar : int
        The number of the newest bar; the history before the start counts too.
    at : float
        When the newest bar was due, in seconds since 1970.
    """

    def __init__(self, universe: Universe | None = None, clock: Callable[[], float] = time.time) -> None:
        self.universe = Universe.load() if universe is None else universe
        self.symbols = self.universe.symbols
        self.origin = self.universe.origin
        self._index = {symbol: row for row, symbol in enumerate(self.symbols)}
        self._paths = Paths(self.universe)
        self._lock = threading.Lock()
        self._panel = np.empty((len(FIELDS), len(self.symbols), 2 * HISTORY))
        self._times = np.empty(2 * HISTORY, dtype=object)
        self._end = 0
        self.bar, self.at = -1, clock()
        for _ in range(HISTORY):
            self.advance(self.at)

    def advance(self, at: float) -> None:
        """Append a bar of every symbol, due at `at`."""
        bars = self._paths.step()
        with self._lock:
            if self._end == self._panel.shape[2]:  # full: what readers hold stays as it is
                panel = np.empty_like(self._panel)
                panel[:, :, :HISTORY] = self._panel[:, :, -HISTORY:]
                self._panel, self._end = panel, HISTORY
                self._times = np.concatenate((self._times[-HISTORY:], np.empty(HISTORY, dtype=object)))
            self._panel[:, :, self._end] = bars
            self.bar, self.at = self.bar + 1, at
            self._times[self._end] = time_of(self.bar)
            self._end += 1

    def check(self, symbol: str) -> int:
        """Return the row of a symbol; raises `UnknownSymbol`."""
        try:
            return self._index[symbol]
        except KeyError:
            raise UnknownSymbol(symbol) from None

    def panel(self, bars: int) -> tuple[int, float, dict[str, NDArray[np.float64]]]:
        """Return the newest bar's number and time, and the last `bars` of each field: float64[symbols, bars]."""
        with self._lock:
            bar, at, panel, end = self.bar, self.at, self._panel, self._end
        return bar, at, {field: panel[row, :, end - bars : end] for row, field in enumerate(FIELDS)}

    def frame(self, symbol: str, bars: int) -> pd.DataFrame:
        """Return the last `bars` of a symbol: time, symbol and the fields; `attrs` has bar, at and origin."""
        row = self.check(symbol)
        with self._lock:
            bar, at, panel, end, times = self.bar, self.at, self._panel, self._end, self._times
        start = end - bars
        columns: dict[str, object] = {"time": times[start:end], "symbol": symbol}
        columns |= {field: panel[place, row, start:end].copy() for place, field in enumerate(FIELDS)}
        found = pd.DataFrame(columns)
        found.attrs = {"symbol": symbol, "bar": bar, "at": at, "origin": self.origin[symbol]}
        return found

    def quotes(self, symbols: Sequence[str] | None = None) -> list[Quote]:
        """Return the newest price of each symbol; of all by default."""
        wanted = self.symbols if symbols is None else symbols
        rows = range(len(wanted)) if symbols is None else [self.check(symbol) for symbol in wanted]
        with self._lock:
            bar, at, panel, end = self.bar, self.at, self._panel, self._end
        close, before, volume = panel[3, rows, end - 1], panel[3, rows, end - 2], panel[4, rows, end - 1]
        change = np.round(close / before - 1, 6)
        return [
            Quote(symbol, bar, at, price, moved, traded, self.origin[symbol])
            for symbol, price, moved, traded in zip(wanted, close.tolist(), change.tolist(), volume.tolist())
        ]
