"""Technical indicators, over whole series, live bar by bar, or on a board of many symbols.

::

    rsi(close, 14)                                  # or RSI(14)(close)
    live = RSI(14).live(close); live.update(187.2)
    board = Plan(rsi=RSI(14), macd=MACD()).live(symbols=10_000)

Names, parameters, defaults and first results are those of TA-Lib.
"""

from __future__ import annotations

from typing import Any

from fastcore.indicators.board import Board
from fastcore.indicators.custom import CustomIndicator, indicator
from fastcore.indicators.definition import DEFINITIONS, Definition
from fastcore.indicators.functions import FUNCTIONS
from fastcore.indicators.live import Live
from fastcore.indicators.plan import Plan
from fastcore.indicators.registry import INDICATORS
from fastcore.indicators.results import RESULTS

# What is made from the table; __init__.pyi, which is written from it, tells type checkers.
_MADE = {
    **FUNCTIONS,
    **{made.__name__: made for made in DEFINITIONS.values()},
    **{made.__name__: made for made in RESULTS.values()},
}
globals().update(_MADE)

__all__ = ["INDICATORS", "Board", "CustomIndicator", "Definition", "Live", "Plan", "indicator", *_MADE]


def __getattr__(name: str) -> Any:
    text = f"module 'fastcore.indicators' has no attribute {name!r}"
    if not name.startswith("_"):
        from fastcore.indicators.habits import in_talib, instead_of_name

        there = f", as talib.{name.upper()}" if in_talib(name) else ""
        text += instead_of_name(name) or f"; the indicators are {', '.join(FUNCTIONS)}; others are in TA-Lib{there}"
    raise AttributeError(text)
