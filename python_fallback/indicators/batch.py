"""Indicators over whole series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from python_fallback.indicators.maps import MAPS, Array
from python_fallback.indicators.series import SERIES
from python_fallback.shared.indicators import Program, program_of

Finish = Callable[[tuple[Array, ...]], Any]
Bound = tuple[tuple[Array, ...], tuple[float, ...], Finish | None, tuple[Array, ...] | None]


def batch(source: Any, params: Sequence[float], arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """Compute an indicator, given by its name or as a program, over `arrays`: float64 of one shape, bars along the last
    axis.

    Values that are not finite count as missing. `threads` is there for the sake of the compiled twin.
    """
    return run(program_of(source, tuple(map(float, params))), arrays)


def run(program: Program, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """Carry out `program` on whole series."""
    with np.errstate(all="ignore"):
        values: list[Any] = list(complete([np.where(np.isfinite(x), x, np.nan) for x in arrays]))
        for name, places, params in program.nodes:
            inputs = [values[place] for place in places]
            if name in MAPS:
                values.append(MAPS[name](*inputs, *params))
                continue
            inputs = list(np.broadcast_arrays(*(np.where(np.isfinite(x), x, np.nan) for x in inputs)))
            values.append(SERIES[name](*complete(inputs), *params))
        return complete([_whole(values[place], arrays[0]) for place in program.outputs])


def complete(values: Sequence[Array]) -> tuple[Array, ...]:
    """Return the values, each made missing wherever any of them is."""
    if len(values) == 1:
        return tuple(values)
    missing = np.logical_or.reduce([np.isnan(x) for x in values])
    return tuple(np.where(missing, np.nan, x) for x in values)


def put(outputs: tuple[Array, ...], own: Sequence[Array | None] | None) -> tuple[Array, ...]:
    """Return the outputs, copied into the caller's `own` arrays where there are any."""
    if own is None:
        return outputs
    for x, array in zip(outputs, own, strict=True):
        if array is not None:
            array[...] = x
    return tuple(x if array is None else array for x, array in zip(outputs, own))


def _whole(value: Any, like: Array) -> Array:
    """Return an output as an array of its own."""
    return np.array(np.broadcast_to(value, like.shape), dtype=np.float64)


def function(
    source: Any,
    inputs: tuple[str, ...],
    params: tuple[tuple[Any, ...], ...],
    result_type: type | None,
    bind: Callable[[tuple[Any, ...], dict[str, Any]], Bound],
) -> Callable[..., Any]:
    """Return the public function of an indicator.

    `bind` makes of a call's arguments the arrays, the parameters, what makes the result of the outputs, and the arrays
    that the outputs go into; None for the last two where the outputs are new, and are the result as they are.
    """
    name = source if isinstance(source, str) else source.__name__

    def call(*args: Any, **kwargs: Any) -> Any:
        arrays, values, finish, own = bind(args, kwargs)
        outputs = put(batch(source, values, arrays), own)
        return outputs[0] if finish is None else finish(outputs)

    call.__name__ = call.__qualname__ = name
    return call
