"""Board: every indicator of a Plan for many symbols, updated by one call per tick."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fastcore.dispatch import backends
from fastcore.indicators import coerce
from fastcore.indicators.forking import keep_whole
from fastcore.indicators.results import result_type

if TYPE_CHECKING:
    from fastcore.indicators.plan import Plan

__all__ = ["Board"]

SYMBOLS_MAX = 100_000_000


class Board:
    """Every indicator of a Plan for many symbols, updated bar by bar.

    Made by :meth:`Plan.live`, on the twin that the flag ``indicators`` names at that moment; it stays on it.
    ``board["rsi"]`` is an array with one value per symbol, or a named tuple of such arrays: the same arrays for the
    board's whole life, changed in place by each update and not writable from outside. Threads may share it: each tick
    is taken whole.

    Attributes
    ----------
    plan : Plan
    symbols : int
    backend : str
        ``"compiled"`` or ``"python"``.

    Examples
    --------
    >>> from fastcore import indicators as ta
    >>> board = ta.Plan(mean=ta.SMA(2)).live(symbols=3, history={"close": [[1.0], [2.0], [3.0]]})
    >>> board.update(close=[2.0, 3.0, 4.0])
    >>> board["mean"]
    array([1.5, 2.5, 3.5])
    """

    __slots__ = ("__weakref__", "_core", "_names", "_outputs", "backend", "plan", "symbols")

    def __init__(self, plan: Plan, symbols: int) -> None:
        if not hasattr(plan, "definitions"):
            raise TypeError(f"plan: expected a Plan, got {type(plan).__name__}")
        count = coerce.count("symbols", symbols, SYMBOLS_MAX)
        if "at" in plan.columns:
            raise ValueError("plan: expected columns of other names, got at, which update() takes for the symbols")
        backend = backends.backend_for("indicators")
        specs = [(*one.row.core(one.values), one.columns) for one in plan.definitions.values()]
        self._setup(plan, count, backend, backends.twin("indicators", backend).Board(specs, count))

    def _setup(self, plan: Plan, symbols: int, backend: str, core: Any) -> None:
        self.plan = plan
        self.symbols = symbols
        self.backend = backend
        self._core = core
        keep_whole(self)
        self._names = frozenset(plan.columns)
        self._outputs = {}
        for i, (name, definition) in enumerate(plan.definitions.items()):
            views = [_locked(output) for output in core.output(i)]
            make = result_type(definition.row)
            self._outputs[name] = views[0] if make is None else make(*views)

    def update(self, /, *, at: Any = None, **columns: Any) -> None:
        """Take the next bar of every symbol, or of some.

        Parameters
        ----------
        at : array_like of int, optional
            Indices of the symbols that have a bar; one that comes twice gets two bars. By default all have one. The
            others keep their values.
        **columns : array_like
            The plan's columns, each with a value a symbol, or a value for each of `at`. A value that is not finite is
            missing.

        Raises
        ------
        TypeError, ValueError
            If a column is missing or not known, or an array is not as described; nothing has changed then.
        """
        if columns.keys() != self._names:
            expected = ", ".join(self.plan.columns)
            raise TypeError(f"update: expected columns {expected}, got {', '.join(columns) or 'none'}")
        length = self.symbols
        if at is not None:
            at = coerce.indices("at", at, self.symbols)
            length = len(at)
        for name, value in columns.items():
            columns[name] = coerce.column(name, value, length)
        self._core.update(columns, at)

    def extend(self, history: Mapping[str, Any]) -> None:
        """Take many bars of every symbol.

        Parameters
        ----------
        history : mapping of column name to array_like
            The plan's columns, and maybe others: symbols x bars, oldest first.

        Raises
        ------
        TypeError, ValueError
            If a column is missing, or an array is not as described; nothing has changed then.
        """
        panels = self.plan.panels(history)
        rows = len(panels[0])
        if rows != self.symbols:
            raise ValueError(f"history: expected {self.symbols} rows, one a symbol, got {rows}")
        self._core.extend(dict(zip(self.plan.columns, panels)))

    def __getitem__(self, name: str) -> Any:
        try:
            return self._outputs[name]
        except (KeyError, TypeError):
            raise KeyError(f"expected one of {', '.join(self._outputs)}, got {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    def copy(self) -> Board:
        """Return an independent board in the same state."""
        return self._of(self.plan, self.symbols, self.backend, self._core.copy())

    @classmethod
    def _of(cls, plan: Plan, symbols: int, backend: str, core: Any) -> Board:
        made = cls.__new__(cls)
        made._setup(plan, symbols, backend, core)
        return made

    def __copy__(self) -> Board:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Board:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.plan, self.symbols, self.backend, pickle.dumps(self._core))

    def __repr__(self) -> str:
        return f"<board of {self.symbols} symbols: {', '.join(self._outputs)}>"


def _locked(output: Any) -> Any:
    view = output.view()
    view.flags.writeable = False
    return view


def _restore(plan: Plan, symbols: int, backend: str, state: bytes) -> Board:
    backends.twin("indicators", backend)  # says why, if that twin may not run here
    return Board._of(plan, symbols, backend, pickle.loads(state))
