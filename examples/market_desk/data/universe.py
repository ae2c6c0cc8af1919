"""A universe of symbols: the real ones, and others bootstrapped in blocks from the real returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.market_desk.data.sources import real_bars

__all__ = ["BOOTSTRAPPED", "REAL", "Paths", "Universe"]

REAL, BOOTSTRAPPED = "real", "bootstrapped"
BLOCK = 20  # bars of a block on average (stationary bootstrap: its length is geometric)
SPLIT = 0.3  # a log return beyond this is a split in unadjusted prices; blocks do not cross it


@dataclass(frozen=True)
class Universe:
    """The symbols, and the returns of which their prices are made.

    Attributes
    ----------
    symbols : tuple of str
        The real ones first.
    origin : dict of str to str
        ``"real"`` or ``"bootstrapped"``, by symbol.
    moves : float64[rows, 5]
        Log returns of the real bars: open, high, low and close against the close before, and the log of the volume.
    spans : tuple of (int, int)
        The rows of each real symbol.
    first : float64[symbols]
        A price before the first bar.
    """

    symbols: tuple[str, ...]
    origin: dict[str, str]
    moves: NDArray[np.float64]
    spans: tuple[tuple[int, int], ...]
    first: NDArray[np.float64]

    @classmethod
    def load(cls, size: int = 500, seed: int = 1) -> Universe:
        """Return `size` symbols: every real one, and as many bootstrapped ones as are missing."""
        real = real_bars()
        if size < len(real):
            raise ValueError(f"size: expected an int >= {len(real)}, got {size}")
        names = [f"BS{number:03d}" for number in range(1, size - len(real) + 1)]
        parts, spans, at = [], [], 0
        for bars in real.values():
            parts.append(np.hstack((np.log(bars[1:, :4] / bars[:-1, 3:4]), np.log(bars[1:, 4:]))))
            spans.append((at, at + len(bars) - 1))
            at += len(bars) - 1
        starts = np.random.default_rng(seed).uniform(20, 400, len(names))
        return cls(
            symbols=(*real, *names),
            origin=dict.fromkeys(real, REAL) | dict.fromkeys(names, BOOTSTRAPPED),
            moves=np.vstack(parts),
            spans=tuple(spans),
            first=np.concatenate(([bars[0, 3] for bars in real.values()], starts)),
        )


class Paths:
    """The bars of every symbol, one after the other, without end; the same for the same seed.

    A real symbol goes through its own returns in order, and from the last back to the first. A bootstrapped one goes
    through blocks of the real returns, their mean taken off so that it has no trend.
    """

    def __init__(self, universe: Universe, seed: int = 2) -> None:
        self._rng = np.random.default_rng(seed)
        self._moves = universe.moves
        self._real = len(universe.spans)
        self._count = len(universe.symbols) - self._real
        starts = np.array([start for start, _ in universe.spans])
        stops = np.array([stop for _, stop in universe.spans])
        self._starts, self._stops = starts, stops
        self._drift = universe.moves[np.abs(universe.moves[:, 3]) < SPLIT, 3].mean()
        # A block may begin at any row, and ends at the last row of a symbol or before a split.
        self._ends = np.zeros(len(universe.moves), dtype=bool)
        self._ends[stops - 1] = True
        jumps = np.flatnonzero((np.abs(universe.moves[:, :4]) >= SPLIT).any(axis=1))
        self._ends[np.maximum(jumps - 1, 0)] = True
        self._allowed = np.setdiff1d(np.arange(len(universe.moves)), jumps)
        self._rows = np.concatenate((starts, self._rng.choice(self._allowed, self._count)))
        self._close = universe.first.copy()

    def step(self) -> NDArray[np.float64]:
        """Return the next bar of every symbol: float64[5, symbols], prices in cents."""
        moves = self._moves[self._rows].T.copy()
        moves[:4, self._real :] -= self._drift
        bars: NDArray[np.float64] = np.exp(moves)
        bars[:4] *= self._close
        self._close = bars[3].copy()
        self._advance()
        bars[:4] = np.maximum(np.round(bars[:4], 2), 0.01)
        bars[4] = np.round(bars[4])
        bars[1] = bars[:4].max(axis=0)  # rounding and unadjusted data must not put a price outside its range
        bars[2] = bars[:4].min(axis=0)
        return bars

    def _advance(self) -> None:
        rows, real = self._rows, self._real
        jump = self._ends[rows[real:]] | (self._rng.random(self._count) < 1 / BLOCK)
        fresh = self._rng.choice(self._allowed, self._count)
        rows[real:] = np.where(jump, fresh, rows[real:] + 1)
        rows[:real] += 1
        rows[:real] = np.where(rows[:real] == self._stops, self._starts, rows[:real])
