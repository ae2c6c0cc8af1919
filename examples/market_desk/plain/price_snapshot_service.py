"""Price snapshots: the newest price of each symbol for those who poll, and a table of past ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from examples.market_desk.data.market import Market, Quote
from examples.market_desk.data.store import Store

__all__ = ["PriceSnapshotService"]

KEPT = 30  # snapshots of every symbol that stay in memory


class PriceSnapshotService:
    """Snapshots of the whole market."""

    def __init__(self, market: Market, store: Store) -> None:
        self.market = market
        self._store = store
        self._tables: list[pd.DataFrame] = []

    def latest(self, symbols: Sequence[str]) -> list[dict[str, Any]]:
        """Return the newest price of each symbol."""
        return [quote._asdict() for quote in self.market.quotes(symbols)]

    def record(self) -> pd.DataFrame:
        """Store a snapshot of every symbol, and return it as a table."""
        quotes = self.market.quotes()
        self._store.insert(
            "snapshots", [(q.bar, q.symbol, q.at, q.price, q.change, q.volume, q.origin) for q in quotes]
        )
        table = self.table(quotes)
        self._tables = [*self._tables[1 - KEPT :], table]
        return table

    def table(self, quotes: Sequence[Quote]) -> pd.DataFrame:
        """Return quotes as a table."""
        return pd.DataFrame([quote._asdict() for quote in quotes])

    def history(self, symbol: str) -> list[dict[str, Any]]:
        """Return the snapshots of a symbol that are in memory, oldest first."""
        self.market.check(symbol)
        found: list[dict[str, Any]] = []
        for table in self.tables():
            found += table[table["symbol"] == symbol].to_dict("records")
        return found

    def tables(self) -> list[pd.DataFrame]:
        """Return the tables that are in memory."""
        return list(self._tables)
