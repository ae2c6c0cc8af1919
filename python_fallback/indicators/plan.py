"""Several indicators of the same columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from python_fallback.indicators.batch import batch, put
from python_fallback.indicators.maps import Array

# Name of the indicator or its program, its parameters, the columns that are its inputs.
Spec = tuple[Any, Sequence[float], Sequence[str]]


class Plan:
    """The indicators `specs`, one after the other."""

    __slots__ = ("_specs", "columns")

    def __init__(self, specs: Sequence[Spec]) -> None:
        self._specs = tuple(specs)
        self.columns = tuple(dict.fromkeys(column for _, _, columns in specs for column in columns))

    def __call__(
        self, arrays: Sequence[Array], threads: int = 0, out: Sequence[Sequence[Array]] | None = None
    ) -> list[tuple[Array, ...]]:
        """Return the outputs of each, from one array a column, in the arrays `out` of each where these are given.

        `threads` is there for the compiled twin.
        """
        found = dict(zip(self.columns, arrays, strict=True))
        outputs = [batch(source, params, [found[name] for name in columns]) for source, params, columns in self._specs]
        return outputs if out is None else [put(made, own) for made, own in zip(outputs, out, strict=True)]
