"""Board: every indicator of a Plan for many symbols, updated by one call per tick."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastcore.dispatch import backends
from fastcore.indicators import coerce, missing, saved
from fastcore.indicators.coded import CodedBoard
from fastcore.indicators.forking import keep_whole
from fastcore.indicators.results import result_type

if TYPE_CHECKING:
    from fastcore.indicators.plan import Plan

__all__ = ["Board"]

SYMBOLS_MAX = 100_000_000


class Board:
    """Every indicator of a Plan for many symbols, updated bar by bar.

    Made by :meth:`Plan.live`, on the twin that the flag ``indicators`` names at that moment; it stays on it.
    ``board["rsi"]`` is an array with one value per symbol, or a named tuple of such arrays: the same arrays until
    symbols are added, changed in place by each update and not writable from outside. Threads may share it: each
    tick is taken whole. From 200,000 values (symbols times indicators) on, the compiled twin divides a tick and a
    history among threads, one for each 100,000 values; a history among at most one a processor, a tick among one fewer.
    That one is left to the rest of the program: where a tick has threads on all of them, whatever else must run holds
    it up, so that single ticks take many times the usual. With two processors a tick runs in its caller's thread, which
    takes longer at the median and has a shorter tail. A pickle holds the whole state;
    a later version of the package reads it where the definitions are computed in the same way, and says otherwise
    which are not.

    Attributes
    ----------
    plan : Plan
    symbols : int
    nan : str or None
        The policy towards missing data.
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

    __slots__ = ("__weakref__", "_core", "_names", "_outputs", "backend", "nan", "plan", "symbols")

    def __init__(self, plan: Plan, symbols: int, nan: Literal["talib"] | None = None) -> None:
        if not hasattr(plan, "definitions"):
            raise TypeError(f"plan: expected a Plan, got {type(plan).__name__}")
        count = coerce.count("symbols", symbols, SYMBOLS_MAX)
        if "at" in plan.columns:
            raise ValueError("plan: expected columns of other names, got at, which update() takes for the symbols")
        backend = backends.backend_for("indicators")
        specs = [(*missing.core(one.row, one.values, nan), one.columns) for one in plan.definitions.values()]
        made = backends.twin("indicators", backend).Board(specs, count)
        self._setup(plan, backend, CodedBoard(made, len(specs)) if nan else made, nan)

    def _setup(self, plan: Plan, backend: str, core: Any, nan: Literal["talib"] | None) -> None:
        self.plan = plan
        self.nan = nan
        self.backend = backend
        self._core = core
        keep_whole(self)
        self._names = frozenset(plan.columns)
        self._look()

    def _look(self) -> None:
        """Look into the outputs of the core."""
        self.symbols = self._core.symbols
        outputs = {}
        for i, (name, definition) in enumerate(self.plan.definitions.items()):
            views = [_locked(output) for output in self._core.output(i)]
            make = result_type(definition.row)
            outputs[name] = views[0] if make is None else make(*views)
        self._outputs = outputs

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

    def extend(self, history: Mapping[str, Any], *, at: Any = None) -> None:
        """Take many bars of every symbol, or of some.

        Parameters
        ----------
        history : mapping of column name to array_like
            The plan's columns, and maybe others: symbols x bars, oldest first.
        at : array_like of int, optional
            Indices of the symbols whose history it is, in the order of its rows. By default all.

        Raises
        ------
        TypeError, ValueError
            If a column is missing, or an array is not as described; nothing has changed then.
        """
        if at is not None:
            at = coerce.indices("at", at, self.symbols)
        self._core.extend(self._panels(history, self.symbols if at is None else len(at)), at)

    def add(self, symbols: int | None = None, history: Mapping[str, Any] | None = None) -> None:
        """Take more symbols; they come after those that the board has.

        ``board["rsi"]`` is another array from then on.

        Parameters
        ----------
        symbols : int, optional
            How many. By default as many as `history` has rows.
        history : mapping of column name to array_like, optional
            Their bars so far: symbols x bars.
        """
        if symbols is None:
            if history is None:
                raise ValueError("symbols: expected an int, or a history that has one row per symbol, got neither")
            symbols = len(self.plan.panels(history)[0])
        count = coerce.count("symbols", symbols, SYMBOLS_MAX)
        self._core.add(count, None if history is None else self._panels(history, count))
        self._look()

    def reset(self, *, at: Any = None, names: Any = None) -> None:
        """Begin again, as if there had been no bars: for a new session, or another symbol in the place of one.

        Parameters
        ----------
        at : array_like of int, optional
            Indices of the symbols. By default all.
        names : str or sequence of str, optional
            The indicators, such as ``"vwap"``. By default all.

        Raises
        ------
        TypeError, ValueError
            If an index or a name is not one of the board's; nothing has changed then.
        """
        known = list(self._outputs)
        if names is not None and not isinstance(names, Iterable):
            raise TypeError(f"names: expected some of {', '.join(known)}, got {coerce.shown(names)}")
        wanted = known if names is None else [names] if isinstance(names, str) else list(names)
        for name in wanted:
            if name not in known:
                raise ValueError(f"names: expected some of {', '.join(known)}, got {name!r}")
        if at is not None:
            at = coerce.indices("at", at, self.symbols)
        self._core.reset(at, None if names is None else [known.index(name) for name in wanted])

    @property
    def ready(self) -> Any:
        """For each symbol, whether every indicator has a value at its last bar: a new array of bools."""
        outputs = [x for result in self._outputs.values() for x in (result if isinstance(result, tuple) else (result,))]
        return ~np.isnan(outputs).any(axis=0)

    def _panels(self, history: Mapping[str, Any], rows: int) -> dict[str, Any]:
        panels = self.plan.panels(history)
        if len(panels[0]) != rows:
            raise ValueError(f"history: expected {rows} rows, one a symbol, got {len(panels[0])}")
        return dict(zip(self.plan.columns, panels))

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
        return self._of(self.plan, self.backend, self._core.copy(), self.nan)

    @classmethod
    def _of(cls, plan: Plan, backend: str, core: Any, nan: Literal["talib"] | None) -> Board:
        made = cls.__new__(cls)
        made._setup(plan, backend, core, nan)
        return made

    def __copy__(self) -> Board:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Board:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        made_of = saved.made_of(self.plan.definitions, self.nan)
        core = self._core.core if self.nan else self._core
        return _restore, (self.plan, self.symbols, self.backend, pickle.dumps(core), made_of, self.nan)

    def __repr__(self) -> str:
        return f"<board of {self.symbols} symbols: {', '.join(self._outputs)}>"


def _locked(output: Any) -> Any:
    view = output.view()
    view.flags.writeable = False
    return view


def _restore(
    plan: Plan,
    symbols: int,
    backend: str,
    state: bytes,
    made_of: Any = None,
    nan: Literal["talib"] | None = None,
) -> Board:
    backends.twin("indicators", backend)  # says why, if that twin may not run here
    core = saved.load("board", plan.definitions, state, made_of, nan)
    return Board._of(plan, backend, CodedBoard(core, len(plan.definitions)) if nan else core, nan)
