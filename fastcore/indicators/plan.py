"""A Plan: several indicators of the same bars."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from fastcore.dispatch import backends, flags
from fastcore.indicators import coerce, destination, missing
from fastcore.indicators.board import Board
from fastcore.indicators.columns import one_ticker, require
from fastcore.indicators.definition import Definition
from fastcore.indicators.symbols import rows_of

__all__ = ["Plan"]


class Plan:
    """Several indicators, by name, to be computed from the same bars.

    Parameters
    ----------
    **definitions : Definition
        Such as ``rsi=RSI(14)``.

    Raises
    ------
    TypeError, ValueError
        If there are none, one is not a definition, or two would give a column of one name.

    Examples
    --------
    >>> from fastcore import indicators as ta
    >>> plan = ta.Plan(fast=ta.SMA(2), slow=ta.SMA(3))
    >>> plan({"close": [1.0, 2.0, 4.0]})["fast"]
    array([nan, 1.5, 3. ])
    """

    __slots__ = ("_columns", "_core", "_definitions")

    def __init__(self, /, **definitions: Definition) -> None:
        if not definitions:
            raise ValueError("Plan: expected at least one definition, such as rsi=RSI(14)")
        for name, definition in definitions.items():
            if not isinstance(definition, Definition):
                instead = coerce.instead_of(definition)
                hint = f"; write {name}={instead}" if instead else ""
                raise TypeError(f"{name}: expected a definition such as RSI(14), got {type(definition).__name__}{hint}")
        self._core: Any = None  # of the compiled twin, once it is needed
        self._definitions = definitions
        self._columns = tuple(dict.fromkeys(c for definition in definitions.values() for c in definition.columns))
        seen: set[str] = set()
        for title in (title for name in definitions for title in self._titles(name)):
            if title in seen:
                raise ValueError(f"Plan: expected names that give columns of their own, got two called {title}")
            seen.add(title)

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """The definitions by name."""
        return MappingProxyType(self._definitions)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the bars must have."""
        return self._columns

    @property
    def lookback(self) -> int:
        """How many bars of clean data come before all have a result."""
        return max(definition.lookback for definition in self._definitions.values())

    def __call__(self, bars: Any, *, out: Mapping[str, Any] | None = None, nan: Literal["talib"] | None = None) -> Any:
        """Compute every indicator.

        Parameters
        ----------
        bars : DataFrame, or mapping of column name to array_like
            A DataFrame of pandas or polars, or a LazyFrame; or arrays or Series, 1-D, or 2-D with one row per symbol.
        out : mapping of name to ndarray or tuple of ndarray, optional
            For a mapping of bars: the arrays that results are written into, for each definition as its function takes
            them. Definitions that are not in it give new arrays.
        nan : {'talib'}, optional
            The policy towards missing data, as the functions take it.

        Returns
        -------
        DataFrame or dict
            For a DataFrame one with a column an output: ``rsi``, or ``macd_macd``, ``macd_signal``, ``macd_hist``
            where a definition has several. For a mapping a dict with what each definition returns.

        Raises
        ------
        TypeError, ValueError
            If a column is missing, or is not what an indicator takes, or `out` is not as described.
        """
        if out is not None:
            if not isinstance(bars, Mapping):
                kind = type(bars).__name__
                raise TypeError(f"out: expected bars as a mapping of arrays, got a {kind}, whose results are a new one")
            require("bars", self._definitions, bars)
            return self._compute_into(bars, out, nan)
        pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
        if pandas is not None and isinstance(bars, pandas.DataFrame):
            return self._pandas(pandas, bars, nan)
        if polars is not None and isinstance(bars, polars.DataFrame):
            return polars.DataFrame(self._flat(self._arrays(bars, bars.columns), nan))
        if polars is not None and isinstance(bars, polars.LazyFrame):
            names = bars.collect_schema().names()
            require("bars", self._definitions, names)
            schema = {title: polars.Float64 for name in self._definitions for title in self._titles(name)}
            return bars.select(self._columns).map_batches(functools.partial(self, nan=nan), schema=schema)
        if isinstance(bars, Mapping):
            require("bars", self._definitions, bars)
            return self._compute(bars, nan)
        raise TypeError(f"bars: expected a DataFrame or a mapping of arrays, got {type(bars).__name__}")

    def live(
        self,
        symbols: int | None = None,
        history: Mapping[str, Any] | None = None,
        *,
        nan: Literal["talib"] | None = None,
    ) -> Board:
        """Return a board that updates every indicator of every symbol with one call per tick.

        Parameters
        ----------
        symbols : int, optional
            How many symbols. By default as many as `history` has rows.
        history : mapping of column name to array_like, optional
            The bars so far: symbols x bars.
        nan : {'talib'}, optional
            The policy towards missing data, as the functions take it.
        """
        if symbols is None:
            if history is None:
                raise ValueError("symbols: expected an int, or a history that has one row per symbol, got neither")
            symbols = len(self.panels(history)[0])
        board = Board(self, symbols, nan)
        if history is not None:
            board.extend(history)
        return board

    def panels(self, history: Any) -> tuple[Any, ...]:
        """Return the columns of `history` in order: arrays of one shape, symbols x bars."""
        coerce.mapping(history)
        require("history", self._definitions, history)
        return coerce.arrays(self._columns, [history[name] for name in self._columns], (2,))[0]

    def _compute(self, columns: Mapping[str, Any], nan: Any) -> dict[str, Any]:
        found = None if missing.checked(nan) else self._at_once(columns)
        if found is not None:
            return found
        return {
            name: definition(*[columns[column] for column in definition.columns], nan=nan)
            for name, definition in self._definitions.items()
        }

    def _compute_into(self, bars: Mapping[str, Any], out: Any, nan: Any) -> dict[str, Any]:
        given = coerce.columns(self._columns, [bars[column] for column in self._columns])[0]
        rows = {name: definition.row for name, definition in self._definitions.items()}
        own = destination.of_plan(rows, out, given[self._columns[0]].shape)
        apart = destination.apart(tuple(given.values()), [x for arrays in own.values() for x in arrays])
        arrays = dict(zip(given, apart))
        core = None if missing.checked(nan) else self._compiled()
        if core is not None:
            core([arrays[column] for column in core.columns], 0, [tuple(map(np.asarray, one)) for one in own.values()])
            return {name: destination.result_in(row, own[name]) for name, row in rows.items()}
        found: dict[str, Any] = {}
        for name, definition in self._definitions.items():
            to = own[name] if definition.row.result else own[name][0]
            found[name] = definition(*[arrays[column] for column in definition.columns], out=to, nan=nan)
        return found

    def _compiled(self) -> Any:
        """The plan of the compiled twin; None where that is not to be used, or functions are compared."""
        if flags.mode_of("indicators").word not in {"auto", "compiled"}:
            return None
        if backends.backend_for("indicators") != "compiled":
            return None
        if self._core is None:
            specs = [(*one.row.core(one.values), one.columns) for one in self._definitions.values()]
            self._core = backends.twin("indicators", "compiled").Plan(specs)
        return self._core

    def _at_once(self, columns: Mapping[str, Any]) -> dict[str, Any] | None:
        """All of it by one call of the compiled twin; None where functions are compared, or input is to be refused."""
        core = self._compiled()
        if core is None:
            return None
        try:
            arrays, forms = coerce.columns(self._columns, [columns[column] for column in self._columns])
        except (TypeError, ValueError):
            return None  # each definition says what it takes
        found: dict[str, Any] = {}
        for (name, definition), outputs in zip(self._definitions.items(), core([arrays[c] for c in core.columns])):
            form = next((forms[column] for column in definition.columns if forms[column] is not None), None)
            finish = coerce.finisher(definition.row, form)
            found[name] = outputs[0] if finish is None else finish(outputs)
        return found

    def _pandas(self, pandas: Any, frame: Any, nan: Any) -> Any:
        if frame.columns.nlevels > 1:
            frame = one_ticker(frame, self._definitions, self._columns)
        columns = self._arrays(frame, frame.columns)
        symbols = rows_of("bars", frame.index) if frame.index.nlevels > 1 else None
        if symbols is None:
            flat = self._flat(columns, nan)
        else:
            panels = {name: symbols.spread(x) for name, x in columns.items()}
            flat = {title: symbols.gather(x) for title, x in self._flat(panels, nan).items()}
        # One block for all columns, and an index made once: a frame made of a dict takes ten times as long.
        block = np.array(list(flat.values())).T
        return pandas.DataFrame(block, index=frame.index, columns=_titles(tuple(flat)).view(), copy=False)

    def _arrays(self, frame: Any, names: Any) -> dict[str, Any]:
        require("bars", self._definitions, names)
        return {name: coerce.values(name, frame[name]) for name in self._columns}

    def _flat(self, columns: Mapping[str, Any], nan: Any) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for name, result in self._compute(columns, nan).items():
            outputs = result if isinstance(result, tuple) else (result,)
            flat.update(zip(self._titles(name), outputs))
        return flat

    def _titles(self, name: str) -> list[str]:
        row = self._definitions[name].row
        return [f"{name}_{output.name}" for output in row.outputs] if row.result else [name]

    def __eq__(self, other: object) -> bool:
        return self._definitions == other._definitions if isinstance(other, Plan) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._definitions.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._definitions,)

    def __repr__(self) -> str:
        return f"Plan({', '.join(f'{name}={definition!r}' for name, definition in self._definitions.items())})"


@functools.lru_cache(maxsize=256)
def _titles(names: tuple[str, ...]) -> Any:
    return sys.modules["pandas"].Index(names)


def _restore(definitions: dict[str, Definition]) -> Plan:
    return Plan(**definitions)
