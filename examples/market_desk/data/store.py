"""What the service stores: bars, snapshots, articles and reports, in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

__all__ = ["Store"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS bars (
    symbol TEXT, bar INTEGER, time TEXT, open REAL, high REAL, low REAL, close REAL, volume REAL,
    PRIMARY KEY (symbol, bar)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshots (
    bar INTEGER, symbol TEXT, at REAL, price REAL, change REAL, volume REAL, origin TEXT,
    PRIMARY KEY (symbol, bar)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS articles (
    url TEXT PRIMARY KEY, source TEXT, title TEXT, published TEXT, summary TEXT, symbols TEXT, fingerprint TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS reports (bar INTEGER, symbols TEXT, html TEXT, PRIMARY KEY (bar, symbols));
"""


class Store:
    """One connection, used by one thread at a time.

    Parameters
    ----------
    path : path or ":memory:"
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        weakref.finalize(self, self._connection.close)  # since 3.13 one that is dropped while open warns
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.executescript(SCHEMA)

    def insert(self, table: str, rows: Iterable[Sequence[Any]]) -> int:
        """Add rows, and return how many were new; one whose key is there already is left out."""
        values = iter(rows)
        first = next(values, None)
        if first is None:
            return 0
        marks = ", ".join("?" * len(first))
        with self._lock, self._connection:
            before = self._connection.total_changes
            self._connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", chain([first], values))
            return self._connection.total_changes - before

    def select(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self._lock:
            return self._connection.execute(query, parameters).fetchall()

    def delete(self, query: str, parameters: Sequence[Any] = ()) -> int:
        """Run a DELETE, and return how many rows it removed."""
        with self._lock, self._connection:
            return self._connection.execute(query, parameters).rowcount

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
