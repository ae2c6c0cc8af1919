"""The policy of TA-Lib towards missing data: the argument ``nan="talib"``.

Twins compute it as a program of its own, in which a number stands for a missing value: see
:mod:`python_fallback.shared.indicators.as_talib`. Bars before the first complete one are skipped, as in every policy.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcore.indicators.registry import Indicator
from python_fallback.shared.indicators import (
    MISSING,
    OPERATORS,
    SUMS_AGAIN,
    AsTalib,
    Program,
    Reach,
    reach,
    spoiling,
)

__all__ = ["checked", "coded", "core", "decode", "goes_on", "outputs", "program", "reach_of"]

Array = NDArray[np.float64]

# Without missing data too: TA-Lib keeps the first in -100..0 where a close is out of its bar; others divide by 0 there.
_ELSE = frozenset({"willr", "vwma", "rvol"})


def checked(nan: Any) -> bool:
    """Whether the argument `nan` asks for the policy of TA-Lib."""
    if nan is None:
        return False
    if not isinstance(nan, str):
        raise TypeError(f"nan: expected 'talib' or None, got a {type(nan).__name__}")
    if nan != "talib":
        raise ValueError(f"nan: expected 'talib' or None, got {nan!r}")
    return True


def core(row: Indicator, values: tuple[float, ...], nan: Any) -> tuple[Any, tuple[float, ...]]:
    """Return what a twin takes for `row` under the policy `nan`."""
    source, params = row.core(values)
    return AsTalib(source) if checked(nan) else source, params


def program(row: Indicator, values: tuple[float, ...]) -> Program:
    """Return the program of `row` under the policy."""
    source, params = row.core(values)
    return AsTalib(source).program(params)


def coded(x: Array) -> Array:
    """Return `x` with the number that stands for a missing value wherever it is not finite."""
    return np.where(np.isfinite(x), x, MISSING)


def decode(x: Array) -> None:
    """Make `x` NaN wherever a missing value has spoiled it, in place."""
    x[x == MISSING] = np.nan


def outputs(twin: Any, row: Indicator, values: tuple[float, ...], inputs: tuple[Array, ...]) -> Any:
    """Return the outputs of `row`; None where they are those without the policy: none is missing but the first bars."""
    there = [np.isfinite(x) for x in inputs]
    source, params = row.core(values)
    own = not isinstance(source, str)  # may make missing values of what is there
    if row.name not in _ELSE and not own and (not _has_gap(there) or _by_bar(row, values)):
        return None
    given = tuple(np.where(finite, x, MISSING) for finite, x in zip(there, inputs))
    found: tuple[Array, ...] = twin.batch(AsTalib(source), params, given)
    for x in found:
        decode(x)
    return found


def _has_gap(there: Sequence[NDArray[np.bool_]]) -> bool:
    """Whether an input is missing after the first complete bar."""
    if all(finite.all() for finite in there):
        return False
    complete = np.logical_and.reduce(there)
    return bool((np.logical_or.accumulate(complete, axis=-1) & ~complete).any())


@functools.lru_cache(maxsize=1024)
def _by_bar(row: Indicator, values: tuple[float, ...]) -> bool:
    """Whether a missing value spoils its bar, as without the policy, and nothing else."""
    plain = row.program(values)
    if len(plain.outputs) > 1 or any(OPERATORS[node.operator].kind != "map" for node in plain.nodes):
        return False
    return program(row, values) == spoiling(plain)


def reach_of(row: Indicator) -> Reach:
    """How far a missing value goes in `row` with its default parameters, at most."""
    order: tuple[Reach, ...] = ("bar", "lag", "window", "ever")
    nodes = row.program([param.default for param in row.params]).nodes
    return max((reach(node.operator, row.name not in SUMS_AGAIN) for node in nodes), key=order.index, default="bar")


def goes_on(row: Indicator) -> bool:
    """Whether `row` has numbers where a missing value has got into its operators, as a comparison with it is false."""
    values = tuple(float(param.default) for param in row.params)
    return program(row, values) != spoiling(row.program(values))
