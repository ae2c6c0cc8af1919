"""The pure half of the indicators.

One module per family holds the definitions, written once over the operators of ``operators``; ``series`` carries these
out on whole series, ``ticks`` one bar at a time. Adding an indicator takes one definition and its line in
``definitions``.
"""

from __future__ import annotations

from python_fallback.indicators.batch import batch, function
from python_fallback.indicators.board import Board
from python_fallback.indicators.definitions import DEFINITIONS
from python_fallback.indicators.live import Live

__all__ = ["DEFINITIONS", "Board", "Live", "batch", "function"]
