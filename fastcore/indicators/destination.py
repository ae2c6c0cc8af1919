"""Arrays of the caller's that results are written into: the argument ``out``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcore.indicators.registry import Indicator
from fastcore.indicators.results import result_type

__all__ = ["apart", "into", "of_plan", "put", "result_in", "taken"]

Array = NDArray[np.float64]

_FLOAT = np.dtype(np.float64)
_COLUMN = ": the values of a pandas column are, so set the column to the result instead"


def taken(row: Indicator, out: Any, shape: tuple[int, ...], title: str = "out") -> tuple[Any, ...]:
    """Return the arrays that the outputs of `row` go into, a new one where `out` has None.

    Raises
    ------
    TypeError, ValueError
        If `out` is not what the outputs can be written into; the text says which, what was expected and what came.
    """
    names = [output.name for output in row.outputs]
    if len(names) == 1:
        _check(title, out, shape)
        return (out,)
    listed = f"{len(names)} arrays ({', '.join(names)})"
    if not isinstance(out, tuple):
        raise TypeError(f"{title}: expected a tuple of {listed}, got {_kind(out)}")
    if len(out) != len(names):
        raise ValueError(f"{title}: expected a tuple of {listed}, got one of {len(out)}")
    for name, x in zip(names, out):
        if x is not None:
            _check(f"{title}: {name}", x, shape)
    arrays = tuple(np.empty(shape) if x is None else x for x in out)
    _check_apart(title, dict(zip(names, arrays)))
    return arrays


def apart(inputs: Sequence[Array], arrays: Sequence[Any]) -> tuple[Array, ...]:
    """Return the inputs, copied where they share memory with the arrays that results go into."""
    return tuple(x.copy() if any(np.may_share_memory(x, one) for one in arrays) else x for x in inputs)


def result_in(row: Indicator, arrays: tuple[Any, ...]) -> Any:
    """Return the result of a call whose outputs are in `arrays`."""
    make = result_type(row)
    return arrays[0] if make is None else make._make(arrays)  # type: ignore[attr-defined]


def put(outputs: Sequence[Array], arrays: Sequence[Any]) -> None:
    """Copy outputs that were computed elsewhere into the caller's arrays."""
    for array, output in zip(arrays, outputs, strict=True):
        array[...] = output


def into(row: Indicator, out: Any, result: Any) -> Any:
    """Put the result of a call into `out` and return what a call with `out` returns."""
    outputs = [np.asarray(x) for x in (result if isinstance(result, tuple) else (result,))]
    arrays = taken(row, out, outputs[0].shape)
    put(outputs, arrays)
    return result_in(row, arrays)


def of_plan(rows: Mapping[str, Indicator], out: Any, shape: tuple[int, ...]) -> dict[str, tuple[Any, ...]]:
    """Return for each indicator of a plan the arrays that its outputs go into; new ones for those not in `out`."""
    if not isinstance(out, Mapping):
        raise TypeError(f"out: expected a mapping of the plan's names to arrays, got {_kind(out)}")
    unknown = next((name for name in out if name not in rows), None)
    if unknown is not None:
        raise ValueError(f"out: expected some of {', '.join(rows)}, got {unknown!r}")
    found, seen = {}, {}
    for name, row in rows.items():
        given = out.get(name)
        if given is None:
            found[name] = tuple(np.empty(shape) for _ in row.outputs)
            continue
        found[name] = taken(row, given, shape, f"out[{name!r}]")
        seen.update({f"{name} {output.name}": x for output, x in zip(row.outputs, found[name])})
    _check_apart("out", seen)
    return found


def _check(title: str, x: Any, shape: tuple[int, ...]) -> None:
    expected = f"a float64 array of shape {shape}"
    if not isinstance(x, np.ndarray) or isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{title}: expected {expected}, got {_kind(x)}")
    if x.dtype != _FLOAT or not x.dtype.isnative:
        raise TypeError(f"{title}: expected {expected}, got one of {x.dtype.newbyteorder('=')}{_swapped(x)}")
    if x.shape != shape:
        raise ValueError(f"{title}: expected {expected}, got one of shape {x.shape}")
    if not (x.flags.c_contiguous and x.flags.aligned):
        raise ValueError(f"{title}: expected {expected}, contiguous in memory, got one with strides {x.strides}")
    if not x.flags.writeable:
        raise ValueError(f"{title}: expected {expected} that may be written to, got a read-only one{_COLUMN}")


def _swapped(x: Any) -> str:
    return "" if x.dtype.isnative else " in the other byte order"


def _check_apart(title: str, arrays: Mapping[str, Any]) -> None:
    """Raise a ValueError where two outputs would be written to the same memory."""
    seen: list[tuple[int, int, str]] = []
    for name, x in arrays.items():
        start = x.__array_interface__["data"][0]
        seen.append((start, start + x.nbytes, name))
    seen = sorted(one for one in seen if one[0] < one[1])
    for (_, end, first), (start, _, second) in itertools.pairwise(seen):
        if start < end:
            raise ValueError(f"{title}: expected arrays with memory of their own, got {first} and {second} in the same")


def _kind(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"an array of class {type(x).__name__}"
    kind = "None" if x is None else f"a {type(x).__name__}"
    return f"{kind}: set a column to the result instead" if hasattr(x, "to_numpy") else kind
