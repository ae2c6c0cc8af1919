"""How far a missing value goes in an operator where it is computed with like any number."""

from __future__ import annotations

from typing import Literal

from python_fallback.shared.indicators.operators import OPERATORS

__all__ = ["SUMS_AGAIN", "Reach", "reach"]

Reach = Literal["bar", "lag", "window", "ever"]

SUMS_AGAIN = frozenset({"cci", "imi", "vhf"})  # TA-Lib takes the sums of these again at each bar
_RUNNING = frozenset(
    {"sum", "mean", "variance", "deviation", "weighted", "slope", "line", "correlation", "beta", "mean_of"}
)


def reach(operator: str, running: bool = True) -> Reach:
    """Return how far a missing value goes in `operator`; without `running`, sums are taken again at each bar.

    A map spoils its bar, a lag the bar so many bars later, a window whose values are looked at again each time as many
    bars as it has, and a running sum or a recurrence every later bar.
    """
    kind = OPERATORS[operator].kind
    if operator in ("lag", "previous"):
        return "lag"
    if kind == "map" or operator in ("after", "bar_number"):
        return "bar"
    return "ever" if kind == "recurrence" or (running and operator in _RUNNING) else "window"
