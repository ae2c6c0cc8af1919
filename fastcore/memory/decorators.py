"""Decorators that measure a function's memory, clean up after it, or shrink its DataFrames."""

from __future__ import annotations

import gc
import logging
import math
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar

from fastcore import metrics
from fastcore.memory.frames import _checked_bound, is_dataframe, optimize_dataframe
from fastcore.memory.shrinkers import shrink, trim
from fastcore.memory.usage import peak_resident_bytes, resident_bytes
from fastcore.memory.wrapping import wrapped

__all__ = ["MemoryGrowth", "memory_monitor", "optimize_dataframe_memory", "scheduler_cleanup"]

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("fastcore.memory")
_MB = 1 << 20
_SHARE = 0.001  # of the time, for the full collections after a job


@dataclass(frozen=True)
class MemoryGrowth:
    """A call that took more memory than it should: by how many bytes the process grew, at its peak, and the limit.

    Examples
    --------
    >>> from fastcore.memory import MemoryGrowth
    >>> growth = MemoryGrowth("desk.report", bytes=300 << 20, threshold=100 << 20)
    >>> growth.bytes > growth.threshold
    True
    """

    function: str
    bytes: int
    threshold: int


def memory_monitor(
    threshold_mb: float = 100.0,
    *,
    on_exceeded: Callable[[MemoryGrowth], object] | None = None,
    shrink_on_exceeded: bool = True,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function, plain or async, so that a call which takes too much memory is reported and cleaned up after.

    Parameters
    ----------
    threshold_mb : float, default 100
        Growth of the process's resident memory during a call, in MiB, above which it is logged and counted as
        ``fastcore_memory_exceeded_total{function}``. Where the call sets a new record of the process its peak counts,
        otherwise what is left at its end.
    on_exceeded : callable, optional
        Called with a :class:`MemoryGrowth`. Its errors are logged.
    shrink_on_exceeded : bool, default True
        Whether caches then shrink and garbage is collected: see :func:`shrink`.

    Notes
    -----
    Memory belongs to the process: what other threads or tasks take meanwhile counts too.

    Examples
    --------
    >>> from fastcore.memory import memory_monitor
    >>> @memory_monitor(threshold_mb=500)
    ... def report(symbols):
    ...     return len(symbols)
    >>> report(["AAPL", "MSFT"])
    2
    """
    if isinstance(threshold_mb, bool) or not isinstance(threshold_mb, (int, float)):
        raise TypeError(f"threshold_mb: expected a number, got {type(threshold_mb).__name__}")
    if not threshold_mb > 0:
        raise ValueError(f"threshold_mb: expected a number above 0, got {threshold_mb!r}")
    limit = int(threshold_mb * _MB)

    def exceeded(name: str, growth: int) -> None:
        metrics.counter("fastcore_memory_exceeded_total", function=name).add()
        _log.warning("%s took %.1f MiB of memory, more than %g MiB", name, growth / _MB, threshold_mb)
        if on_exceeded is not None:
            try:
                on_exceeded(MemoryGrowth(name, growth, limit))
            except Exception:
                _log.exception("on_exceeded raised")
        if shrink_on_exceeded:
            shrink()

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        name = _name(function)
        gauge = metrics.gauge("fastcore_memory_growth_bytes", function=name)

        @contextmanager
        def measured() -> Iterator[None]:
            before, record = resident_bytes(), peak_resident_bytes()
            try:
                yield
            finally:
                peak = peak_resident_bytes()
                growth = max(resident_bytes(), peak if peak > record else 0) - before
                gauge.set(growth)
                if growth > limit:
                    exceeded(name, growth)

        return wrapped(around=measured)(function)

    return decorate


def scheduler_cleanup(
    *,
    caches: Literal["expire", "shrink"] | None = "expire",
    collect: bool = True,
    keep: float = 0.5,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a scheduled job, plain or async, so that memory is cleaned up after each run, also after a failed one.

    Parameters
    ----------
    caches : {'expire', 'shrink', None}, default 'expire'
        Drop what has expired from the named caches; or shrink them, and what else is registered, to `keep`; or nothing.
    collect : bool, default True
        Collect garbage, and hand free memory back to the system. A full collection stops every thread. A job that runs
        often therefore skips it while the last one took more than a thousandth of the time since; Python's
        automatic collections go on. Where those are disabled, no run skips it.
    keep : float, default 0.5

    Notes
    -----
    The result or error of the job is passed on. Errors in cleaning up are logged. Freed bytes are counted as
    ``fastcore_cleanup_freed_bytes_total{job}``.

    Examples
    --------
    >>> from fastcore.memory import scheduler_cleanup
    >>> @scheduler_cleanup(caches="expire")
    ... def nightly():
    ...     return "done"
    >>> nightly()
    'done'
    """
    if caches not in ("expire", "shrink", None):
        raise ValueError(f"caches: expected 'expire', 'shrink' or None, got {caches!r}")
    if not 0 <= keep <= 1:
        raise ValueError(f"keep: expected a number from 0 to 1, got {keep!r}")

    def clean(job: str, collections: _Collections) -> None:
        before = resident_bytes()
        if caches == "expire":
            from fastcore.cache import expire_caches

            expire_caches()
        elif caches == "shrink":
            shrink(keep, collect=False)
        if collect:
            collections.collect()
            trim()
        metrics.counter("fastcore_cleanup_freed_bytes_total", job=job).add(max(0, before - resident_bytes()))
        metrics.counter("fastcore_cleanups_total", job=job).add()

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        job, collections = _name(function), _Collections()

        @contextmanager
        def cleaned() -> Iterator[None]:
            try:
                yield
            finally:
                try:
                    clean(job, collections)
                except Exception:
                    _log.exception("cleaning up after %s failed", job)

        return wrapped(around=cleaned)(function)

    return decorate


class _Collections:
    """The full collections after one job, which take a bounded share of the time."""

    def __init__(self) -> None:
        self._ended, self._took = -math.inf, 0.0

    def collect(self) -> None:
        """Collect garbage, unless the last collection took too much of the time since."""
        began = time.perf_counter()
        if self._took > _SHARE * (began - self._ended) and gc.isenabled():
            return
        gc.collect()
        self._ended = time.perf_counter()
        self._took = self._ended - began


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


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

    By default only changes that cannot affect the function's result are made: equal text of an object column becomes
    one object, and a column that is a view of a larger block is copied out of it. The rest is done on request. The
    caller's frame is not changed.

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
