"""DataFrames optimised on their way into a function and out of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, ParamSpec, TypeVar

from fastcore.memory.around import wrapped
from fastcore.memory.frames import _checked_bound, is_dataframe, optimize_dataframe

__all__ = ["optimize_dataframe_memory"]

P = ParamSpec("P")
R = TypeVar("R")


def optimize_dataframe_memory(
    max_relative_error: float = 0.0,
    *,
    categories: bool | Collection[str] = True,
    arguments: bool = True,
    result: bool = True,
    min_bytes: int = 4096,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function, plain or async, so that DataFrames reach it and leave it in fewer bytes.

    What :func:`optimize_dataframe` does without being asked is done: nothing is lost unless `max_relative_error`
    allows it, and values are never replaced by counts of ticks. The function does not know of it, so integers become
    int32 only where their products fit too. The caller's frame stays as it is.

    Parameters
    ----------
    max_relative_error : float, default 0.0
        As of :func:`optimize_dataframe`.
    categories : bool or names, default True
        Text columns to hold as categories. The function may not add text to them, nor put in a value they do not hold;
        it is told by a ``TypeError``. Names that a frame does not have are passed over.
    arguments, result : bool, default True
        Whether frames among the arguments, and a frame that is returned, are optimised. Frames in a list, tuple or dict
        that is returned count too.
    min_bytes : int, default 4096
        Frames of fewer bytes, their text not counted, are left as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastcore.memory import optimize_dataframe_memory
    >>> @optimize_dataframe_memory(min_bytes=0)
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
            names = categories
            if not isinstance(names, bool):
                names = [name for name in names if name in value.columns]
            return optimize_dataframe(value, bound, categories=names, arithmetic="products")[0]
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
