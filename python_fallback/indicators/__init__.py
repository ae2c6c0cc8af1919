"""The pure half of the indicators: an interpreter of the programs that definitions are traced to.

``series`` carries the operators out on whole series, ``ticks`` one bar at a time; ``maps`` has what both do with single
bars. The definitions are in ``python_fallback/shared/indicators``.
"""

from __future__ import annotations

from python_fallback.indicators.batch import batch, function
from python_fallback.indicators.board import Board
from python_fallback.indicators.live import Live
from python_fallback.indicators.plan import Plan

__all__ = ["Board", "Live", "Plan", "batch", "function"]
