"""Which twin of a hot path runs."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Literal

from fastcore import _ext
from fastcore.dispatch import assignment, flags
from fastcore.dispatch.modes import Mode
from fastcore.dispatch.store import HOT_PATHS

__all__ = ["BACKENDS", "HOT_PATHS", "Backend", "backend_for", "backend_of", "twin"]

Backend = Literal["compiled", "python"]

BACKENDS: tuple[Backend, ...] = ("compiled", "python")


def twin(path: str, backend: str) -> ModuleType:
    """Return the module that implements the hot path `path` on `backend`.

    Raises
    ------
    BackendUnavailable
        If `backend` is ``"compiled"`` and the extension may not run.
    """
    if backend == "compiled":
        return _ext.load(path)
    if backend == "python":
        return importlib.import_module(f"python_fallback.{path}")
    raise ValueError(f"backend: expected one of {', '.join(BACKENDS)}, got {backend!r}")


def backend_for(path: str, key: assignment.Key | None = None) -> Backend:
    """Return the backend that the flag of `path` names now.

    Parameters
    ----------
    path : str
        A hot path.
    key : str, bytes or int, optional
        While the flag ramps, decides for this key; without one the context's assignment key does, or else a draw.

    Raises
    ------
    BackendUnavailable
        If the flag ramps and the compiled twin may not run. (A flag at ``compiled`` raises in :func:`twin`.)
    """
    return backend_of(path, flags.mode_of(path), key)


def backend_of(path: str, mode: Mode, key: assignment.Key | None = None) -> Backend:
    """Return the backend that `mode` names for the hot path `path`; raises as :func:`backend_for` does.

    An object keeps its backend, so nothing can be compared call by call: while functions are on trial in ``shadow`` or
    ``canary``, new objects are the control's.
    """
    if mode.word == "auto":
        return "compiled" if _ext.probe(path).module is not None else "python"
    if mode.word == "ramp":
        _ext.load(path)
        return "compiled" if assignment.belongs(path, mode.threshold, key) else "python"
    return "compiled" if mode.word == "compiled" else "python"
