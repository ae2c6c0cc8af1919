"""What was done to a DataFrame, column by column, and the way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastcore.dispatch.text import table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ColumnReport", "MemoryReport"]


@dataclass(frozen=True)
class ColumnReport:
    """One column.

    Attributes
    ----------
    name : object
        Its label.
    before, after : str
        Its dtype before and after.
    bytes_before, bytes_after : int
        Each object counted once.
    change : str
        ``none``, ``int32``, ``float32``, ``ticks``, ``category`` or ``datetime``.
    reason : str
        Why it was changed, or why not.
    value_error, difference_error : float
        The largest relative error of a value, and of the difference of any two; 0 where nothing is lost.
    exact : bool
        Whether :meth:`MemoryReport.restore` gives back every bit of it.
    tick : float or None
        What its integers count, after ``ticks``.
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

    @property
    def saved(self) -> float:
        """The share of its bytes that is gone, from 0 to 1."""
        return 1 - self.bytes_after / self.bytes_before if self.bytes_before else 0.0


@dataclass(frozen=True)
class MemoryReport:
    """What :func:`fastcore.memory.optimize_dataframe` did. ``str()`` of it is a table.

    Attributes
    ----------
    columns : tuple of ColumnReport
    index_bytes : int
        The index is never changed.
    certified : float or None
        The largest relative error of the caller's indicators, where they were asked; see ``certify``.
    """

    columns: tuple[ColumnReport, ...]
    index_bytes: int
    certified: float | None = None

    @property
    def bytes_before(self) -> int:
        return self.index_bytes + sum(column.bytes_before for column in self.columns)

    @property
    def bytes_after(self) -> int:
        return self.index_bytes + sum(column.bytes_after for column in self.columns)

    @property
    def saved(self) -> float:
        """The share of the frame's bytes, its index included, that is gone."""
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

    def restore(self, df: pd.DataFrame) -> pd.DataFrame:
        """Return `df` with the dtypes and values from before.

        Parameters
        ----------
        df : DataFrame
            What came with this report, or rows of it, or with columns added, dropped or in another order. Columns that
            are not of the report stay as they are, and so does one that has its first dtype again.

        Returns
        -------
        DataFrame
            Bit by bit what was there, except for the columns whose ``exact`` is False: those keep the error stated.

        Raises
        ------
        ValueError
            If a column of the report has neither the dtype it was given nor the one it came with.
        """
        known: dict[Any, Iterator[ColumnReport]] = {}
        counts = Counter(column.name for column in self.columns)
        for name in counts:
            known[name] = iter([column for column in self.columns if column.name == name])
        restored = df.copy(deep=False)
        for at, name in enumerate(df.columns):
            column = next(known[name], None) if name in known else None
            if column is None or column._restore is None:
                continue
            series = df.iloc[:, at]
            if series.dtype == column._dtype:
                continue
            if str(series.dtype) != column.after:
                raise ValueError(
                    f"{name}: expected {column.after}, as it was left, or {column.before}, got {series.dtype}"
                )
            restored.isetitem(at, column._restore(series))
        return restored

    def __str__(self) -> str:
        head = ("column", "before", "after", "bytes", "then", "saved", "error of differences", "why")
        rows: list[tuple[str, ...]] = [head]
        for c in self.columns:
            error = "0" if c.difference_error == 0 else f"{c.difference_error:.2g}"
            sizes = f"{c.bytes_before:,}", f"{c.bytes_after:,}"
            rows.append((str(c.name), c.before, c.after, *sizes, f"{c.saved:.1%}", error, c.reason))
        total = f"{self.bytes_before:,}", f"{self.bytes_after:,}"
        rows.append(("with the index", "", "", *total, f"{self.saved:.1%}", "", ""))
        text = table(rows, numbers=0)
        if self.certified is not None:
            text += f"\nlargest error of the indicators asked: {self.certified:.3g}"
        return text
