"""An index in fewer bytes: dates held as text become datetime64."""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastcore.memory.columns import dates_of, texts_of
from fastcore.memory.report import IndexReport
from fastcore.memory.sizes import index_bytes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SmallerIndex", "smaller_index"]


@dataclass(frozen=True)
class SmallerIndex:
    """An index in fewer bytes, and what was done to it."""

    made: pd.Index[Any]
    report: IndexReport


def smaller_index(index: pd.Index[Any], dates: Collection[Any]) -> SmallerIndex | None:
    """Return the index with its text dates as datetime64; None where it, or no level of it, is such a text.

    Parameters
    ----------
    dates : names of the index, or of its levels, that may change
    """
    import pandas as pd

    if not isinstance(index, pd.MultiIndex):
        found = _converted(index) if index.name in dates else None
        if found is None:
            return None
        made, restore = found
        return _changed(index, made, (restore,))
    levels, ways = list(index.levels), []
    for at, (name, level) in enumerate(zip(index.names, levels)):
        found = _converted(level) if name in dates else None
        ways.append(None if found is None else found[1])
        if found is not None:
            levels[at] = found[0]
    if not any(ways):
        return None
    return _changed(index, index.set_levels(levels, verify_integrity=False), tuple(ways))


def _changed(before: pd.Index[Any], made: pd.Index[Any], ways: tuple[Any, ...]) -> SmallerIndex | None:
    import pandas as pd

    old, new = index_bytes(before), index_bytes(made)
    if new >= old:
        return None
    names = [name for name, way in zip(made.names, ways) if way is not None]
    reason = f"dates held as text in {', '.join('the index' if name is None else str(name) for name in names)}"
    single = not isinstance(made, pd.MultiIndex)
    labels = [name if name is not None else "index" if single else f"level_{at}" for at, name in enumerate(made.names)]
    return SmallerIndex(made, IndexReport(old, new, reason, ways, dict(zip(labels, ways))))


def _converted(index: pd.Index[Any]) -> tuple[pd.Index[Any], Any] | None:
    if str(index.dtype) not in ("object", "str", "string"):
        return None
    found = dates_of(np.asarray(index.array, dtype=object))
    if found is None:
        return None
    pattern, made = found
    return made.rename(index.name), functools.partial(_formatted, pattern=pattern, dtype=index.dtype)


def _formatted(index: pd.Index[Any], pattern: str, dtype: Any) -> pd.Index[Any]:
    """Return the dates as text again; an index that is no longer one of dates stays as it is."""
    import pandas as pd

    if not isinstance(index, pd.DatetimeIndex):
        return index
    return texts_of(index, pattern, "index").astype(dtype)
