"""A decorator that times a function."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from fastcore import metrics
from fastcore.memory.wrapping import is_async
from fastcore.monitor.generators import measured_generator

__all__ = ["measure_execution_time"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def measure_execution_time(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def measure_execution_time(
    *, service: str | None = None, operation: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def measure_execution_time(
    function: Callable[..., Any] | None = None, /, *, service: str | None = None, operation: str | None = None
) -> Any:
    """Time every call of a function, plain or async, as ``fastcore_operation_duration_seconds{service,operation}``.

    Calls that raise are timed too, and counted as ``fastcore_operation_errors_total``. Of a generator function, plain
    or async, the time spent in the generator counts, without what its consumer takes between two items.

    Parameters
    ----------
    function : callable
        ``@measure_execution_time`` and ``@measure_execution_time(service=...)`` both decorate.
    service : str, optional
        By default the last part of the module's name.
    operation : str, optional
        By default the function's qualified name.

    Examples
    --------
    >>> from fastcore import metrics
    >>> @measure_execution_time(service="docs", operation="double")
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    >>> metrics.latency("fastcore_operation_duration_seconds", service="docs", operation="double").count
    1
    """
    if function is None:
        return functools.partial(_measured, service=service, operation=operation)
    return _measured(function, service=service, operation=operation)


def _measured(function: Callable[..., Any], *, service: str | None, operation: str | None) -> Callable[..., Any]:
    if not callable(function):
        raise TypeError(f"function: expected a callable, got {type(function).__name__}")
    module = str(getattr(function, "__module__", "") or "unknown")
    labels = {
        "service": module.rpartition(".")[2] if service is None else service,
        "operation": str(getattr(function, "__qualname__", type(function).__qualname__))
        if operation is None
        else operation,
    }
    observe = metrics.latency("fastcore_operation_duration_seconds", **labels).observe
    failed = metrics.counter("fastcore_operation_errors_total", **labels).add
    clock = time.perf_counter

    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return measured_generator(function, observe, failed)

    if is_async(function):

        @functools.wraps(function)
        async def timed_async(*args: Any, **kwargs: Any) -> Any:
            began = clock()
            try:
                return await function(*args, **kwargs)
            except BaseException:
                failed()
                raise
            finally:
                observe(clock() - began)

        return timed_async

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = clock()
        try:
            return function(*args, **kwargs)
        except BaseException:
            failed()
            raise
        finally:
            observe(clock() - began)

    return timed
