"""Registration: the checks of a function that becomes a task."""

from __future__ import annotations

import importlib.util
import pickle
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from fastcore._text import storable
from fastcore.concurrency.checks import called, is_async, is_generator
from fastcore.tasks.ports import Cap, Executor
from fastcore.tasks.task import Task, place_of

__all__ = ["check_by_name", "checked"]


def check_by_name(fn: Callable[..., Any], name: str, on: str) -> None:
    """Raise TypeError for a function that another process cannot find by its module and name."""
    module, qualname = place_of(fn)
    owner = getattr(fn, "__self__", None)
    got = ""
    if owner is not None and not isinstance(owner, (type, types.ModuleType)):
        got = "a method of an object"
    elif qualname is None:
        try:
            pickle.dumps(fn)
        except Exception as error:
            got = f"an object that cannot be pickled: {type(error).__name__}: {error}"
    elif "<lambda>" in qualname:
        got = "a lambda"
    elif "<locals>" in qualname:
        got = "one that is defined inside another function"
    elif module == "__main__" and not _main_can_be_imported():
        got = "one of a program that has no file, such as an interactive session"
    if got:
        raise TypeError(
            f"{name}: expected a function that a process can import by its name for on={on!r}, got {got} ({fn!r})"
        )


def _main_can_be_imported() -> bool:
    """As `multiprocessing` has its children import the main module."""
    main = sys.modules["__main__"]
    return getattr(main, "__spec__", None) is not None or getattr(main, "__file__", None) is not None


def checked(
    tasks: Mapping[str, Task[..., Any]],
    workers: Mapping[str, int],
    executors: Mapping[str, Executor],
    fn: Callable[..., Any],
    name: str | None,
    on: str | None,
    options: Mapping[str, Any],
) -> tuple[str, str]:
    """Return the name and the executor's name for a new task.

    Raises
    ------
    TypeError, ValueError
        If the function, the name or an option is not what it must be.
    """
    called("fn", fn)
    if is_generator(fn):
        raise TypeError(f"fn: expected a function or a coroutine function, got a generator function, {fn!r}")
    name = getattr(fn, "__name__", None) if name is None else name
    if not isinstance(name, str) or not name:
        raise TypeError(f"name: expected a str that is not empty, got {name!r}")
    if storable(name) != name:
        raise ValueError(f"name: expected text that can be stored as UTF-8, got {name!r}")
    known = tasks.get(name)
    if known is not None and place_of(known.fn) != place_of(fn):
        raise ValueError(f"name: expected one that is free, got {name!r}, which is {known.fn!r}")
    on = ("async" if is_async(fn) else "thread") if on is None else on
    if on not in workers and on not in executors:
        if on == "dask":
            _check_dask()
        raise ValueError(f"on: expected one of {', '.join({**workers, **executors})}, got {on!r}")
    if on in executors:
        able = bool(executors[on].capabilities & (Cap.ASYNC if is_async(fn) else Cap.SYNC))
    else:
        able = (on == "async") is is_async(fn)
    if not able:
        kind = "a plain function" if is_async(fn) else "a coroutine function"
        raise TypeError(f"{name}: expected {kind} for on={on!r}, got {fn!r}")
    for option in ("delay", "run_at", "unique_key", "idempotency_key", "fingerprint"):
        if option in options:
            raise TypeError(f"{option}: expected it of one submission, by configure, got it of the whole task")
    return name, on


def _check_dask() -> NoReturn:
    if importlib.util.find_spec("distributed") is None:
        raise ImportError("on='dask': expected distributed to be installed; pip install \"fastcore-native[dask]\"")
    raise ValueError(
        "on: expected a queue with a Dask executor for 'dask', got one without: "
        "TaskQueue(executors={'dask': DaskExecutor(cluster)}), from fastcore.tasks.executors.dask"
    )
