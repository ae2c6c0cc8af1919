"""An indicator that takes one bar at a time."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from fastcore.dispatch import backends
from fastcore.indicators import coerce, missing, saved
from fastcore.indicators.coded import CodedLive
from fastcore.indicators.forking import keep_whole
from fastcore.indicators.registry import Indicator
from fastcore.indicators.results import result_type

if TYPE_CHECKING:
    from fastcore.indicators.definition import Definition

__all__ = ["Live"]

Result = TypeVar("Result", covariant=True)


class Live(Generic[Result]):
    """An indicator that is updated bar by bar.

    Made by :meth:`Definition.live`, on the twin that the flag ``indicators`` names at that moment; it stays on it. It
    keeps as much as its window is long, however long it runs, and gives what the function would give for all its
    bars. Threads may share it: each bar is taken whole.

    Parameters
    ----------
    definition : Definition
        Such as ``RSI(14)``.
    nan : {'talib'}, optional
        The policy towards missing data, as the functions take it.

    Attributes
    ----------
    definition : Definition
    nan : str or None
    backend : str
        ``"compiled"`` or ``"python"``.
    update : callable
        ``update(*bar)`` takes the next bar, one number an input, and returns the indicator's value at it: a float, or
        a named tuple of floats. A number that is not finite is a missing value.
    peek : callable
        ``peek(*bar)`` returns what `update` would and changes nothing: for a bar that is still forming.

    Examples
    --------
    >>> from fastcore import indicators as ta
    >>> live = ta.SMA(2).live([1.0, 2.0])
    >>> live.value, live.peek(4.0), live.update(3.0)
    (1.5, 3.0, 2.5)
    """

    __slots__ = ("__weakref__", "_core", "backend", "definition", "nan", "peek", "update")

    definition: Definition
    nan: Literal["talib"] | None
    backend: str
    update: Callable[..., Result]
    peek: Callable[..., Result]

    def __init__(self, definition: Definition, nan: Literal["talib"] | None = None) -> None:
        row = getattr(definition, "row", None)
        if isinstance(definition, type) or not isinstance(row, Indicator) or not hasattr(definition, "values"):
            instead = coerce.instead_of(definition)
            hint = f"; write {instead}" if instead else ""
            raise TypeError(f"definition: expected a definition such as RSI(14), got {type(definition).__name__}{hint}")
        backend = backends.backend_for("indicators")
        make = result_type(row)
        source, params = missing.core(row, definition.values, nan)
        core = backends.twin("indicators", backend).Live(source, params, None if nan else make)
        self._setup(definition, backend, CodedLive(core, make) if nan else core, nan)

    def _setup(self, definition: Definition, backend: str, core: Any, nan: Literal["talib"] | None) -> None:
        self.definition = definition
        self.nan = nan
        self.backend = backend
        self._core = core
        keep_whole(self)
        # The twin's own methods, so that a call costs nothing more.
        self.update = core.update
        self.peek = core.peek

    @property
    def value(self) -> Result:
        """The value of the last update; NaN before the first."""
        value: Result = self._core.value
        return value

    @property
    def count(self) -> int:
        """The number of bars it was given."""
        count: int = self._core.count
        return count

    def extend(self, *series: Any) -> Any:
        """Take every bar of `series` in turn.

        Parameters
        ----------
        *series : array_like
            One an input, 1-D and of one length.

        Returns
        -------
        ndarray or Series, or a named tuple of them
            The indicator's value at each of these bars.

        Raises
        ------
        TypeError, ValueError
            If the series are not as described; nothing has changed then.
        """
        row = self.definition.row
        if len(series) != len(row.inputs):
            expected = f"{len(row.inputs)} series ({', '.join(row.inputs)})"
            raise TypeError(f"extend: expected {expected}, got {len(series)}")
        arrays, form = coerce.arrays(row.inputs, series, ndims=(1,))
        if form is not None and form.symbols is not None:
            raise ValueError("extend: expected the bars of one symbol, got a Series of several: a Board takes them")
        result = self._core.extend(*arrays)
        finish = None if form is None else coerce.finisher(row, form)
        return result if finish is None else finish(result if row.result else (result,))

    def copy(self) -> Live[Result]:
        """Return an independent indicator in the same state."""
        return self._of(self.definition, self.backend, self._core.copy(), self.nan)

    @classmethod
    def _of(cls, definition: Definition, backend: str, core: Any, nan: Literal["talib"] | None) -> Live[Result]:
        made = cls.__new__(cls)
        made._setup(definition, backend, core, nan)
        return made

    def __copy__(self) -> Live[Result]:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Live[Result]:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        made_of = saved.made_of({"live": self.definition}, self.nan)
        core = self._core.core if self.nan else self._core
        return _restore, (self.definition, self.backend, pickle.dumps(core), made_of, self.nan)

    def __repr__(self) -> str:
        return f"<live {self.definition}: {self.value} after {self.count} bars>"


def _restore(
    definition: Definition, backend: str, state: bytes, made_of: Any = None, nan: Literal["talib"] | None = None
) -> Live[Any]:
    backends.twin("indicators", backend)  # says why, if that twin may not run here
    core = saved.load("live", {"live": definition}, state, made_of, nan)
    return Live._of(definition, backend, CodedLive(core, result_type(definition.row)) if nan else core, nan)
