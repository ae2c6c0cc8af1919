"""Several indicators of many symbols, updated by one call per tick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from python_fallback.indicators.live import Live
from python_fallback.indicators.locked import Locked
from python_fallback.indicators.maps import Array

# Name of the indicator or its program, its parameters, the columns that are its inputs.
Spec = tuple[Any, tuple[float, ...], tuple[str, ...]]


class Board(Locked):
    """The indicators `specs` of `symbols` symbols.

    Columns are float64 arrays: one value per symbol in `update`, symbols x bars in `extend`.
    """

    __slots__ = ("_live", "_outputs", "specs", "symbols")

    def __init__(self, specs: Sequence[Spec], symbols: int) -> None:
        super().__init__()
        self.specs = tuple(specs)
        self.symbols = symbols
        self._live = [[Live(name, params) for _ in range(symbols)] for name, params, _ in self.specs]
        self._outputs = [
            tuple(np.full(symbols, np.nan) for _ in range(_width(Live(name, params).value)))
            for name, params, _ in self.specs
        ]

    def update(self, columns: Mapping[str, Array], at: NDArray[np.int64] | None = None) -> None:
        """Take the next bar of every symbol, or of the symbols `at` these indices, in their order."""
        places = range(self.symbols) if at is None else at.tolist()
        with self._lock:
            lists = {name: x.tolist() for name, x in columns.items()}  # before any output changes: it may be a column
            for (_, _, names), live, outputs in zip(self.specs, self._live, self._outputs):
                bars = zip(*(lists[name] for name in names))
                for place, bar in zip(places, bars):
                    _put(outputs, place, live[place].update(*bar))

    def extend(self, columns: Mapping[str, Array], at: NDArray[np.int64] | None = None) -> None:
        """Take many bars of every symbol, or of the symbols `at` these indices."""
        with self._lock:
            self._extend(columns, range(self.symbols) if at is None else at.tolist())

    def _extend(self, columns: Mapping[str, Array], places: Sequence[int]) -> None:
        columns = {name: x.copy() if self._shares(x) else x for name, x in columns.items()}
        for (_, _, names), live, outputs in zip(self.specs, self._live, self._outputs):
            for row, place in enumerate(places):
                live[place].extend(*(columns[name][row] for name in names))
                _put(outputs, place, live[place].value)

    def add(self, symbols: int, columns: Mapping[str, Array] | None = None) -> None:
        """Take `symbols` more, with their bars so far; the outputs are other arrays from then on."""
        with self._lock:
            had, self.symbols = self.symbols, self.symbols + symbols
            for (name, params, _), live in zip(self.specs, self._live):
                live += [Live(name, params) for _ in range(symbols)]
            missing = np.full(symbols, np.nan)
            self._outputs = [tuple(np.concatenate([x, missing]) for x in outputs) for outputs in self._outputs]
            if columns is not None:
                self._extend(columns, range(had, self.symbols))

    def reset(self, at: NDArray[np.int64] | None = None, parts: Iterable[int] | None = None) -> None:
        """Begin again, for all symbols or those at `at`, with the indicators `parts` or all."""
        with self._lock:
            for part in range(len(self.specs)) if parts is None else parts:
                name, params, _ = self.specs[part]
                for place in range(self.symbols) if at is None else at.tolist():
                    self._live[part][place] = Live(name, params)
                    for output in self._outputs[part]:
                        output[place] = np.nan

    def output(self, i: int) -> tuple[Array, ...]:
        """Return the outputs of the i-th indicator: arrays that later updates change in place."""
        return self._outputs[i]

    def _shares(self, x: Array) -> bool:
        return any(np.may_share_memory(x, output) for outputs in self._outputs for output in outputs)

    def renew(self) -> None:
        super().renew()
        for one in (one for live in self._live for one in live):
            one.renew()

    def copy(self) -> Board:
        """Return an independent board in the same state."""
        other = Board(self.specs, 0)
        other.symbols = self.symbols
        with self._lock:
            other._live = [[one.copy() for one in live] for live in self._live]
            other._outputs = [tuple(x.copy() for x in outputs) for outputs in self._outputs]
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        state = self.copy()
        return Board, (self.specs, 0), (state.symbols, state._live, state._outputs)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.symbols, self._live, self._outputs = state


def _width(value: Any) -> int:
    return len(value) if isinstance(value, tuple) else 1


def _put(outputs: tuple[Array, ...], place: int, value: Any) -> None:
    if len(outputs) == 1:
        outputs[0][place] = value
    else:
        for output, x in zip(outputs, value):
            output[place] = x
