"""Decorators that measure a function's memory, or clean up after it."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar

from fastcore import metrics
from fastcore.memory.shrinkers import shrink, trim
from fastcore.memory.usage import peak_resident_bytes, resident_bytes
from fastcore.memory.wrapping import wrapped

__all__ = ["MemoryGrowth", "memory_monitor", "scheduler_cleanup"]

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("fastcore.memory")
_MB = 1 << 20


@dataclass(frozen=True)
class MemoryGrowth:
    """A call that took more memory than it should: by how many bytes the process grew, at its peak, and the limit."""

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
        Called with a :class:`MemoryGrowth`. What it raises is logged.
    shrink_on_exceeded : bool, default True
        Whether caches then shrink and garbage is collected: see :func:`shrink`.

    Notes
    -----
    Memory belongs to the process: what other threads or tasks take meanwhile counts too.
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
        Collect garbage, and hand free memory back to the system.
    keep : float, default 0.5

    Notes
    -----
    What the job returns or raises comes through. What goes wrong in cleaning up is logged. The bytes that came back are
    counted as ``fastcore_cleanup_freed_bytes_total{job}``.
    """
    if caches not in ("expire", "shrink", None):
        raise ValueError(f"caches: expected 'expire', 'shrink' or None, got {caches!r}")
    if not 0 <= keep <= 1:
        raise ValueError(f"keep: expected a number from 0 to 1, got {keep!r}")

    def clean(job: str) -> None:
        before = resident_bytes()
        if caches == "expire":
            from fastcore.cache import expire_caches

            expire_caches()
        elif caches == "shrink":
            shrink(keep, collect=False)
        if collect:
            gc.collect()
            trim()
        metrics.counter("fastcore_cleanup_freed_bytes_total", job=job).add(max(0, before - resident_bytes()))
        metrics.counter("fastcore_cleanups_total", job=job).add()

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        job = _name(function)

        @contextmanager
        def cleaned() -> Iterator[None]:
            try:
                yield
            finally:
                try:
                    clean(job)
                except Exception:
                    _log.exception("cleaning up after %s failed", job)

        return wrapped(around=cleaned)(function)

    return decorate


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)
