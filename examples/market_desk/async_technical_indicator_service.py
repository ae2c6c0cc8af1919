"""Analyses of many symbols side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastcore.concurrency import map_async

__all__ = ["AsyncTechnicalIndicatorService"]


class AsyncTechnicalIndicatorService:
    """Runs a plain analysis for many symbols on threads: compiled indicators release the GIL.

    Parameters
    ----------
    analyse : callable
        Returns the analysis of a symbol over a number of its last bars.
    limit : int, default 8
        Symbols worked on at a time.
    """

    def __init__(self, analyse: Callable[[str, int], dict[str, Any]], limit: int = 8) -> None:
        self._analyse = analyse
        self._limit = limit

    async def analyze_multiple_symbols_async(self, symbols: Sequence[str], bars: int = 250) -> list[dict[str, Any]]:
        """Return the analyses in the order of `symbols`."""

        def one(symbol: str) -> dict[str, Any]:
            return self._analyse(symbol, bars)

        found: list[dict[str, Any]] = await map_async(one, symbols, on="thread", limit=self._limit)
        return found
