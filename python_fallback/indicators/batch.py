"""Indicators over whole series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from python_fallback.indicators.definitions import definition
from python_fallback.indicators.operators import Array
from python_fallback.indicators.series import SeriesOperators

Bound = tuple[tuple[Array, ...], tuple[float, ...], Callable[[tuple[Array, ...]], Any] | None]


def batch(name: str, params: Sequence[float], arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """Compute the indicator `name` over `arrays`: float64 of one shape, bars along the last axis.

    Values that are not finite count as missing. `threads` is there for the sake of the compiled twin.
    """
    calculate = definition(name)
    with np.errstate(all="ignore"):
        inputs = [np.where(np.isfinite(x), x, np.nan) for x in arrays]
        return calculate(SeriesOperators(), *inputs, *params)


def function(
    name: str,
    inputs: tuple[str, ...],
    params: tuple[tuple[Any, ...], ...],
    result_type: type | None,
    bind: Callable[[tuple[Any, ...], dict[str, Any]], Bound],
) -> Callable[..., Any]:
    """Return the public function of an indicator; `bind` makes arrays and parameters of a call's arguments."""
    definition(name)

    def call(*args: Any, **kwargs: Any) -> Any:
        arrays, values, finish = bind(args, kwargs)
        outputs = batch(name, values, arrays)
        return outputs[0] if finish is None else finish(outputs)

    call.__name__ = call.__qualname__ = name
    return call
