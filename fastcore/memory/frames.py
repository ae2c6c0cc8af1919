"""Smaller DataFrames, with a report of the changes that can undo them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fastcore import metrics
from fastcore.memory import columns as rules
from fastcore.memory.bounds import indicator_error
from fastcore.memory.columns import Outcome, kept
from fastcore.memory.indexes import SmallerIndex, smaller_index
from fastcore.memory.report import ColumnReport, MemoryReport, Origin
from fastcore.memory.sizes import holds_objects, index_bytes, owner, values_bytes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["align_categories", "is_dataframe", "optimize_dataframe"]

Arithmetic = Literal["sums", "products"]
_LIMITS: dict[Arithmetic, int] = {"sums": rules._SUMMABLE, "products": math.isqrt(rules._INT32.max)}


def is_dataframe(value: object) -> bool:
    """Say whether `value` is a pandas DataFrame, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def optimize_dataframe(
    df: pd.DataFrame,
    max_relative_error: float = 0.0,
    tick_size: float | Mapping[Any, float] | Literal["auto"] | None = None,
    *,
    certify: Callable[[pd.DataFrame], Any] | Iterable[Callable[[pd.DataFrame], Any]] | None = None,
    categories: bool | Collection[Any] = True,
    dates: bool | Collection[Any] = True,
    integers: bool = True,
    arithmetic: Arithmetic = "sums",
) -> tuple[pd.DataFrame, MemoryReport]:
    """Return a DataFrame of the same rows in fewer bytes, and what was done to each of its columns.

    Without further arguments nothing is lost: integers of 64 bits, and floats that are all whole numbers, become int32
    where they fit; text that repeats becomes a category; dates held as text, in a column or in the index, become
    datetime64; and every other column stays. ``attrs``, flags and the order of columns are kept; `df` itself is not
    changed.

    Parameters
    ----------
    df : DataFrame
    max_relative_error : float, default 0.0
        Above 0, float64 becomes float32 where neither a value, nor the difference between any two values of the column,
        changes by more than this share. 0.01 suits prices; 0 keeps float64.
    tick_size : float, mapping of column to float, or 'auto', optional
        Hold float columns as int32 counts of ticks, where every value is a whole number of them. A form for storage:
        the values of these columns are others until ``report.restore`` is called. Of a single number, columns that do
        not fit are left as they are. 'auto' finds the decimals of each column, up to six.
    certify : callable or iterable of callables, optional
        Indicators, each a function of a DataFrame. Columns whose differences do not keep the bound become float32 all
        the same if no output of these changes by more than `max_relative_error`; and those that do keep it are
        certified too. See :func:`fastcore.memory.indicator_error`.
    categories : bool or columns, default True
        Text columns to hold as categories, where measured bytes fall. A category takes no value that is not in its
        dictionary, and frames of different dictionaries lose it when joined: see :func:`align_categories`. Other text
        keeps its dtype, and equal values become one object.
    dates : bool or columns, default True
        Text to hold as datetime64, where it is dates of one ISO format: columns, and the index or its levels by name.
    integers : bool, default True
        Whether integers, and floats that are whole numbers, become int32.
    arithmetic : {'sums', 'products'}, default 'sums'
        What int32 columns must bear: the sum and difference of two of their values, or also the product. numpy and
        pandas do not tell when an int32 overflows.

    Returns
    -------
    DataFrame, MemoryReport

    Raises
    ------
    TypeError, ValueError
        If an argument is not one of those described.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastcore.memory import optimize_dataframe
    >>> frame = pd.DataFrame({"exchange": ["XNAS"] * 500, "close": [187.2] * 500, "volume": range(500)})
    >>> smaller, report = optimize_dataframe(frame)
    >>> dict(smaller.dtypes.astype(str))
    {'exchange': 'category', 'close': 'float64', 'volume': 'int32'}
    """
    if not is_dataframe(df):
        raise TypeError(f"df: expected a pandas DataFrame, got {type(df).__name__}")
    bound = _checked_bound(max_relative_error)
    ticks = _checked_ticks(tick_size, df)
    limit = _LIMITS.get(arithmetic)
    if limit is None:
        raise ValueError(f"arithmetic: expected 'sums' or 'products', got {arithmetic!r}")
    rule = _Rule(
        bound, ticks, limit if integers else 0, _chosen("categories", categories, df), _chosen("dates", dates, df)
    )
    outcomes = [_judged(df.iloc[:, at], name, rule) for at, name in enumerate(df.columns)]
    certified = None
    if certify is not None and bound > 0:
        outcomes, certified = _certified(df, outcomes, bound, certify, ticks)
    made = _assembled(df, outcomes)
    index = smaller_index(df.index, rule.dates)
    if index is not None:
        made.index = index.made
    report = _reported(df, made, outcomes, certified, index)
    metrics.counter("fastcore_dataframe_bytes_saved_total").add(max(0, report.bytes_before - report.bytes_after))
    return made, report


class _Rule(NamedTuple):
    """The options of the caller."""

    bound: float
    ticks: Mapping[Any, float | None]  # None: whatever decimals the column has
    limit: int  # of an int32; 0 for no int32
    categories: frozenset[Any]
    dates: frozenset[Any]


def _judged(series: pd.Series[Any], name: Any, rule: _Rule) -> Outcome:
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize == 8:
        return _float(series, name, rule)
    if str(dtype) in ("int64", "uint64", "Int64", "UInt64"):
        return rules.as_int32(series, rule.limit) if rule.limit else kept("integers, left alone as asked")
    if holds_objects(dtype) or str(dtype) in ("str", "string"):
        outcome = rules.as_datetime(series) if name in rule.dates else kept("")
        if outcome.values is None and name in rule.categories:
            outcome = rules.as_category(series)
        if outcome.values is None and (shared := rules.as_shared_text(series)).values is not None:
            return shared
        return outcome if outcome.reason else kept("text, left alone as asked")
    return kept(f"nothing to gain from {dtype}")


def _float(series: pd.Series[Any], name: Any, rule: _Rule) -> Outcome:
    mapped = isinstance(owner(series._values), np.memmap)  # narrowing would read the file into memory
    whole = rules.as_whole(series, rule.limit) if rule.limit and not mapped else kept("")
    if name in rule.ticks:
        tick = rule.ticks[name]
        tried = [rules.as_ticks(series, each) for each in (rules.DECIMALS if tick is None else (tick,))]
        found = next((outcome for outcome in tried if outcome.values is not None), tried[-1])
        return whole if whole.values is not None and (tick is None or found.values is None) else found
    if whole.values is not None:
        return whole
    return rules.as_float32(series, rule.bound) if rule.bound > 0 else kept("float64, and no error is allowed")


def _certified(
    df: pd.DataFrame, outcomes: list[Outcome], bound: float, certify: Any, ticks: Mapping[Any, float | None]
) -> tuple[list[Outcome], float]:
    """Ask the caller's indicators: first with every float column narrow, then with those that keep the bound."""
    doubtful = [
        at
        for at, outcome in enumerate(outcomes)
        if outcome.values is None and df.dtypes.iloc[at] == np.float64 and df.columns[at] not in ticks
    ]
    functions = certify if callable(certify) else list(certify)
    bold = list(outcomes)
    for at in doubtful:
        bold[at] = rules.as_float32(df.iloc[:, at], math.inf)
    floats_only = [[o if o.change == "float32" else kept("") for o in choice] for choice in (bold, outcomes)]
    error = indicator_error(functions, df, _assembled(df, floats_only[0]))
    if error <= bound:
        return bold, error
    if doubtful:
        error = indicator_error(functions, df, _assembled(df, floats_only[1]))
    if error <= bound:
        return outcomes, error
    reason = f"the indicators would change by {error:.2g}"
    return [kept(reason) if o.change == "float32" else o for o in outcomes], 0.0


def _assembled(df: pd.DataFrame, outcomes: list[Outcome]) -> pd.DataFrame:
    import pandas as pd

    made = df.copy(deep=False)
    kept_bytes: dict[int, int] = {}
    views: list[tuple[int, Any, Any]] = []
    for at, outcome in enumerate(outcomes):
        if outcome.values is not None:
            made.isetitem(at, outcome.values)
            continue
        values = df.iloc[:, at]._values
        holder = owner(values)
        if isinstance(holder, np.ndarray) and not isinstance(holder, np.memmap):
            kept_bytes[id(holder)] = kept_bytes.get(id(holder), 0) + int(values.nbytes)
            views.append((at, values, holder))
    for at, values, holder in views:
        # A column that is a view keeps all of what it is a view of alive: the bytes of its changed neighbours, or a
        # matrix of objects that the frame was made from.
        if kept_bytes[id(holder)] < holder.nbytes:
            made.isetitem(at, pd.Series(values.copy(), index=df.index, dtype=values.dtype, copy=False))
    return made


def _reported(
    df: pd.DataFrame,
    made: pd.DataFrame,
    outcomes: list[Outcome],
    certified: float | None,
    index: SmallerIndex | None,
) -> MemoryReport:
    columns = []
    for at, outcome in enumerate(outcomes):
        before, after = df.iloc[:, at], made.iloc[:, at]
        size = values_bytes(before._values)
        columns.append(
            ColumnReport(
                df.columns[at],
                str(before.dtype),
                str(after.dtype),
                size,
                size if outcome.values is None else values_bytes(after._values),
                outcome.change,
                outcome.reason,
                outcome.value_error,
                outcome.difference_error,
                outcome.exact,
                outcome.tick,
                before.dtype,
                outcome.restore,
                outcome.span,
                Origin(after._values),
            )
        )
    return MemoryReport(tuple(columns), index_bytes(df.index), certified, None if index is None else index.report)


def align_categories(dfs: Iterable[pd.DataFrame]) -> list[pd.DataFrame]:
    """Give the frames' category columns of one name one dictionary, so that ``concat`` and ``merge`` keep them.

    Parameters
    ----------
    dfs : iterable of DataFrame
        A column takes part where it is a category in every frame that has it.

    Returns
    -------
    list of DataFrame
        In the same order, the values unchanged. An ordered category is left as it is unless all orders are equal.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastcore.memory import align_categories
    >>> frames = [pd.DataFrame({"exchange": pd.Categorical([name])}) for name in ("XNAS", "XNYS")]
    >>> pd.concat(align_categories(frames))["exchange"].dtype == "category"
    True
    """
    frames = list(dfs)
    for frame in frames:
        if not is_dataframe(frame):
            raise TypeError(f"dfs: expected pandas DataFrames, got {type(frame).__name__}")
    if not frames:
        return []
    import pandas as pd
    from pandas.api.types import union_categoricals

    aligned = [frame.copy(deep=False) for frame in frames]
    for name in dict.fromkeys(name for frame in frames for name in frame.columns):
        places = [(at, spot) for at, f in enumerate(frames) for spot, label in enumerate(f.columns) if label == name]
        held = [frames[at].iloc[:, spot] for at, spot in places]
        if len(held) < 2 or not all(isinstance(series.dtype, pd.CategoricalDtype) for series in held):
            continue
        if any(series.cat.ordered for series in held) or len({series.cat.categories.dtype for series in held}) > 1:
            continue
        union = union_categoricals([series._values for series in held]).dtype
        for (at, spot), series in zip(places, held):
            aligned[at].isetitem(spot, series.astype(union))
    return aligned


def _checked_bound(bound: float) -> float:
    if isinstance(bound, bool) or not isinstance(bound, (int, float, np.floating)):
        raise TypeError(f"max_relative_error: expected a number, got {type(bound).__name__}")
    if not 0 <= bound < 1:
        raise ValueError(f"max_relative_error: expected a number from 0 to less than 1, got {bound!r}")
    return float(bound)


def _checked_ticks(tick_size: Any, df: pd.DataFrame) -> dict[Any, float | None]:
    if tick_size is None:
        return {}
    if isinstance(tick_size, str) and tick_size == "auto":
        return dict.fromkeys(df.columns)
    if isinstance(tick_size, Mapping):
        if unknown := [name for name in tick_size if name not in df.columns]:
            raise ValueError(f"tick_size: expected columns of the frame, got {unknown[0]!r}")
        ticks = dict(tick_size)
    else:
        ticks = dict.fromkeys(df.columns, tick_size)
    for tick in ticks.values():
        if isinstance(tick, bool) or not isinstance(tick, (int, float, np.integer, np.floating)):
            raise TypeError(f"tick_size: expected a number, got {type(tick).__name__}")
        if not 0 < tick < math.inf:
            raise ValueError(f"tick_size: expected a finite number above 0, got {tick!r}")
    return ticks


def _chosen(argument: str, choice: Any, df: pd.DataFrame) -> frozenset[Any]:
    if isinstance(choice, bool):
        return frozenset((*df.columns, *df.index.names)) if choice else frozenset()
    if isinstance(choice, str) or not isinstance(choice, Collection):
        raise TypeError(f"{argument}: expected True, False or columns, got {type(choice).__name__}")
    known = {*df.columns, *df.index.names}
    if unknown := [name for name in choice if name not in known]:
        raise ValueError(f"{argument}: expected columns of the frame, got {unknown[0]!r}")
    return frozenset(choice)
