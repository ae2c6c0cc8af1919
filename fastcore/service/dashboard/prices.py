"""Prices as they come, gathered into bars, with indicators over them."""

from __future__ import annotations

import math
import threading
import time
from array import array
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np

from fastcore import indicators as ta

__all__ = ["Prices"]

_WARM = 250  # bars before those that are shown: what a recurrence began with must not move along with the window
_FIELDS = ("price", "close", "last")  # of a message: the first that it has is the price


class _Line:
    """The bars of one symbol: the last price of each."""

    def __init__(self) -> None:
        self.at = array("d")
        self.price = array("d")

    def add(self, at: float, price: float, bar: float, length: int) -> None:
        start = math.floor(at / bar) * bar
        if self.at and start <= self.at[-1]:
            self.price[-1] = price
            return
        self.at.append(start)
        self.price.append(price)
        if len(self.at) > 2 * length:  # seldom, so that adding stays cheap
            del self.at[:-length]
            del self.price[:-length]


class Prices:
    """The newest prices of some symbols, and moving average, bands and relative strength over their bars.

    Parameters
    ----------
    pattern : str, default "prices.*"
        Topics of the hub that are followed; the last word of a topic is the symbol, as
        :func:`fastcore.streaming.topic_word` writes it.
    bar : float, default 1
        Seconds of one bar.
    length : int, default 300
        Bars that are kept.
    symbols : int, default 200
        Symbols that are kept; further ones are left out.

    Examples
    --------
    >>> from fastcore.service.dashboard import Prices
    >>> prices = Prices("prices.*", bar=60, symbols=50)
    >>> prices.update("AAPL", 187.25)
    >>> prices.symbols()
    ['AAPL']
    """

    INDICATORS = ("sma", "bb_upper", "bb_lower", "rsi")

    def __init__(
        self,
        pattern: str = "prices.*",
        *,
        bar: float = 1.0,
        length: int = 300,
        symbols: int = 200,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not bar > 0:
            raise ValueError(f"bar: expected seconds above 0, got {bar!r}")
        if length < 30:
            raise ValueError(f"length: expected an int >= 30, got {length!r}")
        self.pattern = pattern
        self._bar, self._length, self._symbols, self._clock = float(bar), int(length), int(symbols), clock
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    def update(self, symbol: str, price: float, at: float | None = None) -> None:
        """Add a price, from any thread; one that is not a finite number is ignored."""
        price = float(price)
        if not math.isfinite(price):
            return
        when = self._clock() if at is None else float(at)
        with self._lock:
            line = self._lines.get(symbol)
            if line is None:
                if len(self._lines) >= self._symbols:
                    return
                line = self._lines[symbol] = _Line()
            line.add(when, price, self._bar, self._length + _WARM)

    def heard(self, topic: str, message: Any) -> None:
        """Add the price of a message: a number, or a mapping with a price."""
        if isinstance(message, Mapping):
            message = next((message[name] for name in _FIELDS if name in message), None)
        if isinstance(message, (int, float, np.number)) and not isinstance(message, bool):
            self.update(unquote(topic.rpartition(".")[2]), float(message))

    def symbols(self) -> list[str]:
        """Return the symbols that there are prices of."""
        with self._lock:
            return sorted(self._lines)

    def line(self, symbol: str) -> dict[str, list[float | None]]:
        """Return the bars of a symbol and the indicators over them; None where an indicator has no value yet."""
        with self._lock:
            line = self._lines.get(symbol)
            if line is None:
                return {}
            at, price = list(line.at[-self._length :]), np.array(line.price[-self._length - _WARM :])
        bands = ta.bbands(price, 20)
        found = {
            "price": price,
            "sma": ta.sma(price, 20),
            "bb_upper": bands.upper,
            "bb_lower": bands.lower,
            "rsi": ta.rsi(price, 14),
        }
        lines: dict[str, list[float | None]] = {"at": [*at]}
        for name, values in found.items():
            lines[name] = [None if math.isnan(value) else value for value in values[-self._length :].tolist()]
        return lines

    def _last(self, symbol: str) -> tuple[float, dict[str, float | None]]:
        """Return when the newest bar of a symbol began, and its values."""
        with self._lock:
            line = self._lines[symbol]
            at, price = line.at[-1], np.array(line.price[-_WARM:])
        bands = ta.bbands(price[-20:], 20)
        found = {
            "price": price[-1],
            "sma": ta.sma(price[-20:], 20)[-1],
            "bb_upper": bands.upper[-1],
            "bb_lower": bands.lower[-1],
            "rsi": ta.rsi(price, 14)[-1],
        }
        return at, {name: None if math.isnan(value) else float(value) for name, value in found.items()}

    def section(self) -> dict[str, Any]:
        """Return the newest values of every symbol."""
        rows = []
        for symbol in self.symbols():
            at, values = self._last(symbol)
            rows.append({"symbol": symbol, "price": values.pop("price"), "at": at, "values": values})
        return {"pattern": self.pattern, "indicators": list(self.INDICATORS), "symbols": rows}
