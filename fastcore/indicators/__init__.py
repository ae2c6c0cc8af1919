"""The hot path of rolling indicators: one definition, as a function of whole series, live, or on a board of symbols."""

from __future__ import annotations

from fastcore.indicators.functions import FUNCTIONS
from fastcore.indicators.registry import INDICATORS
from fastcore.indicators.results import RESULTS

# The names below are made from the table; __init__.pyi, which is generated from it, tells them to type checkers.
__all__ = [
    "INDICATORS",
    *FUNCTIONS,
    *(made.__name__ for made in RESULTS.values()),
]

globals().update(FUNCTIONS)
globals().update({made.__name__: made for made in RESULTS.values()})
