"""DataFrames optimised on their way into a function and out of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, ParamSpec, TypeVar

from fastcore.memory.frames import _checked_bound, is_dataframe, optimize_dataframe
from fastcore.memory.wrapping import wrapped

__all__ = ["optimize_dataframe_memory"]

P = ParamSpec("P")
R = TypeVar("R")


def optimize_dataframe_memory(
    max_relative_error: float = 0.0,
    *,
    categories: bool | Collection[str] = False,
    dates: bool | Collection[str] = False,
    integers: bool = False,
    arguments: bool = True,
    result: bool = True,
    min_bytes: int = 4096,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function, plain or async, so that DataFrames reach it and leave it in fewer bytes.

    The function does not know of it, so by default only what cannot change its result is done: equal text of an object
    column becomes one object, and a column that is a view of a larger block is copied out of it. The rest is done on
    request. The caller's frame stays as it is.

    Parameters
    ----------
    max_relative_error : float, default 0.0
        As of :func:`optimize_dataframe`: above 0, results may change by about as much.
    categories : bool or names, default False
        Text columns to hold as categories. ``value_counts``, ``get_dummies`` and, before pandas 3, ``groupby`` then
        count texts that were filtered out as well, ``select_dtypes`` and ``describe`` see another dtype, and the
        function may not put in a text that the column does not hold (``TypeError``). Names that a frame does not have
        are passed over.
    dates : bool or names, default False
        Text to hold as datetime64, in columns and in the index: it then compares, sorts and prints as dates do.
    integers : bool, default False
        Whether integers, and floats that are whole numbers, become int32 where the product of any two fits. numpy and
        pandas say nothing where int32 overflows: a product with a constant, a dot product, a power, a sum of products.
    arguments, result : bool, default True
        Whether frames among the arguments, and a frame that is returned, are optimised. Frames in a list, tuple or dict
        that is returned count too.
    min_bytes : int, default 4096
        Frames of fewer bytes, their text not counted, are left as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastcore.memory import optimize_dataframe_memory
    >>> @optimize_dataframe_memory(categories=["symbol"], integers=True, min_bytes=0)
    ... def dtypes(df):
    ...     return [str(dtype) for dtype in df.dtypes]
    >>> dtypes(pd.DataFrame({"symbol": ["AAPL", "IBM"] * 50, "lots": range(100), "price": 185.23}))
    ['category', 'int32', 'float64']
    """
    bound = _checked_bound(max_relative_error)

    def smaller(value: Any) -> Any:
        if is_dataframe(value):
            if value.memory_usage(index=False).sum() < min_bytes:
                return value
            texts, days = _present(categories, value), _present(dates, value)
            chosen = {"categories": texts, "dates": days, "integers": integers}
            return optimize_dataframe(value, bound, arithmetic="products", **chosen)[0]
        if type(value) in (list, tuple):
            return type(value)(map(smaller, value))
        if type(value) is dict:
            return {key: smaller(part) for key, part in value.items()}
        return value

    def before(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if not arguments:
            return args, kwargs
        args = tuple(smaller(value) if is_dataframe(value) else value for value in args)
        return args, {name: smaller(value) if is_dataframe(value) else value for name, value in kwargs.items()}

    return wrapped(prepare=before, finish=smaller if result else None)


def _present(names: bool | Collection[str], df: Any) -> Any:
    return names if isinstance(names, bool) else [name for name in names if name in (*df.columns, *df.index.names)]
