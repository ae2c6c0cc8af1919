"""Which results a missing value spoils where it is computed with like any number, as TA-Lib does.

A map spoils its bar, a lag the bar so many bars later, a window whose values are looked at again each time as many bars
as it has, and a running sum or a recurrence every later bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from python_fallback.shared.indicators.operators import OPERATORS
from python_fallback.shared.indicators.program import Program, first_results

__all__ = ["Reach", "reach", "spoiled"]

Mask = NDArray[np.bool_]
Reach = Literal["bar", "lag", "window", "ever"]

_LAGS = {"lag": 0, "previous": None}  # the parameter that says how many bars; None: one
_RUNNING = frozenset(
    {"sum", "mean", "variance", "deviation", "weighted", "slope", "line", "correlation", "beta", "mean_of"}
)
_UNSPOILED = frozenset({"after", "bar_number", "constant"})


def reach(operator: str, running: bool = True) -> Reach:
    """Return how far a missing value goes in `operator`; without `running`, sums are taken again at each bar."""
    kind = OPERATORS[operator].kind
    if operator in _LAGS:
        return "lag"
    if kind == "map" or operator in _UNSPOILED:
        return "bar"
    return "ever" if kind == "recurrence" or (running and operator in _RUNNING) else "window"


def spoiled(program: Program, missing: Sequence[Mask], running: bool = True) -> list[Mask]:
    """Return for each output at which bars it is spoiled, bars along the last axis.

    Parameters
    ----------
    program : Program
    missing : sequence of ndarray of bool
        For each input, the bars at which it is missing. Bars before the first complete one do not count.
    running : bool, default True
        Whether sums run on from bar to bar.
    """
    complete = ~np.logical_or.reduce(missing)
    there = np.logical_or.accumulate(complete, axis=-1)
    begun = np.cumsum(there, axis=-1)  # at each bar, how many there are from the first complete one on
    masks: list[Any] = [mask & there for mask in missing]
    first = first_results(program)
    for node in program.nodes:
        operator = OPERATORS[node.operator]
        mask = np.zeros_like(there)
        for place in node.inputs:
            mask |= masks[place]
        if node.operator == "after":
            mask &= begun > first[len(masks)]
        masks += [_spread(node.operator, node.params, mask, running)] * operator.outputs
    return [masks[place] for place in program.outputs]


def _spread(operator: str, params: Sequence[float], mask: Mask, running: bool) -> Mask:
    how = reach(operator, running)
    if operator == "bar_number":
        return np.zeros_like(mask)
    if how == "bar":
        return mask
    if how == "ever":
        ever: Mask = np.logical_or.accumulate(mask, axis=-1)
        return ever
    if how == "lag":
        place = _LAGS[operator]
        return np.asarray(_later(mask, 1 if place is None else int(params[place])))
    counts = np.cumsum(mask, axis=-1)
    within: Mask = counts > _later(counts, int(params[0]))
    return within


def _later(x: Any, bars: int) -> Any:
    """Return `x` so many bars later, with zeros before."""
    found = np.zeros_like(x)
    if bars < x.shape[-1]:
        found[..., bars:] = x[..., : x.shape[-1] - bars]
    return found
