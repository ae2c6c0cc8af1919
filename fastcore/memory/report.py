"""A report of the changes to a DataFrame, column by column, and how to undo them."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcore.dispatch.formatting import table
from fastcore.memory.sizes import holds_objects, owner

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ColumnReport", "IndexReport", "MemoryReport", "Origin"]


class Origin:
    """The array behind a column that was made: a view of it, under whatever label, is that column."""

    __slots__ = ("_array",)

    def __init__(self, values: Any) -> None:
        held = owner(values)
        held = owner(getattr(held, "_codes", getattr(held, "_data", held)))  # of a category; of nullable integers
        self._array = weakref.ref(held) if isinstance(held, np.ndarray) else None

    @property
    def array(self) -> NDArray[Any] | None:
        """The array, as long as a frame has it."""
        return None if self._array is None else self._array()

    def __reduce__(self) -> tuple[Any, ...]:
        return Origin, (None,)  # a copy in another process shares no memory with the frame


@dataclass(frozen=True)
class ColumnReport:
    """The report of one column.

    Attributes
    ----------
    name : object
        Its label.
    before, after : str
        Its dtype before and after.
    bytes_before, bytes_after : int
        Each object counted once.
    change : str
        ``none``, ``int32``, ``float32``, ``ticks``, ``category``, ``datetime`` or ``shared``: text of which equal
        values are one object.
    reason : str
        Why it was changed, or why not.
    value_error, difference_error : float
        The largest relative error of a value, and of the difference of any two; 0 where nothing is lost.
    exact : bool
        Whether :meth:`MemoryReport.restore` gives back every bit of it.
    tick : float or None
        What its integers count, after ``ticks``.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastcore.memory import optimize_dataframe
    >>> frame = pd.DataFrame({"volume": [100, 200, 300]})
    >>> column = optimize_dataframe(frame)[1].column("volume")
    >>> column.before, column.after, column.exact
    ('int64', 'int32', True)
    """

    name: Any
    before: str
    after: str
    bytes_before: int
    bytes_after: int
    change: str = "none"
    reason: str = ""
    value_error: float = 0.0
    difference_error: float = 0.0
    exact: bool = True
    tick: float | None = None
    _dtype: Any = field(default=None, repr=False, compare=False)
    _restore: Any = field(default=None, repr=False, compare=False)
    _span: Any = field(default=None, repr=False, compare=False)
    _origin: Any = field(default=None, repr=False, compare=False)

    @property
    def saved(self) -> float:
        """The share of its bytes that was saved, from 0 to 1."""
        return 1 - self.bytes_after / self.bytes_before if self.bytes_before else 0.0

    def _restored(self, series: pd.Series[Any], label: Any) -> pd.Series[Any]:
        """The column that was made, or what was computed from it, as it would have been before."""
        if self._restore is None or (series.dtype == self._dtype and self.change != "ticks"):
            return series
        if str(series.dtype) == self.after:
            return self._restore(series)
        if holds_objects(self._dtype) and str(series.dtype) == "str":
            return series  # restored before, and taken for text by pandas since
        if self.change == "ticks" and series.dtype.kind == "f":
            return self._unticked(series, label)
        if self.change == "int32" and series.dtype.kind == "f":
            return series  # shifted, or means: integers of 64 bits would have become the same floats
        raise ValueError(f"{label}: expected {self.after}, as it was left, or {self.before}, got {series.dtype}")

    def _unticked(self, series: pd.Series[Any], label: Any) -> pd.Series[Any]:
        """Floats in place of counts: counts too, after a shift or a mean, or values that were restored before.

        Which of the two is told by where they lie. Where both or neither would do, it is an error.
        """
        assert self.tick is not None
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        values = values[np.isfinite(values)]
        if not values.size or self.tick == 1:
            return self._restore(series)
        low, high = float(values.min()), float(values.max())
        first, last = self._span
        counts = first / self.tick - 0.5 <= low and high <= last / self.tick + 0.5
        restored = first - self.tick / 2 <= low and high <= last + self.tick / 2
        if counts == restored:
            raise ValueError(
                f"{label}: expected {self.after} counts of {self.tick:g}, or floats that are either counts or values "
                f"from {first:g} to {last:g}, got {series.dtype} from {low:g} to {high:g}"
            )
        return self._restore(series) if counts else series


@dataclass(frozen=True)
class IndexReport:
    """What became of the index: its bytes before and after, and why it was changed."""

    bytes_before: int
    bytes_after: int
    reason: str
    _ways: Any = field(default=(), repr=False, compare=False)
    _labels: Any = field(default_factory=dict, repr=False, compare=False)  # under which reset_index has its levels

    def _restored_column(self, series: pd.Series[Any], label: Any) -> pd.Series[Any]:
        """A level that has become a column."""
        import pandas as pd

        way = self._labels.get(label)
        if way is None or series.dtype.kind != "M":
            return series
        texts = way(pd.DatetimeIndex(series))
        return pd.Series(texts.array, index=series.index, name=series.name, dtype=texts.dtype)

    def _restored(self, index: pd.Index[Any]) -> pd.Index[Any]:
        import pandas as pd

        if not isinstance(index, pd.MultiIndex):
            return self._ways[0](index) if len(self._ways) == 1 else index
        if len(self._ways) != index.nlevels:
            return index
        levels = [level if way is None else way(level) for way, level in zip(self._ways, index.levels)]
        return index.set_levels(levels, verify_integrity=False)


@dataclass(frozen=True)
class MemoryReport:
    """What :func:`fastcore.memory.optimize_dataframe` did. ``str()`` of it is a table.

    Attributes
    ----------
    columns : tuple of ColumnReport
    index_bytes : int
        Of the index before.
    certified : float or None
        The largest relative error of the caller's indicators, where they were asked; see ``certify``.
    index : IndexReport or None
        What became of an index of dates held as text; None where it stayed as it was.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastcore.memory import optimize_dataframe
    >>> frame = pd.DataFrame({"exchange": ["XNAS"] * 1000, "volume": range(1000)})
    >>> smaller, report = optimize_dataframe(frame)
    >>> report.bytes_after < report.bytes_before, report.exact
    (True, True)
    >>> report.restore(smaller).equals(frame)
    True
    """

    columns: tuple[ColumnReport, ...]
    index_bytes: int
    certified: float | None = None
    index: IndexReport | None = None

    @property
    def bytes_before(self) -> int:
        return self.index_bytes + sum(column.bytes_before for column in self.columns)

    @property
    def bytes_after(self) -> int:
        index = self.index_bytes if self.index is None else self.index.bytes_after
        return index + sum(column.bytes_after for column in self.columns)

    @property
    def saved(self) -> float:
        """The share of the frame's bytes, its index included, that was saved."""
        return 1 - self.bytes_after / self.bytes_before if self.bytes_before else 0.0

    @property
    def exact(self) -> bool:
        """Whether :meth:`restore` gives back every bit."""
        return all(column.exact for column in self.columns)

    def column(self, name: Any) -> ColumnReport:
        """Return the first column of that label.

        Raises
        ------
        KeyError
            If there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def restore(self, df: pd.DataFrame, renamed: Mapping[Any, Any] | None = None) -> pd.DataFrame:
        """Return `df` with the dtypes and values from before.

        Parameters
        ----------
        df : DataFrame
            What came with this report, or what was made of it: rows of it, shifted or reindexed, means of its bars,
            with columns added, dropped, renamed, in another order, or moved into the index and out of it. Columns that
            are not of the report stay as they are, and so does one that was restored before.
        renamed : mapping, optional
            The new labels of renamed columns and the labels that the report has for them. A column that was renamed and
            not changed otherwise is found without.

        Returns
        -------
        DataFrame
            Bit by bit what was there, except for the columns whose ``exact`` is False: those keep the error stated.

        Raises
        ------
        ValueError
            If a column of the report has neither the dtype it was given nor the one it came with; if floats in place of
            counts of ticks may be counts as well as values; if a column may be one of several of the report.
        """
        restored = df.copy(deep=False)
        matched = self._matched(df, dict(renamed or {}))
        for at, (label, column) in enumerate(zip(df.columns, matched)):
            if column is not None:
                restored.isetitem(at, column._restored(df.iloc[:, at], label))
            elif self.index is not None and label not in df.index.names:
                restored.isetitem(at, self.index._restored_column(df.iloc[:, at], label))
        index = df.index if self.index is None else self.index._restored(df.index)
        restored.index = self._levels(index, matched)
        return restored

    def _levels(self, index: pd.Index[Any], matched: list[ColumnReport | None]) -> pd.Index[Any]:
        """The index, those of its levels restored that were columns."""
        import pandas as pd

        def restored(level: pd.Index[Any], name: Any) -> pd.Index[Any]:
            was = [column for column in self.columns if column.name == name and column not in matched]
            if len(was) == 1 and isinstance(level, pd.RangeIndex) and was[0]._dtype.kind == "f":
                level = level.astype(was[0].after)  # pandas makes a range of integers that are one
            if len(was) != 1 or was[0]._restore is None or str(level.dtype) != was[0].after:
                return level
            values = was[0]._restored(level.to_series(), name)
            return pd.Index(values, name=level.name, dtype=values.dtype)

        if not isinstance(index, pd.MultiIndex):
            return restored(index, index.name)
        levels = [restored(level, name) for level, name in zip(index.levels, index.names)]
        return index if all(map(operator.is_, levels, index.levels)) else index.set_levels(levels)

    def _matched(self, df: pd.DataFrame, renamed: dict[Any, Any]) -> list[ColumnReport | None]:
        """For each column of `df` that of the report which it was: by label, by the memory it shares, by `renamed`."""
        for label, name in renamed.items():
            if label not in df.columns or all(column.name != name for column in self.columns):
                raise ValueError(
                    f"renamed: expected a column of the frame and one of the report, got {label!r}: {name!r}"
                )
        names = [renamed.get(label, label) for label in df.columns]
        arrays = [Origin(df.iloc[:, at]._values).array for at in range(df.shape[1])]
        made = {id(column._origin.array): column for column in reversed(self.columns) if column._origin is not None}
        matched: list[ColumnReport | None] = []
        for at, name in enumerate(names):
            if arrays[at] is not None and id(arrays[at]) in made:  # whatever its label is now
                matched.append(made[id(arrays[at])])
                continue
            same = [column for column in self.columns if column.name == name]
            if len(same) > 1 and len(same) == names.count(name):
                matched.append(same[names[:at].count(name)])
                continue
            if len(same) == 1:
                matched.append(same[0])
                continue
            if len({(c.change, c.tick, c.before, c.after) for c in same}) > 1:
                raise ValueError(
                    f"{name}: expected all columns of this label, or one of them as it was left, got another"
                )
            matched.append(same[0] if same else None)
        self._check_missing(df, matched, renamed)
        return matched

    def _check_missing(self, df: pd.DataFrame, matched: list[ColumnReport | None], renamed: dict[Any, Any]) -> None:
        """Refuse integers of another label while counts of ticks are missing: they would be left as other numbers."""
        missing = [c for c in self.columns if c.change == "ticks" and c.tick != 1 and c not in matched]
        for at, (label, column) in enumerate(zip(df.columns, matched)):
            alike = [c for c in missing if str(df.dtypes.iloc[at]) == c.after]
            if column is None and alike and label not in renamed:
                raise ValueError(
                    f"{label}: expected a column of the report, or renamed= saying which it was; it has the dtype of "
                    f"{alike[0].name!r}, which is held as counts of {alike[0].tick:g} and is not in the frame"
                )

    def __str__(self) -> str:
        head = ("column", "before", "after", "bytes", "then", "saved", "error of differences", "why")
        rows: list[tuple[str, ...]] = [head]
        for c in self.columns:
            error = "0" if c.difference_error == 0 else f"{c.difference_error:.2g}"
            sizes = f"{c.bytes_before:,}", f"{c.bytes_after:,}"
            rows.append((str(c.name), c.before, c.after, *sizes, f"{c.saved:.1%}", error, c.reason))
        total = f"{self.bytes_before:,}", f"{self.bytes_after:,}"
        why = "" if self.index is None else self.index.reason
        rows.append(("with the index", "", "", *total, f"{self.saved:.1%}", "", why))
        text = table(rows, numbers=0)
        if self.certified is not None:
            text += f"\nlargest error of the indicators asked: {self.certified:.3g}"
        return text
