"""The price monitor: after every bar it looks at each watched symbol again, and notes what is remarkable."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from examples.market_desk.data.market import Market

__all__ = ["PriceMonitorService"]

BARS = 250  # of history behind the indicators
JUMP = 0.05  # a relative change from bar to bar that is remarkable


class PriceMonitorService:
    """Indicators and alerts of the watched symbols.

    Attributes
    ----------
    latest : dict
        The newest indicators, by symbol.
    alerts : deque of dict
        The newest alerts, oldest first.
    """

    def __init__(
        self, market: Market, calculate: Callable[[pd.DataFrame], pd.DataFrame], watched: Sequence[str]
    ) -> None:
        self.market = market
        self.watched = tuple(watched)
        self._calculate = calculate
        self.latest: dict[str, dict[str, float]] = {}
        self.alerts: deque[dict[str, Any]] = deque(maxlen=200)

    def recompute(self) -> dict[str, dict[str, float]]:
        """Return the indicators of every watched symbol at the newest bar."""
        found = {}
        for symbol in self.watched:
            newest = self._calculate(self.market.frame(symbol, BARS)).iloc[-1]
            found[symbol] = {str(name): float(value) for name, value in newest.items()}
        return found

    def on_bar(self) -> None:
        """Recompute, and note alerts."""
        self.latest = self.recompute()
        self.note_alerts()

    def note_alerts(self) -> None:
        """Note the watched symbols that jumped, or left their bands."""
        for quote in self.market.quotes(self.watched):
            values = self.latest[quote.symbol]
            kinds = {
                "jump": abs(quote.change) > JUMP,
                "above upper band": quote.price > values["bb_upper"],
                "below lower band": quote.price < values["bb_lower"],
            }
            for kind, holds in kinds.items():
                if holds:
                    self.alerts.append({"symbol": quote.symbol, "bar": quote.bar, "price": quote.price, "kind": kind})
