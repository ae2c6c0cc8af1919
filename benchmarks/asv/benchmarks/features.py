"""What a commit may lack: a benchmark of it is skipped there, and no error."""

from __future__ import annotations

import importlib
import os
import time
import timeit
from collections.abc import Callable
from typing import Any, TypeVar

try:
    from asv_runner.benchmarks.mark import SkipNotImplemented as Skipped
except ImportError:  # run by hand
    Skipped = NotImplementedError

__all__ = ["Skipped", "cpu_timer", "feature", "needs", "resident_bytes"]

# The time that a benchmark computes, without that in which other processes have its core. Windows counts it in steps of
# 16 ms.
cpu_timer = timeit.default_timer if os.name == "nt" else time.process_time

F = TypeVar("F", bound=Callable[..., Any])


def feature(path: str) -> Any:
    """The object ``module:name`` of this commit, or None where it has none.

    A package of others that is missing is an error: the configuration of asv must name it.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError:
        return None
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "fastcore":
            raise
        return None


def needs(*features: Any) -> Callable[[F], F]:
    """Skip a benchmark where one of `features` is None."""

    def mark(benchmark: F) -> F:
        if any(one is None for one in features):
            benchmark.setup = skip  # type: ignore[attr-defined]
        return benchmark

    return mark


def skip(*_: object) -> None:
    raise NotImplementedError("this commit lacks it")


def resident_bytes() -> int:
    """Memory that this process holds now."""
    import psutil

    return int(psutil.Process(os.getpid()).memory_info().rss)
